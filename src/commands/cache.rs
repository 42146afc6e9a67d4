//! `hyper-flow cache`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Subcommand;
use hyper_flow_cache::{GcPolicy, GcReport, Store, remove_tree};

use crate::commands::again;
use crate::commands::context::Context;
use crate::commands::pins;
use crate::commands::retention::Retention;
use crate::error::Failure;
use crate::output::report::{Collected, Gone, NodeOf, Rebuilt, Stored, Verified};
use crate::runs::Run;

const DAY: u64 = 24 * 3600;

/// Looks after the store
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says what the store holds, by part
    Du,
    /// Reads everything again and says what is altered or in the way; exit code 3 if something is
    Verify {
        /// Set aside what is altered or in the way, so that the next run makes anew what it needs.
        #[arg(long)]
        repair: bool,
    },
    /// Removes what is not needed
    ///
    /// Kept in any case is what is pinned (`hyper-flow pin`), and the last artifact of every node of every
    /// pipeline whose file still exists, as runs of this store tell: also if the file was renamed, or moved
    /// with the store. Of all others, those are kept that were used within `--keep-days`, and of these, with
    /// `--max-size`, the most recent that fit together with what is kept in any case.
    ///
    /// Checkpoints of nodes that were not finished have a time of their own, `--keep-checkpoints`, and none
    /// goes that such a pipeline would go on from: no option removes it, but `hyper-flow rm NODE` does.
    ///
    /// Logs of runs go after `--keep-days`, unless a node was last run in one or has a checkpoint from it.
    ///
    /// It prints which nodes had what goes. Where a process still works on a node though its engine is gone,
    /// all that it works on stays.
    Gc(Gc),
    /// Lists what is kept for good
    Pins,
    /// Makes the index anew from the files
    Rebuild,
}

#[derive(Debug, clap::Args)]
struct Gc {
    /// Days since its last use after which an artifact goes, and after which a run's log does.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    keep_days: u64,
    /// Days since its last change after which a checkpoint goes that no pipeline would go on from.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    keep_checkpoints: u64,
    /// Size to shrink the artifacts to, such as `20GiB`.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Keep no artifact only because it is a node's last; pins and checkpoints stay as they would.
    #[arg(long)]
    all: bool,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
}

/// Carries the command out.
pub fn execute(args: &Args, context: &Context) -> Result<(), Failure> {
    let store = match &args.command {
        Command::Verify { .. } => context.store_to_mend()?,
        _ => context.existing_store()?,
    };
    match &args.command {
        Command::Du => {
            let report = Stored { store: store.root().to_owned(), usage: store.du()? };
            context.print(|output, out| output.stored(out, &report))
        }
        Command::Verify { repair } => verify(&store, *repair, context),
        Command::Gc(gc) => {
            let report = collect(&store, gc)?;
            context.print(|output, out| output.collected(out, &report))
        }
        Command::Pins => {
            let report = pins::list(&store, store.pins()?, context)?;
            context.print(|output, out| output.pins(out, &report))
        }
        Command::Rebuild => {
            let report = Rebuilt { records: store.rebuild()?.records };
            context.print(|output, out| output.rebuilt(out, &report))
        }
    }
}

fn verify(store: &Store, repair: bool, context: &Context) -> Result<(), Failure> {
    let report = Verified { report: store.verify(repair)?, repaired: repair };
    context.print(|output, out| output.verified(out, &report))?;
    let altered = report.report.problems.len();
    if altered == 0 || repair {
        return Ok(());
    }
    Err(Failure::Altered { files: altered, repair: again::command(context, "cache", &["verify", "--repair"]) })
}

fn collect(store: &Store, gc: &Gc) -> Result<Collected, Failure> {
    let [age, checkpoint_age] =
        [gc.keep_days, gc.keep_checkpoints].map(|days| Duration::from_secs(days.saturating_mul(DAY)));
    // Before the runs are read: what one made meanwhile would not be known to be of use.
    let lock = store.try_lock_exclusive()?;
    let known = Retention::of(store)?;
    let policy = GcPolicy {
        keep: if gc.all { BTreeSet::new() } else { known.keep.clone() },
        used: known.used.clone(),
        keep_newer_than: Some(age),
        max_bytes: gc.max_size,
        keep_checkpoints: known.unfinished.clone(),
        checkpoints_older_than: checkpoint_age,
        leftovers_older_than: age.min(GcPolicy::default().leftovers_older_than),
        dry_run: gc.dry_run,
    };
    let report = store.collect(&lock, &policy)?;
    for run in known.old_runs(age).filter(|_| !gc.dry_run) {
        remove_tree(&run.path)?;
    }
    let busy = report.busy.iter().map(|key| known.name(key)).collect();
    let nodes = gone(store, &known, &report);
    Ok(Collected { report, nodes, busy, runs: known.old_runs(age).map(Run::id).collect(), dry_run: gc.dry_run })
}

/// Whose artifacts and checkpoints go.
fn gone(store: &Store, known: &Retention, report: &GcReport) -> Vec<Gone> {
    let mut counts: BTreeMap<NodeOf, (u64, u64)> = BTreeMap::new();
    report.records.iter().for_each(|key| counts.entry(known.name(key)).or_default().0 += 1);
    report.checkpoints.iter().for_each(|key| counts.entry(known.name_of_scratch(store, key)).or_default().1 += 1);
    let gone = |(node, (artifacts, checkpoints))| Gone { node, artifacts, checkpoints };
    counts.into_iter().map(gone).collect()
}

/// Bytes with a unit: `500MB`, `20GiB`, `1.5 TiB`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let scale: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000_u64.pow(2),
        "gb" => 1000_u64.pow(3),
        "tb" => 1000_u64.pow(4),
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(format!("`{unit}` is no unit: B, KB, MB, GB, TB, KiB, MiB, GiB or TiB")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}` has no number before its unit"))?;
    Ok((number * scale as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(["7", "20GiB", "1.5 kib", "500MB"].map(size), [Ok(7), Ok(20 << 30), Ok(1536), Ok(500_000_000)]);
        assert!(["", "GiB", "3 miles", "1.2.3"].into_iter().all(|text| size(text).is_err()));
    }
}
