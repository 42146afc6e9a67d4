//! Links between the documents, and to files.

use crate::markdown::{documents, root};

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_in_it() {
    let documents = documents();
    let mut lost = Vec::new();
    for document in &documents {
        for (link, place) in document.links() {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let folder = root().join(&document.path).parent().unwrap().to_owned();
            let path = if file.is_empty() { root().join(&document.path) } else { folder.join(file) };
            let Ok(path) = path.canonicalize() else {
                lost.push(format!("{place}: there is no {file}"));
                continue;
            };
            let Some(anchor) = anchor else { continue };
            let target = documents.iter().find(|target| root().canonicalize().unwrap().join(&target.path) == path);
            let known = target.is_some_and(|target| target.anchors().contains(anchor));
            if !known {
                lost.push(format!("{place}: no heading of {} is #{anchor}", path.display()));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// A newcomer reads it in ten minutes.
#[test]
fn the_readme_is_short() {
    let bytes = std::fs::metadata(root().join("README.md")).unwrap().len();
    assert!(
        bytes < 12_000,
        "README.md has {bytes} bytes: what goes on belongs in the README of pipelines, nodes or cache"
    );
}

/// What is in no document that others lead to is not found.
#[test]
fn every_document_is_linked_from_another() {
    let documents = documents();
    let canonical = |path: &std::path::Path| root().join(path).canonicalize();
    let mut linked = Vec::new();
    for document in &documents {
        let folder = document.path.parent().unwrap();
        let files = document.links().into_iter().map(|(link, _)| link.split('#').next().unwrap().to_owned());
        linked.extend(files.filter_map(|file| canonical(&folder.join(file)).ok()));
    }
    for document in documents.iter().filter(|document| document.path.as_os_str() != "README.md") {
        assert!(
            linked.contains(&canonical(&document.path).unwrap()),
            "no document links to {}",
            document.path.display()
        );
    }
}
