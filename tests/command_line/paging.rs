//! `report` and `ui`: what they print, what they answer, and to whom.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::scene::{Scene, filters};

/// Named so that it would do something if it were taken for markup.
const HOSTILE: &str = r#"Pipeline(name: "</script><script>alert(1)</script>", nodes: {
    "<img src=x onerror=alert(2)>": Command(program: ["sh", "-c", "echo '<b>said</b>' >&2; echo x > $FLOW_OUT/a.txt"]),
})"#;

#[test]
fn a_report_is_one_file_and_says_what_is_in_it() {
    let _filters = filters();
    let scene = Scene::new();
    scene.ok("run -q");
    let told = scene.ok("report -o r.html");
    let told = told.replace(|c: char| c.is_ascii_digit(), "9");
    assert!(told.starts_with("r.html  run ") && told.contains(" KiB, 9 pictures"), "{told}");
    let html = scene.read("r.html");
    assert!(html.len() < 10 << 20 && html.contains("Content-Security-Policy") && html.contains("\"merged\""));
    let outside = ["src=\"http", "href=\"http", "url(", "@import"];
    assert!(outside.iter().all(|form| !html.contains(form)), "nothing is fetched");
    assert_eq!(scene.json("report --json")["left_out"], serde_json::json!([]));
    assert_eq!(scene.ok("report last -q -o x.html"), "x.html\n");
    insta::assert_snapshot!(scene.fails("report 1999"), @r"
    exit 2
      × there is no run `1999`
      help: the newest: [RUN]
    ");
}

#[test]
fn names_and_words_of_programs_stay_text() {
    let scene = Scene::empty();
    scene.write("hostile.ron", HOSTILE);
    scene.ok("run -q");
    scene.ok("report");
    let html = scene.read("report.html");
    assert_eq!(html.matches("<script").count(), 2, "the data and the program");
    assert!(!html.contains("<img src=x") && !html.contains("<script>alert"));
    assert!(html.contains(r"\u003c/script>\u003cscript>alert(1)"), "in the data they are");
}

#[test]
fn without_a_run_there_is_no_report() {
    let scene = Scene::empty();
    scene.ok("store init");
    insta::assert_snapshot!(scene.fails("report"), @r"
    exit 2
      × there is no run `last`
      help: none is kept yet
    ");
    assert!(scene.fails("--store none ui").starts_with("exit 2"));
}

/// A server that is ended with the test.
struct Ui {
    child: Child,
    port: u16,
    token: String,
}

impl Ui {
    fn new(scene: &Scene) -> Ui {
        let mut child = scene.command("ui").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (port, token) = line.trim().strip_prefix("http://127.0.0.1:").unwrap().split_once('/').unwrap();
        Ui { child, port: port.parse().unwrap(), token: token.trim_end_matches('/').to_owned() }
    }

    /// The status line and all that follows of what is answered to a request of these lines.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = request.replace("TOKEN", &self.token).replace("PORT", &self.port.to_string());
        write!(stream, "{}\r\nConnection: close\r\n\r\n", request.replace('\n', "\r\n")).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn status(&self, request: &str) -> u16 {
        self.ask(request).split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// A request as a browser sends it.
    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET /TOKEN/{path} HTTP/1.1\nHost: 127.0.0.1:PORT"))
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn only_who_has_the_address_is_answered() {
    let scene = Scene::new();
    scene.ok("run -q");
    let ui = Ui::new(&scene);
    assert_eq!((ui.token.len(), Ui::new(&scene).token == ui.token), (32, false), "{}", ui.token);
    let page = ui.get("");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("app.js"), "{page}");
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
        "cache-control: no-store",
    ] {
        assert!(page.contains(header), "{header} is not in {page}");
    }
    assert!(!page.contains("access-control"), "no other origin may read");
    let right = ui.token.clone();
    let wrong = format!("{}{}", &right[..31], if right.ends_with('0') { '1' } else { '0' });
    let statuses = [
        ("GET /TOKEN/app.js HTTP/1.1\nHost: localhost:PORT", 200),
        ("GET /TOKEN HTTP/1.1\nHost: localhost:PORT", 307),
        ("GET / HTTP/1.1\nHost: 127.0.0.1:PORT", 403),
        ("GET /api/runs HTTP/1.1\nHost: 127.0.0.1:PORT", 403),
        ("GET /WRONG/api/runs HTTP/1.1\nHost: 127.0.0.1:PORT", 403),
        ("GET /TOKEN0/api/runs HTTP/1.1\nHost: 127.0.0.1:PORT", 403),
        ("GET /TOKEN/api/runs HTTP/1.1\nHost: evil.example:PORT", 403),
        ("GET /TOKEN/api/runs HTTP/1.1\nHost: 127.0.0.1", 403),
        ("GET /TOKEN/api/runs HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: http://evil.example", 403),
        ("GET /TOKEN/api/runs HTTP/1.1\nHost: 127.0.0.1:PORT\nOrigin: http://127.0.0.1:PORT", 200),
        ("POST /TOKEN/api/runs HTTP/1.1\nHost: 127.0.0.1:PORT\nContent-Length: 0", 405),
        ("DELETE /TOKEN/api/runs HTTP/1.1\nHost: 127.0.0.1:PORT", 405),
        ("GET /TOKEN/none HTTP/1.1\nHost: 127.0.0.1:PORT", 404),
    ];
    for (request, status) in statuses {
        assert_eq!(ui.status(&request.replace("WRONG", &wrong)), status, "{request}");
    }
}

#[test]
fn runs_nodes_logs_and_artifacts_are_told_and_nothing_else_is_read() {
    let scene = Scene::new();
    scene.ok("run -q");
    let before = files(&scene);
    let ui = Ui::new(&scene);
    let json = |path: &str| -> serde_json::Value {
        let answer = ui.get(path);
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    };
    let runs = json("api/runs");
    let id = runs[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&runs[0]["pipeline"], &runs[0]["state"], &runs[0]["counts"]["ran"]),
        (&"test".into(), &"done".into(), &4.into())
    );
    let run = json(&format!("api/runs/{id}"));
    let names: Vec<&str> = run["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c", "merged"]);
    assert_eq!(run["nodes"][3]["inputs"], serde_json::json!([["inputs.left", "b"], ["inputs.right", "c"]]));
    assert_eq!(run["nodes"][0]["files"], serde_json::json!([["files.src", "data.txt"]]));
    assert_eq!(json(&format!("api/runs/{id}/log?node=a"))["stderr"]["text"], "said\n");
    assert_eq!(json(&format!("api/runs/{id}/node?node=b"))["node"]["made"]["run"], id.as_str());
    let found = json("api/artifacts?q=mer%20command");
    assert_eq!((found.as_array().unwrap().len(), &found[0]["node"]), (1, &"merged".into()));
    for path in [
        "api/runs/..",
        "api/runs/..%2f..",
        "api/runs/%2e%2e%2fobjects",
        "api/runs/.%00",
        "picture/r/..%2f..%2fversion/x/a.png",
        "picture/../version",
        "picture/a/0000/..%2f..%2fversion.png",
        "api/runs/none/log?node=a",
    ] {
        assert!(ui.get(path).starts_with("HTTP/1.1 404"), "{path}");
    }
    let log = ui.get(&format!("api/runs/{id}/log?node=..%2f..%2f..%2f..%2fversion"));
    assert!(log.ends_with(r#"{"stdout":{"text":"","before":0},"stderr":{"text":"","before":0}}"#), "{log}");
    assert_eq!(files(&scene), before, "nothing is written");
}

/// Events of a run that is over: what was asked for from some place of the log on, then the end.
#[test]
fn what_happens_is_told_from_where_it_is_known() {
    let scene = Scene::new();
    scene.ok("run -q");
    let ui = Ui::new(&scene);
    let id = ui.get("api/runs").split("\"id\":\"").nth(1).unwrap()[..24].to_owned();
    let all = ui.get(&format!("api/runs/{id}/live?from=0"));
    assert!(all.contains("text/event-stream") && all.contains("run_started") && all.contains("event: over"), "{all}");
    let rest = ui.get(&format!("api/runs/{id}/live?from=100000"));
    assert!(!rest.contains("event: lines") && rest.contains("event: over"), "{rest}");
}

fn files(scene: &Scene) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    let mut open = vec![scene.path().join(".hyper-flow")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() { open.push(entry.path()) } else { found.push((entry.path(), meta.len())) }
        }
    }
    found.sort();
    found
}
