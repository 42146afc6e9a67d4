//! Downloads that end right in spite of everything.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use hyper_flow_hub::{HubError, Patience, download_url};
use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use rustix::fs::{CWD, Mode, mkfifoat};

use crate::lab::{Ear, LARGE, Lab, SOON, bytes, patience};
use hyper_flow_flaky_hub::{COMMIT, Fault, Server};

fn status(code: u16) -> Fault {
    Fault::Status(code, Vec::new())
}

#[test]
fn a_download_without_trouble() {
    let lab = Lab::new();
    let ear = lab.downloads();
    assert!(ear.pauses.borrow().is_empty());
    assert_eq!(*ear.progress.borrow().last().unwrap(), (100_000, Some(100_000)));
    assert_eq!(lab.server.ranges(), [None]);
    // What is there and right is not asked for again.
    lab.downloads();
    assert_eq!(lab.server.ranges(), [None]);
}

#[test]
fn a_cut_is_gone_on_from() {
    let lab = Lab::new();
    lab.server.faults([Fault::Cut(30_000), Fault::Hang, status(500), Fault::Cut(50_000)]);
    let ear = lab.downloads();
    assert_eq!(ear.pauses.borrow().len(), 4);
    let ranges: Vec<_> = lab.server.ranges().into_iter().map(|range| range.unwrap_or_default()).collect();
    assert_eq!(ranges[0], "");
    assert_eq!(ranges[1..4], vec!["bytes=30000-"; 3]);
    assert_eq!(ranges[4], "bytes=80000-");
}

#[test]
fn another_process_goes_on_where_one_was_killed() {
    let lab = Lab::new();
    fs::write(lab.partial(), &lab.content[..60_000]).unwrap();
    lab.downloads();
    assert_eq!(lab.server.ranges(), [Some("bytes=60000-".to_owned())]);
}

#[test]
fn all_bytes_that_a_killed_process_left_are_only_verified() {
    let lab = Lab::new();
    fs::write(lab.partial(), &lab.content).unwrap();
    lab.downloads();
    assert!(lab.server.ranges().is_empty());
}

#[test]
fn a_part_of_another_file_is_found_out_and_fetched_again() {
    for left in [bytes(70_000).iter().map(|byte| !byte).collect::<Vec<_>>(), vec![0; 100_000], vec![0; 200_000]] {
        let lab = Lab::new();
        fs::write(lab.partial(), &left).unwrap();
        lab.downloads();
    }
}

#[test]
fn a_wrong_file_under_the_final_name_is_replaced() {
    let lab = Lab::new();
    fs::write(lab.to(), vec![1; 100_000]).unwrap();
    lab.downloads();
}

#[test]
fn what_is_no_file_under_either_name_is_replaced() {
    type Make = fn(&Path);
    let things: [Make; 3] = [
        |path| fs::create_dir(path).and_then(|()| fs::write(path.join("x"), "y")).unwrap(),
        |path| mkfifoat(CWD, path, Mode::RWXU).unwrap(),
        |path| symlink("nowhere", path).unwrap(),
    ];
    for make in things {
        let lab = Lab::new();
        make(&lab.to());
        make(&lab.partial());
        lab.downloads();
    }
}

#[test]
fn a_server_that_ignores_ranges_is_read_from_the_beginning() {
    let lab = Lab::new();
    lab.server.faults([Fault::Cut(40_000), Fault::Whole(70_000), Fault::Whole(usize::MAX)]);
    lab.downloads();
}

#[test]
fn a_server_that_sends_another_part_is_asked_for_the_whole() {
    let lab = Lab::new();
    lab.server.faults([Fault::Cut(40_000), Fault::OtherRange]);
    lab.downloads();
    assert_eq!(lab.server.ranges(), [None, Some("bytes=40000-".to_owned()), None]);
}

#[test]
fn a_server_that_is_busy_says_when_to_come_again() {
    let lab = Lab::new();
    lab.server.faults([Fault::Status(429, vec![("Retry-After", "0".to_owned())]), status(503)]);
    let patience =
        Patience { first_wait: Duration::from_millis(3), longest_wait: Duration::from_millis(5), ..patience() };
    let ear = Lab { patience, ..lab }.downloads();
    let waits: Vec<_> = ear.pauses.borrow().iter().map(|(_, wait)| wait.as_millis()).collect();
    assert_eq!(waits, [0, 5]);
    assert!(ear.pauses.borrow()[0].0.contains("status 429"));
}

#[test]
fn silence_ends_the_connection_and_not_the_download() {
    let lab = Lab { patience: Patience { stall: SOON, ..patience() }, ..Lab::new() };
    lab.server.faults([Fault::Stall(10_000)]);
    let ear = lab.downloads();
    assert!(ear.pauses.borrow()[0].0.contains("sent nothing for 0.5 s"), "{:?}", ear.pauses);
    assert_eq!(lab.server.ranges()[1].as_deref(), Some("bytes=10000-"));
}

#[test]
fn a_length_that_is_wrong_once_is_forgiven() {
    let lab = Lab::new();
    lab.server.faults([Fault::Longer(-5), Fault::Cut(10), Fault::Longer(7)]);
    let ear = lab.downloads();
    assert!(ear.pauses.borrow()[0].0.contains("sends 99995 bytes where there should be 100000"), "{:?}", ear.pauses);
}

#[test]
fn a_length_that_nobody_announces_is_found_by_its_end() {
    let lab = Lab::new();
    lab.server.faults([Fault::NoLength]);
    lab.downloads();
}

#[test]
fn large_files_come_from_elsewhere_and_the_token_stays() {
    let lab = Lab::new();
    let elsewhere = Server::new("x", &[(LARGE, &lab.content)]);
    elsewhere.faults([Fault::Cut(25_000), status(403)]);
    lab.server.redirect(&elsewhere);
    lab.downloads();
    let files = lab.server.seen().into_iter().filter(|request| request.target.contains("/resolve/"));
    assert!(files.into_iter().all(|request| request.headers["authorization"] == "Bearer hf_secret"));
    assert_eq!(elsewhere.seen().len(), 3);
    for request in elsewhere.seen() {
        assert!(
            !request.headers.contains_key("authorization") && !request.headers.contains_key("referer"),
            "{request:?}"
        );
    }
    assert_eq!(elsewhere.ranges()[1].as_deref(), Some("bytes=25000-"));
}

#[test]
fn a_download_that_nobody_wants_any_more_is_kept_for_later() {
    let lab = Lab::new();
    lab.server.faults([Fault::Stall(50_000)]);
    let ended = lab.download(&Ear { enough: Some(50_000), ..Ear::default() });
    assert!(matches!(ended, Err(HubError::Cancelled)), "{ended:?}");
    assert_eq!(fs::metadata(lab.partial()).unwrap().len(), 50_000);
    lab.downloads();
    assert_eq!(lab.server.ranges()[1].as_deref(), Some("bytes=50000-"));
}

#[test]
fn many_files_share_one_progress() {
    let lab = Lab::new();
    let (hub, repo, ear) = (lab.hub(), lab.repo(), Ear::default());
    let files = hub.files(&repo, COMMIT, &ear).unwrap();
    hub.download_all(&repo, COMMIT, &files, &lab.folder.path().join("all"), &ear).unwrap();
    let there = |name: &str| fs::read(lab.folder.path().join("all").join(name)).unwrap();
    assert_eq!((there("a b.json"), there("vae/config.json")), (b"{}".to_vec(), Vec::new()));
    assert!(there(LARGE) == lab.content);
    assert_eq!(*ear.progress.borrow().last().unwrap(), (100_002, Some(100_002)));
    assert!(ear.progress.borrow().is_sorted());
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn url_of(lab: &Lab) -> String {
    format!("{}/org/m/resolve/{COMMIT}/{LARGE}?signature=secret", lab.server.url())
}

fn download(lab: &Lab, to: &Path) -> Result<(), HubError> {
    download_url(&url_of(lab), &sha256(&lab.content), to, patience(), &Ear::default())
}

#[test]
fn a_url_with_a_hash_is_downloaded_and_gone_on_with() {
    let lab = Lab::new();
    lab.server.faults([Fault::Cut(10_000), Fault::NoLength]);
    download(&lab, &lab.to()).unwrap();
    assert!(fs::read(lab.to()).unwrap() == lab.content);
    // Of unknown length, whole, and its process killed.
    fs::rename(lab.to(), lab.partial()).unwrap();
    download(&lab, &lab.to()).unwrap();
    assert!(fs::read(lab.to()).unwrap() == lab.content);
    assert_eq!(lab.server.ranges()[2].as_deref(), Some("bytes=100000-"));
}

#[test]
fn a_url_whose_content_changed_is_not_kept() {
    let lab = Lab::new();
    lab.server.faults([Fault::WrongBytes]);
    let error = download(&lab, &lab.to()).unwrap_err().to_string();
    assert!(error.contains("sha256") && error.contains("deleted") && !error.contains("secret"), "{error}");
    assert_eq!(fs::read_dir(lab.folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_url_or_no_hash() {
    let to = Path::new("nowhere");
    let error = |url: &str, sha: &str| download_url(url, sha, to, patience(), &Ear::default()).unwrap_err().to_string();
    assert!(error("ftp://x/y", &sha256(b"")).contains("begins with neither"));
    assert!(error("x/y", &sha256(b"")).contains("`x/y` is no address"));
    assert!(error("http://x/y", "abc").contains("`abc` is no sha256"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever part comes each time, and whatever else goes wrong between, the file is right in the end.
    #[test]
    fn cuts_anywhere(faults in proptest::collection::vec(fault(), 0..12)) {
        // A run of trouble that is longer than its patience is another test.
        let lab = Lab { patience: Patience { retries: 12, ..patience() }, ..Lab::new() };
        lab.server.faults(faults);
        lab.downloads();
    }

    /// Whatever a process that was killed left behind.
    #[test]
    fn any_remains(kept in 0usize..100_001, garbage in proptest::collection::vec(any::<u8>(), 0..50), cut in 0usize..100_000) {
        let lab = Lab::new();
        fs::write(lab.partial(), [&lab.content[..kept], &garbage].concat()).unwrap();
        lab.server.faults([Fault::Cut(cut)]);
        lab.downloads();
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => (0usize..100_000).prop_map(Fault::Cut),
        1 => (0usize..100_000).prop_map(Fault::Whole),
        1 => Just(Fault::Hang),
        1 => Just(Fault::OtherRange),
        1 => Just(status(429)),
        1 => Just(status(502)),
        1 => (-9isize..9).prop_map(Fault::Longer),
    ]
}
