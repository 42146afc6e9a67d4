//! Whatever is written, it is read or told, and every place that is told is in the text.

use hyper_flow::pipeline::{Overrides, PipelineErrors};
use proptest::prelude::*;

use crate::matrix::SWEPT;
use crate::support::{FULL, Folder, set};

/// A change of a text: what is cut out, where, and what is put there.
fn mutations(length: usize) -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    const PIECES: [&str; 36] = [
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
        "0",
        "-1",
        "1.5",
        "é",
        "Param(\"guidance\")",
        "Param(\"single.rank\")",
        "{seed}",
        "{{arm}}",
        "[1, 1]",
        "Param(",
        "Some(",
        "None",
        "//",
        "/*",
        "*/",
        "r#\"",
        "#",
        "steps: 3,",
        "\"digits\"",
        "\n",
        "b'x'",
        "..",
        "NaN",
        "\u{0}",
        "=",
    ];
    let text =
        prop_oneof![Just(String::new()), proptest::sample::select(&PIECES[..]).prop_map(str::to_owned), ".{0,3}"];
    proptest::collection::vec((0..length, 0..12usize, text), 1..4)
}

fn mutate(text: &str, changes: Vec<(usize, usize, String)>) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, cut, new) in changes {
        let start = at.min(text.len());
        let end = (start + cut).min(text.len());
        text.splice(start..end, new.chars());
    }
    text.into_iter().collect()
}

fn assert_spans_are_inside(errors: &PipelineErrors) {
    assert!(!errors.findings.is_empty());
    for finding in &errors.findings {
        for label in &finding.labels {
            let text = finding.source.as_ref().expect("a label has a source").inner();
            assert!(text.get(label.range.clone()).is_some(), "{:?} in {finding}", label.range);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { fork: false, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_text_is_read_or_told(changes in mutations(FULL.len())) {
        let folder = Folder::new();
        if let Err(errors) = folder.parse(&mutate(FULL, changes), &Overrides::default()) {
            assert_spans_are_inside(&errors);
            folder.render(&errors);
        }
    }

    #[test]
    fn any_matrix_is_read_or_told(changes in mutations(SWEPT.len())) {
        let folder = Folder::new();
        if let Err(errors) = folder.parse(&mutate(SWEPT, changes), &Overrides::default()) {
            assert_spans_are_inside(&errors);
            folder.render(&errors);
        }
    }

    #[test]
    fn any_set_is_taken_or_told(
        path in "(tscd\\.4|reward|params|settings|nodes|seed|é)(\\.[a-z0-9*]{0,7}|\\.rewards|\\.0|\\.weight|\\.teacher){0,3}",
        value in "(=(0|\"x\"|Param\\(\"guidance\"\\)|\\(a: 1\\)|\\[\\]|.{0,4}))?",
    ) {
        let folder = Folder::new();
        if let Err(errors) = folder.parse(FULL, &set(&[&format!("{path}{value}")])) {
            assert_spans_are_inside(&errors);
            folder.render(&errors);
        }
    }
}
