//! Running a job from its file to its exit.

use std::path::Path;

use hyper_flow_diffusion::catch;
use hyper_flow_spec::{Event, Job, Level, PROTOCOL, VERSION};
use serde::Deserialize;

use super::describe::LIBTORCH;
use super::{Cancel, Context, Reporter, device, out_of_memory};
use crate::{NodeError, files};

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The artifact is in the job's output directory.
    Done,
    /// It failed; the reason was reported.
    Failed,
    /// It was asked to stop, and wrote a checkpoint if it had anything to keep.
    Interrupted,
}

/// What every job file says, of whatever protocol.
#[derive(Deserialize)]
struct Spoken {
    protocol: u32,
}

/// Reads a job and has `kinds` run it. What happens is reported on standard output.
pub(crate) fn run(job: &Path, kinds: fn(&Context) -> Result<(), NodeError>) -> Outcome {
    let reporter = Reporter::new(std::io::stdout());
    match start(job, &reporter).and_then(|context| guarded(&context, kinds)) {
        Ok(()) => Outcome::Done,
        Err(NodeError::Interrupted { step }) => {
            reporter.event(&Event::Interrupted { step });
            Outcome::Interrupted
        }
        Err(error) => {
            if matches!(error, NodeError::OutOfMemory { .. }) {
                reporter.event(&Event::OutOfMemory {});
            }
            reporter.message(Level::Error, error.to_string());
            Outcome::Failed
        }
    }
}

fn start(path: &Path, reporter: &Reporter) -> Result<Context, NodeError> {
    // Before all else is read: another protocol may have other fields.
    let Spoken { protocol } = files::read_json(path)?;
    if protocol != PROTOCOL {
        let message =
            format!("the job speaks protocol {protocol}, this worker {PROTOCOL}; build both from one version");
        return Err(NodeError::content(path, message));
    }
    let job: Job = files::read_json(path)?;
    let cancel = Cancel::listen().map_err(NodeError::io("listen for signals in", path))?;
    // Before the first tensor: libtorch sizes its pools once.
    tch::set_num_threads(i32::try_from(job.threads).unwrap_or(i32::MAX));
    tch::set_num_interop_threads(1);
    let device = device::choose(&job)?;
    reporter.event(&Event::Started {
        device: device::class(device, job.threads),
        libtorch: LIBTORCH.to_owned(),
        worker: VERSION.to_owned(),
    });
    Ok(Context { job, device, reporter: reporter.clone(), cancel })
}

/// Models are written in the plain form, whose operations panic: here a panic becomes an error, once.
fn guarded(context: &Context, kinds: fn(&Context) -> Result<(), NodeError>) -> Result<(), NodeError> {
    let ended = catch(|| Ok(kinds(context)));
    let _ = context.report_memory();
    let ended = ended.map_err(NodeError::from).flatten();
    ended.map_err(|error| out_of_memory::told(error, &context.job.kind))
}
