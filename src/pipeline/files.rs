//! Looks for the files and folders that nodes name.

use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hyper_flow_spec::Kind;

use super::draft::{Draft, Findings};
use super::nodes::{FileUse, Sketch};
use super::source::Sources;
use super::suggest::closest;
use super::tree::{Entry, Place, Shape};

/// Looks for files, relative to the folder of the pipeline.
pub(super) struct Files<'a> {
    pub(super) base: &'a Path,
    pub(super) sources: &'a Sources,
    /// The store, by [`resolved`].
    pub(super) store: Option<PathBuf>,
}

impl Files<'_> {
    /// The absolute paths of a node's files; those that do not exist, or cannot be used, are told.
    pub(super) fn of(&self, sketch: &Sketch, findings: &mut Findings) -> BTreeMap<String, PathBuf> {
        let mut found = BTreeMap::new();
        for file in &sketch.files {
            let path = self.base.join(&file.path);
            if let Some(draft) = self.missing(file, &path).or_else(|| self.holds_store(file, &path)) {
                findings.push(draft);
            }
            found.insert(file.port.clone(), path);
        }
        found
    }

    fn missing(&self, file: &FileUse, path: &Path) -> Option<Draft> {
        if file.path.is_empty() {
            return Some(Draft::error("a path is empty").at(file.place, "no path").help("write the path of a file"));
        }
        let error = std::fs::metadata(path).err()?;
        let draft = match error.kind() {
            ErrorKind::NotFound if path.is_symlink() => {
                let message = format!("`{}` is a symbolic link to something that is not there", file.path);
                return Some(Draft::error(message).at(file.place, "leads nowhere").help("mend the link, or remove it"));
            }
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                Draft::error(format!("there is no file `{}`", file.path)).at(file.place, "not found")
            }
            _ => Draft::error(format!("failed to look at `{}`: {error}", file.path)).at(file.place, "here"),
        };
        let place = format!("paths are relative to the pipeline file; looked at {}", path.display());
        Some(draft.help(match neighbour(path, &file.path) {
            Some(close) => format!("did you mean `{close}`? ({place})"),
            None => place,
        }))
    }

    /// Every run changes the store, so that a folder with it in it would never be the same twice.
    fn holds_store(&self, file: &FileUse, path: &Path) -> Option<Draft> {
        let store = self.store.as_ref()?;
        if !path.is_dir() || !store.starts_with(resolved(path)) {
            return None;
        }
        let message =
            format!("the folder `{}` holds the store `{}`, which every run changes", file.path, store.display());
        let help =
            "name a folder inside it that holds only what the node needs, or keep the store elsewhere: `--store DIR`";
        Some(Draft::error(message).at(file.place, "the store is in here").help(help))
    }

    /// Warns of words of a program that name files which are not in `files`: the program will not find them, or a
    /// change of them would go unnoticed.
    pub(super) fn tell_unlisted(&self, entry: &Entry, sketch: &Sketch, findings: &mut Findings) {
        let (Some(Kind::Command(_) | Kind::CommandScorer(_)), Some(program)) =
            (&sketch.kind, entry.value.entry("program"))
        else {
            return;
        };
        let Shape::List(arguments) = &program.value.shape else { return };
        let texts: Vec<_> = arguments.iter().map(|argument| argument.text(self.sources)).collect();
        let listed =
            || -> HashSet<PathBuf> { sketch.files.iter().map(|file| resolved(&self.base.join(&file.path))).collect() };
        for (i, (argument, text)) in arguments.iter().zip(&texts).enumerate() {
            let Some(text) = text else { continue };
            let is_script = i > 0 && texts[i - 1].as_deref().is_some_and(|before| before == "-c");
            let named = match i {
                0 => self.is_ours(text).then_some((text.as_str(), "program")),
                _ if is_script => self.in_script(text).map(|word| (word, "script's")),
                _ => self.in_argument(text).map(|word| (word, "argument")),
            };
            if let Some((word, what)) = named {
                let (path, listed) = (resolved(&self.base.join(word)), listed());
                let is_listed = path.ancestors().any(|above| listed.contains(above));
                findings.push(unlisted(word, what, argument.place(), is_listed));
            }
        }
    }

    /// Whether there is a file or folder of that name; `.` is the command's own directory.
    fn is_there(&self, name: &str) -> bool {
        let metadata = || std::fs::metadata(self.base.join(name));
        !matches!(name, "" | "." | "..") && metadata().is_ok_and(|found| found.is_file() || found.is_dir())
    }

    /// Whether a program is a file of the pipeline's folder, and not one that the system finds on the path.
    fn is_ours(&self, program: &str) -> bool {
        let found_elsewhere = || match program.contains('/') {
            true => program.starts_with('/') && !Path::new(program).starts_with(self.base),
            false => is_on_path(program),
        };
        self.is_there(program) && !found_elsewhere()
    }

    /// The file that an argument names, also as the value of an option: `--config=small.json`.
    fn in_argument<'t>(&self, argument: &'t str) -> Option<&'t str> {
        let value = argument.split_once('=').map(|(_, value)| value);
        std::iter::once(argument).chain(value).find(|word| self.is_there(word))
    }

    /// The first word of a shell's script that names a file here. Where the script goes to another directory, its
    /// words are relative to that.
    fn in_script<'t>(&self, script: &'t str) -> Option<&'t str> {
        let mut words = script.split(|c: char| c.is_whitespace() || r#";|&<>()"'`="#.contains(c));
        let is_file = |word: &&str| word.contains(['.', '/']) && !word.contains('$') && self.base.join(word).is_file();
        let stays = !words.clone().any(|word| matches!(word, "cd" | "pushd"));
        words.find(|word| stays && !word.starts_with('/') && is_file(word))
    }
}

fn unlisted(word: &str, what: &str, place: Place, is_listed: bool) -> Draft {
    let help = if is_listed {
        "the command runs in an empty directory: write `$FLOW_FILE_…` in a `sh -c` script instead"
    } else {
        "a change of it runs nothing again, and the command does not run beside it: \
         name it in `files`, and write `$FLOW_FILE_…` in a `sh -c` script"
    };
    let draft = Draft::warning(format!("the {what} `{word}` is a file that `files` does not give"));
    draft.at(place, "a file").help(help)
}

/// Whether the system finds a program of that name.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The file that the system takes for a program of that name; none where that depends on the directory it is started in.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    let mut folders = std::env::split_paths(&path).take_while(|folder| folder.is_absolute());
    folders.find_map(|folder| Some(folder.join(program)).filter(|file| is_program(file)))
}

fn is_program(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
}

/// An absolute path without symbolic links, as far as it is there.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match there.and_then(|(above, real)| Some((real, path.strip_prefix(above).ok()?))) {
        Some((real, rest)) if rest == Path::new("") => real,
        Some((real, rest)) => real.join(rest),
        None => path,
    }
}

/// A file beside the missing one whose name is like it, written as the missing one was.
fn neighbour(path: &Path, written: &str) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let entries = std::fs::read_dir(path.parent()?).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| name != wanted);
    names.sort();
    let close = closest(wanted, names.iter().map(String::as_str))?;
    Some(Path::new(written).with_file_name(close).display().to_string())
}
