//! Numbers over steps.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// The numbers of a training, each over its steps: one curve, whatever interrupted it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Curve {
    /// By name, `[step, value]` in the order of the steps. What is no loss has `· ` before its name.
    pub series: BTreeMap<String, Vec<[f64; 2]>>,
    /// The steps after which it was taken up again.
    pub resumed: Vec<u64>,
    /// Whether some points are left out.
    pub thinned: bool,
}

/// Fields of a `step` event that are no numbers of the training.
const PLACES: [&str; 3] = ["step", "of", "losses"];

impl Curve {
    /// Takes the numbers of a `step` event. A step that was there before is done again, so that what came after it goes:
    /// a training goes on from a checkpoint, which is older than the last step that was told.
    pub(super) fn push(&mut self, event: &Map<String, Value>) {
        let Some(step) = event.get("step").and_then(Value::as_f64) else { return };
        if self.series.values().any(|points| points.last().is_some_and(|last| last[0] >= step)) {
            self.cut(step);
        }
        let losses = event.get("losses").and_then(Value::as_object).into_iter().flatten();
        for (name, value) in losses {
            self.add(name.clone(), step, value);
        }
        let others = event.iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
        for (name, value) in others {
            self.add(format!("· {name}"), step, value);
            for (part, value) in value.as_object().into_iter().flatten() {
                self.add(format!("· {name} {part}"), step, value);
            }
        }
        if let Some(total) = total(event) {
            self.series.entry("loss".to_owned()).or_default().push([step, total]);
        }
    }

    /// Notes that what follows goes on after this step.
    pub(super) fn resume(&mut self, step: u64) {
        self.resumed.retain(|earlier| *earlier < step);
        self.resumed.push(step);
    }

    /// Goes on with what a later run told: its steps take the place of those that are no earlier.
    pub(super) fn continue_with(&mut self, later: Curve) {
        let first = later.series.values().filter_map(|points| points.first()).map(|point| point[0]).reduce(f64::min);
        if let Some(first) = first {
            self.cut(first);
        }
        for (name, points) in later.series {
            self.series.entry(name).or_default().extend(points);
        }
        self.resumed.extend(later.resumed);
    }

    /// The number of points in all.
    pub(super) fn len(&self) -> usize {
        self.series.values().map(Vec::len).sum()
    }

    /// Leaves so many points of each series, among them the least and the greatest of every stretch and both ends.
    pub(super) fn thin(&mut self, most: usize) {
        for points in self.series.values_mut() {
            if points.len() > most.max(4) {
                *points = thinned(points, most.max(4));
                self.thinned = true;
            }
        }
    }

    fn add(&mut self, name: String, step: f64, value: &Value) {
        if let Some(value) = value.as_f64() {
            self.series.entry(name).or_default().push([step, value]);
        }
    }

    fn cut(&mut self, step: f64) {
        self.series.values_mut().for_each(|points| points.truncate(points.partition_point(|point| point[0] < step)));
        self.series.retain(|_, points| !points.is_empty());
    }
}

/// The sum of several loss terms.
fn total(event: &Map<String, Value>) -> Option<f64> {
    let losses = event.get("losses")?.as_object().filter(|losses| losses.len() > 1 && !losses.contains_key("loss"))?;
    losses.values().map(Value::as_f64).sum()
}

/// The least and the greatest point of each of as many stretches as give `most` points, with the first and the last.
fn thinned(points: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    let inner = &points[1..points.len() - 1];
    let stretches = (most - 2) / 2;
    let mut kept = vec![points[0]];
    for stretch in 0..stretches {
        let part = &inner[stretch * inner.len() / stretches..(stretch + 1) * inner.len() / stretches];
        let by_value = |a: &usize, b: &usize| part[*a][1].total_cmp(&part[*b][1]);
        let Some(least) = (0..part.len()).min_by(by_value) else { continue };
        let greatest = (0..part.len()).max_by(by_value).unwrap_or(least);
        kept.push(part[least.min(greatest)]);
        if least != greatest {
            kept.push(part[least.max(greatest)]);
        }
    }
    kept.push(points[points.len() - 1]);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn curve(events: &[Value]) -> Curve {
        let mut curve = Curve::default();
        events.iter().for_each(|event| curve.push(event.as_object().unwrap()));
        curve
    }

    fn step(step: u64, loss: f64) -> Value {
        json!({"step": step, "of": 9, "losses": {"mse": loss}})
    }

    #[test]
    fn a_resumed_training_is_one_curve() {
        let curve = curve(&[step(1, 5.0), step(2, 4.0), step(3, 3.0), step(2, 4.5), step(3, 3.5), step(4, 2.0)]);
        assert_eq!(curve.series["mse"], [[1.0, 5.0], [2.0, 4.5], [3.0, 3.5], [4.0, 2.0]]);
    }

    #[test]
    fn a_later_run_takes_over() {
        let mut first = curve(&[step(1, 5.0), step(2, 4.0), step(3, 3.0)]);
        let mut second = curve(&[step(3, 3.5), step(4, 2.0)]);
        second.resume(2);
        first.continue_with(second);
        assert_eq!(first.series["mse"], [[1.0, 5.0], [2.0, 4.0], [3.0, 3.5], [4.0, 2.0]]);
        assert_eq!(first.resumed, [2]);
    }

    #[test]
    fn what_is_no_loss_is_marked_and_several_losses_have_a_sum() {
        let event =
            json!({"step": 1, "of": 9, "node": "n", "losses": {"a": 1.0, "b": 2.5}, "speed": 7.0, "lr": {"fake": 0.1}});
        let curve = curve(&[event]);
        let names: Vec<&str> = curve.series.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "b", "loss", "· lr fake", "· speed"]);
        assert_eq!(curve.series["loss"], [[1.0, 3.5]]);
    }

    proptest! {
        #[test]
        fn extremes_and_ends_outlive_the_thinning(values in prop::collection::vec(-1e3..1e3, 5..400), most in 4_usize..60) {
            let points: Vec<[f64; 2]> = values.iter().enumerate().map(|(i, value)| [i as f64, *value]).collect();
            let mut curve = Curve { series: BTreeMap::from([("loss".to_owned(), points.clone())]), ..Curve::default() };
            curve.thin(most);
            let kept = &curve.series["loss"];
            prop_assert!(kept.len() <= most.max(4) || kept.len() == points.len());
            prop_assert!(kept.is_sorted_by(|a, b| a[0] < b[0]) && kept.iter().all(|point| points.contains(point)));
            let bound = |of: &[[f64; 2]], pick: fn(f64, f64) -> f64| of.iter().map(|point| point[1]).reduce(pick).unwrap();
            prop_assert_eq!(bound(kept, f64::min), bound(&points, f64::min));
            prop_assert_eq!(bound(kept, f64::max), bound(&points, f64::max));
            prop_assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[points.len() - 1]));
        }
    }
}
