//! Paths, as they stand in a pipeline and on a command line.

use std::path::{Component, Path, PathBuf};

/// Folders above that of the pipeline, up to which a path is written relative to it.
const UP: usize = 2;

/// The path of `to`, from a folder: relative where they are near each other, else absolute.
pub(super) fn relative(folder: &Path, to: &Path) -> PathBuf {
    let (from, to) = (clean(folder), clean(to));
    let above = from.ancestors().take(UP + 1).enumerate();
    let found = above.filter(|(_, above)| above.parent().is_some()).find_map(|(ups, above)| {
        let rest = to.strip_prefix(above).ok()?;
        Some(std::iter::repeat_n(Component::ParentDir, ups).chain(rest.components()).collect::<PathBuf>())
    });
    match found {
        Some(same) if same.as_os_str().is_empty() => PathBuf::from("."),
        Some(near) => near,
        None => to,
    }
}

/// Absolute, and without symbolic links and `..` as far as it is there.
fn clean(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match there.and_then(|(above, real)| Some(real.join(path.strip_prefix(above).ok()?))) {
        Some(real) => real.components().collect(),
        None => path,
    }
}

/// As a text in a pipeline.
pub(super) fn as_written(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// As one types it in a shell.
pub(super) fn typed(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%,:".contains(c);
    let shown: String = text.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    if !shown.is_empty() && shown.chars().all(is_plain) { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_folders_are_relative() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        std::fs::create_dir_all(base.join("a/b")).unwrap();
        let of = |from: &str, to: &str| relative(&base.join(from), &base.join(to));
        assert_eq!(of("a", "a/b/c"), Path::new("b/c"));
        assert_eq!(of("a/new", "pictures"), Path::new("../../pictures"));
        assert_eq!(of("a", "a"), Path::new("."));
        assert!(relative(base, Path::new("/")).is_absolute());
    }

    #[test]
    fn what_a_shell_reads_otherwise_is_quoted() {
        assert_eq!(typed(Path::new("a/b.ron")), "a/b.ron");
        assert_eq!(typed(Path::new("it's mine.ron")), r"'it'\''s mine.ron'");
        assert_eq!(typed(Path::new("a\nb")), "a_b");
    }
}
