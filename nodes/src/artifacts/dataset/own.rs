//! Files that systems and programs keep beside the user's.

/// What Windows and macOS leave in every folder.
const FILES: [&str; 4] = ["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"];

/// Whether a path, with slashes, is of something that no user means: it or a folder above it is hidden by a dot, a folder
/// begins with two underscores (`__MACOSX`, as Hugging Face's datasets have it), or the system made it.
pub(crate) fn is_own(path: &str) -> bool {
    let is_hidden = |part: &str| part.starts_with('.') && !matches!(part, "." | "..");
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    folders.split('/').any(|part| is_hidden(part) || part.starts_with("__"))
        || is_hidden(name)
        || FILES.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systems_leave_is_known() {
        let own = [
            "__MACOSX/a.png",
            "._a.txt",
            "x/._a.png",
            ".ipynb_checkpoints/a-checkpoint.png",
            ".Trash-1000/files/a.png",
            "x/Thumbs.db",
            ".DS_Store",
            "desktop.ini",
            "a/__pycache__/b",
        ];
        let users = ["a.png", "../a.png", "./a.b.png", "a__b/c.png", "__a.png", "thumbs.png"];
        assert!(own.iter().all(|path| is_own(path)), "{own:?}");
        assert!(!users.iter().any(|path| is_own(path)), "{users:?}");
    }
}
