//! What was found, in the words of the protocol.

use std::ops::Range;

use tower_lsp_server::ls_types::*;

use super::complete::{Candidate, Sort};
use super::find::NodeAt;
use super::position::Lines;
use super::snippet;

/// Text in Markdown.
pub(super) fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}

/// Something that may come, at its place in the list.
pub(super) fn item(lines: &Lines, place: usize, candidate: Candidate, snippets: bool) -> CompletionItem {
    let new_text = if snippets { candidate.insert.clone() } else { snippet::plain(&candidate.insert) };
    // Editors compare what is written so far with this, and it may begin with a quote.
    let filter = if new_text.starts_with('"') { format!("{:?}", candidate.label) } else { candidate.label.clone() };
    let format = if snippets { InsertTextFormat::SNIPPET } else { InsertTextFormat::PLAIN_TEXT };
    CompletionItem {
        label: candidate.label,
        kind: Some(match candidate.sort {
            Sort::Kind => CompletionItemKind::CLASS,
            Sort::Required | Sort::Field => CompletionItemKind::FIELD,
            Sort::Variant => CompletionItemKind::ENUM_MEMBER,
            Sort::Node => CompletionItemKind::REFERENCE,
            Sort::Param => CompletionItemKind::VARIABLE,
        }),
        detail: Some(candidate.detail).filter(|detail| !detail.is_empty()),
        documentation: (!candidate.doc.is_empty()).then(|| Documentation::MarkupContent(markdown(candidate.doc))),
        preselect: (candidate.sort == Sort::Required && place == 0).then_some(true),
        sort_text: Some(format!("{place:04}")),
        filter_text: Some(filter),
        insert_text_format: Some(format),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range: lines.span(&candidate.replaces), new_text })),
        ..CompletionItem::default()
    }
}

/// Pieces of a text.
pub(super) fn locations(lines: &Lines, uri: &Uri, ranges: Vec<Range<usize>>) -> Vec<Location> {
    ranges.iter().map(|range| Location::new(uri.clone(), lines.span(range))).collect()
}

/// Pieces of a text, and what stands in their places.
pub(super) fn edits(lines: &Lines, edits: Vec<(Range<usize>, String)>) -> Vec<TextEdit> {
    edits.into_iter().map(|(range, new_text)| TextEdit { range: lines.span(&range), new_text }).collect()
}

/// The edit between what is alike at the beginning and at the end: the cursor and marks of the editor stay where they are.
pub(super) fn changed_lines(lines: &Lines, formatted: &str) -> Vec<TextEdit> {
    let text = lines.text();
    if text == formatted {
        return Vec::new();
    }
    let alike = |pairs: &mut dyn Iterator<Item = (&str, &str)>| -> usize {
        pairs.take_while(|(old, new)| old == new).map(|(old, _)| old.len()).sum()
    };
    let (old, new): (Vec<&str>, Vec<&str>) =
        (text.split_inclusive('\n').collect(), formatted.split_inclusive('\n').collect());
    let before = alike(&mut old.iter().copied().zip(new.iter().copied()));
    let most = text.len().min(formatted.len()) - before;
    let after = alike(&mut old.iter().rev().copied().zip(new.iter().rev().copied())).min(most);
    let range = lines.span(&(before..text.len() - after));
    vec![TextEdit { range, new_text: formatted[before..formatted.len() - after].to_owned() }]
}

/// A node.
#[expect(deprecated, reason = "the field has to be given")]
pub(super) fn symbol(lines: &Lines, node: NodeAt) -> DocumentSymbol {
    DocumentSymbol {
        // The protocol allows no empty name.
        name: if node.named.name.is_empty() { "(no name)".to_owned() } else { node.named.name },
        detail: Some(node.named.kind),
        kind: SymbolKind::OBJECT,
        tags: None,
        deprecated: None,
        range: lines.span(&node.whole),
        selection_range: lines.span(&node.own),
        children: None,
    }
}
