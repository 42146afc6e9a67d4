//! Documentation as a page for people.

use std::io::{self, Write};

use super::topics::{TOPICS, Topic};
use crate::pipeline::{FieldType, KindDescription, Type, Variant, example};

/// All kinds, a line each.
pub(super) fn list(out: &mut dyn Write, kinds: &[KindDescription]) -> io::Result<()> {
    for kind in kinds {
        let yields = kind.output.to_string();
        writeln!(out, "{:<15} → {yields:<11} {}", kind.name, kind.params.summary())?;
    }
    writeln!(out, "\nWhat else is in a pipeline:\n")?;
    for topic in TOPICS {
        writeln!(out, "{:<15} {}", topic.name, topic.summary)?;
    }
    writeln!(out, "\n`hyper-flow kinds KIND` tells about the fields of one, with an example.")
}

/// A kind with its fields, and an example.
pub(super) fn kind_page(out: &mut dyn Write, kind: &KindDescription, ty: Type) -> io::Result<()> {
    writeln!(out, "{} → {}   (version {})\n", kind.name, kind.output, kind.version)?;
    writeln!(out, "{}", kind.params.doc)?;
    ty.fields().into_iter().try_for_each(|field| entry(out, field, 1))?;
    match example(kind.name) {
        Some(text) => code(out, text),
        None => Ok(()),
    }
}

/// A field, with all that is inside.
pub(super) fn field_page(out: &mut dyn Write, field: FieldType) -> io::Result<()> {
    writeln!(out, "{}: {} ({})\n", field.name, field.ty.words(), field.given())?;
    writeln!(out, "{}", field.ty.doc())?;
    inside(out, field.ty, 1)
}

/// What is no kind.
pub(super) fn topic_page(out: &mut dyn Write, topic: &Topic) -> io::Result<()> {
    writeln!(out, "{}: {}\n", topic.name, topic.summary)?;
    writeln!(out, "{}", topic.doc.trim_end())?;
    topic.fields().into_iter().try_for_each(|field| entry(out, field, 1))?;
    code(out, topic.example)
}

fn code(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\nExample:\n")?;
    text.trim_end().lines().try_for_each(|line| writeln!(out, "{}", format!("    {line}").trim_end()))
}

fn entry(out: &mut dyn Write, field: FieldType, depth: usize) -> io::Result<()> {
    let before = if depth == 1 { "\n" } else { "" };
    writeln!(out, "{before}{}{}: {} ({})", indent(depth), field.name, field.ty.words(), field.given())?;
    lines(out, field.ty.doc(), depth + 2)?;
    inside(out, field.ty, depth + 2)
}

/// What a value has in it: fields, or the names that it may have with theirs.
fn inside(out: &mut dyn Write, ty: Type, depth: usize) -> io::Result<()> {
    let item = if ty.is_list() { ty.item(0) } else { None };
    let ty = item.unwrap_or(ty);
    ty.fields().into_iter().try_for_each(|field| entry(out, field, depth))?;
    ty.variants().into_iter().try_for_each(|variant| choice(out, variant, depth))
}

fn choice(out: &mut dyn Write, variant: Variant, depth: usize) -> io::Result<()> {
    let holds = match variant.holds {
        Some(holds) if holds.fields().is_empty() => format!("({})", holds.words()),
        Some(_) => "(…)".to_owned(),
        None => String::new(),
    };
    writeln!(out, "{}`{}{holds}`", indent(depth), variant.name)?;
    lines(out, variant.doc, depth + 2)?;
    variant.holds.map(Type::fields).unwrap_or_default().into_iter().try_for_each(|field| entry(out, field, depth + 2))
}

fn lines(out: &mut dyn Write, text: &str, depth: usize) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "{}", format!("{}{line}", indent(depth)).trim_end()))
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}
