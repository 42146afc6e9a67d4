//! What `hyper-flow check` says of a text, for an editor.

use std::path::Path;

use miette::Severity;
use tower_lsp_server::ls_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location, Uri,
};

use super::outline::{Form, Value, outline};
use super::position::Lines;
use crate::pipeline::{Finding, Overrides, Pipeline};

/// Everything that is wrong with the text of a pipeline, and what is probably not meant. What is RON of another sort, such as
/// a file of parameters, is not looked at.
pub(super) fn diagnose(lines: &Lines, uri: &Uri) -> Vec<Diagnostic> {
    let text = lines.text();
    if !outline(text).is_some_and(|root| is_pipeline(text, &root)) {
        return Vec::new();
    }
    let path = uri.to_file_path().map_or_else(|| Path::new("untitled.ron").to_owned(), |path| path.into_owned());
    let findings = match Pipeline::parse(text, &path, &Overrides::default()) {
        Ok(pipeline) => pipeline.warnings,
        Err(errors) => errors.findings,
    };
    findings.iter().map(|finding| diagnostic(finding, lines, uri)).collect()
}

fn is_pipeline(text: &str, root: &Value) -> bool {
    match root.name.clone().map(|name| &text[name]) {
        Some(name) => name == "Pipeline",
        None => matches!(root.form, Form::Inside('(', _)) && root.item(text, "nodes").is_some(),
    }
}

fn diagnostic(finding: &Finding, lines: &Lines, uri: &Uri) -> Diagnostic {
    let (first, others) = match finding.labels.split_first() {
        Some((first, others)) => (first.range.clone(), others),
        None => (0..0, &[][..]),
    };
    let related = others.iter().map(|label| DiagnosticRelatedInformation {
        location: Location::new(uri.clone(), lines.span(&label.range)),
        message: label.text.clone(),
    });
    let related: Vec<_> = related.collect();
    let is_unused = finding.labels.first().is_some_and(|label| label.text == "unused");
    Diagnostic {
        range: lines.span(&first),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Advice => DiagnosticSeverity::HINT,
        }),
        source: Some("hyper-flow".to_owned()),
        message: finding.help.iter().fold(finding.message.clone(), |message, help| format!("{message}\n{help}")),
        related_information: (!related.is_empty()).then_some(related),
        tags: is_unused.then(|| vec![DiagnosticTag::UNNECESSARY]),
        ..Diagnostic::default()
    }
}
