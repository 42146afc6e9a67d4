//! Running a plan: which node is next, its process, and what is told about it.
//!
//! [`execute()`] is the way in. The scheduler decides what starts; an attempt takes one node from its key to
//! its record; `command` and `worker` run the process; everything that happens is one [`Event`], for the
//! display and for the log of the run.

mod attempt;
mod capture;
mod command;
mod context;
pub(crate) mod describe;
mod error;
mod event;
mod exactness;
mod execute;
mod filing;
mod finished;
mod going_on;
mod gpus;
mod guard;
mod helm;
mod holder;
mod job;
mod limits;
mod lines;
mod log;
mod made;
mod process;
mod resources;
mod scheduler;
mod series;
mod show;
mod stop;
mod told;
mod unfit;
mod worker;

pub use context::Options;
pub use error::RunError;
pub use event::{Event, Summary};
pub use execute::{Finished, execute};
pub(crate) use guard::Guard;
pub use helm::{Helm, Order, Orders, helm};
pub(crate) use log::{file_name, node_directory, untimed};
pub(crate) use made::Said;
pub use resources::Machine;
pub use series::Series;
pub(crate) use show::{inside, shown_file};
pub(crate) use stop::{Asked, Stop};
pub use told::NodeEvents;
