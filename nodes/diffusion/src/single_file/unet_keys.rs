//! The UNet's names: blocks counted through become blocks, layers and what a layer is.

/// The name in diffusers of a key after `model.diffusion_model.`, for a UNet with so many ResNet blocks in each block.
pub(super) fn name(key: &str, layers_per_block: usize) -> Option<String> {
    let (part, rest) = key.split_once('.')?;
    match part {
        "time_embed" => renamed(rest, [("0", "time_embedding.linear_1"), ("2", "time_embedding.linear_2")]),
        "label_emb" => renamed(rest, [("0.0", "add_embedding.linear_1"), ("0.2", "add_embedding.linear_2")]),
        "out" => renamed(rest, [("0", "conv_norm_out"), ("2", "conv_out")]),
        "middle_block" => middle(rest),
        "input_blocks" => input(rest, layers_per_block),
        "output_blocks" => output(rest, layers_per_block),
        _ => None,
    }
}

/// `old.parameter` as `new.parameter`.
fn renamed(key: &str, names: [(&str, &str); 2]) -> Option<String> {
    names.iter().find_map(|(old, new)| {
        let parameter = key.strip_prefix(old)?.strip_prefix('.')?;
        Some(format!("{new}.{parameter}"))
    })
}

/// A number and what follows it.
fn numbered(key: &str) -> Option<(usize, &str)> {
    let (number, rest) = key.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

fn middle(key: &str) -> Option<String> {
    let (n, rest) = numbered(key)?;
    match n {
        0 | 2 => Some(format!("mid_block.resnets.{}.{}", n / 2, resnet(rest)?)),
        1 => Some(format!("mid_block.attentions.0.{rest}")),
        _ => None,
    }
}

/// After the first convolution each block has its ResNet blocks, each perhaps with a transformer, and a downsampler.
fn input(key: &str, layers_per_block: usize) -> Option<String> {
    let (n, rest) = numbered(key)?;
    let (part, rest) = numbered(rest)?;
    let Some(n) = n.checked_sub(1) else { return (part == 0).then(|| format!("conv_in.{rest}")) };
    let (block, layer) = (n / (layers_per_block + 1), n % (layers_per_block + 1));
    match (part, rest.strip_prefix("op.")) {
        (0, Some(parameter)) => Some(format!("down_blocks.{block}.downsamplers.0.conv.{parameter}")),
        (0, None) => Some(format!("down_blocks.{block}.resnets.{layer}.{}", resnet(rest)?)),
        (1, None) => Some(format!("down_blocks.{block}.attentions.{layer}.{rest}")),
        _ => None,
    }
}

/// The last layer of a block has the upsampler, behind its transformer if it has one.
fn output(key: &str, layers_per_block: usize) -> Option<String> {
    let (n, rest) = numbered(key)?;
    let (part, rest) = numbered(rest)?;
    let (block, layer) = (n / (layers_per_block + 1), n % (layers_per_block + 1));
    match (part, rest.strip_prefix("conv.")) {
        (0, None) => Some(format!("up_blocks.{block}.resnets.{layer}.{}", resnet(rest)?)),
        (1 | 2, Some(parameter)) => Some(format!("up_blocks.{block}.upsamplers.0.conv.{parameter}")),
        (1, None) => Some(format!("up_blocks.{block}.attentions.{layer}.{rest}")),
        _ => None,
    }
}

/// A layer of a ResNet block.
fn resnet(key: &str) -> Option<String> {
    let (layer, parameter) = key.rsplit_once('.')?;
    let name = match layer {
        "in_layers.0" => "norm1",
        "in_layers.2" => "conv1",
        "emb_layers.1" => "time_emb_proj",
        "out_layers.0" => "norm2",
        "out_layers.3" => "conv2",
        "skip_connection" => "conv_shortcut",
        _ => return None,
    };
    Some(format!("{name}.{parameter}"))
}
