//! `CommandScorer`: keeps a program and its files for those who report what it says.

use hyper_flow_spec::kinds::CommandScorer;

use crate::artifacts::program::Program;
use crate::worker::Context;
use crate::{NodeError, files};

pub(super) fn run(context: &Context, params: &CommandScorer) -> Result<(), NodeError> {
    let mut names = Vec::new();
    for (port, file) in &params.files {
        files::copy(context.file(file)?, &context.output(&Program::place(port.as_str())))?;
        names.push(port.as_str().to_owned());
    }
    Program { command: params.program.clone(), files: names }.write(&context.job.output)
}
