//! Candidates beside each other.

use hyper_flow_spec::metrics::{CONFIDENCE, Comparison, Verdict, lower_is_better};

use super::row::Measured;

/// Each pair at every step count and in every number that both have.
pub(super) fn all(pairs: &[(String, String)], rows: &[Measured]) -> Vec<Comparison> {
    let mut all = Vec::new();
    for (one, other) in pairs {
        for row in rows.iter().filter(|row| row.candidate == *one) {
            let same_steps = |against: &&Measured| against.candidate == *other && against.steps == row.steps;
            if let Some(against) = rows.iter().find(same_steps) {
                all.extend(row.names().filter_map(|number| compare(row, against, number)));
            }
        }
    }
    all
}

fn compare(row: &Measured, against: &Measured, number: &str) -> Option<Comparison> {
    let difference = row.numbers.get(number)?.minus(against.numbers.get(number)?);
    let p = difference.significance();
    Some(Comparison {
        candidate: row.candidate.clone(),
        against: against.candidate.clone(),
        steps: row.steps?,
        number: number.to_owned(),
        difference: difference.value,
        interval: difference.interval(CONFIDENCE)?,
        p,
        verdict: verdict(number, difference.value, p),
    })
}

fn verdict(number: &str, difference: f64, p: f64) -> Verdict {
    match (p < 1.0 - CONFIDENCE, (difference < 0.0) == lower_is_better(number)) {
        (false, _) => Verdict::Undecided,
        (true, true) => Verdict::Better,
        (true, false) => Verdict::Worse,
    }
}
