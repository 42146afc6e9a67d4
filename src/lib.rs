//! The engine of hyper-flow: the pipeline language, the planner, the scheduler and the command line.
//!
//! # Architecture
//!
//! A pipeline is a RON file of named nodes. The engine turns it into a graph, gives every node a key, runs the nodes
//! whose key has no record, and keeps what they produced by content. What a node computes happens in another process.
//!
//! ```text
//! src/              hyper-flow            this crate: language, plan, run, commands
//! cache/            hyper-flow-cache      the content-addressed store
//! nodes/spec/       hyper-flow-spec       the kinds as data; the job and event protocol
//! nodes/hub/        hyper-flow-hub        downloads from model hubs, each file held to its hash; flaky/ is a hub for tests
//! nodes/            hyper-flow-nodes      what each kind does; the binary hyper-flow-worker
//! nodes/diffusion/  hyper-flow-diffusion  models, schedulers, LoRA, losses, metrics over libtorch
//! nodes/torch-ext/  hyper-flow-torch-ext  what libtorch has and tch does not reach; the only crate with `unsafe`
//! nodes/stand-in/   hyper-flow-stand-in   a CUDA device of host memory and a driver that lies as told, for tests
//! pipelines/        pipelines that ship, and the data of the small ones
//! benches/          what things cost here and in their peers, as scripts
//! tests/            tests of the binaries; fixtures made by Python (parity/) and pinned results (golden/)
//! ```
//!
//! In `nodes/src` the wings stand above each other, and none uses one above it: `kinds` · `distilling` · `training` · `artifacts` ·
//! `picture` · the ground (`worker`, `files`, `error`). The library hands the worker what runs the kinds.
//!
//! Arrows: `hyper-flow → cache, spec, hub` · `nodes → spec, hub, diffusion, torch-ext, tch` · `diffusion → torch-ext, tch` · `torch-ext → tch`. Nothing else. The engine
//! and the nodes meet only in `spec`: a job goes to the worker as a file, events come back as lines.
//!
//! ## Where a thing belongs
//!
//! | you want to add | go to |
//! |---|---|
//! | a field of a kind | its struct in `nodes/spec/src/kinds/` (type, default and documentation in one place) |
//! | a threshold that judges what a node made | a [`hyper_flow_spec::Threshold`] in its struct, and its `bar` in `registry.rs`: it is in no key |
//! | a kind | a struct there, a line in `registry.rs`, a file and a line in `nodes/src/kinds/` |
//! | a loss | one function in `nodes/diffusion/src/losses/`, and a fixture for it |
//! | a way in which LoRA files spell their keys | the table in `nodes/diffusion/src/lora/spelling.rs` (for text encoders `tower.rs`), and a file of it in `tests/parity/lora_spellings.py` |
//! | a model, scheduler or metric | `nodes/diffusion/src/` |
//! | something that all trainings do, or draw from | `nodes/src/training/`, the one loop |
//! | something that several distillations share | `nodes/src/distilling/`: the student, its judges, how it draws |
//! | a file of an artifact | `nodes/src/artifacts/`: of each its names, its reader and its writer |
//! | a format of pictures, or what becomes of their pixels | `nodes/src/picture/`, and a file in `tests/parity/odd_pictures.py` |
//! | a rule of the language | [`pipeline`] |
//! | a reason why a node runs | [`plan`] |
//! | how processes are started, watched and stopped | [`run`] |
//! | what is known of earlier runs, and which pipeline they ran | [`runs`] |
//! | what TensorBoard shows of a run | `src/tensorboard/`, which sees only what the worker says; `tests/tensorboard.py` asks TensorBoard |
//! | what a browser shows of runs, in one file or served | [`page`], which only reads; its front end is `src/page/web/` |
//! | what is on the screen during a run | [`display`], which sees only events |
//! | what `show` tells of an artifact of some type, from its files | [`look`], and `output/human/shown/` for how it is told |
//! | how a terminal draws pictures, and where copies of them can be opened | `pictures` |
//! | how a table or a line is fitted to the terminal | `output/human/fitted.rs` and `output/room.rs`, for all commands |
//! | how the numbers of an `Eval` are told to people, everywhere | [`output::evaluation`] |
//! | a number of a training, to be seen by `log` | a field of the `step` event in `nodes/spec/src/protocol.rs`; where it stands and its unit, `src/output/` |
//! | a subcommand | one file in [`commands`], and its line in [`cli`] |
//! | a command line that is advised | `commands/again.rs`, which repeats what was said on this one |
//! | what an editor is told, of text that is being written | `lsp`, over the types in `pipeline::language` |
//! | what a shell may put in | `completing`, by the names of arguments |
//! | an example of a kind | `src/pipeline/examples.ron`, one node of each |
//! | a pipeline to start from | `src/commands/new/`, and its line in `template.rs` |
//! | how a job meets its process: device, signals, events | `nodes/src/worker/` |
//! | which libtorch is brought, and which drivers it can use | `nodes/libtorch/`, tried by `tests/libtorch_setup.py` |
//! | which GPUs there are, and who is given one | `src/run/gpus.rs`, `resources.rs`; why one cannot be used: `nodes/src/worker/driver.rs` |
//! | a switch, a copy or a number of libtorch that tch has not | `nodes/torch-ext/`, if something uses it |
//! | something that CUDA refuses and CPUs do not | `nodes/stand-in/cpp/kernels.cpp` |
//! | what a server may do wrong | `nodes/hub/`, and a fault in `nodes/hub/flaky/` |
//! | what users read | the README beside what it tells about; what it says is tried by `tests/reading/` |
//! | how bytes are kept | `cache/` |
//! | a place where the store writes | `cache/`, with a point in its `fault`, at which a test lets it die |
//! | a way to spoil a store or a run | `tests/torture/`, which is judged by an evaluation of its own |
//!
//! ## Invariants
//!
//! - This crate never links libtorch, and a plan starts no process (but with `reproducibility: Exact`, which asks the
//!   worker once what machine it is on) and asks no hub (only a pipeline that is refused for a branch in place of a commit
//!   has the hub asked which commit that is).
//! - The store knows bytes, digests and the names of pins; it knows no node, kind or pipeline.
//! - The spec computes nothing: no file is read and no tensor made there.
//! - The worker never touches the store. It sees directories: its inputs, its output, its scratch.
//! - `hyper-flow-diffusion` knows no pipeline, no job and no artifact.
//! - A key has no names, paths, times, threads or devices in it, and inputs are in it by the digest of their content: a
//!   renamed node is the same node, and a node that comes out as before ends the wave.
//! - A training of more steps begins with a checkpoint of one of fewer only where both do the same in these steps
//!   (`plan::going_on`), and yields the bytes that it would yield alone.
//! - Nothing that varies gets into an artifact: no time, no host, no path, no order of a hash map.
//! - Every random number of a node is a function of (seed, kind, purpose, step). No generator is carried along, so a resumed
//!   training is the same training.
//! - An artifact is there whole or not at all: the record that makes it visible is written last, and a node is done, for the display,
//!   the log and the nodes that take from it, when the disk has it. Many are made durable together (`run::filing`).
//! - Nothing is cached under a key whose sources anybody touched while they could be read: a `Command` reads copies, all
//!   others are held to the stamps of before.
//! - A GPU that a node was given and cannot use is an error, never the CPU. What computes nothing on one is given none.
//! - In an update the host reads the losses of each part once and the gradient's norm once; all that it sends goes by memory
//!   that does not move (`hyper_flow_diffusion::send`). `nodes/tests/worker/placement/` counts.
//! - No file is mapped: what others can shrink would kill the process.
//! - What was read back from a disk is believed by a digest (records, manifests, objects, checkpoints, memos, pins).
//! - The display hears of everything and holds up nothing; the log of the run has all.
//! - Losing the index (`cache/`'s sled) or a memo loses nothing; they hold no fact that the files do not, and of a record none that the
//!   stamps of its files do not vouch for.
//! - No function recurses over the graph.
//! - Nothing prints but what was made to: `output`, `display`, the one place in `error` for diagnostics, and, each alone on
//!   standard output, `lsp` (its protocol) and `completing` (its answer to a shell).
//! - The language server runs nothing, asks no hub and looks into no store; it takes every text, whole or not.
//!
//! ## One run, from file to record
//!
//! 1. [`pipeline::load`] reads the file field by field, reports every mistake at once, and returns a `Pipeline`, which is
//!    proof that there is none left.
//! 2. [`plan`] orders the graph. A node whose inputs are known has a [`plan::Preimage`]: kind, version, parameters, digests
//!    of inputs and files, seed. The key is the blake3 of its canonical JSON, which is kept beside the record, so that `why`
//!    is a comparison of two files.
//! 3. [`run`] starts each node when its inputs are there and the machine has room: it notes the key in `runs/<id>/`, takes the
//!    key's lock, which the node's processes inherit, looks the key up once more, links the inputs into a job directory, starts `hyper-flow-worker run job.json` (or the program of a
//!    `Command`), and passes its events on.
//! 4. The output directory is hashed into the store; what came within a moment is synced together, and the records written. The next node's key is made of that digest.

pub mod cli;
pub mod commands;
mod completing;
pub mod display;
pub mod error;
pub mod look;
mod lsp;
pub mod output;
pub mod page;
mod pictures;
pub mod pipeline;
pub mod plan;
pub mod run;
pub mod runs;
mod signals;
mod tensorboard;
pub mod worker;
