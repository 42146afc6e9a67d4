//! Numbers that cannot be out of range: the check is the parse, so every mistake has its place in the file.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Int<const MIN: i64, const MAX: i64>(i64);

/// How many of something: at least one.
pub type Count = Int<1, 1_000_000_000>;

/// How many of something, or none.
pub type Amount = Int<0, 1_000_000_000>;

/// How often an epoch comes by a sample.
pub type Repeats = Int<1, 10_000>;

/// The rank of a LoRA.
pub type Rank = Int<1, 4096>;

/// Sampling steps: at most one for each of the 1,000 timesteps.
pub type Steps = Int<1, 1000>;

/// Points of the solver grid round(i·1000/N) − 1: above 666 two would share a timestep.
pub type SolverSteps = Int<1, 666>;

impl<const MIN: i64, const MAX: i64> Int<MIN, MAX> {
    /// The number; `None` when it is out of range.
    pub const fn new(value: i64) -> Option<Self> {
        if value >= MIN && value <= MAX { Some(Self(value)) } else { None }
    }

    /// As the signed integer that libtorch takes for sizes.
    pub fn get(self) -> i64 {
        self.0
    }

    /// As an index.
    ///
    /// # Panics
    /// When the number is negative, which a `MIN` of 0 or more excludes.
    pub fn index(self) -> usize {
        usize::try_from(self.0).expect("a number used as an index has a minimum of at least 0")
    }
}

/// Default values of [`Int`] fields, for `#[serde(default = "count::<64>")]`.
pub(crate) mod int {
    use super::*;

    macro_rules! defaults {
        ($($name:ident: $ty:ty),*) => {
            $(pub(crate) fn $name<const VALUE: i64>() -> $ty {
                const { <$ty>::new(VALUE).expect("a default is in range") }
            })*
        };
    }

    defaults!(count: Count, amount: Amount, rank: Rank, steps: Steps, solver_steps: SolverSteps);
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Int<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = i64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| match MAX {
            i64::MAX | 1_000_000_000 if value < MIN => D::Error::custom(format!("must be at least {MIN}, not {value}")),
            _ => D::Error::custom(format!("must be from {MIN} to {MAX}, not {value}")),
        })
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Int<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Int{MIN}To{MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

impl Fraction {
    /// Whether it is 0.
    pub fn is_zero(&self) -> bool {
        self.0 == 0.0
    }
}

/// Reads a number that may be written without a point (`1` for `1.0`).
struct Number;

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, v: f64) -> Result<f64, E> {
        Ok(v)
    }

    fn visit_i64<E>(self, v: i64) -> Result<f64, E> {
        Ok(v as f64)
    }

    fn visit_u64<E>(self, v: u64) -> Result<f64, E> {
        Ok(v as f64)
    }
}

macro_rules! real {
    ($(#[$doc:meta])* $name:ident, $holds:expr, $words:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
        pub struct $name(f64);

        impl $name {
            /// The number; `None` when it is out of range.
            pub fn new(value: f64) -> Option<Self> {
                let holds: fn(f64) -> bool = $holds;
                (value.is_finite() && holds(value)).then_some(Self(value))
            }

            /// The number.
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = deserializer.deserialize_f64(Number)?;
                Self::new(value).ok_or_else(|| D::Error::custom(format!(concat!("must be ", $words, ", not {}"), value)))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

real!(
    /// A finite number.
    Finite, |_| true, "a finite number", { "type": "number" }
);
real!(
    /// A finite number above 0.
    Positive, |v| v > 0.0, "a number above 0", { "type": "number", "exclusiveMinimum": 0 }
);
real!(
    /// A finite number, 0 or above.
    NonNegative, |v| v >= 0.0, "0 or above", { "type": "number", "minimum": 0 }
);
real!(
    /// A number from 0 to 1.
    Fraction, |v| (0.0..=1.0).contains(&v), "from 0 to 1", { "type": "number", "minimum": 0, "maximum": 1 }
);
