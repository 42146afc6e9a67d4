//! What modules are called in the checkpoints as published, after which trainers of SDXL name them, too.

use super::LoraTarget;

/// What is before and behind the blocks.
const EDGES: [(&str, &str); 6] = [
    ("conv_in", "input_blocks.0.0"),
    ("conv_out", "out.2"),
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
];

/// How a UNet's blocks are counted through.
pub(super) struct Checkpoint<'a> {
    modules: &'a [LoraTarget],
    /// The ResNet blocks of a block on the way down, and what comes between two blocks.
    layers: usize,
}

impl<'a> Checkpoint<'a> {
    /// Of the UNet with these modules.
    pub(super) fn of(modules: &'a [LoraTarget]) -> Self {
        let is_layer = |m: &&LoraTarget| m.path.starts_with("down_blocks.0.resnets.") && m.path.ends_with(".conv1");
        Self { modules, layers: modules.iter().filter(is_layer).count() + 1 }
    }

    /// The name of a module; `None` if it has none there.
    pub(super) fn name(&self, path: &str) -> Option<String> {
        if let Some((_, name)) = EDGES.iter().find(|(own, _)| *own == path) {
            return Some((*name).to_owned());
        }
        let (side, rest) = path.split_once('.')?;
        if side == "mid_block" {
            let (kind, index, member) = layer(rest)?;
            return Some(format!(
                "middle_block.{}.{}",
                if kind == "attentions" { 1 } else { 2 * index },
                own(kind, member)
            ));
        }
        let (block, rest) = rest.split_once('.')?;
        let (first, (kind, index, member)) = (block.parse::<usize>().ok()? * self.layers, layer(rest)?);
        let last = self.layers - 1;
        Some(match (side, kind) {
            ("down_blocks", "downsamplers") => format!("input_blocks.{}.0.op", first + self.layers),
            ("down_blocks", _) => format!("input_blocks.{}.{}.{}", first + 1 + index, place(kind), own(kind, member)),
            ("up_blocks", "upsamplers") => format!("output_blocks.{}.{}.conv", first + last, self.behind(block)),
            ("up_blocks", _) => format!("output_blocks.{}.{}.{}", first + index, place(kind), own(kind, member)),
            _ => return None,
        })
    }

    /// The place of an upsampler: behind the transformer, if its block has one.
    fn behind(&self, block: &str) -> usize {
        let transformer = format!("up_blocks.{block}.attentions.");
        1 + usize::from(self.modules.iter().any(|module| module.path.starts_with(&transformer)))
    }
}

/// `kind.index.member`.
fn layer(path: &str) -> Option<(&str, usize, &str)> {
    let (kind, rest) = path.split_once('.')?;
    let (index, member) = rest.split_once('.')?;
    Some((kind, index.parse().ok()?, member))
}

/// A transformer stands behind its ResNet block.
fn place(kind: &str) -> usize {
    usize::from(kind == "attentions")
}

/// A member of a layer.
fn own<'a>(kind: &str, member: &'a str) -> &'a str {
    match (kind, member) {
        ("resnets", "conv1") => "in_layers.2",
        ("resnets", "conv2") => "out_layers.3",
        ("resnets", "time_emb_proj") => "emb_layers.1",
        ("resnets", "conv_shortcut") => "skip_connection",
        _ => member,
    }
}
