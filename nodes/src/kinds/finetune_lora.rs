//! `FinetuneLora`: a plain LoRA on pictures.

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::denoising_loss;
use hyper_flow_spec::kinds::{FinetuneLora, Precision};

use crate::NodeError;
use crate::artifacts::model::Model;
use crate::distilling::distillation::Distillation;
use crate::distilling::paint::{Few, SHOWN_STEPS, snr_weighting};
use crate::distilling::student::Student;
use crate::training::{Conditioned, Draw, Gallery, Losses, Recipe, Told, train};
use crate::worker::Context;

struct Finetuning<'a> {
    params: &'a FinetuneLora,
    model: &'a Model,
    data: &'a Conditioned,
    student: &'a Student,
    seed: u64,
}

impl Recipe for Finetuning<'_> {
    fn name(&self) -> &'static str {
        "FinetuneLora"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        let (x0, conditions) = self.data.batch(draw)?;
        let Told { conditions, .. } = self.data.with_empty(conditions, self.params.empty_captions, draw);
        let noise = draw.offset_randn("noise", &x0.size()[1..], self.params.offset_noise.get());
        let t = draw.stratified("timesteps", 0, self.model.schedule.train_timesteps());
        let student = Adapters::one(&self.student.lora).dropout(draw.dropout("student", self.params.dropout));
        let (denoiser, weighting) = (self.model.denoiser(), snr_weighting(self.params.weighting));
        let loss = denoising_loss(tape, &denoiser, &x0, &noise, &t, &conditions, &student, weighting);
        Ok(vec![("denoising".into(), loss)])
    }

    fn checkpointing(&self) -> bool {
        self.params.checkpointing
    }

    fn precision(&self) -> Precision {
        self.params.precision
    }

    fn sample(&self) -> Result<Option<Gallery>, NodeError> {
        let few = Few { denoiser: self.model.denoiser(), steps: SHOWN_STEPS };
        let decoder = self.model.decoder()?;
        let adapters = Adapters::one(&self.student.average);
        few.gallery(self.data, &adapters, self.seed, |drawn| decoder.pictures(drawn)).map(Some)
    }
}

pub(super) fn run(context: &Context, params: &FinetuneLora) -> Result<(), NodeError> {
    let Distillation { teacher: model, data } =
        Distillation::load(context, &params.model, &params.data, params.precision)?;
    let student = Student::new(context, &model.unet, params.lora.as_ref(), params.lora())?;
    let recipe = Finetuning { params, model: &model, data: &data, student: &student, seed: context.seed() };
    train(context, &params.training(), vec![student.group(params.lr.get())], student.averages(), &recipe)?;
    student.write(context)
}
