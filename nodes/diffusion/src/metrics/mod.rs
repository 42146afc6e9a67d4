//! What a set of samples is worth, on features `[n, d]` and in float64.

mod distances;
mod frechet;
mod neighbours;
mod similarity;

pub use frechet::frechet_distance;
pub use neighbours::{Manifold, manifold};
pub use similarity::{clip_score, cosine_similarity, diversity};
