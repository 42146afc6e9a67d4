//! The commands of a block, run one after the other as a reader would.

use clap::Parser;
use hyper_flow::cli::Cli;

use crate::markdown::{Block, documents};
use crate::place::Place;
use crate::stand_ins::STAND_INS;

/// Lines without their comments, those that end in `\` joined with the next.
fn commands(block: &Block) -> Vec<String> {
    let joined = block.text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split(" #").next().unwrap_or_default());
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Why the command line of hyper-flow does not take this, wherever in a line of shell it stands.
fn refusal(line: &str) -> Option<String> {
    let words = shlex::split(line)?;
    let start = words.iter().position(|word| word == "hyper-flow")?;
    let arguments = words[start..].iter().take_while(|word| !["|", "&", "&&", ">", ";"].contains(&word.as_str()));
    let error = Cli::try_parse_from(arguments).err()?;
    (error.exit_code() != 0).then(|| error.to_string())
}

/// The command, or what stands for it.
fn lines_to_run(command: &str) -> Vec<&str> {
    match STAND_INS.iter().find(|stand_in| stand_in.command == command) {
        Some(stand_in) => stand_in.instead.to_vec(),
        None => vec![command],
    }
}

/// Runs them all, and says which failed.
pub(crate) fn run(place: &Place, block: &Block) -> Vec<String> {
    let mut wrong = Vec::new();
    for command in commands(block) {
        wrong.extend(refusal(&command).map(|error| format!("{command}\n{error}")));
        for line in lines_to_run(&command) {
            let output = place.command(line).output().unwrap();
            if !output.status.success() {
                let [out, err] = [&output.stdout, &output.stderr].map(|text| end(text));
                wrong.push(format!("{command}\n{line}: {}\n{out}\n{err}", output.status));
            }
        }
    }
    wrong
}

/// The last lines.
fn end(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Options and subcommands that running text names are there.
#[test]
fn every_command_in_running_text_is_one() {
    for (code, place) in documents().iter().flat_map(|document| document.inline_code()) {
        if let Some(error) = refusal(&code) {
            panic!("{place}: {code}\n{error}");
        }
    }
}

#[test]
fn every_stand_in_stands_for_a_command() {
    let blocks: Vec<Block> = documents().iter().flat_map(|document| document.blocks()).collect();
    let told: Vec<String> = blocks.iter().filter(|block| block.language == "sh").flat_map(commands).collect();
    for stand_in in STAND_INS {
        assert!(told.iter().any(|command| command == stand_in.command), "no document has {}", stand_in.command);
        assert!(!stand_in.instead.is_empty() && !stand_in.why.is_empty(), "{}", stand_in.command);
    }
}
