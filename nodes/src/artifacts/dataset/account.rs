//! What is left out of a dataset and what is worth a word, told once, when all is read.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use hyper_flow_spec::Level;

use crate::picture::Remark;
use crate::worker::Context;
use crate::{NodeError, files};

/// Names that a message holds of each reason; the others are counted.
const NAMED: usize = 5;
/// The list of all that is left out, in the folder of the node's log.
const LIST: &str = "left_out.txt";
/// The list of those that are to be told of, where a message does not hold all of them.
const NOTES: &str = "noted.txt";
/// Characters of a caption that are shown.
const SHOWN: usize = 60;

/// What to do about something damaged.
pub(crate) const ADVICE: &str = "mend it, or leave what is damaged out by `skip_damaged: true`";

/// Why a file or a sample is left out. Follows "n ".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// There is no caption for it.
    NoCaption,
    /// There is no picture for it.
    NoPicture,
    /// It cannot be read, as its name goes on to say.
    Damaged,
    /// It would have to be enlarged, and is not to be.
    Small,
    /// No user means it.
    Own,
    /// No reader knows what its name ends in.
    Ending(String),
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoCaption => f.write_str("without a caption"),
            Reason::NoPicture => f.write_str("without a picture"),
            Reason::Damaged => f.write_str("damaged"),
            Reason::Small => f.write_str("smaller than every size that is wanted (`no_upscale`)"),
            Reason::Own => f.write_str("hidden, or what a system keeps for itself"),
            Reason::Ending(ending) if ending.is_empty() => f.write_str("without an ending"),
            Reason::Ending(ending) => write!(f, "that end in .{ending}, which is not read"),
        }
    }
}

/// What is worth a word of something that is in the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Note {
    Picture(Remark),
    Differs,
    Empty,
}

impl Note {
    fn words(self) -> &'static str {
        match self {
            Note::Picture(remark) => remark.words(),
            Note::Differs => "have a .txt file beside them that differs from the metadata, which is taken",
            Note::Empty => "have an empty caption",
        }
    }

    fn level(self) -> Level {
        if let Note::Picture(remark) = self { remark.level() } else { Level::Warning }
    }
}

/// The files of a dataset that are not in it, and what is to be told of those that are, by names that say nothing of the
/// machine.
#[derive(Debug, Default)]
pub(crate) struct Account {
    left_out: BTreeMap<Reason, Vec<String>>,
    notes: BTreeMap<Note, Vec<String>>,
    captions: BTreeMap<String, usize>,
}

impl Account {
    /// Counts something that is left out.
    pub(crate) fn leave_out(&mut self, reason: Reason, name: impl Into<String>) {
        self.left_out.entry(reason).or_default().push(name.into());
    }

    /// Counts a picture that is taken.
    pub(crate) fn take(&mut self, name: &str, caption: &str, remarks: &[Remark]) {
        remarks.iter().for_each(|remark| self.note(Note::Picture(*remark), name));
        if caption.trim().is_empty() {
            self.note(Note::Empty, name);
        }
        *self.captions.entry(caption.to_owned()).or_default() += 1;
    }

    /// Counts a picture with two captions.
    pub(crate) fn differs(&mut self, name: &str) {
        self.note(Note::Differs, name);
    }

    fn note(&mut self, note: Note, name: &str) {
        self.notes.entry(note).or_default().push(name.to_owned());
    }

    /// Those that are left out for a reason.
    pub(crate) fn left_out(&self, reason: &Reason) -> &[String] {
        self.left_out.get(reason).map_or(&[], Vec::as_slice)
    }

    /// Tells all of it: one message of what is left out, and one of each thing that is to be told of what is not.
    pub(crate) fn tell(&self, context: &Context) -> Result<(), NodeError> {
        let many = |names: &Vec<String>| names.len() > NAMED;
        if self.notes.values().any(many) {
            let lines = |(note, names): (&Note, &Vec<String>)| -> String {
                names.iter().map(|name| format!("{}: {name}\n", note.words())).collect()
            };
            files::write(&context.job.log.join(NOTES), self.notes.iter().map(lines).collect::<String>())?;
        }
        for (note, names) in &self.notes {
            let where_all = if many(names) {
                format!(" (all of them in samples/{NOTES} of the node's log)")
            } else {
                String::new()
            };
            let text = format!("{} pictures {}: {}{where_all}", names.len(), note.words(), some(names));
            context.reporter.message(note.level(), text);
        }
        if let Some(text) = self.repeated() {
            context.reporter.message(Level::Info, text);
        }
        if !self.left_out.is_empty() {
            let lines = self
                .left_out
                .iter()
                .flat_map(|(reason, names)| names.iter().map(move |name| format!("{reason}: {name}\n")));
            files::write(&context.job.log.join(LIST), lines.collect::<String>())?;
            context.reporter.message(Level::Warning, self.summary());
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let count: usize = self.left_out.values().map(Vec::len).sum();
        let of_each =
            self.left_out.iter().map(|(reason, names)| format!("\n{} {reason}: {}", names.len(), some(names)));
        format!("{count} left out, all named in samples/{LIST} of the node's log:{}", of_each.collect::<String>())
    }

    /// Captions that several pictures share.
    fn repeated(&self) -> Option<String> {
        let repeated = || self.captions.iter().filter(|(_, count)| **count > 1);
        let pictures: usize = repeated().map(|(_, count)| count).sum();
        let (caption, count) = repeated().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)))?;
        let shown = shorten(caption);
        Some(format!("{pictures} pictures share {} captions, {count} of them \"{shown}\"", repeated().count()))
    }
}

/// The beginning of a caption.
pub(super) fn shorten(caption: &str) -> String {
    let shown: String = caption.escape_debug().take(SHOWN).collect();
    if caption.chars().count() > SHOWN { shown + "…" } else { shown }
}

/// A few names and how many more there are.
pub(crate) fn some(names: &[String]) -> String {
    let named = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
