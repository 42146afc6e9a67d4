//! `hyper-flow new`.

mod folder;
mod path;
mod template;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::context::{Context, Format};
use crate::error::Failure;
use crate::output::ask;
use crate::pipeline::{self, Overrides};

use folder::{Looked, look};
use path::{as_written, relative, typed};
pub use template::Template;

/// Writes a pipeline to start from, with comments that say what to change
///
/// What is not given is asked for, on a terminal. A file that is there is left alone.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file, which ends in `.ron`, or the folder in which it is made, named for the template.
    #[arg(value_name = "DIR or FILE")]
    place: Option<PathBuf>,
    /// What it is for.
    #[arg(long, short, value_enum)]
    template: Option<Template>,
    /// The folder of your pictures with captions.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// What to draw at the end; more than once for more. Some captions of the pictures, if it is left out.
    #[arg(long = "prompt", value_name = "TEXT")]
    prompts: Vec<String>,
}

/// What was made.
#[derive(Serialize)]
struct Made {
    file: PathBuf,
    template: Template,
    pictures: PathBuf,
    /// Nodes; none where the pipeline is not right yet, for want of pictures.
    nodes: Option<usize>,
    found: Looked,
    next: Vec<String>,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let template = match args.template {
        Some(template) => template,
        None => asked_template(context)?,
    };
    let file = place(args.place.as_deref(), template);
    if fs::symlink_metadata(&file).is_ok() {
        let message = format!("`{}` is there already", file.display());
        return Err(Failure::usage(message, "name another file, or remove it first; nothing was written"));
    }
    let pictures = match &args.pictures {
        Some(pictures) => pictures.clone(),
        None => asked_pictures(&file, context)?,
    };
    let found = look(&pictures).map_err(|error| unread(&pictures, &error))?;
    let prompts = if args.prompts.is_empty() { found.prompts.clone() } else { args.prompts.clone() };
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    write(&file, &template.fill(&typed(&file), &name(&file), &as_written(&relative(&folder, &pictures)), &prompts))
        .map_err(|error| {
            Failure::usage(format!("failed to write `{}`: {error}", file.display()), "name another file")
        })?;
    let nodes = pipeline::load(&file, &Overrides::default()).ok().map(|pipeline| pipeline.nodes.len());
    let made = Made { next: next(&file, &pictures, &found), file, template, pictures, nodes, found };
    context.print(|_, out| match context.format {
        Format::Human => told(out, &made),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &made)?;
            writeln!(out)
        }
        Format::Quiet => writeln!(out, "{}", made.file.display()),
    })
}

fn asked_template(context: &Context) -> Result<Template, Failure> {
    let choices = Template::ALL.map(|template| format!("{}: {}", template.name(), template.about()));
    let question = format!("What is it for?\n  {}\ntemplate [pictures]: ", choices.join("\n  "));
    let missing = || Failure::usage("no template is named", format!("add `--template NAME`:\n{}", choices.join("\n")));
    let answer = ask(&question, context).ok_or_else(missing)?;
    let name = if answer.is_empty() { "pictures" } else { &answer };
    Template::ALL.into_iter().find(|template| template.name() == name).ok_or_else(|| {
        Failure::usage(format!("there is no template `{name}`"), format!("one of\n{}", choices.join("\n")))
    })
}

/// Where nothing is said, a folder `pictures` beside the file, which may still have to be made.
fn asked_pictures(file: &Path, context: &Context) -> Result<PathBuf, Failure> {
    let default = file.with_file_name("pictures");
    let question = format!("The folder of your pictures with captions [{}]: ", default.display());
    Ok(match ask(&question, context) {
        Some(answer) if !answer.is_empty() => PathBuf::from(answer),
        _ => default,
    })
}

fn place(given: Option<&Path>, template: Template) -> PathBuf {
    match given {
        Some(file) if file.extension().is_some_and(|end| end == "ron") => file.to_owned(),
        Some(folder) => folder.join(format!("{}.ron", template.name())),
        None => PathBuf::from(format!("{}.ron", template.name())),
    }
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::create_new(file)?.write_all(text.as_bytes())
}

fn unread(pictures: &Path, error: &io::Error) -> Failure {
    let message = format!("failed to look into `{}`: {error}", pictures.display());
    Failure::usage(message, "`--pictures` takes a folder; nothing was written")
}

fn next(file: &Path, pictures: &Path, found: &Looked) -> Vec<String> {
    let file = typed(file);
    let folder = typed(pictures);
    match found {
        Looked { pictures: 0, .. } => {
            vec![
                format!("put pictures with captions into {folder}: `fox.png`, and its caption in `fox.txt`"),
                format!("hyper-flow check {file}"),
            ]
        }
        Looked { captions: 0, .. } => {
            vec![
                format!("write captions: of `fox.png` in {folder}, in `fox.txt` beside it"),
                format!("hyper-flow run {file}"),
            ]
        }
        _ => vec![format!("hyper-flow plan {file}"), format!("hyper-flow run {file}")],
    }
}

fn told(out: &mut dyn Write, made: &Made) -> io::Result<()> {
    let Made { file, pictures, nodes, found, next, .. } = made;
    let folder = pictures.display();
    match (nodes, found.pictures) {
        (Some(nodes), 1..) => writeln!(out, "{}: {nodes} nodes", file.display())?,
        (None, 1..) => writeln!(out, "{}: not right yet, as `hyper-flow check` tells", file.display())?,
        _ => writeln!(out, "{}: it wants pictures", file.display())?,
    }
    match (found.pictures, found.captions) {
        (0, _) => writeln!(out, "{folder}: no pictures yet")?,
        (pictures, captions) if captions < pictures => {
            writeln!(out, "{folder}: {pictures} pictures, of which {captions} have captions; the others are left out")?;
        }
        (pictures, _) => writeln!(out, "{folder}: {pictures} pictures with captions")?,
    }
    writeln!(out, "\nNext:")?;
    next.iter().try_for_each(|line| writeln!(out, "  {line}"))
}
