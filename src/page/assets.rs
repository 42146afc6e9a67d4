//! The front end, as browsers get it: `web/` has it in pieces, which are put behind each other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The modules of the front end, each after those that it imports from.
const MODULES: [&str; 31] = [
    include_str!("web/dom.js"),
    include_str!("web/format.js"),
    include_str!("web/kinds.js"),
    include_str!("web/parts.js"),
    include_str!("web/layout.js"),
    include_str!("web/cards.js"),
    include_str!("web/graph.js"),
    include_str!("web/chart.js"),
    include_str!("web/timeline.js"),
    include_str!("web/series.js"),
    include_str!("web/curves.js"),
    include_str!("web/numbers.js"),
    include_str!("web/evaluation.js"),
    include_str!("web/summary.js"),
    include_str!("web/results.js"),
    include_str!("web/pictures.js"),
    include_str!("web/log.js"),
    include_str!("web/made.js"),
    include_str!("web/parameters.js"),
    include_str!("web/details.js"),
    include_str!("web/heading.js"),
    include_str!("web/live.js"),
    include_str!("web/sections.js"),
    include_str!("web/run.js"),
    include_str!("web/compare_settings.js"),
    include_str!("web/compare_measured.js"),
    include_str!("web/compare.js"),
    include_str!("web/frame.js"),
    include_str!("web/lists.js"),
    include_str!("web/ui.js"),
    include_str!("web/main.js"),
];

/// What all of it looks like.
pub(super) const STYLE: &str = include_str!("web/style.css");

/// The program of the page: its modules as one, without what connects them, which one script needs none of. An import is one
/// line, and what is exported is declared where it is.
pub(super) fn script() -> String {
    let mut script = String::from("\"use strict\";\n(() => {\n");
    for line in MODULES.iter().flat_map(|module| module.lines()).filter(|line| !line.starts_with("import ")) {
        script.push_str(line.strip_prefix("export ").unwrap_or(line));
        script.push('\n');
    }
    script + "})();\n"
}

/// The source of a script or style that a content security policy lets pass.
pub(super) fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}

/// The document, with `head` and `body` where they belong: both are markup.
pub(super) fn document(head: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <link rel=\"icon\" href=\"data:,\">\n{head}\n</head>\n<body>\n<div id=\"app\"></div>\n{body}\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_script_declares_every_name_once_and_makes_no_markup() {
        let script = script();
        let mut names = BTreeSet::new();
        for line in script.lines() {
            let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).collect();
            let name = match words[..] {
                ["const" | "let" | "function" | "class", name, ..] | ["async", "function", name, ..] => name,
                _ => continue,
            };
            assert!(!name.is_empty(), "one name in a declaration, so that it is found here: {line}");
            assert!(names.insert(name), "{name} is declared twice");
        }
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "</script"]
        {
            let found = script.lines().find(|line| line.contains(forbidden) && !line.contains("www.w3.org"));
            assert_eq!(found, None, "{forbidden}");
        }
    }

    #[test]
    fn what_is_imported_was_there_before() {
        let mut known = BTreeSet::new();
        for module in MODULES {
            for line in module.lines().filter(|line| line.starts_with("import ")) {
                let list = line.split(['{', '}']).nth(1).unwrap_or_default();
                for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    assert!(known.contains(name), "{name} is imported before it is declared");
                }
            }
            let exported = module.lines().filter_map(|line| line.strip_prefix("export "));
            known.extend(exported.filter_map(|line| {
                let line = line.strip_prefix("async ").unwrap_or(line);
                let name = line.split_once(' ')?.1;
                Some(name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?.to_owned())
            }));
        }
    }
}
