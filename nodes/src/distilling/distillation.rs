//! What every distillation begins with.

use std::path::Path;

use hyper_flow_spec::kinds::Precision;
use hyper_flow_spec::{Level, Ref, types};

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, tell_long};
use crate::artifacts::latents::{Encoders, Latents};
use crate::artifacts::model::Model;
use crate::distilling::paint;
use crate::training::Conditioned;
use crate::worker::Context;

/// A frozen teacher, and the samples and captions to distil it with.
#[derive(Debug)]
pub(crate) struct Distillation {
    pub(crate) teacher: Model,
    pub(crate) data: Conditioned,
}

impl Distillation {
    /// Reads both; they must fit each other.
    pub(crate) fn load(
        context: &Context,
        teacher: &Ref<types::Model>,
        data: &Ref<types::Pictures>,
        precision: Precision,
    ) -> Result<Self, NodeError> {
        let (folder, kind) = (context.input(teacher)?, paint::kind(precision));
        let teacher = Model::load(folder, context.device, kind)?;
        let path = context.input(data)?;
        let data = match (Latents::are_in(path), teacher.is_latent()) {
            (true, true) => {
                let latents = Latents::read(path, kind, context.device)?;
                check(context, &teacher, folder, &latents)?;
                Conditioned::of_latents(latents, context.device)?
            }
            (true, false) => {
                let message = "the model draws pixels, and the data are latents; give it the dataset itself";
                return Err(NodeError::Unfit(message.into()));
            }
            (false, latent) => Self::pictures(context, &teacher, path, latent)?,
        };
        Ok(Self { teacher, data })
    }

    fn pictures(context: &Context, teacher: &Model, data: &Path, latent: bool) -> Result<Conditioned, NodeError> {
        let dataset = Dataset::read(data)?;
        teacher.check_fits(&dataset)?;
        if latent {
            return Err(NodeError::Unfit(
                "the model draws latents, and the data are pictures; put an `EncodeLatents` node between".into(),
            ));
        }
        let encoders = teacher.text_encoders()?;
        tell_long(context, &encoders, &dataset.distinct_captions())?;
        Ok(Conditioned::new(&dataset.train, &encoders, context.device)?)
    }
}

/// That the latents are those of the teacher's own encoders.
fn check(context: &Context, teacher: &Model, folder: &Path, latents: &Latents) -> Result<(), NodeError> {
    if let Some(difference) = latents.about.encoders.difference(&Encoders::of(folder)?) {
        return Err(NodeError::Unfit(format!(
            "the latents are of {difference} than the teacher's; encode them by the teacher: `EncodeLatents(model: …)`"
        )));
    }
    let own = teacher.picture_shape()?;
    if let Some(side) = latents.about.side.filter(|&side| side != own.width) {
        let text = format!("the model was trained on pictures of {}, and the latents are of {side}", own.size());
        context.reporter.message(Level::Warning, text);
    }
    Ok(())
}
