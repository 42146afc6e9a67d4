//! `hyper-flow kinds`.

use std::io::{self, Write};

use hyper_flow_spec::Kind;
use serde_json::{Value, json};

use crate::commands::context::{Context, Format};
use crate::error::Failure;
use crate::pipeline::suggest::instead;
use crate::pipeline::{Field, KindDescription};

/// Prints what the kinds of nodes do, what they yield, and what their fields mean
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One kind, to print with all of its fields; a list of all without it.
    kind: Option<String>,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    match &args.kind {
        Some(name) => one(&describe(name)?, context),
        None => all(context),
    }
}

fn describe(name: &str) -> Result<KindDescription, Failure> {
    KindDescription::of(name)
        .ok_or_else(|| Failure::usage(format!("there is no kind `{name}`"), instead(name, Kind::NAMES, "kinds")))
}

fn one(kind: &KindDescription, context: &Context) -> Result<(), Failure> {
    context.print(|_, out| match context.format {
        Format::Human => page(out, kind),
        Format::Json => print_json(out, &to_json(kind)),
        Format::Quiet => kind.params.names().iter().try_for_each(|name| writeln!(out, "{name}")),
    })
}

fn all(context: &Context) -> Result<(), Failure> {
    let kinds: Vec<KindDescription> = Kind::NAMES.iter().filter_map(|name| KindDescription::of(name)).collect();
    context.print(|_, out| match context.format {
        Format::Human => list(out, &kinds),
        Format::Json => print_json(out, &kinds.iter().map(to_json).collect()),
        Format::Quiet => kinds.iter().try_for_each(|kind| writeln!(out, "{}", kind.name)),
    })
}

fn list(out: &mut dyn Write, kinds: &[KindDescription]) -> io::Result<()> {
    for kind in kinds {
        let yields = kind.output.to_string();
        writeln!(out, "{:<15} → {yields:<11} {}", kind.name, kind.params.summary())?;
    }
    writeln!(out, "\n`hyper-flow kinds KIND` tells about the fields of one.")
}

fn page(out: &mut dyn Write, kind: &KindDescription) -> io::Result<()> {
    writeln!(out, "{} → {}   (version {})\n", kind.name, kind.output, kind.version)?;
    writeln!(out, "{}", kind.params.doc)?;
    kind.params.fields.iter().try_for_each(|field| entry(out, kind, field))
}

fn entry(out: &mut dyn Write, kind: &KindDescription, field: &Field) -> io::Result<()> {
    let default = match kind.params.default(field) {
        _ if field.required => "required".to_owned(),
        Some(default) => format!("default {default}"),
        None => "optional".to_owned(),
    };
    writeln!(out, "\n  {}: {} ({default})", field.name, kind.params.takes(field))?;
    field.doc.lines().try_for_each(|line| writeln!(out, "      {line}"))
}

fn print_json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn to_json(kind: &KindDescription) -> Value {
    let field = |field: &Field| {
        json!({
            "name": field.name,
            "takes": kind.params.takes(field),
            "required": field.required,
            "default": field.default,
            "doc": field.doc,
        })
    };
    json!({
        "name": kind.name,
        "version": kind.version,
        "yields": kind.output,
        "doc": kind.params.doc,
        "fields": kind.params.fields.iter().map(field).collect::<Vec<_>>(),
    })
}
