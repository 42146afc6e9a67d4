//! `hyper-flow kinds`.

mod page;
mod topics;

use std::io::{self, Write};

use hyper_flow_spec::Kind;
use serde_json::{Value, json};

use crate::commands::context::{Context, Format};
use crate::error::Failure;
use crate::pipeline::suggest::instead;
use crate::pipeline::{FieldType, KindDescription, Type, Variant, example};

use page::{field_page, kind_page, topic_page};
use topics::{TOPICS, Topic};

/// Prints what the kinds of nodes do, what they yield, and what their fields mean
///
/// Also what else is in a pipeline: `kinds settings`, `kinds params`, `kinds matrix`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One kind, to print with all of its fields and an example; `KIND.FIELD` is what is inside a field; a list of all
    /// without it.
    #[arg(value_name = "KIND")]
    kind: Option<String>,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    match &args.kind {
        Some(name) => match TOPICS.iter().find(|topic| topic.name == name) {
            Some(topic) => of_topic(topic, context),
            None => of_path(name, context),
        },
        None => all(context),
    }
}

/// The names of what is explained besides kinds, and what each is.
pub(crate) fn topics() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOPICS.iter().map(|topic| (topic.name, topic.summary))
}

fn of_path(path: &str, context: &Context) -> Result<(), Failure> {
    let mut names = path.split('.');
    let name = names.next().unwrap_or_default();
    let kind = describe(name)?;
    let mut found: Option<FieldType> = None;
    let mut ty = Type::of_kind(kind.name).ok_or_else(|| unknown(name))?;
    for name in names {
        let fields = inside(ty);
        let field = fields.iter().find(|field| field.name == name);
        let field = *field.ok_or_else(|| {
            let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
            let owner = found.map_or(kind.name, |field| field.name);
            Failure::usage(format!("`{owner}` has no field `{name}`"), instead(name, &known, "fields"))
        })?;
        (ty, found) = (field.ty, Some(field));
    }
    match found {
        Some(field) => of_field(field, context),
        None => of_kind(&kind, ty, context),
    }
}

/// The fields of a value, of the items of a list, and of what the names that it may have hold.
fn inside(ty: Type) -> Vec<FieldType> {
    let item = if ty.is_list() { ty.item(0) } else { None };
    let ty = item.unwrap_or(ty);
    let held = ty.variants().into_iter().filter_map(|variant| variant.holds).flat_map(Type::fields);
    ty.fields().into_iter().chain(held).collect()
}

fn describe(name: &str) -> Result<KindDescription, Failure> {
    KindDescription::of(name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Failure {
    let names: Vec<&str> = Kind::NAMES.iter().copied().chain(TOPICS.iter().map(|topic| topic.name)).collect();
    let help = instead(name, &names, "kinds and topics");
    Failure::usage(format!("there is no kind `{name}`"), format!("{help}; `hyper-flow kinds` lists the kinds"))
}

fn of_kind(kind: &KindDescription, ty: Type, context: &Context) -> Result<(), Failure> {
    context.print(|_, out| match context.format {
        Format::Human => kind_page(out, kind, ty),
        Format::Json => print_json(out, &kind_json(kind)),
        Format::Quiet => names(out, &ty.fields()),
    })
}

fn of_field(field: FieldType, context: &Context) -> Result<(), Failure> {
    context.print(|_, out| match context.format {
        Format::Human => field_page(out, field),
        Format::Json => print_json(out, &field_json(field)),
        Format::Quiet => names(out, &inside(field.ty)),
    })
}

fn of_topic(topic: &Topic, context: &Context) -> Result<(), Failure> {
    context.print(|_, out| match context.format {
        Format::Human => topic_page(out, topic),
        Format::Json => print_json(
            out,
            &json!({
                "name": topic.name,
                "doc": topic.doc,
                "fields": topic.fields().into_iter().map(field_json).collect::<Vec<_>>(),
                "example": topic.example,
            }),
        ),
        Format::Quiet => names(out, &topic.fields()),
    })
}

fn names(out: &mut dyn Write, fields: &[FieldType]) -> io::Result<()> {
    fields.iter().try_for_each(|field| writeln!(out, "{}", field.name))
}

fn all(context: &Context) -> Result<(), Failure> {
    let kinds: Vec<KindDescription> = Kind::NAMES.iter().filter_map(|name| KindDescription::of(name)).collect();
    context.print(|_, out| match context.format {
        Format::Human => page::list(out, &kinds),
        Format::Json => print_json(out, &kinds.iter().map(kind_json).collect()),
        Format::Quiet => kinds.iter().try_for_each(|kind| writeln!(out, "{}", kind.name)),
    })
}

fn print_json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn kind_json(kind: &KindDescription) -> Value {
    let fields = Type::of_kind(kind.name).map(Type::fields).unwrap_or_default();
    json!({
        "name": kind.name,
        "version": kind.version,
        "yields": kind.output,
        "doc": kind.params.doc,
        "fields": fields.into_iter().map(field_json).collect::<Vec<_>>(),
        "example": example(kind.name),
    })
}

/// With what is inside, as deep as it goes.
fn field_json(field: FieldType) -> Value {
    let mut value = json!({
        "name": field.name,
        "takes": field.ty.words(),
        "required": field.required,
        "default": field.ty.default_value(),
        "doc": field.ty.doc(),
    });
    let item = if field.ty.is_list() { field.ty.item(0) } else { None };
    let ty = item.unwrap_or(field.ty);
    if !ty.fields().is_empty() {
        value["fields"] = ty.fields().into_iter().map(field_json).collect();
    }
    if !ty.variants().is_empty() {
        value["choices"] = ty.variants().into_iter().map(variant_json).collect();
    }
    value
}

fn variant_json(variant: Variant) -> Value {
    let fields = variant.holds.map(Type::fields).unwrap_or_default();
    let mut value = json!({"name": variant.name, "takes": variant.holds.map(Type::words), "doc": variant.doc});
    if !fields.is_empty() {
        value["fields"] = fields.into_iter().map(field_json).collect();
    }
    value
}
