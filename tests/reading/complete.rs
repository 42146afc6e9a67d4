//! What the documents must name: all commands, all kinds, all pipelines, and the version.

use clap::CommandFactory;
use hyper_flow::cli::Cli;
use hyper_flow_spec::Kind;

use crate::markdown::{documents, root};

/// What a document has between backticks.
fn named(path: &str) -> Vec<String> {
    let document = documents().into_iter().find(|document| document.path.as_os_str() == path).expect("it is there");
    document.inline_code().into_iter().map(|(code, _)| code).collect()
}

fn missing<'a>(wanted: impl IntoIterator<Item = &'a str>, path: &str) -> Vec<&'a str> {
    let named = named(path);
    wanted.into_iter().filter(|wanted| !named.iter().any(|name| name == wanted)).collect()
}

#[test]
fn every_command_is_named() {
    let cli = Cli::command();
    let shown = cli.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name());
    assert_eq!(missing(shown.filter(|name| *name != "help"), "src/README.md"), [""; 0]);
}

#[test]
fn every_kind_is_named() {
    assert_eq!(missing(Kind::NAMES.iter().copied(), "nodes/README.md"), [""; 0]);
}

#[test]
fn every_pipeline_that_ships_is_named() {
    let names = std::fs::read_dir(root().join("pipelines")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> =
        names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".ron")).collect();
    assert_eq!(missing(names.iter().map(String::as_str), "pipelines/README.md"), [""; 0]);
}

#[test]
fn the_version_is_that_of_the_package() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(read("CITATION.cff").contains(&format!("\nversion: {version}\n")));
    assert!(read("CHANGELOG.md").contains(&format!("\n## {version}")));
}
