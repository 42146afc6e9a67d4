//! What is told of a node whose result is not good enough, and stays where it is.

use hyper_flow_cache::{Record, StoreError};

use super::context::Context;
use crate::plan::going_on::{course, furthest};
use crate::plan::shortfall;

/// Why what a node has made is not to be used, and what can be done; `None` if it is.
pub(super) fn told(context: &Context, index: usize, record: &Record) -> Result<Option<String>, StoreError> {
    let kind = &context.node(index).kind;
    let (Some(short), Some(bar)) = (shortfall(kind, record), kind.bar()) else { return Ok(None) };
    let field = bar.field;
    let kept = format!("what was trained is kept, and with a lower `{field}` it is taken as it is");
    Ok(Some(format!("{short}; {kept}. Or train it longer: with more `steps` it {}", begins(context, index, record)?)))
}

/// Where a longer training would begin.
fn begins(context: &Context, index: usize, record: &Record) -> Result<String, StoreError> {
    let kind = &context.node(index).kind;
    if let Some(why) = kind.tied_to_steps() {
        return Ok(format!("starts anew, because {why}; with `lr_decay: Constant` it goes on"));
    }
    let preimage = context.store.preimage(&record.key)?.unwrap_or_default();
    let begun = course(kind, &preimage).map(|course| furthest(&context.store, &course, u64::MAX)).transpose()?;
    Ok(match begun.flatten() {
        Some(begun) => format!("goes on after step {}", begun.step),
        None => "starts anew, because its checkpoint is not kept".to_owned(),
    })
}
