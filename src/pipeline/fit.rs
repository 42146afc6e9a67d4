//! Whether what a node takes goes together, as far as the pipeline tells: beyond the types of artifacts, of which pictures and
//! for which model they are. What is wrong here a run would only tell when the node's turn comes, hours later.

use hyper_flow_spec::Kind;
use hyper_flow_spec::kinds::TrainTeacher;

use super::draft::{Draft, Findings};
use super::nodes::Sketch;
use super::references::Index;

/// Tells the inputs of all nodes that do not go together.
pub(super) fn tell_unfit(sketches: &[Sketch], index: &Index<'_>, findings: &mut Findings) {
    let pipeline = Wired { sketches, index };
    for sketch in sketches {
        let Some(kind) = &sketch.kind else { continue };
        let told = match kind {
            Kind::EncodeLatents(params) => pipeline.encodes_nothing(params.model.name()).map(|draft| ("model", draft)),
            Kind::TrainSegmenter(params) => pipeline.unmasked(params.data.name()).map(|draft| ("data", draft)),
            _ => trained(kind).and_then(|trained| pipeline.unfit(&trained)).map(|draft| ("data", draft)),
        };
        if let Some((port, draft)) = told
            && let Some(reference) = sketch.references.iter().find(|reference| reference.port == port)
        {
            findings.push(draft.at(reference.place, "does not fit"));
        }
    }
}

/// A model and what it is trained on.
struct Trained<'a> {
    /// The port of the model.
    port: &'static str,
    model: &'a str,
    data: &'a str,
    /// Whether pictures must have masks.
    masked: bool,
}

fn trained(kind: &Kind) -> Option<Trained<'_>> {
    let (port, model, data, masked) = match kind {
        Kind::SegmentDistill(params) => ("teacher", &params.teacher, &params.data, false),
        Kind::ScoreDistill(params) => ("teacher", &params.teacher, &params.data, false),
        Kind::OdePairs(params) => ("teacher", &params.teacher, &params.data, false),
        Kind::RewardFinetune(params) => ("teacher", &params.teacher, &params.data, params.perception.is_some()),
        Kind::FinetuneLora(params) => ("model", &params.model, &params.data, false),
        _ => return None,
    };
    Some(Trained { port, model: model.name(), data: data.name(), masked })
}

/// What a model draws, where the pipeline tells.
enum Draws<'a> {
    /// Latents; of the VAE that this node trains, if it does.
    Latents(Option<&'a str>),
    /// The pixels of pictures like those that it was trained on.
    Pixels(&'a TrainTeacher),
}

/// The pictures of a dataset, all of one shape: channels and sides.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape(i64, i64);

impl Shape {
    fn words(self) -> String {
        let Shape(channels, side) = self;
        format!("{side}×{side} in {}", if channels == 1 { "grey" } else { "colour" })
    }
}

/// The nodes of a pipeline, by name. Of those with mistakes nothing is known.
struct Wired<'a> {
    sketches: &'a [Sketch],
    index: &'a Index<'a>,
}

impl<'a> Wired<'a> {
    fn kind(&self, node: &str) -> Option<&'a Kind> {
        self.sketches[*self.index.get(node)?].kind.as_ref()
    }

    /// What a model draws is what that draws which its weights are of. (In a cycle nobody is.)
    fn draws(&self, mut model: &'a str) -> Option<Draws<'a>> {
        for _ in self.sketches {
            match self.kind(model)? {
                Kind::LoraFuse(params) => model = params.model.name(),
                Kind::Diffusers(_) => return Some(Draws::Latents(None)),
                Kind::TrainTeacher(params) => {
                    let vae = params.vae.as_ref().map(|vae| vae.name());
                    return Some(vae.map_or(Draws::Pixels(params), |vae| Draws::Latents(Some(vae))));
                }
                _ => return None,
            }
        }
        None
    }

    /// The dataset itself, of latents that of which they are.
    fn dataset(&self, data: &'a str) -> &'a str {
        match self.kind(data) {
            Some(Kind::EncodeLatents(params)) => params.data.name(),
            _ => data,
        }
    }

    fn unfit(&self, trained: &Trained<'a>) -> Option<Draft> {
        let Trained { data, masked, .. } = *trained;
        let unlike = match (self.draws(trained.model), self.kind(data)?) {
            (Some(Draws::Latents(vae)), Kind::EncodeLatents(params)) => {
                self.of_another_vae(trained, vae, params.model.name())
            }
            (Some(Draws::Latents(_)), kind) => kind_is_dataset(kind).then(|| self.not_encoded(trained)),
            (Some(Draws::Pixels(_)), Kind::EncodeLatents(params)) => {
                self.needlessly_encoded(trained, params.data.name())
            }
            (Some(Draws::Pixels(teacher)), _) => self.of_another_shape(trained, teacher),
            (None, _) => None,
        };
        unlike.or_else(|| if masked { self.unmasked(data) } else { None })
    }

    fn not_encoded(&self, Trained { port, model, data, .. }: &Trained<'_>) -> Draft {
        let encodes = |sketch: &&Sketch| matches!(&sketch.kind, Some(Kind::EncodeLatents(p)) if p.data.name() == *data && p.model.name() == *model);
        let help = match self.sketches.iter().find(encodes) {
            Some(node) => format!("`{}` has them encoded: `data: \"{}\"`", node.name, node.name),
            None => format!(
                "add a node that encodes them once, and take that:\n\
                 \"{data}-latents\": EncodeLatents(model: \"{model}\", data: \"{data}\")"
            ),
        };
        let message = format!(
            "`data` takes Latents where the `{port}` draws them: `{model}` has a VAE, and `{data}` yields the pictures themselves"
        );
        Draft::error(message).help(help)
    }

    /// Where the latents are of the model itself, that is the mistake, and is told there.
    fn needlessly_encoded(&self, Trained { port, model, data, .. }: &Trained<'_>, of: &str) -> Option<Draft> {
        let Some(Kind::EncodeLatents(params)) = self.kind(data) else { return None };
        let told = matches!(self.draws(params.model.name()), Some(Draws::Pixels(_)));
        let message = format!(
            "`data` takes a Dataset where the `{port}` draws pixels: `{model}` has no VAE, and `{data}` yields Latents"
        );
        (!told).then(|| Draft::error(message).help(format!("write `data: \"{of}\"`, or give `{model}` a `vae`")))
    }

    fn of_another_vae(
        &self,
        Trained { port, model, data, .. }: &Trained<'_>,
        vae: Option<&str>,
        by: &'a str,
    ) -> Option<Draft> {
        let Some(Draws::Latents(other)) = self.draws(by) else { return None };
        let (vae, other) = (vae?, other?);
        let message =
            format!("`{data}` holds latents of the VAE `{other}`, and the `{port}` `{model}` draws those of `{vae}`");
        (vae != other)
            .then(|| Draft::error(message).help(format!("encode them by it: `EncodeLatents(model: \"{model}\", …)`")))
    }

    fn of_another_shape(
        &self,
        Trained { port, model, data, .. }: &Trained<'_>,
        teacher: &'a TrainTeacher,
    ) -> Option<Draft> {
        let (own, found) = (self.shape(teacher.data.name())?, self.shape(data)?);
        let message = format!(
            "the `{port}` `{model}` draws pictures of {}, and those of `{data}` are {}",
            own.words(),
            found.words()
        );
        let help = format!("read them in as it draws: `size: {}, channels: {}`", own.1, own.0);
        (own != found).then(|| Draft::error(message).help(help))
    }

    fn shape(&self, data: &str) -> Option<Shape> {
        let pictures = match self.kind(data)? {
            Kind::Digits(_) => return Some(Shape(1, 8)),
            Kind::ImageFolder(params) => params.pictures(),
            Kind::WebDataset(params) => params.pictures(),
            _ => return None,
        };
        pictures.buckets.is_empty().then(|| Shape(pictures.channels.get(), pictures.size.get()))
    }

    fn encodes_nothing(&self, model: &'a str) -> Option<Draft> {
        let Some(Draws::Pixels(_)) = self.draws(model) else { return None };
        let help = format!("train on the Dataset itself, without this node; or give `{model}` a `vae`");
        Some(Draft::error(format!("`{model}` draws pixels: it has no VAE to encode pictures with")).help(help))
    }

    fn unmasked(&self, data: &'a str) -> Option<Draft> {
        let dataset = self.dataset(data);
        let (masked, how) = match self.kind(dataset)? {
            Kind::Digits(params) => (params.masks.is_some(), "masks: 0.5"),
            Kind::ImageFolder(params) => (params.masks, "masks: true"),
            Kind::WebDataset(params) => (params.masks, "masks: true"),
            _ => return None,
        };
        let message = format!("the pictures of `{dataset}` have no masks, and here they must");
        (!masked)
            .then(|| Draft::error(message).help(format!("ask for them where they are read in: `{how}` in `{dataset}`")))
    }
}

fn kind_is_dataset(kind: &Kind) -> bool {
    kind.output() == hyper_flow_spec::Artifact::Dataset
}
