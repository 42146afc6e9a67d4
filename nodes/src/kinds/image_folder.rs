//! `ImageFolder`: pictures with captions from a folder.

mod captions;
mod halves;
mod table;
mod tree;

use hyper_flow_spec::Level;
use hyper_flow_spec::kinds::ImageFolder;

use crate::NodeError;
use crate::dataset::{ADVICE, Account, Opaque, Reason, Shape, Writer};
use crate::picture::{Wanted, read_file};
use crate::worker::Context;
use captions::{Described, Finder};
use tree::{Tree, shown};

pub(super) fn run(context: &Context, params: &ImageFolder) -> Result<(), NodeError> {
    let folder = context.file(&params.folder)?;
    let (side, channels, masks) = (params.size.get(), params.channels.get(), params.masks);
    let mut dataset = Writer::new(context, Shape { channels, side }, masks)?;
    let mut account = Account::default();
    let tree = Tree::of(folder, &table::NAMES, &mut account)?;
    let mut captions = Finder::new(&tree, &mut account, params.skip_damaged).find()?;
    if let Some(warning) = halves::by_folder(&mut captions) {
        context.reporter.message(Level::Warning, warning);
    }
    let wanted = Wanted { side: side as u32, channels, masks, max_megapixels: params.max_megapixels.get() as u64 };
    let (mut opaque, mut halves) = (Opaque::default(), Vec::new());
    for (done, (picture, Described { text, half })) in captions.iter().enumerate() {
        let (name, path) = (shown(picture), folder.join(picture));
        match read_file(&path, wanted) {
            Ok(square) => {
                opaque.count(&square);
                account.take(&name, text, &square.remarks);
                dataset.push(&square.pixels, square.mask.as_deref(), text.clone())?;
                halves.push(*half);
            }
            Err(why) if params.skip_damaged => account.leave_out(Reason::Damaged, format!("{name}: {why}")),
            Err(why) => return Err(NodeError::content(&path, format!("{why}; {ADVICE}"))),
        }
        context.progress(done + 1, captions.len(), "pictures")?;
    }
    account.tell(context)?;
    if captions.is_empty() {
        let message = "has no metadata.jsonl, .csv or .parquet, and no picture with a .txt file of its name";
        return Err(NodeError::content(folder, message));
    }
    opaque.tell(context)?;
    dataset.finish(halves::aside(halves, params.held_out.get()))
}
