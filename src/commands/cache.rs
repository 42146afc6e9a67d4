//! `hyper-flow cache`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Subcommand;
use hyper_flow_cache::{GcPolicy, Key, Store};

use crate::commands::context::Context;
use crate::commands::retention;
use crate::error::Failure;
use crate::output::report::{Collected, Rebuilt, Stored, Verified};

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
    /// Kept in any case is the last artifact of every node of every pipeline whose file still exists, as
    /// far as runs of this store tell. Of all others, those are kept that were used within `--keep-days`,
    /// and of these, with `--max-size`, the most recent that fit together with what is kept in any case.
    /// Logs of runs go after `--keep-days` too, unless a node was last run in one.
    Gc(Gc),
    /// Makes the index anew from the files
    Rebuild,
}

#[derive(Debug, clap::Args)]
struct Gc {
    /// Days since its last use after which an artifact goes, and after which a run's log does.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    keep_days: u64,
    /// Size to shrink the artifacts to, such as `20GiB`.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Keep no artifact only because it is a node's last.
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
        Command::Rebuild => {
            let made = store.rebuild()?;
            let report = Rebuilt { records: made.records, runs: made.runs, labels: made.labels };
            context.print(|output, out| output.rebuilt(out, &report))
        }
    }
}

fn verify(store: &Store, repair: bool, context: &Context) -> Result<(), Failure> {
    let report = Verified { report: store.verify(repair)?, repaired: repair };
    context.print(|output, out| output.verified(out, &report))?;
    let altered = report.report.problems.len();
    if altered > 0 && !repair { Err(Failure::Altered(altered)) } else { Ok(()) }
}

fn collect(store: &Store, gc: &Gc) -> Result<Collected, Failure> {
    let age = Duration::from_secs(gc.keep_days.saturating_mul(DAY));
    let keep: BTreeSet<Key> = if gc.all { BTreeSet::new() } else { retention::last_keys(store)? };
    let policy = GcPolicy {
        keep,
        keep_newer_than: Some(age),
        max_bytes: gc.max_size,
        leftovers_older_than: age.min(GcPolicy::default().leftovers_older_than),
        dry_run: gc.dry_run,
    };
    let report = store.gc(&policy)?;
    let runs = retention::collect_runs(store, age, gc.dry_run)?;
    Ok(Collected { report, runs, dry_run: gc.dry_run })
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
