//! What the language wants where the cursor is.

use super::outline::{Form, Item, Value};
use crate::pipeline::Type;

/// Where a byte is.
#[derive(Debug, Clone)]
pub(super) struct Place<'v> {
    /// The keys on the way, from `nodes` down; that of the item itself, if it has one, is the last.
    pub(super) path: Vec<String>,
    /// What the brackets around hold, and the brackets.
    pub(super) around: Option<(&'v Value, Option<Type>)>,
    /// The item that it is in.
    pub(super) item: Option<&'v Item>,
    /// What the value must be.
    pub(super) ty: Option<Type>,
    /// The value itself; `None` on a key, and where there is none yet.
    pub(super) value: Option<&'v Value>,
    /// Whether it is before the colon.
    pub(super) on_key: bool,
}

/// Where a byte is, from the outermost value inwards.
pub(super) fn at<'v>(text: &str, root: &'v Value, byte: usize) -> Place<'v> {
    let ty = Some(Type::pipeline());
    let mut place = Place { path: Vec::new(), around: None, item: None, ty, value: Some(root), on_key: false };
    while let Some(inner) = place.inner(text, byte) {
        place = inner;
    }
    place
}

impl<'v> Place<'v> {
    /// One step further inwards.
    fn inner(&self, text: &str, byte: usize) -> Option<Place<'v>> {
        let value = self.value?;
        let is_here = |item: &&Item| item.slot.start <= byte && byte <= item.slot.end;
        let (i, item) = value.items().iter().enumerate().find(|(_, item)| is_here(item))?;
        let holds = held(text, value, self.ty);
        if item.key.as_ref().is_some_and(|key| byte < key.range.start) {
            // Something is to come before the item, without a comma yet.
            let path = self.path.clone();
            return Some(Place {
                path,
                around: Some((value, holds)),
                item: None,
                ty: None,
                value: None,
                on_key: false,
            });
        }
        let mut path = self.path.clone();
        path.extend(item.key(text));
        let on_key = item.key.as_ref().is_some_and(|key| byte <= key.colon);
        let touches = |value: &&Value| value.range.start <= byte && byte <= value.range.end;
        Some(Place {
            path,
            around: Some((value, holds)),
            item: Some(item),
            ty: of_item(text, value, holds, i, item),
            value: item.value.as_ref().filter(|value| !on_key && touches(value)),
            on_key,
        })
    }

    /// The field that the item is, if it is one.
    pub(super) fn is_field(&self) -> bool {
        self.around.is_some_and(|(value, holds)| is_struct(value, holds))
    }

    /// Whether it is the name in a `Param("…")`.
    pub(super) fn in_param(&self, text: &str) -> bool {
        self.around.is_some_and(|(value, _)| is_param(text, value))
    }
}

/// Whether a value is a `Param(…)`.
pub(super) fn is_param(text: &str, value: &Value) -> bool {
    value.form != Form::Word && value.name.clone().is_some_and(|name| &text[name] == "Param")
}

/// Whether the brackets hold fields.
pub(super) fn is_struct(value: &Value, holds: Option<Type>) -> bool {
    matches!(value.form, Form::Inside('(', _)) && holds.is_some_and(|holds| !holds.fields().is_empty())
}

/// What the brackets of a value hold, if the value must be `ty`.
pub(super) fn held(text: &str, value: &Value, ty: Option<Type>) -> Option<Type> {
    match value.name.clone().map(|name| &text[name]) {
        None | Some("Some" | "Pipeline") => ty,
        Some(name) => ty?.variant(name)?.holds,
    }
}

/// What an item of such brackets must be.
pub(super) fn of_item(text: &str, value: &Value, holds: Option<Type>, i: usize, item: &Item) -> Option<Type> {
    let holds = holds?;
    match value.form {
        Form::Inside('{', _) => holds.value(),
        Form::Inside('[', _) => holds.item(i),
        _ => match item.key(text) {
            Some(key) => holds.field(&key).map(|field| field.ty),
            None if is_struct(value, Some(holds)) => None,
            None => holds.item(i).or_else(|| (i == 0 && value.name.is_some()).then_some(holds)),
        },
    }
}
