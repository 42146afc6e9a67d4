//! Amounts with units: memory and time.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// An amount of memory: `"2 GiB"`, `"512 MB"`, or a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory(pub(super) u64);

/// A length of time: `"1 h 30 min"`, `"45 s"`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Duration);

type Unit = (&'static str, f64);

const MEMORY: &[Unit] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

const TIME: &[Unit] = &[
    ("ms", 1e-3),
    ("s", 1.0),
    ("sec", 1.0),
    ("secs", 1.0),
    ("second", 1.0),
    ("seconds", 1.0),
    ("min", 60.0),
    ("mins", 60.0),
    ("m", 60.0),
    ("minute", 60.0),
    ("minutes", 60.0),
    ("h", 3600.0),
    ("hr", 3600.0),
    ("hrs", 3600.0),
    ("hour", 3600.0),
    ("hours", 3600.0),
    ("d", 86_400.0),
    ("day", 86_400.0),
    ("days", 86_400.0),
];

/// The longest time and the largest memory: what no machine has, and what fits in every type.
const MOST: f64 = 1e15;
/// The least memory that anybody means: a number below it has lost its unit.
const LEAST_MEMORY: f64 = 1_048_576.0;

/// The sum of amounts such as `1 h 30 min`.
fn sum(text: &str, units: &[Unit]) -> Option<f64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(&rest[..letters]))?;
        total += number * factor;
        rest = rest[letters..].trim_start();
    }
    Some(total)
}

struct Amount {
    units: &'static [Unit],
    words: &'static str,
    least: f64,
    /// What a plain number below the least one lacks.
    lacks: &'static str,
}

impl Amount {
    fn check<E: Error>(&self, amount: f64) -> Result<f64, E> {
        match amount {
            _ if amount > 0.0 && amount < self.least => {
                Err(E::custom(format!("must be {}, not {amount}{}", self.words, self.lacks)))
            }
            _ if amount > 0.0 && amount <= MOST => Ok(amount),
            _ => Err(E::custom(format!("must be {}, not {amount}", self.words))),
        }
    }

    /// What a text that is no amount lacks, if that is a unit.
    fn without_unit(&self, text: &str) -> String {
        let last = |unit: &Unit| unit.0;
        let units = || self.units.iter().map(last).filter(|name| name.len() <= 3).collect::<Vec<_>>().join(", ");
        if text.trim().parse::<f64>().is_ok() {
            format!(": it has no unit; there are {}", units())
        } else {
            String::new()
        }
    }
}

impl Visitor<'_> for Amount {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        match sum(text, self.units) {
            Some(amount) => self.check(amount),
            None => Err(E::custom(format!("must be {}, not {text:?}{}", self.words, self.without_unit(text)))),
        }
    }

    fn visit_u64<E: Error>(self, amount: u64) -> Result<f64, E> {
        self.check(amount as f64)
    }

    fn visit_i64<E: Error>(self, amount: i64) -> Result<f64, E> {
        self.check(amount as f64)
    }

    fn visit_f64<E: Error>(self, amount: f64) -> Result<f64, E> {
        self.check(amount)
    }
}

const MEMORY_WORDS: &str = "an amount of memory such as \"2 GiB\", or a number of bytes";
const TIME_WORDS: &str = "a time such as \"10 min\", or a number of seconds";

const MEMORY_AMOUNT: Amount = Amount {
    units: MEMORY,
    words: MEMORY_WORDS,
    least: LEAST_MEMORY,
    lacks: " bytes, which nothing runs in: write the unit",
};
const TIME_AMOUNT: Amount = Amount { units: TIME, words: TIME_WORDS, least: 0.0, lacks: "" };

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserializer.deserialize_any(MEMORY_AMOUNT)?;
        Ok(Self(bytes.round() as u64))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = deserializer.deserialize_any(TIME_AMOUNT)?;
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

macro_rules! schema {
    ($name:ident, $words:expr) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "number"], "exclusiveMinimum": 0, "x-words": $words })
            }
        }
    };
}

schema!(Memory, MEMORY_WORDS);
schema!(Time, TIME_WORDS);

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(text: &str) -> Option<u64> {
        super::super::syntax::options().from_str::<Memory>(text).ok().map(|memory| memory.0)
    }

    fn time(text: &str) -> Option<f64> {
        super::super::syntax::options().from_str::<Time>(text).ok().map(|time| time.0.as_secs_f64())
    }

    #[test]
    fn memory_has_units() {
        assert_eq!(memory("\"2 GiB\""), Some(2 << 30));
        assert_eq!(memory("\"1.5GB\""), Some(1_500_000_000));
        assert_eq!(memory("\"512 mib\""), Some(512 << 20));
        assert_eq!(memory("1048576"), Some(1 << 20));
        for wrong in ["\"2\"", "\"2 GiX\"", "\"GiB\"", "\"\"", "0", "-1", "\"-1 GiB\"", "inf", "NaN", "2", "\"2 kB\""] {
            assert_eq!(memory(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn time_has_units() {
        assert_eq!(time("\"10 min\""), Some(600.0));
        assert_eq!(time("\"1h30m\""), Some(5400.0));
        assert_eq!(time("\"1 h 30 min 5 s\""), Some(5405.0));
        assert_eq!(time("\"1 hour\""), Some(3600.0));
        assert_eq!(time("\"2 Hours 5 minutes\""), Some(7500.0));
        assert_eq!(time("90"), Some(90.0));
        assert_eq!(time("0.5"), Some(0.5));
        for wrong in ["\"ten\"", "\"10\"", "0", "-3", "1e300"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }
}
