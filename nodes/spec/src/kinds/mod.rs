//! Every kind of node: one file a family, one enum of all.

mod about;
mod command;
mod data;
mod distill;
mod eval;
mod export;
mod finetune;
mod gate;
mod lora;
mod picture;
mod precision;
mod pretrained;
mod registry;
mod scorers;
mod summary;
mod train;
mod training;

pub use about::{About, Measured};
pub use command::{Command, EnvName, PortName};
pub use data::{Digits, EncodeLatents, ImageFolder, Pictures, WebDataset};
pub use distill::{
    Adversarial, Discriminator, Distance, GradientStep, Guard, Method, OdePairs, Perception, Reward, RewardFinetune,
    ScoreDistill, SegmentDistill, Target, Weighting,
};
pub use eval::{Eval, Split};
pub use export::{Export, ExportFormat};
pub use finetune::{FinetuneLora, LoraFuse};
pub use gate::{Gate, Require, Standard};
pub use lora::{Convert, LoraExtract, LoraMerge, PretrainedLora, TextParts};
pub use picture::{Sample, Sampler};
pub use precision::Precision;
pub use pretrained::Diffusers;
pub use registry::{Bar, Kind, KindSpec, KindVisitor, Problem, VERSION};
pub use scorers::{CommandScorer, PretrainedClip, ScoreForm, ScoreModel};
pub use summary::{Spread, Summary};
pub use train::{Prediction, TrainClip, TrainJudge, TrainSegmenter, TrainTeacher, TrainVae};
pub use training::{LoraParams, LrDecay, SnrWeighting, Training};
