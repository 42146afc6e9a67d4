//! What masks are trained by, and what the visual-perception term is (Hyper-SD, §3.2).

use tch::{Kind, Reduction, Tensor};

/// Binary cross-entropy plus [`dice_loss`], the mean over pictures. Logits and masks (b, 1, h, w), masks in [0, 1].
///
/// The paper takes the loss of its segmentation network and does not write it down; SOLO's (arXiv 1912.04488, eq. 2) is a
/// loss of classes plus one of masks. With one class, which every pixel has or has not, these are the two here.
pub fn mask_loss(logits: &Tensor, masks: &Tensor) -> Tensor {
    let logits = logits.to_kind(Kind::Float);
    let each = logits.binary_cross_entropy_with_logits::<Tensor>(masks, None, None, Reduction::Mean);
    each + dice_loss(&logits, masks)
}

/// 1 − 2Σpq / (Σp² + Σq²) of each picture, p = sigmoid of its logits and q its mask (V-Net, arXiv 1606.04797; SOLO, eq. 4 and
/// 5): does not care how small an object is. One pixel is added above and below, so that an empty mask has a loss, too.
pub fn dice_loss(logits: &Tensor, masks: &Tensor) -> Tensor {
    let (p, q) = (logits.to_kind(Kind::Float).sigmoid().flatten(1, -1), masks.flatten(1, -1));
    let over = |x: Tensor| x.sum_dim_intlist(1, false, Kind::Float);
    let dice: Tensor = (over(&p * &q) * 2.0 + 1.0) / (over(p.square()) + over(q.square()) + 1.0);
    1.0 - dice.mean(Kind::Float)
}
