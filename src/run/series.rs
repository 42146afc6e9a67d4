//! What several runs tell of one artifact: those that were interrupted, and the one that went on.

use std::convert::Infallible;

use memchr::memmem;

use super::told::NodeEvents;

/// The events of a node from its beginning, over all its starts. Of the training steps those are left out that a later
/// start did again.
#[derive(Debug, Clone, Default)]
pub struct Series {
    runs: Vec<NodeEvents>,
    /// For each start the step from which on a later one did them again.
    until: Vec<u64>,
    /// How many steps there are.
    count: usize,
    /// The first step and the last.
    span: Option<(u64, u64)>,
}

impl Series {
    /// Of what runs say, in their order.
    pub(crate) fn of(runs: Vec<NodeEvents>) -> Series {
        let mut series = Series { until: first_steps(&runs), runs, count: 0, span: None };
        let mut from = u64::MAX;
        for until in series.until.iter_mut().rev() {
            from = std::mem::replace(until, from).min(from);
        }
        let (mut count, mut span) = (0, None);
        let Ok(()) = series.each(|name, line| {
            if name == "step" {
                count += 1;
                span = step_of(line).map(|step| (span.map_or(step, |(first, _)| first), step)).or(span);
            }
            Ok::<_, Infallible>(())
        });
        Series { count, span, ..series }
    }

    /// How many steps there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first step and the last.
    pub(crate) fn span(&self) -> Option<(u64, u64)> {
        self.span
    }

    /// Gives the name and the line of each event to `visit`, which may end it.
    pub(crate) fn each<E>(&self, mut visit: impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut starts = 0;
        self.runs.iter().try_for_each(|run| {
            run.each(|name, line| {
                starts += usize::from(name == "node_started");
                let until = self.until.get(starts).copied().unwrap_or(u64::MAX);
                let again = name == "step" && step_of(line).is_some_and(|step| step >= until);
                if again { Ok(()) } else { visit(name, line) }
            })
        })
    }
}

/// The first step of each start; what comes before any start is one too.
fn first_steps(runs: &[NodeEvents]) -> Vec<u64> {
    let mut first = vec![u64::MAX];
    for run in runs {
        let Ok(()) = run.each(|name, line| {
            match name {
                "node_started" => first.push(u64::MAX),
                "step" => {
                    let step = step_of(line).unwrap_or(u64::MAX);
                    first.last_mut().into_iter().for_each(|first| *first = step.min(*first));
                }
                _ => {}
            }
            Ok::<_, Infallible>(())
        });
    }
    first
}

/// The number of a step. There may be hundreds of thousands, so that none is read whole for it.
fn step_of(line: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"step\":";
    let digits = line[memmem::find(line, NAME)? + NAME.len()..].trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of runs whose logs are these words: `S` is a start, a number a step.
    fn steps(runs: &[&str]) -> (Vec<u64>, usize) {
        let dir = tempfile::tempdir().unwrap();
        let event = |word: &str| match word {
            "S" => r#"{"time":"t","event":"node_started","node":"a"}"#.to_owned(),
            step => format!(r#"{{"time":"t","node":"a","event":"step","step":{step},"of":9,"losses":{{"step":7.5}}}}"#),
        };
        let write = |(index, words): (usize, &&str)| {
            let run = dir.path().join(index.to_string());
            std::fs::create_dir(&run).unwrap();
            let lines: Vec<String> = words.split(' ').map(event).collect();
            std::fs::write(run.join("events.jsonl"), lines.join("\n")).unwrap();
            NodeEvents::of(&run, "a")
        };
        let series = Series::of(runs.iter().enumerate().map(write).collect());
        let mut found = Vec::new();
        let Ok(()) = series.each(|name, line| {
            found.extend((name == "step").then(|| step_of(line)).flatten());
            Ok::<_, Infallible>(())
        });
        assert_eq!(series.span(), found.first().copied().zip(found.last().copied()));
        (found, series.count())
    }

    #[test]
    fn steps_that_are_done_again_are_those_of_the_later_start() {
        assert_eq!(steps(&["S 1 2 3"]), (vec![1, 2, 3], 3));
        assert_eq!(steps(&["S 1 2 3 4", "S 3 4 5"]), (vec![1, 2, 3, 4, 5], 5));
        assert_eq!(steps(&["S 1 2 3 4", "S 3 4 5", "S 2 3"]), (vec![1, 2, 3], 3));
        assert_eq!(steps(&["S 1 2 3 S 1 2"]), (vec![1, 2], 2), "another attempt that began anew");
        assert_eq!(steps(&["S 1 2 3", "S", "S 3 4"]), (vec![1, 2, 3, 4], 4), "one that came to nothing");
        assert_eq!(steps(&["S"]), (vec![], 0));
    }
}
