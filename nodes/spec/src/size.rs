//! Sizes of pictures.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Count;

/// Width and height of a picture in pixels: `512` is a square, `(768, 512)` is wider than high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// Width in pixels.
    pub width: Count,
    /// Height in pixels.
    pub height: Count,
}

impl Size {
    /// A square.
    pub const fn square(side: Count) -> Self {
        Self { width: side, height: side }
    }

    /// Height and width, in the order of tensors.
    pub fn height_width(self) -> [i64; 2] {
        [self.height.get(), self.width.get()]
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width.get(), self.height.get())
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.width == self.height {
            true => self.width.serialize(serializer),
            false => (self.width, self.height).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a side in pixels, or (width, height)")
    }

    fn visit_i64<E: Error>(self, side: i64) -> Result<Size, E> {
        Ok(Size::square(count(side)?))
    }

    fn visit_u64<E: Error>(self, side: u64) -> Result<Size, E> {
        self.visit_i64(i64::try_from(side).unwrap_or(i64::MAX))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Size, A::Error> {
        let mut next = || items.next_element::<Count>();
        let (Some(width), Some(height)) = (next()?, next()?) else {
            return Err(A::Error::custom("must be a side in pixels, or (width, height)"));
        };
        match items.next_element::<serde::de::IgnoredAny>()? {
            None => Ok(Size { width, height }),
            Some(_) => Err(A::Error::custom("must be a side in pixels, or (width, height), not more numbers")),
        }
    }
}

fn count<E: Error>(side: i64) -> Result<Count, E> {
    Count::new(side).ok_or_else(|| E::custom(format!("must be at least 1, not {side}")))
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count = || json_schema!({ "type": "integer", "minimum": 1, "maximum": 1_000_000_000 });
        json_schema!({ "oneOf": [count(), { "type": "array", "prefixItems": [count(), count()], "minItems": 2, "maxItems": 2 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Size, String> {
        ron::from_str(text).map_err(|e| e.to_string())
    }

    #[test]
    fn a_number_is_a_square_and_stays_one_in_a_key() {
        let square = read("512").unwrap();
        assert_eq!(square.height_width(), [512, 512]);
        assert_eq!(serde_json::to_string(&square).unwrap(), "512");
        let wide = read("(768, 512)").unwrap();
        assert_eq!((wide.height_width(), wide.to_string().as_str()), ([512, 768], "768×512"));
        assert_eq!(serde_json::to_string(&wide).unwrap(), "[768,512]");
        assert_eq!(serde_json::from_str::<Size>("[768,512]").unwrap(), wide);
        assert_eq!(read("(512, 512)").unwrap(), square);
    }

    #[test]
    fn what_is_no_size_is_told() {
        for wrong in ["0", "-3", "(1, 0)", "(1,)", "(1, 2, 3)", "\"a\""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read("\"a\"").unwrap_err().contains("a side in pixels, or (width, height)"));
    }
}
