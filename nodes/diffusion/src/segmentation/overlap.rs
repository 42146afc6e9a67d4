//! How well masks fit.

use tch::{Kind, Tensor};

/// |A ∩ B| / |A ∪ B| of each picture, A where the logits (b, 1, h, w) are above 0 and B where the masks are above a half
/// → (b). Two that are empty fit wholly.
pub fn intersection_over_union(logits: &Tensor, masks: &Tensor) -> Tensor {
    let (ours, theirs) = (logits.gt(0.0).flatten(1, -1), masks.gt(0.5).flatten(1, -1));
    let count = |set: Tensor| set.sum_dim_intlist(1, false, Kind::Float);
    let union = count(ours.logical_or(&theirs));
    (count(ours.logical_and(&theirs)) / union.clamp_min(1.0)).where_self(&union.gt(0.0), &union.ones_like())
}
