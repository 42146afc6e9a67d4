//! What a pipeline says of its LoRAs to those who get them as files: the model that they are for, in how many steps they draw,
//! what was distilled into them, and captions to try.

use std::collections::{BTreeMap, BTreeSet};

use hyper_flow_spec::kinds::{About, ExportFormat};
use hyper_flow_spec::{Kind, NonNegative, Ref, SolverSteps, Steps};

use super::model::Node;

/// The nodes of a pipeline, by name.
type Nodes = BTreeMap<String, Node>;

/// Tells the `Export`s what the pipeline says of what they write, where they do not say it themselves.
pub(super) fn tell_exports(nodes: &mut Nodes) {
    let told: Vec<(String, About)> =
        nodes.values().filter_map(|node| Some((node.name.clone(), told(nodes, node)?))).collect();
    for (name, about) in told {
        if let Some(Kind::Export(params)) = nodes.get_mut(&name).map(|node| &mut node.kind) {
            params.about = std::mem::take(&mut params.about).or(about);
        }
    }
}

fn told(nodes: &Nodes, node: &Node) -> Option<About> {
    let Kind::Export(params) = &node.kind else { return None };
    let base = base(nodes, params.model.name());
    let about = match &params.lora {
        Some(lora) => of_lora(nodes, lora.name()),
        None => About {
            prompts: prompts(nodes, |model, lora| lora.is_none() && model == params.model.name()),
            ..About::default()
        },
    };
    let has_lora = params.formats.iter().any(|format| *format != ExportFormat::Model);
    Some(About { base, steps: if has_lora { about.steps } else { Vec::new() }, ..about })
}

/// What the pipeline says of the LoRA that a node yields.
pub(crate) fn of_lora(nodes: &Nodes, lora: &str) -> About {
    let chain = chain(nodes, lora);
    let first = |of: fn(&Kind) -> Option<Distilled>| chain.iter().find_map(|name| of(&nodes.get(*name)?.kind));
    let distilled = first(distilled).unwrap_or_default();
    let model = chain.iter().find_map(|name| model(&nodes.get(*name)?.kind));
    let prompts_with = prompts(nodes, |_, with| with == Some(lora));
    let steps = match drawn_in(nodes, lora) {
        none if none.is_empty() => distilled.steps,
        drawn => drawn,
    };
    About {
        base: model.and_then(|model| base(nodes, model)),
        prompts: prompts_with,
        steps,
        guidance: distilled.guidance,
        solver_steps: distilled.solver_steps,
    }
}

/// A LoRA's node and those that it was made from, the nearest first.
fn chain<'a>(nodes: &'a Nodes, lora: &'a str) -> Vec<&'a str> {
    let (mut found, mut seen) = (vec![lora], BTreeSet::from([lora]));
    let mut next = 0;
    while let Some(name) = found.get(next) {
        let kind = nodes.get(*name).map(|node| &node.kind);
        found.extend(kind.into_iter().flat_map(parents).filter(|parent| seen.insert(parent)));
        next += 1;
    }
    found
}

/// The LoRAs that one was made from, the last added first.
fn parents(kind: &Kind) -> Vec<&str> {
    match kind {
        Kind::SegmentDistill(params) => params.student.iter().map(Ref::name).collect(),
        Kind::ScoreDistill(params) => params.student.iter().map(Ref::name).collect(),
        Kind::FinetuneLora(params) => params.lora.iter().map(Ref::name).collect(),
        Kind::RewardFinetune(params) => vec![params.student.name()],
        Kind::LoraMerge(params) => params.loras.iter().rev().map(|(lora, _)| lora.name()).collect(),
        _ => Vec::new(),
    }
}

/// The model that a LoRA is for.
fn model(kind: &Kind) -> Option<&str> {
    Some(match kind {
        Kind::SegmentDistill(params) => params.teacher.name(),
        Kind::ScoreDistill(params) => params.teacher.name(),
        Kind::RewardFinetune(params) => params.teacher.name(),
        Kind::FinetuneLora(params) => params.model.name(),
        Kind::PretrainedLora(params) => params.model.name(),
        Kind::LoraExtract(params) => params.base.name(),
        _ => return None,
    })
}

/// The repository that a model comes from, through what was fused into it.
fn base(nodes: &Nodes, model: &str) -> Option<String> {
    let mut name = model;
    for _ in nodes {
        match &nodes.get(name)?.kind {
            Kind::LoraFuse(params) => name = params.model.name(),
            Kind::Diffusers(params) => return params.hub.as_ref().map(|hub| hub.repo.as_str().to_owned()),
            _ => return None,
        }
    }
    None
}

/// What a distillation puts into a LoRA.
#[derive(Default)]
struct Distilled {
    steps: Vec<Steps>,
    guidance: Option<(NonNegative, NonNegative)>,
    solver_steps: Option<SolverSteps>,
}

fn distilled(kind: &Kind) -> Option<Distilled> {
    match kind {
        Kind::SegmentDistill(params) => Some(Distilled {
            steps: Steps::new(params.segments.get()).into_iter().collect(),
            guidance: Some(params.guidance),
            solver_steps: Some(params.solver_steps),
        }),
        Kind::ScoreDistill(params) => Some(Distilled {
            steps: params.rollouts.clone(),
            guidance: Some((params.guidance, params.guidance)),
            solver_steps: (params.consistency.get() > 0.0).then_some(params.solver_steps),
        }),
        _ => None,
    }
}

/// The step counts in which the pipeline draws or measures with a LoRA.
fn drawn_in(nodes: &Nodes, lora: &str) -> Vec<Steps> {
    let steps = nodes.values().flat_map(|node| match &node.kind {
        Kind::Eval(params) if params.loras.values().any(|of| of.name() == lora) => params.steps.clone(),
        Kind::Sample(params) if params.lora.as_ref().is_some_and(|of| of.name() == lora) => vec![params.steps],
        _ => Vec::new(),
    });
    let mut steps: Vec<Steps> = steps.collect();
    steps.sort_by_key(|steps| steps.get());
    steps.dedup();
    steps
}

/// The captions that the pipeline draws with a model and a LoRA, in the order of its nodes.
fn prompts(nodes: &Nodes, is_meant: impl Fn(&str, Option<&str>) -> bool) -> Vec<String> {
    let mut prompts = Vec::new();
    for node in nodes.values() {
        let Kind::Sample(params) = &node.kind else { continue };
        if is_meant(params.model.name(), params.lora.as_ref().map(Ref::name)) {
            prompts.extend(params.prompts.iter().filter(|prompt| !prompt.is_empty()).cloned());
        }
    }
    let mut seen = BTreeSet::new();
    prompts.retain(|prompt| seen.insert(prompt.clone()));
    prompts.truncate(PROMPTS);
    prompts
}

/// More captions are not told.
const PROMPTS: usize = 4;
