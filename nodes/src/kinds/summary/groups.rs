//! Which rows are repeats of one another, and what their numbers come to.

use std::collections::{BTreeMap, BTreeSet};

use hyper_flow_diffusion::metrics::Repeats;
use hyper_flow_spec::kinds::{Spread, Summary};
use hyper_flow_spec::metrics::{CONFIDENCE, Metrics, NUMBERS, Row};

use crate::NodeError;

/// Everything that was measured.
pub(super) struct Groups {
    /// The numbers to show, in order.
    pub(super) numbers: Vec<String>,
    /// A candidate at a step count each, candidates in the order in which they come.
    pub(super) rows: Vec<Group>,
    /// A pair of candidates at a step count each.
    pub(super) pairs: Vec<Group>,
}

/// The repeats of one row, or of the difference of two.
pub(super) struct Group {
    /// Who drew.
    pub(super) candidate: String,
    /// What it is compared with; then the numbers are differences.
    pub(super) against: Option<String>,
    /// In how many steps; none for real pictures.
    pub(super) steps: Option<i64>,
    /// How many repeats there are.
    pub(super) n: usize,
    /// The values of each number.
    pub(super) values: BTreeMap<String, Vec<f64>>,
}

type Numbers = BTreeMap<String, Option<f64>>;

impl Groups {
    pub(super) fn of(metrics: &[Metrics], params: &Summary) -> Result<Groups, NodeError> {
        let rows: Vec<Group> = rows_of(metrics)
            .into_iter()
            .map(|(candidate, steps)| {
                let repeats = metrics.iter().filter_map(|metrics| Some(metrics.row(candidate, steps)?.numbers.clone()));
                Group::new(candidate, None, steps, repeats.collect())
            })
            .collect();
        let numbers = numbers(&rows, &params.numbers)?;
        let mut pairs = Vec::new();
        for (one, other) in &params.compare {
            pairs.extend(compare(metrics, &rows, one, other)?);
        }
        Ok(Groups { numbers, rows, pairs })
    }
}

impl Group {
    /// Of each repeat's numbers. What is equal to the last digit was measured once.
    fn new(candidate: &str, against: Option<&str>, steps: Option<i64>, mut repeats: Vec<Numbers>) -> Group {
        let mut seen: Vec<Numbers> = Vec::new();
        repeats.retain(|numbers| {
            !seen.contains(numbers) && {
                seen.push(numbers.clone());
                true
            }
        });
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, value) in repeats.iter().flatten() {
            values.entry(name.clone()).or_default().extend(value);
        }
        values.retain(|_, values| !values.is_empty());
        Group { candidate: candidate.to_owned(), against: against.map(str::to_owned), steps, n: repeats.len(), values }
    }

    /// What a number comes to; none that it does not have.
    pub(super) fn repeats(&self, number: &str) -> Option<Repeats> {
        Repeats::of(self.values.get(number)?)
    }

    /// As people call it.
    pub(super) fn name(&self) -> String {
        match &self.against {
            Some(against) => format!("{} − {against}", self.candidate),
            None => self.candidate.clone(),
        }
    }
}

/// What is written after ±.
pub(super) fn spread(repeats: &Repeats, spread: Spread) -> Option<f64> {
    match spread {
        Spread::Deviation => repeats.deviation,
        Spread::Interval => repeats.margin(CONFIDENCE),
    }
}

/// Each candidate at each step count: candidates as they come, steps ascending.
fn rows_of(metrics: &[Metrics]) -> Vec<(&str, Option<i64>)> {
    let all = || metrics.iter().flat_map(|metrics| &metrics.rows);
    let mut candidates: Vec<&str> = Vec::new();
    all().for_each(|row| {
        if !candidates.contains(&row.candidate.as_str()) {
            candidates.push(&row.candidate);
        }
    });
    let steps = |candidate: &str| -> BTreeSet<Option<i64>> {
        all().filter(|row| row.candidate == candidate).map(|row| row.steps).collect()
    };
    candidates
        .into_iter()
        .flat_map(|candidate| steps(candidate).into_iter().map(move |steps| (candidate, steps)))
        .collect()
}

/// The numbers to show: those that were asked for, or all in the order of an `Eval`'s table.
fn numbers(rows: &[Group], asked: &[String]) -> Result<Vec<String>, NodeError> {
    let known: BTreeSet<&str> = rows.iter().flat_map(|row| row.values.keys()).map(String::as_str).collect();
    if let Some(unknown) = asked.iter().find(|name| !known.contains(name.as_str())) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(NodeError::Unfit(format!("`numbers`: nothing has a number `{unknown}`; there are {known}")));
    }
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let usual = NUMBERS.iter().map(|number| number.name).filter(|name| known.contains(name));
    let further = known.iter().copied().filter(|name| NUMBERS.iter().all(|number| number.name != *name));
    Ok(usual.chain(further).map(str::to_owned).collect())
}

/// Two candidates at each step count that both have, as differences of rows that were measured together.
fn compare(metrics: &[Metrics], rows: &[Group], one: &str, other: &str) -> Result<Vec<Group>, NodeError> {
    for candidate in [one, other] {
        if rows.iter().all(|row| row.candidate != candidate) {
            let known: BTreeSet<&str> = rows.iter().map(|row| row.candidate.as_str()).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(NodeError::Unfit(format!("`compare`: there is no candidate `{candidate}`, but {known}")));
        }
    }
    let pair = |steps: Option<i64>| {
        let repeats =
            metrics.iter().filter_map(|metrics| Some(difference(metrics.row(one, steps)?, metrics.row(other, steps)?)));
        Group::new(one, Some(other), steps, repeats.collect())
    };
    let steps = rows.iter().filter(|row| row.candidate == one).map(|row| row.steps);
    let pairs: Vec<Group> = steps.map(pair).filter(|pair| pair.n > 0).collect();
    match pairs.is_empty() {
        true => {
            Err(NodeError::Unfit(format!("`compare`: no measurement has both `{one}` and `{other}` at a step count")))
        }
        false => Ok(pairs),
    }
}

fn difference(one: &Row, other: &Row) -> Numbers {
    let difference = |name: &String| Some(one.number(name)? - other.number(name)?);
    one.numbers.keys().map(|name| (name.clone(), difference(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metrics(rows: serde_json::Value) -> Metrics {
        serde_json::from_value(json!({"rows": rows})).unwrap()
    }

    fn summary(compare: &[(&str, &str)], numbers: &[&str]) -> Summary {
        let fields = json!({"metrics": ["a"], "compare": compare, "numbers": numbers});
        serde_json::from_value(fields).unwrap()
    }

    fn two() -> [Metrics; 2] {
        let of = |a: f64, b: f64| {
            metrics(json!([
                {"candidate": "real", "steps": null, "frechet": 1.0, "reward": null},
                {"candidate": "b", "steps": 2, "frechet": b, "mine": 2.0 * b, "reward": null},
                {"candidate": "a", "steps": 2, "frechet": a, "mine": 0.5},
                {"candidate": "a", "steps": 1, "frechet": a + 10.0},
            ]))
        };
        [of(3.0, 5.0), of(4.0, 9.0)]
    }

    #[test]
    fn rows_of_one_candidate_and_step_count_are_repeats() {
        let groups = Groups::of(&two(), &summary(&[("a", "b")], &[])).unwrap();
        assert_eq!(groups.numbers, ["frechet", "mine"]);
        let rows: Vec<_> = groups.rows.iter().map(|row| (row.candidate.as_str(), row.steps, row.n)).collect();
        // What is equal to the last digit was measured once.
        assert_eq!(rows, [("real", None, 1), ("b", Some(2), 2), ("a", Some(1), 2), ("a", Some(2), 2)]);
        assert_eq!(groups.rows[1].values["frechet"], [5.0, 9.0]);
        let pairs: Vec<_> = groups.pairs.iter().map(|pair| (pair.name(), pair.steps, pair.n)).collect();
        assert_eq!(pairs, [("a − b".to_owned(), Some(2), 2)]);
        assert_eq!(groups.pairs[0].values["frechet"], [-2.0, -5.0]);
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let refused = |compare: &[(&str, &str)], numbers: &[&str]| {
            Groups::of(&two(), &summary(compare, numbers)).err().unwrap().to_string()
        };
        assert_eq!(refused(&[], &["frechett"]), "`numbers`: nothing has a number `frechett`; there are frechet, mine");
        assert_eq!(refused(&[("a", "c")], &[]), "`compare`: there is no candidate `c`, but a, b, real");
        assert_eq!(refused(&[("a", "real")], &[]), "`compare`: no measurement has both `a` and `real` at a step count");
    }
}
