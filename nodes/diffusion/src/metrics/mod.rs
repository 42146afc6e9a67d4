//! What a set of samples is worth, on features `[n, d]` and in float64.

mod distances;
mod estimate;
mod frechet;
mod neighbours;
mod repeats;
mod resamples;
mod similarity;

pub use estimate::Estimate;
pub use frechet::frechet_distance;
pub use neighbours::{Manifold, Real};
pub use repeats::Repeats;
pub use resamples::Resamples;
pub use similarity::{clip_score, cosine_similarity, diversity, diversity_within};
