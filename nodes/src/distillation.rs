//! What every distillation begins with.

use hyper_flow_spec::kinds::Precision;
use hyper_flow_spec::{Ref, types};

use crate::conditioned::Conditioned;
use crate::dataset::Dataset;
use crate::model::Model;
use crate::worker::Context;
use crate::{NodeError, paint};

/// A frozen teacher, and the pictures and captions to distil it with.
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
        let teacher = Model::load(context.input(teacher)?, context.device, paint::kind(precision))?;
        let dataset = Dataset::read(context.input(data)?)?;
        teacher.check_fits(&dataset)?;
        if teacher.is_latent() {
            return Err(NodeError::Unfit(
                "the model draws latents, and the data are pictures; put an `EncodeLatents` node between".into(),
            ));
        }
        let data = Conditioned::new(&dataset.train, &teacher.text_encoders()?, context.device)?;
        Ok(Self { teacher, data })
    }
}
