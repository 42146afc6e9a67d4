//! Any bytes in the place of a pipeline or a file of parameters: read or told, and every place that is told is in the text.
//!
//! `PROPTEST_CASES` sets how many are tried; without it a few seconds' worth.

use std::path::PathBuf;

use hyper_flow::pipeline::{Overrides, PipelineErrors, load};
use proptest::prelude::*;

use crate::support::{DIGITS, Folder, set};

/// Some of all that RON is made of, right and wrong.
const TOKENS: [&str; 40] = [
    "Pipeline(",
    "name: \"p\",",
    "nodes: {",
    "\"a\": ",
    "Command(",
    "program: [\"true\"]",
    "inputs: {\"x\": \"a\"}",
    "params: {",
    "settings: {\"*\": (",
    "matrix: {\"m\": [1, 2]}",
    "{m}",
    "Param(\"x\")",
    "Some(",
    "None",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "'",
    "\\",
    "r#\"",
    "\"#",
    "b\"\\xff\"",
    "//",
    "/*",
    "*/",
    "#![enable(implicit_some)]",
    "1e999",
    "-0x1",
    "0b2",
    "1_000",
    "true",
    "\u{0}",
    "\u{feff}",
    "\n",
];

pub(crate) fn cases(bounded: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if asked { ProptestConfig::default().cases } else { bounded };
    ProptestConfig { cases, fork: false, failure_persistence: None, ..ProptestConfig::default() }
}

fn told(folder: &Folder, errors: &PipelineErrors) {
    assert!(!errors.findings.is_empty());
    for finding in &errors.findings {
        for label in &finding.labels {
            let text = finding.source.as_ref().expect("a label has a source").inner();
            assert!(text.get(label.range.clone()).is_some(), "{:?} in {finding}", label.range);
        }
    }
    folder.render(errors);
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let tokens =
        prop::collection::vec(prop::sample::select(&TOKENS[..]), 0..60).prop_map(|tokens| tokens.concat().into_bytes());
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), tokens, ".{0,200}".prop_map(String::into_bytes)]
}

fn write(folder: &Folder, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_file_is_a_pipeline_or_told(bytes in bytes()) {
        let folder = Folder::new();
        let path = write(&folder, "p.ron", &bytes);
        if let Err(errors) = load(&path, &Overrides::default()) {
            folder.render(&errors);
        }
    }

    #[test]
    fn any_file_holds_parameters_or_is_told(bytes in bytes()) {
        let folder = Folder::new();
        let params = write(&folder, "params.ron", &bytes);
        let overrides = Overrides { params: Some(params), ..Overrides::default() };
        if let Err(errors) = folder.parse(DIGITS, &overrides) {
            told(&folder, &errors);
        }
    }

}

proptest! {
    // ron looks ahead at every level, which takes its time.
    #![proptest_config(cases(50))]

    #[test]
    fn any_nesting_is_read_or_told(
        openings in prop::collection::vec(prop::sample::select(vec!["(", "[", "{\"a\": ", "Some(", "a(b: ", "/*", "Param(", "{\"{m}\": "]), 1..4),
        depth in 1..400_usize,
        closed in any::<bool>(),
        in_place_of in prop::sample::select(vec!["steps: 10", "\"data/digits.csv.gz\"", "nodes: {"]),
    ) {
        let closing = |opening: &&str| if *opening == "/*" { "*/" } else if opening.starts_with('{') { "}" } else if *opening == "[" { "]" } else { ")" };
        let mut nested = openings.concat().repeat(depth);
        if closed {
            let closings: String = openings.iter().rev().map(closing).collect();
            nested += "1";
            nested += &closings.repeat(depth);
        }
        let folder = Folder::new();
        if let Err(errors) = folder.parse(&DIGITS.replace(in_place_of, &nested), &Overrides::default()) {
            told(&folder, &errors);
        }
        if let Err(errors) = folder.parse(DIGITS, &set(&[&format!("teacher.steps={nested}")])) {
            told(&folder, &errors);
        }
    }
}

/// Each name with axes stands for all of their values: a few axes are more nodes than any machine has room for.
#[test]
fn a_matrix_without_end_is_told() {
    let values: Vec<String> = (0..10).map(|value| value.to_string()).collect();
    let axes: Vec<String> = (0..12).map(|axis| format!("\"a{axis}\": [{}]", values.join(", "))).collect();
    let holes: String = (0..12).map(|axis| format!("{{a{axis}}}")).collect();
    let matrix = axes.join(", ");
    for (name, word) in [(format!("n{holes}"), "x".to_owned()), ("n".to_owned(), holes.clone())] {
        let text = format!(
            "Pipeline(name: \"p\", matrix: {{{matrix}}}, nodes: {{\"{name}\": Command(program: [\"echo\", \"{word}\"])}})"
        );
        let folder = Folder::new();
        let errors = folder.parse(&text, &Overrides::default()).expect_err("it is told");
        let told = folder.render(&errors);
        assert!(told.contains("more than"), "{told}");
    }
}

/// What is no text is told with the place.
#[test]
fn a_file_that_is_no_text_is_told_where() {
    let folder = Folder::new();
    let path = write(&folder, "p.ron", b"Pipeline(\n  name: \"\xff\", nodes: {})");
    let told = folder.render(&load(&path, &Overrides::default()).expect_err("it is told"));
    assert!(told.contains("p.ron: line 2, column 10 is ") && told.contains("UTF-8"), "{told}");
}
