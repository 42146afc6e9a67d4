//! Large pictures in tiles that overlap and are blended, so that memory does not grow with the picture.

use tch::{Kind, Tensor};

/// The part of a tile's side that it shares with the next.
const OVERLAP: f64 = 0.25;

/// How a map from pictures of one size to pictures of another is done in tiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiles {
    /// Side of a tile of what is given.
    pub(super) from: i64,
    /// Side of a tile of what is made.
    pub(super) to: i64,
}

impl Tiles {
    /// Whether a picture is larger than a tile.
    pub(super) fn needed(self, x: &Tensor) -> bool {
        x.size()[2..].iter().any(|&side| side > self.from)
    }

    /// (b, c, h, w) → (b, c', h', w'), tile by tile through `map`.
    pub(super) fn map(self, x: &Tensor, map: impl Fn(&Tensor) -> Tensor) -> Tensor {
        let step = ((self.from as f64 * (1.0 - OVERLAP)) as usize).max(1);
        let extent = (self.to as f64 * OVERLAP) as i64;
        let starts = |dim: usize| (0..x.size()[dim]).step_by(step);
        let (mut rows, mut above) = (Vec::new(), Vec::<Tensor>::new());
        for top in starts(2) {
            // A tile is blended with neighbours that have been blended themselves.
            let mut row = Vec::<Tensor>::new();
            for (j, left) in starts(3).enumerate() {
                let mut tile = map(&self.cut(&self.cut(x, 2, top), 3, left));
                if let Some(above) = above.get(j) {
                    tile = blend(above, &tile, 2, extent);
                }
                if let Some(left) = row.last() {
                    tile = blend(left, &tile, 3, extent);
                }
                row.push(tile);
            }
            let kept: Vec<_> =
                row.iter().map(|tile| head(&head(tile, 2, self.to - extent), 3, self.to - extent)).collect();
            rows.push(Tensor::cat(&kept, 3));
            above = row;
        }
        Tensor::cat(&rows, 2)
    }

    /// The tile that begins at `start`, or what is left of it.
    fn cut(self, x: &Tensor, dim: i64, start: i64) -> Tensor {
        let rest = x.size()[dim as usize] - start;
        x.narrow(dim, start, rest.min(self.from))
    }
}

fn head(x: &Tensor, dim: i64, length: i64) -> Tensor {
    x.narrow(dim, 0, x.size()[dim as usize].min(length))
}

/// `b`, whose first `extent` lines along `dim` begin as the last of `a` and end as its own.
fn blend(a: &Tensor, b: &Tensor, dim: i64, extent: i64) -> Tensor {
    let [length_a, length_b] = [a, b].map(|t| t.size()[dim as usize]);
    let extent = extent.min(length_a).min(length_b);
    if extent == 0 {
        return b.shallow_clone();
    }
    let weight = Tensor::arange(extent, (Kind::Float, b.device())) / extent as f64;
    let weight = if dim == 2 { weight.unsqueeze(1) } else { weight }.to_kind(b.kind());
    let tail = a.narrow(dim, length_a - extent, extent);
    let blended = tail * (1.0 - &weight) + b.narrow(dim, 0, extent) * weight;
    Tensor::cat(&[blended, b.narrow(dim, extent, length_b - extent)], dim)
}
