//! What the guard has seen and decided: `guard.json`, `guard.txt`, `guard.png`.

use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_spec::Level;
use serde::Serialize;
use tch::no_grad;

use super::look::Look;
use super::watch::Guard;
use crate::distilling::paint::Few;
use crate::distilling::student;
use crate::picture::{Canvas, to_bytes, write_png};
use crate::{NodeError, files};

const JSON: &str = "guard.json";
const TEXT: &str = "guard.txt";
const PICTURES: &str = "guard.png";

/// What is in `guard.json`.
#[derive(Serialize)]
struct Report {
    /// The decision, in words.
    says: String,
    /// Whether the last looks have all fallen.
    hacked: bool,
    /// The step after which the training was stopped; none if it went to its end.
    stopped_after: Option<u64>,
    /// The step of the best look.
    best: u64,
    /// The step whose weights are yielded.
    yielded: u64,
    rows: Vec<Row>,
}

/// A look, as `guard.json` tells of it.
#[derive(Serialize)]
struct Row {
    step: u64,
    held_out: f64,
    /// The least of `diversities`, each over that of the student before feedback.
    diversity: f64,
    missed: f64,
    rewards: Vec<f64>,
    /// Mean distance of two pictures of one caption, at each roll-out.
    diversities: Vec<f64>,
}

impl Row {
    fn of(look: &Look, first: &Look) -> Self {
        Self {
            step: look.step,
            held_out: look.held_out,
            diversity: look.share_of(first),
            missed: look.missed,
            rewards: look.rewards.clone(),
            diversities: look.diversity.clone(),
        }
    }
}

impl Guard<'_> {
    /// Puts the weights that are to be yielded into the average, and writes what was seen and decided.
    pub(crate) fn finish(&self) -> Result<(), NodeError> {
        let report = self.report();
        files::write_json(&self.context.output(JSON), &report)?;
        files::write(&self.context.output(TEXT), self.text(&report))?;
        write_png(&self.context.output(PICTURES), &no_grad(|| self.pictures(&report))?)?;
        if self.params.stop {
            student::copy(&self.best, &self.subject.delta.average);
        }
        let reporter = &self.context.reporter;
        if !report.hacked {
            reporter.message(Level::Info, &report.says);
        }
        let yielded = report.rows.iter().find(|row| row.step == report.yielded);
        if let Some(row) = yielded {
            reporter.metric("guard.held_out", row.held_out);
            reporter.metric("guard.diversity", row.diversity);
        }
        reporter.metric("guard.hacked", f64::from(u8::from(report.hacked)));
        reporter.metric("guard.best", report.best as f64);
        reporter.metric("guard.yielded", report.yielded as f64);
        reporter.show(TEXT);
        reporter.show(PICTURES);
        Ok(())
    }

    fn report(&self) -> Report {
        let (looks, verdict) = (self.looks.all(), self.verdict());
        let (best, last) = (looks[verdict.best].step, looks[looks.len() - 1].step);
        Report {
            says: self.says(),
            hacked: verdict.hacked,
            stopped_after: (self.stops() && last < self.subject.steps).then_some(last),
            best,
            yielded: if self.params.stop { best } else { last },
            rows: looks.iter().map(|look| Row::of(look, &looks[0])).collect(),
        }
    }

    fn text(&self, report: &Report) -> String {
        let mut text = format!("{:>6}  {:>9}  {:>9}  {:>9}  rewards\n", "step", "held out", "diversity", "missed");
        for row in &report.rows {
            let rewards: Vec<String> = row.rewards.iter().map(|reward| format!("{reward:.4}")).collect();
            let mark = if row.step == report.yielded { "  ← yielded" } else { "" };
            text += &format!(
                "{:>6}  {:>9.4}  {:>9.3}  {:>9.4}  {}{mark}\n",
                row.step,
                row.held_out,
                row.diversity,
                row.missed,
                rewards.join("  ")
            );
        }
        format!("{text}\n{}\n", report.says)
    }

    /// The student before feedback, with the best look's delta and with the last one, from the same noise.
    fn pictures(&self, report: &Report) -> Result<Canvas, NodeError> {
        let steps = self.subject.rollouts.iter().map(|steps| steps.index()).min().unwrap_or(1);
        let few = Few { denoiser: self.subject.denoiser, steps };
        let base = Adapters::one(self.subject.frozen);
        let last = report.rows.last().map_or(0, |row| row.step);
        let rows = [
            ("student".to_owned(), base.clone()),
            (format!("best, step {}", report.best), base.clone().with(&self.best, 1.0)),
            (format!("last, step {last}"), base.with(&self.subject.delta.average, 1.0)),
        ];
        let drawn = rows.into_iter().map(|(label, adapters)| {
            let drawn = few.showcase(self.subject.data, &adapters, self.context.seed())?;
            let shown = drawn.narrow(0, 0, drawn.size()[0].min(SHOWN));
            Ok((label, to_bytes(&self.subject.decoder.pictures(&shown))))
        });
        Ok(Canvas::rows(&drawn.collect::<Result<Vec<_>, NodeError>>()?))
    }
}

/// Pictures in a row.
const SHOWN: i64 = 10;
