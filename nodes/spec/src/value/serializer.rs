//! From anything serialisable to a [`Value`], keeping what `ron::Value` and `serde_json::Value` forget:
//! which strings are references.

use std::collections::BTreeMap;

use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde::ser::{SerializeStructVariant, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant};

use super::{Leaf, Value};
use crate::artifact::from_token;
use crate::{File, Threshold};

type Result<T> = std::result::Result<T, SerializeError>;

/// What a parameter must not hold.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct SerializeError(String);

impl serde::ser::Error for SerializeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

pub(super) struct ValueSerializer;

/// Collects a list or tuple, wrapped in a variant if it has one.
pub(super) struct Items {
    variant: Option<&'static str>,
    items: Vec<Value>,
}

/// Collects a struct or map, wrapped in a variant if it has one.
pub(super) struct Entries {
    variant: Option<&'static str>,
    entries: BTreeMap<String, Value>,
    key: Option<String>,
}

fn wrap(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(name) => Value::Variant(name.to_owned(), Box::new(value)),
        None => value,
    }
}

impl Items {
    fn new(variant: Option<&'static str>) -> Self {
        Self { variant, items: Vec::new() }
    }

    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<()> {
        self.items.push(item.serialize(ValueSerializer)?);
        Ok(())
    }

    fn finish(self) -> Result<Value> {
        Ok(wrap(self.variant, Value::Seq(self.items)))
    }
}

impl Entries {
    fn new(variant: Option<&'static str>) -> Self {
        Self { variant, entries: BTreeMap::new(), key: None }
    }

    fn insert<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        self.entries.insert(key.to_owned(), value.serialize(ValueSerializer)?);
        Ok(())
    }

    fn finish(self) -> Result<Value> {
        Ok(wrap(self.variant, Value::Map(self.entries)))
    }
}

macro_rules! whole {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, v: $ty) -> Result<Value> {
            Ok(Value::Int(i64::try_from(v).map_err(SerializeError::custom)?))
        })*
    };
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = SerializeError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    whole!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    whole!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_bool(self, v: bool) -> Result<Value> {
        Ok(Value::Bool(v))
    }

    fn serialize_f32(self, v: f32) -> Result<Value> {
        self.serialize_f64(f64::from(v))
    }

    fn serialize_f64(self, v: f64) -> Result<Value> {
        let canonical = if v.is_nan() { f64::NAN } else { v + 0.0 };
        Ok(Value::Float(canonical))
    }

    fn serialize_char(self, v: char) -> Result<Value> {
        Ok(Value::Str(v.to_string()))
    }

    fn serialize_str(self, v: &str) -> Result<Value> {
        Ok(Value::Str(v.to_owned()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Value> {
        Err(SerializeError::custom("bytes are no parameter"))
    }

    fn serialize_none(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Value> {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value> {
        Ok(wrap(Some(variant), Value::Null))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, v: &T) -> Result<Value> {
        let inner = v.serialize(ValueSerializer)?;
        Ok(match (inner, from_token(name)) {
            (Value::Str(name), Some(takes)) => Value::Leaf(Leaf::Node { takes, name }),
            (Value::Str(path), None) if name == File::TOKEN => Value::Leaf(Leaf::File(path)),
            (inner, None) if name == Threshold::TOKEN => Value::Threshold(Box::new(inner)),
            (inner, _) => inner,
        })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<Value> {
        Ok(wrap(Some(variant), v.serialize(ValueSerializer)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items> {
        Ok(Items::new(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items> {
        Ok(Items::new(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items> {
        Ok(Items::new(None))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Items> {
        Ok(Items::new(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries> {
        Ok(Entries::new(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries> {
        Ok(Entries::new(None))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Entries> {
        Ok(Entries::new(Some(variant)))
    }
}

macro_rules! collect {
    ($kind:ident, $trait:ident, $method:ident $(, $key:ident)?) => {
        impl $trait for $kind {
            type Ok = Value;
            type Error = SerializeError;

            fn $method<T: Serialize + ?Sized>(&mut self $(, $key: &'static str)?, value: &T) -> Result<()> {
                collect!(@add self, value $(, $key)?)
            }

            fn end(self) -> Result<Value> {
                self.finish()
            }
        }
    };
    (@add $self:ident, $value:ident, $key:ident) => { $self.insert($key, $value) };
    (@add $self:ident, $value:ident) => { $self.push($value) };
}

collect!(Items, SerializeSeq, serialize_element);
collect!(Items, SerializeTuple, serialize_element);
collect!(Items, SerializeTupleStruct, serialize_field);
collect!(Items, SerializeTupleVariant, serialize_field);
collect!(Entries, SerializeStruct, serialize_field, key);
collect!(Entries, SerializeStructVariant, serialize_field, key);

impl SerializeMap for Entries {
    type Ok = Value;
    type Error = SerializeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        match key.serialize(ValueSerializer)? {
            Value::Str(key) => self.key = Some(key),
            other => return Err(SerializeError::custom(format!("a map's key must be text, not {other:?}"))),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let key = self.key.take().ok_or_else(|| SerializeError::custom("a value without its key"))?;
        self.insert(&key, value)
    }

    fn end(self) -> Result<Value> {
        self.finish()
    }
}
