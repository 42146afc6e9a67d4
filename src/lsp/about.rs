//! What `hyper-flow kinds` says, for an editor: in Markdown.

use super::names::{Definition, Names};
use crate::pipeline::{FieldType, Type, Variant, example, yields};

/// A kind, with all of its fields.
pub(super) fn kind(name: &str) -> Option<String> {
    let ty = Type::of_kind(name)?;
    let yields = yields(name)?;
    let fields: Vec<String> = ty.fields().into_iter().map(in_a_line).collect();
    let example = example(name).map_or(String::new(), |text| format!("\n\n```ron\n{text}\n```"));
    Some(format!("**{name}** → {yields}\n\n{}\n\n{}{example}", ty.doc(), fields.join("\n")))
}

fn in_a_line(field: FieldType) -> String {
    format!("- `{}`: {} ({})", field.name, field.ty.words(), field.given())
}

/// A field.
pub(super) fn field(field: FieldType) -> String {
    let inside = inside(field.ty);
    format!("**{}**: {} ({})\n\n{}{inside}", field.name, field.ty.words(), field.given(), field.ty.doc())
}

/// The fields or choices of what is in a field.
fn inside(ty: Type) -> String {
    let fields = ty.fields().into_iter().map(|field| format!("{}. {}", in_a_line(field), first_line(field.ty.doc())));
    let variants =
        ty.variants().into_iter().map(|variant| format!("- `{}`: {}", variant.name, first_line(variant.doc)));
    let lines: Vec<String> = fields.chain(variants).collect();
    if lines.is_empty() { String::new() } else { format!("\n\n{}", lines.join("\n")) }
}

fn first_line(doc: &str) -> String {
    doc.split("\n\n").next().unwrap_or_default().replace('\n', " ")
}

/// One of the names that a value may have.
pub(super) fn variant(variant: Variant) -> String {
    let holds = variant.holds.map(|holds| format!(" of {}", holds.words())).unwrap_or_default();
    format!("**{}**{holds}\n\n{}", variant.name, variant.doc)
}

/// A node.
pub(super) fn node(names: &Names<'_>, node: &Definition<'_>) -> String {
    let kind = names.kind(node).unwrap_or_default();
    let output = names.output(node).map(|output| format!(" → {output}")).unwrap_or_default();
    let doc = Type::of_kind(kind).map(|ty| first_line(ty.doc())).unwrap_or_default();
    format!("`{}`: **{kind}**{output}\n\n{doc}", node.name)
}

/// A parameter or an axis, by what stands for it.
pub(super) fn defined(text: &str, definition: &Definition<'_>) -> String {
    let written = definition.item.value.as_ref().and_then(|value| text.get(value.range.clone())).unwrap_or_default();
    format!("```ron\n{:?}: {written}\n```", definition.name)
}
