//! Event files of TensorBoard: what trainings and evaluations told, as curves, histograms and pictures.
//!
//! ```text
//! runs/<id>/<pipeline>/<node>/                events.out.tfevents.<number>.<id>: what a node told
//! runs/<id>/<pipeline>/<node>/<candidate>/    of an Eval: the numbers of a candidate, over its step counts
//! ```
//!
//! TensorBoard names a curve by the folder below `--logdir`, here `runs/`: by run, pipeline and node. It draws one line a
//! folder, so that candidates have folders of their own.
//!
//! A training that goes on in another run stays one curve: its files move into the directory of the run that goes on with
//! it, which adds one. So the newest run has all of it, and what it has is not lost with an older run that garbage
//! collection forgets. Steps that are told anew are taken from the older files, for there are programs that read each file
//! alone. A TensorBoard that has read them already lets what comes later take the place of what has the same step; its older
//! loader (`--load_fast=false`) does so at a mark that a session starts, unless it is the first such mark: so each file begins
//! with one, also the first.
//!
//! What cannot be written is let go: a full disk is no reason to stop. The log of the run has all of it, and more: of a
//! long training only some steps are here, for TensorBoard draws a thousand.

mod curve;
mod file;
mod hparams;
mod picture;
mod place;
mod proto;
mod record;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use curve::{Curve, Source};
