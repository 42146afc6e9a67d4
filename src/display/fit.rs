//! How far a node is, in a line of a terminal that may be narrow.

use std::time::Duration;

use hyper_flow_spec::Event as Said;
use unicode_width::UnicodeWidthStr;

use crate::output::units::{bytes, number, seconds};
use crate::output::{cut, harmless};

/// A piece of a line. Where there is no room, those of least worth go first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    text: String,
    worth: u8,
}

impl Part {
    pub(super) fn new(worth: u8, text: impl Into<String>) -> Part {
        Part { text: text.into(), worth }
    }
}

/// A step of a training: `120/1200`, `loss 0.1234`, `64 samples/s`, `1 min 5 s left`.
pub(super) fn parts(event: &Said, left: Option<Duration>) -> Option<Vec<Part>> {
    let mut parts = match event {
        Said::Step { step, of, losses, speed, .. } => {
            let total: f64 = losses.values().sum();
            let mut parts = vec![Part::new(9, format!("{step}/{of}")), Part::new(7, format!("loss {}", number(total)))];
            parts.extend(speed.map(|speed| Part::new(3, format!("{} samples/s", number(speed)))));
            parts
        }
        Said::Progress { done, of, unit } if unit == "bytes" => {
            vec![Part::new(9, format!("{} of {}", bytes(*done), bytes(*of)))]
        }
        Said::Progress { done, of, unit } => vec![Part::new(9, format!("{done}/{of} {}", harmless(unit, false)))],
        _ => return None,
    };
    parts.extend(left.map(|left| Part::new(5, format!("{} left", seconds(left.as_secs_f64())))));
    Some(parts)
}

/// All parts in one line, however long.
pub(super) fn step(event: &Said, left: Option<Duration>) -> Option<String> {
    parts(event, left).map(|parts| joined(&parts))
}

fn joined(parts: &[Part]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("  ")
}

/// The widest bar, and the one that others make room for.
const BARS: (usize, usize) = (24, 10);

/// A line of less than so many columns: a mark, a name, a bar if a share of something is done, and what there is room for.
pub(super) fn line(mark: char, name: &str, done: Option<f64>, mut parts: Vec<Part>, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    let name = cut(name, (columns / 3).max(8));
    let mut width = done.map_or(0, |_| BARS.0);
    loop {
        let bar = if width > 0 { format!("{}  ", bar(done.unwrap_or(0.0), width)) } else { String::new() };
        let line = format!("  {mark} {name}  {bar}{}", joined(&parts));
        if line.width() <= room {
            return line;
        }
        let least = parts.iter().map(|part| part.worth).min().unwrap_or(0);
        match width {
            _ if width > BARS.1 => width = BARS.1,
            _ if parts.len() > 1 => parts.retain(|part| part.worth > least),
            0 => return cut(&line, room),
            _ => width = 0,
        }
    }
}

fn bar(done: f64, width: usize) -> String {
    let full = (done.clamp(0.0, 1.0) * width as f64).floor() as usize;
    let tip = usize::from(full < width);
    format!("{}{}{}", "━".repeat(full), "╸".repeat(tip), " ".repeat(width - full - tip))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn parts() -> Vec<Part> {
        let texts = [(9, "120/1200"), (7, "loss 0.1234"), (3, "64.00 samples/s"), (5, "1 min 5 s left")];
        texts.map(|(worth, text)| Part::new(worth, text)).to_vec()
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out() {
        let shown = |columns| line('⠙', "teacher", Some(0.1), parts(), columns);
        insta::assert_snapshot!([120, 80, 60, 40, 30, 20, 8, 1].map(shown).join("|\n"), @r"
          ⠙ teacher  ━━╸                       120/1200  loss 0.1234  64.00 samples/s  1 min 5 s left|
          ⠙ teacher  ━╸          120/1200  loss 0.1234  64.00 samples/s  1 min 5 s left|
          ⠙ teacher  ━╸          120/1200  loss 0.1234|
          ⠙ teacher  ━╸          120/1200|
          ⠙ teacher  120/1200|
          ⠙ teacher  120/1…|
          ⠙ te…|
        ");
    }

    #[test]
    fn no_line_is_as_wide_as_the_terminal() {
        for name in
            ["a", "字字字字字字字字字字字字字字字", "a very long name of a node, with words in it, {axis} and more"]
        {
            for columns in 1..200 {
                let shown = line('⠙', name, Some(0.5), parts(), columns);
                assert!(shown.width() < columns, "{columns}: {shown}");
            }
        }
    }

    #[test]
    fn steps_and_progress_are_told_in_their_units() {
        let losses = BTreeMap::from([("a".to_owned(), 0.5), ("b".to_owned(), 0.25)]);
        let event = serde_json::json!({"event": "step", "step": 1, "of": 2, "losses": losses, "speed": 64.0});
        let event: Said = serde_json::from_value(event).unwrap();
        assert_eq!(
            step(&event, Some(Duration::from_secs(65))).unwrap(),
            "1/2  loss 0.7500  64.00 samples/s  1 min 5 s left"
        );
        let event = Said::Progress { done: 1024, of: 4096, unit: "bytes".to_owned() };
        assert_eq!(step(&event, None).unwrap(), "1.0 KiB of 4.0 KiB");
    }
}
