//! What is left out of a dataset and what is worth a word, told once, when all is read.

use std::collections::BTreeMap;

use hyper_flow_spec::Level;

use crate::picture::Remark;
use crate::worker::Context;
use crate::{NodeError, files};

/// Names that a message holds of each reason; the others are counted.
const NAMED: usize = 5;
/// The list of all that is left out, in the folder of the node's log.
const LIST: &str = "left_out.txt";

/// Why a file or a sample is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// There is no caption for it.
    NoCaption,
    /// There is no picture for it.
    NoPicture,
    /// It cannot be read, as its name goes on to say.
    Damaged,
}

impl Reason {
    /// What follows "n ".
    fn words(&self) -> String {
        match self {
            Reason::NoCaption => "without a caption".into(),
            Reason::NoPicture => "without a picture".into(),
            Reason::Damaged => "damaged".into(),
        }
    }
}

/// The files of a dataset that are not in it, and those that are with a remark, by names that say nothing of the machine.
#[derive(Debug, Default)]
pub(crate) struct Account {
    left_out: BTreeMap<Reason, Vec<String>>,
    remarks: BTreeMap<Remark, Vec<String>>,
}

impl Account {
    /// Counts something that is left out.
    pub(crate) fn leave_out(&mut self, reason: Reason, name: impl Into<String>) {
        self.left_out.entry(reason).or_default().push(name.into());
    }

    /// Counts what is remarked of a picture.
    pub(crate) fn remark(&mut self, name: &str, remarks: &[Remark]) {
        remarks.iter().for_each(|remark| self.remarks.entry(*remark).or_default().push(name.to_owned()));
    }

    /// Tells all of it: one message of what is left out, and one of each remark.
    pub(crate) fn tell(&self, context: &Context) -> Result<(), NodeError> {
        for (remark, names) in &self.remarks {
            let text = format!("{} pictures {}: {}", names.len(), remark.words(), some(names));
            context.reporter.message(remark.level(), text);
        }
        if self.left_out.is_empty() {
            return Ok(());
        }
        let lines = self
            .left_out
            .iter()
            .flat_map(|(reason, names)| names.iter().map(move |name| format!("{}: {name}\n", reason.words())));
        files::write(&context.job.log.join(LIST), lines.collect::<String>())?;
        context.reporter.message(Level::Warning, self.summary());
        Ok(())
    }

    fn summary(&self) -> String {
        let count: usize = self.left_out.values().map(Vec::len).sum();
        let of_each = self
            .left_out
            .iter()
            .map(|(reason, names)| format!("\n{} {}: {}", names.len(), reason.words(), some(names)));
        format!("{count} left out, all named in samples/{LIST} of the node's log:{}", of_each.collect::<String>())
    }
}

/// A few names and how many more there are.
fn some(names: &[String]) -> String {
    let named = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
