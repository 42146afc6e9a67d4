//! `hyper-flow fmt`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::context::{Context, Format};
use crate::commands::source;
use crate::error::Failure;
use crate::pipeline::{Unreadable, format, read_text};

/// Puts the white space of pipeline files right; comments and line breaks stay
///
/// Lines are indented by four for each level of brackets, there is one space after a comma or colon and none before it, and
/// no empty line follows another.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pipelines, or other files in RON; `-` is standard input, which is written to standard output.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; exit with 2 if a file is not formatted.
    #[arg(long)]
    check: bool,
}

/// What `--json` prints of each file.
#[derive(Serialize)]
struct Formatted<'a> {
    file: &'a Path,
    /// Whether it was not formatted before.
    changed: bool,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let files = match args.files.as_slice() {
        [only] if only == Path::new("-") => return standard_input(args.check, context),
        [] => source::files(&[], context)?,
        files => files.to_vec(),
    };
    let changed = files.iter().map(|file| one(file, args.check)).collect::<Result<Vec<bool>, _>>()?;
    let report: Vec<_> = files.iter().zip(&changed).map(|(file, &changed)| Formatted { file, changed }).collect();
    context.print(|_, out| print(out, &report, args.check, context.format))?;
    let wrong: Vec<&Path> = report.iter().filter(|file| file.changed && args.check).map(|file| file.file).collect();
    if wrong.is_empty() { Ok(()) } else { Err(unformatted(&wrong)) }
}

fn one(file: &Path, check: bool) -> Result<bool, Failure> {
    let name = file.display().to_string();
    let text = read_text(file).map_err(|Unreadable { why, help }| {
        let help = help.unwrap_or_else(|| "give the path of a pipeline file".to_owned());
        Failure::usage(format!("failed to read {name}: {why}"), help)
    })?;
    let formatted = format(&text, &name).map_err(Failure::user)?;
    let changed = formatted != text;
    if changed && !check {
        replace(file, &formatted)
            .map_err(|error| Failure::usage(format!("failed to write {name}: {error}"), "it is as it was"))?;
    }
    Ok(changed)
}

/// By another file that takes its place: a full disk or a power cut leaves the old text or the new one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = file.canonicalize()?;
    let name = format!(".{}.{}", file.file_name().unwrap_or_default().display(), std::process::id());
    let beside = file.with_file_name(name);
    let written = write(&beside, text, fs::metadata(&file)?.permissions()).and_then(|()| fs::rename(&beside, &file));
    if written.is_err() {
        // What could not be written whole is of no use.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write(path: &Path, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions)?;
    file.sync_all()
}

fn standard_input(check: bool, context: &Context) -> Result<(), Failure> {
    let mut text = String::new();
    let read = io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failure::usage(format!("failed to read standard input: {error}"), "give it a text in UTF-8"))?;
    let formatted = format(&text, "standard input").map_err(Failure::user)?;
    match check {
        true if formatted != text => Err(unformatted(&[Path::new("standard input")])),
        true => Ok(()),
        // It goes into the file of an editor: not a byte may differ.
        false => context.write(|out| out.write_all(formatted.as_bytes())),
    }
}

fn print(out: &mut dyn Write, report: &[Formatted<'_>], check: bool, format: Format) -> io::Result<()> {
    match format {
        Format::Human if check => Ok(()),
        Format::Human => report.iter().try_for_each(|Formatted { file, changed }| {
            writeln!(out, "{}: {}", file.display(), if *changed { "formatted" } else { "as it was" })
        }),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, report)?;
            writeln!(out)
        }
        Format::Quiet => {
            report.iter().filter(|file| file.changed).try_for_each(|file| writeln!(out, "{}", file.file.display()))
        }
    }
}

fn unformatted(files: &[&Path]) -> Failure {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let message = match names.as_slice() {
        [one] => format!("{one} is not formatted"),
        names => format!("{} files are not formatted: {}", names.len(), names.join(", ")),
    };
    Failure::usage(message, format!("`hyper-flow fmt {}` does it", names.join(" ")))
}
