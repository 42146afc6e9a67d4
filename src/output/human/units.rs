//! Numbers as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper_flow_spec::Memory;

/// Bytes: `512 B`, `1.5 KiB`, `2.0 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // What would round to 1024.0 belongs to the next unit.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// The most memory that a worker had: `1.5 GiB of memory`, `1.5 GiB of memory, 20.0 GiB of the GPU's`.
pub(crate) fn memory(had: Memory) -> String {
    let gpu = had.gpu.map_or_else(String::new, |gpu| format!(", {} of the GPU's", bytes(gpu)));
    format!("{} of memory{gpu}", bytes(had.peak))
}

/// A duration: `0.2 s`, `34 s`, `2 min 5 s`, `3 h 20 min`.
pub(crate) fn seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// How long a time, in seconds since 1970, is ago: `just now`, `5 min ago`, `3 days ago`.
pub(crate) fn ago(time: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let count = |number: u64, unit: &str| format!("{number} {unit} ago");
    match now.saturating_sub(time) {
        0..60 => "just now".to_owned(),
        past @ 60..3600 => count(past / 60, "min"),
        past @ 3600..172_800 => count(past / 3600, "h"),
        past => count(past / 86_400, "days"),
    }
}

/// A number of things: `1 file`, `2 files`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A measured number, to four digits that count.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (1e-4..1e6).contains(&size) => {
            let digits = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
            format!("{value:.digits$}")
        }
        _ => format!("{value:.3e}"),
    }
}

/// A number of a training in its unit, which its name tells: what is called memory is bytes.
pub(crate) fn named_number(name: &str, value: f64) -> String {
    let is_bytes = name == "memory" || name.starts_with("memory.");
    if is_bytes && value >= 0.0 { bytes(value as u64) } else { number(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_decimal_and_never_1024() {
        let shown = [0, 1023, 1024, 1536, 1_048_575, 1_048_576, 3 << 30].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "3.0 GiB"]);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!([0.24, 34.4, 125.0, 12_000.0].map(seconds), ["0.2 s", "34 s", "2 min 5 s", "3 h 20 min"]);
    }

    #[test]
    fn numbers_have_four_digits() {
        let shown = [0.0, 0.07, 86.123, 12345.6, 1e-7, 1.0].map(number);
        assert_eq!(shown, ["0", "0.07000", "86.12", "12346", "1.000e-7", "1.000"]);
    }
}
