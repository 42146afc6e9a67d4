//! `ImageFolder`: pictures with captions from a folder.

mod captions;
mod halves;
mod repeats;
mod table;
mod tree;

use hyper_flow_spec::Level;
use hyper_flow_spec::kinds::ImageFolder;

use super::framing::{Enlarged, Sizes};
use crate::NodeError;
use crate::artifacts::dataset::{ADVICE, Account, Opaque, Reason, Writer};
use crate::picture::{Unread, read_file};
use crate::worker::Context;
use captions::{Described, Finder};
use repeats::Repeats;
use tree::{Tree, shown};

pub(super) fn run(context: &Context, params: &ImageFolder) -> Result<(), NodeError> {
    let folder = context.file(&params.folder)?;
    let mut dataset = Writer::new(context, params.channels.get(), params.size.get(), params.masks)?;
    let mut account = Account::default();
    let tree = Tree::of(folder, &table::NAMES, &mut account)?;
    let mut captions = Finder::new(&tree, &mut account, params.skip_damaged).find()?;
    if let Some(warning) = halves::by_folder(&mut captions) {
        context.reporter.message(Level::Warning, warning);
    }
    let sizes = Sizes::new(params.pictures());
    let mut repeats = Repeats::new(&params.repeats);
    let (mut opaque, mut enlarged, mut halves) = (Opaque::default(), Enlarged::default(), Vec::new());
    for (done, (picture, Described { text, half })) in captions.iter().enumerate() {
        let (name, path) = (shown(picture), folder.join(picture));
        match read_file(&path, sizes.wanted()) {
            Ok(read) => {
                opaque.count(&read);
                enlarged.look(&name, &read);
                account.take(&name, text, &read.remarks);
                dataset.push(&read.pixels, read.mask.as_deref(), sizes.line(text, &read, repeats.of(picture)))?;
                halves.push(*half);
            }
            Err(Unread::Small { .. }) => account.leave_out(Reason::Small, name),
            Err(why) if params.skip_damaged => account.leave_out(Reason::Damaged, format!("{name}: {why}")),
            Err(why) => return Err(NodeError::content(&path, format!("{why}; {ADVICE}"))),
        }
        context.progress(done + 1, captions.len(), "pictures")?;
    }
    account.tell(context)?;
    enlarged.tell(context, params.pictures());
    if captions.is_empty() {
        let message = "has no metadata.jsonl, .csv or .parquet, and no picture with a .txt file of its name";
        return Err(NodeError::content(folder, message));
    }
    if dataset.is_empty() {
        return Err(NodeError::content(folder, "no picture of it is left; see the messages above"));
    }
    repeats.check()?;
    opaque.tell(context)?;
    dataset.finish(halves::aside(halves, params.held_out.get()))
}
