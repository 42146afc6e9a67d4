//! Downloads that fail, saying what is wrong.

use std::fs;
use std::io::Write;
use std::net::TcpListener;

use hyper_flow_hub::{Hub, Patience, Settings};

use crate::lab::{Ear, LARGE, Lab, SOON, bytes, patience};
use hyper_flow_flaky_hub::{COMMIT, Fault, Server};

/// What is said when the same goes wrong every time.
fn always(fault: &Fault) -> String {
    let stall = if matches!(fault, Fault::Stall(_)) { SOON } else { patience().stall };
    let lab = Lab { patience: Patience { stall, ..patience() }, ..Lab::new() };
    lab.server.faults(vec![fault.clone(); 20]);
    lab.fails()
}

#[test]
fn a_server_that_never_gets_better_is_given_up() {
    let subject = "`unet/model.safetensors` of org/m at <commit>: ";
    let says = |fault: Fault, words: &str| assert_eq!(always(&fault), format!("{subject}{words} (tried 4 times)"));
    says(Fault::Status(500, Vec::new()), "<hub> answers with status 500");
    says(
        Fault::Status(429, vec![("X-Error-Message", "too many".to_owned())]),
        "<hub> answers with status 429 (\"too many\")",
    );
    says(Fault::Stall(0), "<hub> sent nothing for 0.5 s");
    says(Fault::Longer(-3), "<hub> sends 99997 bytes where there should be 100000");
    let hangs = always(&Fault::Hang);
    assert!(hangs.starts_with(&format!("{subject}the connection to <hub> was cut: ")), "{hangs}");
}

#[test]
fn wrong_bytes_are_deleted() {
    let lab = Lab::new();
    lab.server.faults([Fault::WrongBytes]);
    let message = lab.fails();
    assert!(message.contains("it was deleted") && message.contains("sha256"), "{message}");
    assert!(!lab.partial().exists());
    assert_eq!(lab.server.ranges().len(), 1, "a whole answer is not asked for again");
}

#[test]
fn wrong_bytes_in_several_parts_are_fetched_once_more_and_then_deleted() {
    let lab = Lab::new();
    lab.server.lie(LARGE, &bytes(100_001)[1..]).faults([Fault::Cut(10), Fault::None, Fault::Cut(20), Fault::None]);
    assert!(lab.fails().contains("it was deleted"));
    assert!(!lab.partial().exists());
    assert_eq!(lab.server.ranges().len(), 4);
}

#[test]
fn a_server_that_ignores_ranges_and_always_cuts_is_given_up() {
    let message = always(&Fault::Whole(1000));
    assert!(message.contains("was cut") && message.contains("(tried "), "{message}");
}

#[test]
fn a_compressed_answer_is_not_taken_for_the_file() {
    let message = always(&Fault::Compressed);
    assert!(message.contains("compressed") && message.contains("gzip"), "{message}");
}

fn refused(code: u16, error: &str, token: bool) -> String {
    let lab = Lab::new();
    lab.server.faults([Fault::Status(code, vec![("X-Error-Code", error.to_owned())])]);
    let hub = if token { lab.hub_with_token() } else { lab.hub() };
    let error = hub.download(&lab.repo(), COMMIT, &lab.file(), &lab.to(), &Ear::default()).unwrap_err();
    assert_eq!(lab.server.ranges().len(), 1, "what is refused is not asked for again");
    error.to_string().replace(&lab.server.url(), "<hub>")
}

#[test]
fn who_may_not_read_is_told_what_to_do() {
    let gated = refused(401, "GatedRepo", false);
    assert!(gated.contains("accept its licence on <hub>/org/m, and set HF_TOKEN"), "{gated}");
    let gated = refused(403, "GatedRepo", true);
    assert!(gated.contains("accept its licence on <hub>/org/m with the account of HF_TOKEN"), "{gated}");
    let unknown = refused(401, "RepoNotFound", false);
    assert!(unknown.contains("does not exist, or is private or gated"), "{unknown}");
    let expired = refused(401, "", true);
    assert!(expired.contains("the token in HF_TOKEN has expired") && !expired.contains("secret"), "{expired}");
}

#[test]
fn what_is_not_there_is_told_apart() {
    assert!(refused(404, "EntryNotFound", false).contains("org/m has no such file at this commit"));
    assert!(refused(404, "RevisionNotFound", false).contains("<hub>/org/m/commits/main"));
    assert!(refused(404, "RepoNotFound", false).contains("<hub> has no repository `org/m`"));
    // A mirror that gives no reason.
    assert!(refused(404, "", false).contains("or no such revision or file in it"));
}

#[test]
fn nobody_at_the_address() {
    let lab = Lab::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let hub = Hub::new(Settings { endpoint: endpoint.clone(), ..lab.settings() }).unwrap();
    let error = hub.commit_of(&lab.repo(), "main").unwrap_err().to_string();
    assert!(error.starts_with(&format!("`main` of org/m: cannot reach {endpoint}: ")), "{error}");
    assert!(error.contains("HTTPS_PROXY") && error.ends_with("(tried 4 times)"), "{error}");
}

#[test]
fn a_server_that_speaks_no_tls_is_told_at_once() {
    let lab = Lab::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // Until the client has gone, which would not see the answer otherwise.
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    let endpoint = format!("https://user:password@{address}");
    let hub = Hub::new(Settings { endpoint, ..lab.settings() }).unwrap();
    let error = hub.commit_of(&lab.repo(), "main").unwrap_err().to_string();
    drop(hub);
    // The client may leave with a reset.
    let _ = server.join().unwrap();
    assert!(error.contains(&format!("cannot reach https://{address}")) && !error.contains("tried"), "{error}");
    assert!(!error.contains("password"), "{error}");
}

#[test]
fn offline_means_that_nobody_is_asked() {
    let lab = Lab::new();
    let hub = Hub::new(Settings { offline: true, ..lab.settings() }).unwrap();
    let error = hub.files(&lab.repo(), COMMIT, &Ear::default()).unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE is set"), "{error}");
    assert!(lab.server.seen().is_empty());
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let server = Server::new("org/m", &[("good.json", b"{}"), ("../bad.json", b"{}")]);
    let lab = Lab { server, ..Lab::new() };
    let (hub, repo, ear) = (lab.hub(), lab.repo(), Ear::default());
    let files = hub.files(&repo, COMMIT, &ear).unwrap();
    let error = hub.download_all(&repo, COMMIT, &files, &lab.folder.path().join("to"), &ear).unwrap_err().to_string();
    assert!(error.contains("../bad.json"), "{error}");
    assert_eq!(fs::read_dir(lab.folder.path().join("to")).unwrap().count(), 0);
}
