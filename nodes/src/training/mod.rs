//! The one training loop. A kind supplies its losses as a [`Recipe`]; everything else is here.

mod checkpoint;
mod conditioned;
mod draw;
mod numbers;
mod recipe;
#[cfg(test)]
mod tests;
mod trainer;
mod twin;

pub(crate) use conditioned::{Conditioned, Told};
pub(crate) use draw::Draw;
pub(crate) use recipe::{Gallery, Group, Losses, Recipe};
pub(crate) use trainer::train;
pub(crate) use twin::{Twin, by_name};
