//! The language as one tree of types, from `Pipeline(…)` down to the last number: for documentation and editors.

use std::sync::OnceLock;

use hyper_flow_spec::{Artifact, Kind, KindSpec, KindVisitor};
use serde_json::{Map, Value};

use super::file::json_schema;
use super::words;

/// What a value must be, anywhere in a pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Type {
    /// What stands where the value stands: this has the documentation of a field.
    schema: &'static Value,
}

/// A field of something in `(…)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldType {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// What its value must be.
    pub(crate) ty: Type,
}

impl FieldType {
    /// Whether it must be given, or what it is when it is not.
    pub(crate) fn given(self) -> String {
        match self.ty.default() {
            _ if self.required => "required".to_owned(),
            Some(default) => format!("default {default}"),
            None => "optional".to_owned(),
        }
    }
}

/// One of the names that a value may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    /// The name.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) doc: &'static str,
    /// What is in the parentheses after it.
    pub(crate) holds: Option<Type>,
}

fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(json_schema)
}

fn definitions() -> &'static Map<String, Value> {
    static NONE: OnceLock<Map<String, Value>> = OnceLock::new();
    schema().get("$defs").and_then(Value::as_object).unwrap_or_else(|| NONE.get_or_init(Map::new))
}

/// What the nodes of a kind yield, unless their parameters say otherwise.
pub(crate) fn yields(kind: &str) -> Option<Artifact> {
    struct Output;
    impl KindVisitor for Output {
        type Out = Artifact;

        fn visit<K: KindSpec>(self) -> Artifact {
            K::OUTPUT
        }
    }
    Kind::visit(kind, Output)
}

impl Type {
    /// A whole pipeline.
    pub(crate) fn pipeline() -> Type {
        Type { schema: schema() }
    }

    /// The parameters of a kind.
    pub(crate) fn of_kind(name: &str) -> Option<Type> {
        Type::pipeline().field("nodes")?.ty.value()?.variant(name)?.holds
    }

    /// Which of all types it is.
    pub(crate) fn id(self) -> usize {
        std::ptr::from_ref(self.schema).addr()
    }

    /// What it is in words: "a whole number from 1 to 1000".
    pub(crate) fn words(self) -> String {
        words::of(definitions(), self.schema)
    }

    /// What it is for; where that is not said, what such values are.
    pub(crate) fn doc(self) -> &'static str {
        let doc = |schema: &'static Value| schema.get("description").and_then(Value::as_str);
        doc(self.schema).or_else(|| doc(self.resolved())).unwrap_or_default()
    }

    /// What it is when it is not given, as it would be written.
    pub(crate) fn default(self) -> Option<String> {
        Some(words::literal(definitions(), self.schema, self.default_value()?))
    }

    /// What it is when it is not given, as JSON; `None` when it is then absent.
    pub(crate) fn default_value(self) -> Option<&'static Value> {
        self.schema.get("default").filter(|default| !default.is_null())
    }

    /// The fields of what is in `(…)`.
    pub(crate) fn fields(self) -> Vec<FieldType> {
        let schema = self.resolved();
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
        let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        fields.map(|(name, schema)| FieldType { name, required: is_required(name), ty: Type { schema } }).collect()
    }

    /// The field of this name.
    pub(crate) fn field(self, name: &str) -> Option<FieldType> {
        self.fields().into_iter().find(|field| field.name == name)
    }

    /// An item of a list, or the one at this place of a tuple.
    pub(crate) fn item(self, place: usize) -> Option<Type> {
        let schema = self.resolved();
        let tuple = |schema: &'static Value| schema.get("prefixItems").and_then(|items| items.get(place));
        // A size is a number or a pair.
        let of_choice = || self.choices().find_map(tuple);
        tuple(schema).or_else(|| schema.get("items")).or_else(of_choice).filter(|item| item.is_object()).map(Type::of)
    }

    /// What a map has under its keys.
    pub(crate) fn value(self) -> Option<Type> {
        let schema = self.resolved();
        let pattern = schema.get("patternProperties").and_then(|patterns| patterns.as_object()?.values().next());
        pattern.or(schema.get("additionalProperties")).filter(|values| values.is_object()).map(Type::of)
    }

    /// The names that it may have.
    pub(crate) fn variants(self) -> Vec<Variant> {
        self.choices().flat_map(variants_of).collect()
    }

    /// The variant of this name.
    pub(crate) fn variant(self, name: &str) -> Option<Variant> {
        self.variants().into_iter().find(|variant| variant.name == name)
    }

    /// The artifacts that it may name the node of: any one of them.
    pub(crate) fn artifacts(self) -> Option<Vec<Artifact>> {
        serde_json::from_value(self.resolved().get("x-artifacts")?.clone()).ok()
    }

    /// Whether it is the path of a file or folder.
    pub(crate) fn is_file(self) -> bool {
        self.resolved().get("x-file").is_some()
    }

    /// Whether it is `true` or `false`.
    pub(crate) fn is_bool(self) -> bool {
        self.is_a("boolean")
    }

    /// Whether it is text, of whatever sort.
    pub(crate) fn is_text(self) -> bool {
        self.is_a("string") && self.variants().is_empty()
    }

    /// Whether it is a list in `[…]`.
    pub(crate) fn is_list(self) -> bool {
        self.is_a("array") && self.resolved().get("prefixItems").is_none()
    }

    /// Whether it is a map in `{…}`.
    pub(crate) fn is_map(self) -> bool {
        self.is_a("object") && self.fields().is_empty()
    }

    fn of(schema: &'static Value) -> Type {
        Type { schema }
    }

    fn is_a(self, wanted: &str) -> bool {
        match self.resolved().get("type") {
            Some(Value::String(name)) => name == wanted,
            Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
            _ => false,
        }
    }

    fn resolved(self) -> &'static Value {
        words::resolve(definitions(), self.schema)
    }

    fn choices(self) -> impl Iterator<Item = &'static Value> {
        let schema = self.resolved();
        schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array).into_iter().flatten()
    }
}

fn variants_of(choice: &'static Value) -> Vec<Variant> {
    let doc = choice.get("description").and_then(Value::as_str).unwrap_or_default();
    let constant = choice.get("const").into_iter();
    let listed = choice.get("enum").and_then(Value::as_array).into_iter().flatten();
    let names = constant.chain(listed).filter_map(Value::as_str);
    // A struct among the choices has no name; a variant that holds something is an object whose one field is required.
    let is_variant = choice.get("required").and_then(Value::as_array).is_some_and(|required| required.len() == 1);
    let holding = choice.get("properties").and_then(Value::as_object).filter(|fields| is_variant && fields.len() == 1);
    let holding = holding.into_iter().flatten();
    let holding = holding.map(|(name, schema)| Variant { name, doc, holds: Some(Type { schema }) });
    names.map(|name| Variant { name, doc, holds: None }).chain(holding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_goes_from_the_pipeline_to_what_a_variant_holds() {
        let reward = Type::of_kind("RewardFinetune").unwrap();
        let rewards = reward.field("rewards").unwrap();
        assert!(rewards.required && rewards.ty.is_list());
        let clip = rewards.ty.item(0).unwrap().variant("Clip").unwrap();
        let model = clip.holds.unwrap().field("model").unwrap();
        assert_eq!(model.ty.artifacts(), Some(vec![Artifact::Clip]));
        let weight = clip.holds.unwrap().field("threshold").unwrap();
        assert_eq!((weight.required, weight.ty.default().as_deref()), (false, Some("1.0")));
        let guard = reward.field("guard").unwrap().ty;
        assert_eq!(guard.field("watch").map(|watch| watch.required), Some(true));
    }

    #[test]
    fn lists_tuples_and_maps_have_items() {
        let eval = Type::of_kind("Eval").unwrap();
        let loras = eval.field("loras").unwrap().ty;
        assert!(loras.is_map());
        assert_eq!(loras.value().unwrap().artifacts(), Some(vec![Artifact::Lora]));
        let fused = Type::of_kind("LoraFuse").unwrap().field("loras").unwrap().ty.item(3).unwrap();
        assert_eq!(fused.item(0).unwrap().artifacts(), Some(vec![Artifact::Lora]));
        let settings = Type::pipeline().field("settings").unwrap().ty.value().unwrap();
        let device = settings.field("device").unwrap().ty;
        let names: Vec<&str> = device.variants().iter().map(|variant| variant.name).collect();
        assert_eq!(names, ["Auto", "Cpu", "Cuda"]);
    }
}
