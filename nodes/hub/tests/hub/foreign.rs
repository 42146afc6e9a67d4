//! A server that answers anything: no panic, no end in sight is given up on, and no file that is not what was listed.
//!
//! `PROPTEST_CASES` sets how many answers are tried; without it a few seconds' worth.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use hyper_flow_hub::{Hub, HubError, Patience, Settings, Silent};
use proptest::prelude::*;
use proptest::sample::Index;

use hyper_flow_flaky_hub::COMMIT;

const LISTING: &str = r#"[{"type":"directory","path":"unet","oid":"","size":0},{"type":"file","path":"a.json","oid":"9e26dfeeb6e641a33dae4961196235bdb965b21b","size":2},{"type":"file","path":"unet/m.bin","oid":"9e26dfeeb6e641a33dae4961196235bdb965b21c","size":9,"lfs":{"oid":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}]"#;
const CONTENT: &[u8] = b"{}";

fn cases(bounded: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if asked { ProptestConfig::default().cases } else { bounded };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Answers one connection after the other with these bytes, whatever is asked; then with nothing.
fn serve(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            reply(stream, &answer);
        }
    });
    format!("http://{address}")
}

fn reply(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut asked = Vec::new();
    let mut piece = [0; 1024];
    while !asked.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count @ 1..) => asked.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let _ = stream.write_all(answer);
}

fn hub(endpoint: String) -> Hub {
    let patience = Patience {
        retries: 2,
        first_wait: Duration::ZERO,
        longest_wait: Duration::ZERO,
        ..Patience::brief(Duration::from_secs(20))
    };
    Hub::new(Settings { endpoint, token: None, offline: false, patience }).unwrap()
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A body with some pieces of it cut out, repeated, or replaced.
fn mutated(text: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 16] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "null",
        "-1",
        "18446744073709551615",
        "1e99",
        "\"path\":\"../../x\"",
        "\"path\":\"\"",
        "\\u0000",
        "sha256:",
        "\"type\":\"file\"",
        "\u{7f}",
    ];
    let piece = prop_oneof![
        prop::sample::select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4)
    ];
    prop::collection::vec((any::<Index>(), 0..30_usize, piece), 0..4).prop_map(move |changes| {
        let mut bytes = text.to_vec();
        for (at, cut, piece) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        bytes
    })
}

fn head() -> impl Strategy<Value = String> {
    let heads = [
        "200 OK",
        "200 OK",
        "200 OK",
        "206 Partial Content",
        "404 Not Found",
        "416 Range",
        "429 Slow",
        "500 Oh",
        "200 OK\r\nLink: <http://x/?cursor=1>; rel=\"next\"",
        "200 OK\r\nLink: <<>>;;;=?,,rel=next",
        "206 P\r\nContent-Range: bytes 0-1/2",
        "206 P\r\nContent-Range: bytes 18446744073709551615-0/18446744073709551615",
        "416 R\r\nContent-Range: bytes */0",
        "503 Wait\r\nRetry-After: 18446744073709551615",
        "302 There\r\nLocation: http://[",
        "200 OK\r\nContent-Encoding: gzip",
        "404 N\r\nX-Error-Message: \u{1b}[2J",
        "200",
    ];
    prop::sample::select(heads.to_vec()).prop_map(str::to_owned)
}

fn any_answer(body: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => mutated(body).prop_map(|body| answer("200 OK", &body)),
        3 => (head(), mutated(body)).prop_map(|(head, body)| answer(&head, &body)),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (0..100_usize).prop_map(|depth| answer("200 OK", "[".repeat(depth * 1000).as_bytes())),
    ]
}

fn tell(error: &HubError) {
    let said = error.to_string();
    assert!(!said.is_empty() && said.len() < 5_000, "{said}");
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn any_listing_is_understood_or_told(answers in prop::collection::vec(any_answer(LISTING.as_bytes()), 1..5)) {
        let hub = hub(serve(answers));
        match hub.files(&"org/m".parse().unwrap(), COMMIT, &Silent) {
            Ok(files) => prop_assert!(files.len() < 100),
            Err(error) => tell(&error),
        }
    }

    #[test]
    fn any_revision_is_understood_or_told(answers in prop::collection::vec(any_answer(br#"{"sha":"0123","siblings":[]}"#), 1..4)) {
        if let Err(error) = hub(serve(answers)).commit_of(&"org/m".parse().unwrap(), "main") {
            tell(&error);
        }
    }

    /// A listing that lies, then files that are anything.
    #[test]
    fn any_file_is_the_listed_one_or_none(listing in mutated(LISTING.as_bytes()), answers in prop::collection::vec(any_answer(CONTENT), 1..6)) {
        let mut all = vec![answer("200 OK", &listing)];
        all.extend(answers);
        let (hub, folder) = (hub(serve(all)), tempfile::tempdir().unwrap());
        let (repo, to) = ("org/m".parse().unwrap(), folder.path().join("to"));
        let Ok(files) = hub.files(&repo, COMMIT, &Silent) else { return Ok(()) };
        match hub.download_all(&repo, COMMIT, &files, &to, &Silent) {
            Ok(()) => for file in &files {
                let found = std::fs::read(to.join(&file.path)).unwrap();
                prop_assert_eq!(found.len() as u64, file.size);
            },
            Err(error) => tell(&error),
        }
        prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != "to").count(), 0);
    }
}

/// Sizes whose sum is no number.
#[test]
fn sizes_that_no_number_holds_do_not_fit_on_the_disk() {
    let file = |path: &str| {
        format!(
            r#"{{"type":"file","path":"{path}","oid":"9e26dfeeb6e641a33dae4961196235bdb965b21b","size":{}}}"#,
            u64::MAX
        )
    };
    let hub = hub(serve(vec![answer("200 OK", format!("[{},{}]", file("a"), file("b")).as_bytes())]));
    let (repo, folder) = ("org/m".parse().unwrap(), tempfile::tempdir().unwrap());
    let files = hub.files(&repo, COMMIT, &Silent).unwrap();
    let refused = hub.download_all(&repo, COMMIT, &files, folder.path(), &Silent);
    assert!(matches!(refused, Err(HubError::Space { .. })), "{refused:?}");
}

/// Pages that lead back to one that was read.
#[test]
fn pages_in_a_circle_end() {
    let page = |next: u32, file: u32| {
        let link = format!("200 OK\r\nLink: <http://x/?cursor={next}>; rel=\"next\"");
        let entry = format!(
            r#"[{{"type":"file","path":"f{file}","oid":"9e26dfeeb6e641a33dae4961196235bdb965b21b","size":1}}]"#
        );
        answer(&link, entry.as_bytes())
    };
    let answers = std::iter::once(page(1, 0)).chain((0..40).map(|turn| page(2 - turn % 2, 1 + turn % 2))).collect();
    let listed = hub(serve(answers)).files(&"org/m".parse().unwrap(), COMMIT, &Silent);
    match listed {
        Ok(files) => assert!(files.len() <= 3, "{} files", files.len()),
        Err(error) => tell(&error),
    }
}
