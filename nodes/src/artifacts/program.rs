//! The `CommandScorer` artifact: a program that scores pictures, in any language.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::worker::Context;
use crate::{NodeError, files};

const PROGRAM: &str = "command.json";
/// What it writes.
const SCORES: &str = "scores.json";
/// What it sees of the environment, beside its own variables.
const INHERITED: [&str; 3] = ["PATH", "HOME", "CUDA_VISIBLE_DEVICES"];
/// Between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// A program and the names of its files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    pub(crate) command: Vec<String>,
    pub(crate) files: Vec<String>,
}

impl Program {
    /// Where a file is in the artifact.
    pub(crate) fn place(name: &str) -> String {
        format!("files/{name}")
    }

    /// Whether an artifact is one.
    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join(PROGRAM).exists()
    }

    /// Reads the artifact.
    pub(crate) fn read(folder: &Path) -> Result<Self, NodeError> {
        files::read_json(&folder.join(PROGRAM))
    }

    /// Writes the artifact, but for the files.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), NodeError> {
        files::write_json(&folder.join(PROGRAM), self)
    }

    /// The scores of the pictures of a folder, of which there are `count`. `folder` is the artifact.
    pub(crate) fn score(
        &self,
        context: &Context,
        folder: &Path,
        pictures: &Path,
        count: usize,
    ) -> Result<Vec<f64>, NodeError> {
        let own = context.job.scratch.join("program");
        let (work, out) = (own.join("work"), own.join("out"));
        for directory in [&work, &out] {
            files::make_empty(directory)?;
        }
        let child = self.start(folder, pictures, &work, &out).map_err(|error| self.trouble(error))?;
        let status = wait(context, child, |error| self.trouble(error))?;
        if !status.success() {
            // A signal to all processes of a group ends it, too.
            context.stop_if_asked()?;
            return Err(self.trouble(format!("it ended with {status}; what it printed is in the node's log")));
        }
        let scores: Vec<f64> = files::read_json(&out.join(SCORES)).map_err(|error| self.trouble(error))?;
        files::remove(&own)?;
        match scores.len() == count {
            true => Ok(scores),
            false => Err(self.trouble(format!("`{SCORES}` holds {} numbers, of {count} pictures", scores.len()))),
        }
    }

    fn start(&self, folder: &Path, pictures: &Path, work: &Path, out: &Path) -> io::Result<Child> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        let file = |name: &String| (format!("FLOW_FILE_{}", name.to_ascii_uppercase()), folder.join(Self::place(name)));
        Command::new(program)
            .args(arguments)
            .current_dir(work)
            .env_clear()
            .envs(inherited)
            .envs(self.files.iter().map(file))
            .env("FLOW_IN_PICTURES", pictures)
            .env("FLOW_OUT", out)
            .stdin(Stdio::null())
            // Standard output is for events.
            .stdout(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?))
            .spawn()
    }

    fn trouble(&self, what: impl ToString) -> NodeError {
        let program = self.command.first().map_or("", String::as_str);
        NodeError::Unfit(format!("the scorer `{program}`: {}", what.to_string()))
    }
}

/// Waits for the end, or ends it when the node is to stop.
fn wait(
    context: &Context,
    mut child: Child,
    trouble: impl Fn(io::Error) -> NodeError,
) -> Result<ExitStatus, NodeError> {
    loop {
        if let Some(status) = child.try_wait().map_err(&trouble)? {
            return Ok(status);
        }
        if let Err(stop) = context.stop_if_asked() {
            // It may have ended by now.
            let _ = child.kill();
            child.wait().map_err(&trouble)?;
            return Err(stop);
        }
        std::thread::sleep(PAUSE);
    }
}
