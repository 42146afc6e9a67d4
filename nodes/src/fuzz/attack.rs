//! Trying one reader with many files.

use std::any::Any;
use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::damage::foreign;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Of each target, unless the environment says otherwise: seconds of a slow machine.
const CASES: u32 = 256;
/// A reader that takes longer has stopped, on the slowest machine.
const HANGS: Duration = Duration::from_secs(120);
/// What a picture may take, and more than anything else should. Files here have a few thousand bytes.
const MIB: f32 = 1024.0;

/// Reads files that are damaged versions of `good` ones. `read` says what is wrong with how it ended, if anything is.
pub(super) fn attack(
    what: &'static str,
    good: Vec<Vec<u8>>,
    mend: fn(&mut [u8]),
    read: impl Fn(&[u8]) -> Result<(), String> + Send + Sync + 'static,
) {
    for bytes in &good {
        read(bytes).unwrap_or_else(|why| panic!("{what}: {why}"));
    }
    let (cases, seed) = (setting("HYPER_FLOW_FUZZ", CASES.into()) as u32, setting("HYPER_FLOW_FUZZ_SEED", random()));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let (read, tried) = (Arc::new(read), Cell::new(0));
    let ended = runner.run(&foreign(good, mend), |bytes| {
        tried.set(tried.get() + 1);
        survives(read.clone(), bytes)
    });
    say(&format!("{what}: {} executions of HYPER_FLOW_FUZZ_SEED={seed}", tried.get()));
    ended.unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// Reads one file in a thread of its own.
fn survives(
    read: Arc<impl Fn(&[u8]) -> Result<(), String> + Send + Sync + 'static>,
    bytes: Vec<u8>,
) -> Result<(), TestCaseError> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage_as_mb();
    let (send, receive) = channel::<()>();
    let thread = std::thread::spawn(move || {
        // Dropped at the end, of a panic too.
        let _send = send;
        read(&bytes)
    });
    if receive.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
        return Err(TestCaseError::fail("it does not end"));
    }
    let taken = MEMORY.peak_usage_as_mb() - before;
    if taken > MIB {
        return Err(TestCaseError::fail(format!("it takes {taken} MiB of memory")));
    }
    match thread.join() {
        Ok(ended) => ended.map_err(TestCaseError::fail),
        Err(panic) => Err(TestCaseError::fail(format!("it panics: {}", text_of(panic.as_ref())))),
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[expect(clippy::print_stdout, reason = "cargo shows what a test that fails has printed, and all with --nocapture")]
fn say(text: &str) {
    println!("{text}");
}
