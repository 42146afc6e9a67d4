//! A reader goes through all documents, and does what they say.

use crate::commands;
use crate::markdown::documents;
use crate::place::Place;

#[test]
fn all_that_is_told_works() {
    let place = Place::new();
    let mut wrong = Vec::new();
    for block in documents().iter().flat_map(|document| document.blocks()) {
        if let Some(file) = block.file() {
            place.write_block(file, &block.text);
        }
        let mistakes = if block.language == "sh" {
            commands::run(&place, &block)
        } else {
            block.mistake(&place).into_iter().collect()
        };
        wrong.extend(mistakes.iter().map(|mistake| format!("{}: {mistake}", block.place)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
