//! What there is to say of a run and of the runs of a store.
//!
//! | file | what |
//! |---|---|
//! | `run` | all of one run: [`RunPage`] |
//! | `list` | a line for each run: [`RunLine`], and the artifacts that a search finds |
//! | `node` | a node: kind, parameters, settings, files, how its artifact was made |
//! | `told` | what `events.jsonl` says of each node |
//! | `curve` | series over steps, stitched over resumed runs, thinned |
//! | `results` | evaluations, gates, summaries |
//! | `pictures` | grids, samples, and pictures drawn while training |
//! | `cite` | the papers of what a pipeline does, and the licences of its data |

mod cite;
mod curve;
mod list;
mod node;
mod pictures;
mod results;
mod run;
mod told;

pub use cite::{Licence, Paper};
pub use curve::Curve;
pub use list::{ArtifactLine, Artifacts, RunLine, Watch, runs};
pub use node::{KindWords, Made, Node, Param};
pub use pictures::{Drawn, Grid, GridRow, Training};
pub use results::Results;
pub use run::{Group, NodePage, RunPage};
pub use told::{NodeState, Said};
