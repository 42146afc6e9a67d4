//! A client of the language server, over its standard input and output as editors do it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::scene::Scene;

/// An editor with one file open.
pub(super) struct Editor {
    server: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    uri: String,
    pub(super) text: String,
    version: u64,
}

impl Editor {
    /// Opens a text as `file` of a scene; it need not be there.
    pub(super) fn open(scene: &Scene, file: &str, text: &str) -> Editor {
        let mut server =
            scene.command("lsp --stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let (to, from) = (server.stdin.take().unwrap(), BufReader::new(server.stdout.take().unwrap()));
        let uri = format!("file://{}", scene.path().canonicalize().unwrap().join(file).display());
        let mut editor = Editor { server, to, from, uri, text: text.to_owned(), version: 1 };
        let snippets = json!({"textDocument": {"completion": {"completionItem": {"snippetSupport": true}}}});
        editor.ask("initialize", json!({"processId": null, "rootUri": null, "capabilities": snippets}));
        editor.tell("initialized", json!({}));
        let document = json!({"uri": editor.uri, "languageId": "ron", "version": 1, "text": text});
        editor.tell("textDocument/didOpen", json!({"textDocument": document}));
        editor
    }

    /// Types another text, and returns what is told of it.
    pub(super) fn type_in(&mut self, text: &str) -> Vec<Value> {
        self.text = text.to_owned();
        self.version += 1;
        let document = json!({"uri": self.uri, "version": self.version});
        self.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": [{"text": text}]}));
        self.diagnostics()
    }

    /// What is told of the text as it is now.
    pub(super) fn diagnostics(&mut self) -> Vec<Value> {
        loop {
            let message = self.receive();
            if message["method"] == "textDocument/publishDiagnostics" && message["params"]["version"] == self.version {
                return message["params"]["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    /// The pieces of the text that are underlined, each with the first line of what is said.
    pub(super) fn underlined(&self, diagnostics: &[Value]) -> Vec<String> {
        let line = |found: &Value| found["message"].as_str().unwrap().lines().next().unwrap().to_owned();
        diagnostics.iter().map(|found| format!("{}: {}", self.piece(&found["range"]), line(found))).collect()
    }

    /// Asks about the place of the `|` in a piece of the text.
    pub(super) fn at(&mut self, method: &str, piece: &str, more: Value) -> Value {
        let (before, after) = piece.split_once('|').expect("`|` marks the place");
        let found = self.text.find(&format!("{before}{after}")).unwrap_or_else(|| panic!("{piece} is not there"));
        let mut params = json!({"textDocument": {"uri": self.uri}, "position": self.position(found + before.len())});
        for (name, value) in more.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        self.ask(method, params)
    }

    /// The labels of what is offered.
    pub(super) fn offered(&mut self, piece: &str) -> Vec<String> {
        let items = self.at("textDocument/completion", piece, json!({}));
        items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }

    /// The text with the edits of an answer.
    pub(super) fn edited(&self, edits: &Value) -> String {
        let mut edits: Vec<_> =
            edits.as_array().unwrap().iter().map(|edit| (self.range(&edit["range"]), edit)).collect();
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = self.text.clone();
        edits.iter().for_each(|(range, edit)| text.replace_range(range.clone(), edit["newText"].as_str().unwrap()));
        text
    }

    pub(super) fn uri(&self) -> String {
        self.uri.clone()
    }

    pub(super) fn piece(&self, range: &Value) -> &str {
        &self.text[self.range(range)]
    }

    fn range(&self, range: &Value) -> std::ops::Range<usize> {
        self.byte(&range["start"])..self.byte(&range["end"])
    }

    fn byte(&self, position: &Value) -> usize {
        let (line, column) = (position["line"].as_u64().unwrap(), position["character"].as_u64().unwrap());
        let start: usize = self.text.split_inclusive('\n').take(line as usize).map(str::len).sum();
        let mut units = 0;
        let before = self.text[start..].chars().take_while(|c| {
            units += c.len_utf16() as u64;
            units <= column
        });
        start + before.map(char::len_utf8).sum::<usize>()
    }

    fn position(&self, byte: usize) -> Value {
        let before = &self.text[..byte];
        let line = before.rsplit('\n').next().unwrap_or_default();
        json!({"line": before.matches('\n').count(), "character": line.encode_utf16().count()})
    }

    pub(super) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message.get("id").is_some() {
                return message.get("result").unwrap_or(&message["error"]).clone();
            }
        }
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn send(&mut self, message: Value) {
        let body = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.to.flush().unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the server has gone");
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse().unwrap(),
                None if line.trim().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Goes, as editors do; the exit code of the server.
    pub(super) fn quit(mut self) -> Option<i32> {
        self.send(json!({"jsonrpc": "2.0", "id": 9, "method": "shutdown"}));
        self.tell("exit", Value::Null);
        self.server.wait().unwrap().code()
    }
}
