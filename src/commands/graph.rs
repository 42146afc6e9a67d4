//! `hyper-flow graph`.

use clap::ValueEnum;

use crate::commands::context::Context;
use crate::commands::source::{self, Overriding};
use crate::error::Failure;
use crate::output::report::{Drawn, DrawnNode, Edge};
use crate::pipeline::Pipeline;
use crate::plan::Graph;

/// Draws the graph, for Graphviz or Mermaid
#[derive(Debug, clap::Args)]
#[command(override_usage = "hyper-flow graph [OPTIONS] [FILE] [TARGET]...")]
pub struct Args {
    /// The pipeline, then nodes to draw with what they need; all without any.
    #[arg(value_names = ["FILE", "TARGET"])]
    words: Vec<String>,
    /// The language to draw in.
    #[arg(long, value_enum, default_value = "dot")]
    format: Language,
    #[command(flatten)]
    overriding: Overriding,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// Graphviz: `hyper-flow graph | dot -Tsvg`.
    Dot,
    /// Mermaid, which Markdown pages draw.
    Mermaid,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let (file, targets) = source::split(&args.words, &args.overriding, context)?;
    let pipeline = args.overriding.load(&file, context).map_err(Failure::user)?;
    let graph = Graph::new(&pipeline, targets)?;
    let mut report = report(&pipeline, &graph);
    report.text = match args.format {
        Language::Dot => dot(&pipeline.name, &report),
        Language::Mermaid => mermaid(&report),
    };
    context.print(|output, out| output.drawn(out, &report))
}

fn report(pipeline: &Pipeline, graph: &Graph) -> Drawn {
    let selected: Vec<_> = (0..graph.len()).map(|index| &pipeline.nodes[graph.name(index)]).collect();
    let nodes = selected.iter().map(|node| DrawnNode {
        name: node.name.clone(),
        kind: node.kind.name(),
        artifact: node.kind.output(),
    });
    let edges = selected.iter().flat_map(|node| {
        let edge =
            |(port, from): (&String, &String)| Edge { from: from.clone(), to: node.name.clone(), port: port.clone() };
        node.inputs.iter().map(edge)
    });
    Drawn { nodes: nodes.collect(), edges: edges.collect(), text: String::new() }
}

fn dot(name: &str, graph: &Drawn) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut text = format!("digraph {} {{\n    rankdir=LR;\n    node [shape=box];\n", quote(name));
    for node in &graph.nodes {
        let label = quote(&format!("{}\n{}", node.name, node.kind));
        text += &format!("    {} [label={label}];\n", quote(&node.name));
    }
    for edge in &graph.edges {
        text += &format!("    {} -> {} [label={}];\n", quote(&edge.from), quote(&edge.to), quote(&edge.port));
    }
    text + "}\n"
}

/// Mermaid's names are words, so that nodes are numbered.
fn mermaid(graph: &Drawn) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let number = |name: &str| graph.nodes.iter().position(|node| node.name == name).unwrap_or_default();
    let mut text = "flowchart LR\n".to_owned();
    for (index, node) in graph.nodes.iter().enumerate() {
        text += &format!("    n{index}[\"{}<br>{}\"]\n", escape(&node.name), node.kind);
    }
    for edge in &graph.edges {
        text += &format!("    n{} -->|{}| n{}\n", number(&edge.from), escape(&edge.port), number(&edge.to));
    }
    text
}
