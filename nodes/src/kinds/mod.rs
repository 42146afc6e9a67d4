//! What each kind does, a file or a folder a kind. What several share belongs below, in `distilling` or `artifacts`.

mod command_scorer;
mod diffusers;
mod digits;
mod encode_latents;
mod eval;
mod export;
mod finetune_lora;
mod framing;
mod gate;
mod image_folder;
mod lora_extract;
mod lora_fuse;
mod lora_merge;
mod ode_pairs;
mod pretrained_clip;
mod pretrained_lora;
mod reward_finetune;
mod sample;
mod score_distill;
mod score_model;
mod segment_distill;
mod summary;
mod train_clip;
mod train_judge;
mod train_segmenter;
mod train_teacher;
mod train_vae;
mod truncation;
mod web_dataset;

use hyper_flow_spec::Kind;

use crate::NodeError;
use crate::worker::Context;

/// Runs the job's kind: the one place where a kind's name becomes code.
pub(crate) fn run(context: &Context) -> Result<(), NodeError> {
    match &context.job.kind {
        Kind::Digits(params) => digits::run(context, params),
        Kind::ImageFolder(params) => image_folder::run(context, params),
        Kind::WebDataset(params) => web_dataset::run(context, params),
        Kind::Diffusers(params) => diffusers::run(context, params),
        Kind::PretrainedClip(params) => pretrained_clip::run(context, params),
        Kind::ScoreModel(params) => score_model::run(context, params),
        Kind::EncodeLatents(params) => encode_latents::run(context, params),
        Kind::TrainClip(params) => train_clip::run(context, params),
        Kind::TrainJudge(params) => train_judge::run(context, params),
        Kind::TrainSegmenter(params) => train_segmenter::run(context, params),
        Kind::TrainVae(params) => train_vae::run(context, params),
        Kind::TrainTeacher(params) => train_teacher::run(context, params),
        Kind::SegmentDistill(params) => segment_distill::run(context, params),
        Kind::RewardFinetune(params) => reward_finetune::run(context, params),
        Kind::OdePairs(params) => ode_pairs::run(context, params),
        Kind::ScoreDistill(params) => score_distill::run(context, params),
        Kind::PretrainedLora(params) => pretrained_lora::run(context, params),
        Kind::FinetuneLora(params) => finetune_lora::run(context, params),
        Kind::LoraFuse(params) => lora_fuse::run(context, params),
        Kind::LoraExtract(params) => lora_extract::run(context, params),
        Kind::LoraMerge(params) => lora_merge::run(context, params),
        Kind::Sample(params) => sample::run(context, params),
        Kind::Export(params) => export::run(context, params),
        Kind::CommandScorer(params) => command_scorer::run(context, params),
        Kind::Gate(params) => gate::run(context, params),
        Kind::Eval(params) => eval::run(context, params),
        Kind::Summary(params) => summary::run(context, params),
        Kind::Command(_) => Err(NodeError::Unfit("a `Command` is run by the engine, not by the worker".into())),
    }
}
