//! What to cite: the papers of what a pipeline does, and the licences of what it is made from.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::node::Node;
use crate::pipeline::Pipeline;

/// A paper, and which nodes do what it describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paper {
    /// Its title.
    pub title: &'static str,
    /// The first author and the year.
    pub by: &'static str,
    /// Its number on arXiv.
    pub arxiv: &'static str,
    /// What of the pipeline it is for.
    pub of: &'static str,
}

/// What a folder with data says of its licence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Licence {
    /// The node that reads the data.
    pub node: String,
    /// The file that says it.
    pub file: String,
    /// What it says.
    pub text: String,
}

/// When a paper is to be cited: for a kind, where a parameter is written so.
struct When {
    kind: &'static str,
    param: &'static str,
    /// What the value has in it.
    holds: &'static str,
}

const fn kind(kind: &'static str) -> When {
    When { kind, param: "", holds: "" }
}

const fn with(kind: &'static str, param: &'static str, holds: &'static str) -> When {
    When { kind, param, holds }
}

type Row = (Paper, &'static [When]);

const fn paper(title: &'static str, by: &'static str, arxiv: &'static str, of: &'static str) -> Paper {
    Paper { title, by, arxiv, of }
}

const PAPERS: [Row; 23] = [
    (
        paper(
            "Hyper-SD: Trajectory Segmented Consistency Model for Efficient Image Synthesis",
            "Ren et al. 2024",
            "2404.13686",
            "the method as a whole",
        ),
        &[kind("SegmentDistill"), kind("RewardFinetune"), kind("ScoreDistill")],
    ),
    (
        paper("Consistency Trajectory Models", "Kim et al. 2023", "2310.02279", "jumps along the teacher's trajectory"),
        &[with("SegmentDistill", "method", "Tscd"), with("SegmentDistill", "method", "Tcd")],
    ),
    (
        paper("Trajectory Consistency Distillation", "Zheng et al. 2024", "2402.19159", "method and sampler TCD"),
        &[with("SegmentDistill", "method", "Tcd"), with("Sample", "sampler", "Tcd"), with("Eval", "sampler", "Tcd")],
    ),
    (
        paper("Latent Consistency Models", "Luo et al. 2023", "2310.04378", "method and sampler LCM"),
        &[with("SegmentDistill", "method", "Lcm"), with("Sample", "sampler", "Lcm"), with("Eval", "sampler", "Lcm")],
    ),
    (
        paper(
            "Phased Consistency Models",
            "Wang et al. 2024",
            "2405.18407",
            "method PCM, and discriminator heads on the teacher's features",
        ),
        &[
            with("SegmentDistill", "method", "Pcm"),
            with("SegmentDistill", "adversarial", "("),
            with("ScoreDistill", "adversarial", "("),
        ],
    ),
    (
        paper(
            "SDXL-Lightning: Progressive Adversarial Diffusion Distillation",
            "Lin et al. 2024",
            "2402.13929",
            "a discriminator in latents",
        ),
        &[with("SegmentDistill", "adversarial", "("), with("ScoreDistill", "adversarial", "(")],
    ),
    (
        paper(
            "One-step Diffusion with Distribution Matching Distillation",
            "Yin et al. 2023",
            "2311.18828",
            "score distillation",
        ),
        &[kind("ScoreDistill")],
    ),
    (
        paper(
            "Improved Distribution Matching Distillation for Fast Image Synthesis",
            "Yin et al. 2024",
            "2405.14867",
            "score distillation with several updates of the fake score",
        ),
        &[kind("ScoreDistill")],
    ),
    (
        paper(
            "ImageReward: Learning and Evaluating Human Preferences for Text-to-Image Generation",
            "Xu et al. 2023",
            "2304.05977",
            "feedback learning from rewards",
        ),
        &[kind("RewardFinetune"), with("ScoreModel", "model", "ImageReward")],
    ),
    (
        paper("LoRA: Low-Rank Adaptation of Large Language Models", "Hu et al. 2021", "2106.09685", "what is trained"),
        &[kind("SegmentDistill"), kind("RewardFinetune"), kind("ScoreDistill"), kind("FinetuneLora")],
    ),
    (
        paper(
            "High-Resolution Image Synthesis with Latent Diffusion Models",
            "Rombach et al. 2021",
            "2112.10752",
            "the teacher's structure",
        ),
        &[kind("Diffusers"), kind("TrainTeacher")],
    ),
    (
        paper("Classifier-Free Diffusion Guidance", "Ho and Salimans 2022", "2207.12598", "guidance"),
        &[kind("SegmentDistill"), kind("ScoreDistill"), kind("Eval")],
    ),
    (
        paper(
            "Progressive Distillation for Fast Sampling of Diffusion Models",
            "Salimans and Ho 2022",
            "2202.00512",
            "v-prediction",
        ),
        &[with("TrainTeacher", "prediction", "V")],
    ),
    (
        paper(
            "Efficient Diffusion Training via Min-SNR Weighting Strategy",
            "Hang et al. 2023",
            "2303.09556",
            "the weighting of timesteps",
        ),
        &[with("TrainTeacher", "weighting", "MinSnr"), with("FinetuneLora", "weighting", "MinSnr")],
    ),
    (
        paper("Denoising Diffusion Implicit Models", "Song et al. 2020", "2010.02502", "the sampler DDIM"),
        &[with("Sample", "sampler", "Ddim"), kind("Eval"), kind("SegmentDistill")],
    ),
    (
        paper(
            "Elucidating the Design Space of Diffusion-Based Generative Models",
            "Karras et al. 2022",
            "2206.00364",
            "the sampler Euler",
        ),
        &[with("Sample", "sampler", "Euler"), with("Eval", "sampler", "Euler")],
    ),
    (
        paper(
            "Learning Transferable Visual Models From Natural Language Supervision",
            "Radford et al. 2021",
            "2103.00020",
            "CLIP",
        ),
        &[kind("TrainClip"), kind("PretrainedClip"), kind("Eval")],
    ),
    (
        paper(
            "Pick-a-Pic: An Open Dataset of User Preferences for Text-to-Image Generation",
            "Kirstain et al. 2023",
            "2305.01569",
            "PickScore, where a CLIP is it",
        ),
        &[with("PretrainedClip", "hub", "yuvalkirstain")],
    ),
    (
        paper(
            "LAION-5B: An open large-scale dataset for training next generation image-text models",
            "Schuhmann et al. 2022",
            "2210.08402",
            "the aesthetic predictor",
        ),
        &[with("ScoreModel", "model", "Aesthetic")],
    ),
    (
        paper(
            "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
            "Heusel et al. 2017",
            "1706.08500",
            "the Fréchet distance",
        ),
        &[kind("Eval")],
    ),
    (
        paper(
            "Improved Precision and Recall Metric for Assessing Generative Models",
            "Kynkäänniemi et al. 2019",
            "1904.06991",
            "precision and recall",
        ),
        &[kind("Eval")],
    ),
    (
        paper(
            "Reliable Fidelity and Diversity Metrics for Generative Models",
            "Naeem et al. 2020",
            "2002.09797",
            "coverage",
        ),
        &[kind("Eval")],
    ),
    (paper("Auto-Encoding Variational Bayes", "Kingma and Welling 2013", "1312.6114", "the VAE"), &[kind("TrainVae")]),
];

/// The papers of what these nodes do, the method's first.
pub(super) fn papers(nodes: &[Node]) -> Vec<Paper> {
    let applies = |when: &When| {
        nodes
            .iter()
            .filter(|node| node.kind == when.kind)
            .any(|node| when.param.is_empty() || node.param(when.param).is_some_and(|value| value.contains(when.holds)))
    };
    let cited = PAPERS.iter().filter(|(_, when)| when.iter().any(applies));
    cited.map(|(paper, _)| paper.clone()).collect()
}

/// What lies beside the files that datasets are read from, and says a licence: a file of that name, or the head of a
/// README as data hubs have it.
pub(super) fn licences(pipeline: &Pipeline) -> Vec<Licence> {
    let datasets = pipeline.nodes.values().filter(|node| node.kind.output() == hyper_flow_spec::Artifact::Dataset);
    let found = datasets.flat_map(|node| node.files.values().filter_map(|path| licence(&node.name, path)));
    found.collect::<BTreeSet<_>>().into_iter().collect()
}

fn licence(node: &str, path: &Path) -> Option<Licence> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let mut names: Vec<String> =
        fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let says = |name: &String| Some(Licence { node: node.to_owned(), file: name.clone(), text: said(folder, name)? });
    names.iter().find_map(says)
}

/// More of a file is not read.
const HEAD: usize = 64 << 10;

fn said(folder: &Path, name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let licence = ["license", "licence", "copying"].iter().any(|begin| lower.starts_with(begin));
    if !licence && lower != "readme.md" {
        return None;
    }
    let bytes = fs::read(folder.join(name)).ok()?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).into_owned();
    let mut lines = text.lines().map(str::trim);
    let line = match licence {
        true => lines.find(|line| !line.is_empty())?.to_owned(),
        false => lines.find_map(licence_of_line)?,
    };
    Some(line.chars().take(200).collect())
}

/// `license: cc-by-4.0`, or a sentence `Licence: …`.
fn licence_of_line(line: &str) -> Option<String> {
    let at = ["license:", "licence:"].iter().find_map(|word| line.to_lowercase().find(word))?;
    let text = line.get(at + "license:".len()..)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::node::Param;
    use super::*;

    fn node(kind: &str, params: &[(&str, &str)]) -> Node {
        let param =
            |(name, value): &(&str, &str)| Param { name: (*name).into(), value: (*value).into(), default: false };
        Node { kind: kind.into(), params: params.iter().map(param).collect(), ..Node::default() }
    }

    #[test]
    fn what_is_done_is_cited_and_nothing_else() {
        let cited = |nodes: &[Node]| papers(nodes).iter().map(|paper| paper.arxiv).collect::<Vec<_>>();
        assert_eq!(cited(&[node("Command", &[])]), [""; 0]);
        let lcm = cited(&[node("SegmentDistill", &[("method", "Lcm"), ("adversarial", "None")])]);
        assert!(lcm.starts_with(&["2404.13686", "2310.04378"]) && !lcm.contains(&"2405.18407"), "{lcm:?}");
    }

    #[test]
    fn every_paper_is_of_a_kind_and_a_field_that_there_are() {
        for (paper, when) in &PAPERS {
            for When { kind, param, .. } in *when {
                let fields = crate::pipeline::KindDescription::of(kind).expect(kind).params;
                assert!(param.is_empty() || fields.field(param).is_some(), "{}: {kind}.{param}", paper.title);
            }
            assert!(!when.is_empty() && !paper.arxiv.is_empty(), "{}", paper.title);
        }
    }

    #[test]
    fn licences_are_read_where_data_lies() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            said(folder.path(), name)
        };
        assert_eq!(said("README.md", "---\nlicense: cc-by-4.0\n---\n").as_deref(), Some("cc-by-4.0"));
        let sentence = "# data\n<https://a>. Licence: Creative Commons (CC BY 4.0).";
        assert_eq!(said("README.md", sentence).as_deref(), Some("Creative Commons (CC BY 4.0)."));
        assert_eq!(said("LICENSE.txt", "\n  MIT License\nmore").as_deref(), Some("MIT License"));
        assert_eq!(said("notes.md", "license: x"), None);
    }
}
