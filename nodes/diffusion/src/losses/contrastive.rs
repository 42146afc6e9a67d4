//! Contrastive training of pictures and captions (CLIP, arXiv 2103.00020).

use tch::{Kind, Tensor};

/// The symmetric cross-entropy of image–text similarities, with every pair of equal captions as a positive (as in
/// supervised contrastive learning, arXiv 2004.11362, `L_out`): with few distinct captions the diagonal alone would push
/// true pairs apart.
///
/// `similarities` (b, b) are scaled cosines, images by captions; `captions` (b) number the distinct captions.
pub fn contrastive_loss(similarities: &Tensor, captions: &Tensor) -> Tensor {
    let same = captions.unsqueeze(0).eq_tensor(&captions.unsqueeze(1)).to_kind(Kind::Float);
    let positives = &same / same.sum_dim_intlist([1].as_slice(), true, Kind::Float);
    let one_way = |logits: &Tensor| -(logits.log_softmax(1, Kind::Float) * &positives).sum(Kind::Float);
    let batch = similarities.size()[0] as f64;
    (one_way(similarities) + one_way(&similarities.tr())) / (2.0 * batch)
}
