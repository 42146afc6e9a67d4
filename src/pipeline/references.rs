//! Follows references to other nodes.

use std::collections::HashMap;

use hyper_flow_spec::Artifact;

use super::draft::{Draft, Findings};
use super::finding::SHOWN;
use super::matrix::unknown_axis;
use super::nodes::{Reference, Sketch};
use super::suggest::{instead, quoted};
use super::words::{any_of, with_article};

/// The place of each node, by name.
pub(super) type Index<'a> = HashMap<&'a str, usize>;

/// Tells every reference to no node, or to one that yields something else.
pub(super) fn tell_references(sketches: &[Sketch], index: &Index<'_>, axes: &[String], findings: &mut Findings) {
    let names: Vec<&str> = sketches.iter().map(|sketch| sketch.name.as_str()).collect();
    for sketch in sketches {
        for reference in &sketch.references {
            match index.get(reference.name.as_str()) {
                Some(&taken) => {
                    let others = sketches.iter().filter(|other| other.name != sketch.name);
                    tell_type(reference, &sketches[taken], others, findings);
                }
                None => findings.push(unknown_node(reference, &names, axes, findings.count())),
            }
        }
    }
}

fn unknown_node(reference: &Reference, names: &[&str], axes: &[String], told: usize) -> Draft {
    let draft = Draft::error(format!("there is no node `{}`", reference.name)).at(reference.place, "unknown node");
    if let Some(help) = unknown_axis(&reference.name, axes) {
        return draft.help(help);
    }
    // Nobody reads more suggestions than are shown, and each costs a look at every name.
    if told < SHOWN { draft.help(instead(&reference.name, names, "nodes")) } else { draft }
}

fn tell_type<'s>(
    reference: &Reference,
    taken: &Sketch,
    others: impl Iterator<Item = &'s Sketch>,
    findings: &mut Findings,
) {
    let accepts = |output: Artifact| reference.takes.iter().any(|takes| takes.accepts(output));
    let Some(output) = taken.output.filter(|output| !accepts(*output)) else { return };
    let port = reference.port.split('.').next().unwrap_or_default();
    let names: Vec<String> = reference.takes.iter().map(Artifact::to_string).collect();
    let takes = any_of(&names);
    let output = with_article(&output.to_string());
    let fitting = others.filter(|other| other.output.is_some_and(accepts)).map(|other| other.name.as_str());
    let fitting: Vec<&str> = fitting.take(6).collect();
    let help = match fitting.as_slice() {
        _ if taken.kind_name == Some("Command") => {
            format!("if `{}` makes one, say `output: {}` in it", taken.name, names.join("` or `output: "))
        }
        [] => format!("no other node of this pipeline yields {takes}"),
        [one] => format!("`{one}` yields {takes}"),
        fitting => format!("these yield {takes}: {}", quoted(fitting.iter().copied())),
    };
    let message = format!("`{port}` takes {takes}, but `{}` yields {output}", taken.name);
    findings.push(Draft::error(message).at(reference.place, format!("yields {output}")).help(help));
}
