//! The VAE's names. Its attention was made of 1×1 convolutions, which are linear layers now.

/// The name in diffusers of a key after `first_stage_model.`, for a VAE of so many blocks.
pub(super) fn name(key: &str, blocks: usize) -> Option<String> {
    let (part, rest) = key.split_once('.')?;
    if matches!(part, "quant_conv" | "post_quant_conv") {
        return Some(key.to_owned());
    }
    let (layer, rest) = rest.split_once('.')?;
    let name = match (part, layer) {
        ("encoder" | "decoder", "conv_in" | "conv_out") => format!("{layer}.{rest}"),
        ("encoder" | "decoder", "norm_out") => format!("conv_norm_out.{rest}"),
        ("encoder" | "decoder", "mid") => middle(rest)?,
        ("encoder", "down") => block(rest, "down_blocks", "downsample", Some)?,
        // Counted from the picture inwards in the file, from the latent outwards in diffusers.
        ("decoder", "up") => block(rest, "up_blocks", "upsample", |i| blocks.checked_sub(i + 1))?,
        _ => return None,
    };
    Some(format!("{part}.{name}"))
}

fn middle(key: &str) -> Option<String> {
    let (layer, rest) = key.split_once('.')?;
    match layer {
        "block_1" => Some(format!("mid_block.resnets.0.{}", resnet(rest))),
        "block_2" => Some(format!("mid_block.resnets.1.{}", resnet(rest))),
        "attn_1" => {
            let (layer, parameter) = rest.split_once('.')?;
            let layer = match layer {
                "norm" => "group_norm",
                "q" => "to_q",
                "k" => "to_k",
                "v" => "to_v",
                "proj_out" => "to_out.0",
                _ => return None,
            };
            Some(format!("mid_block.attentions.0.{layer}.{parameter}"))
        }
        _ => None,
    }
}

fn block(key: &str, blocks: &str, sampler: &str, number: impl Fn(usize) -> Option<usize>) -> Option<String> {
    let (i, rest) = key.split_once('.')?;
    let i = number(i.parse().ok()?)?;
    let (part, rest) = rest.split_once('.')?;
    if part == sampler {
        return Some(format!("{blocks}.{i}.{sampler}rs.0.{rest}"));
    }
    let (layer, rest) = rest.split_once('.').filter(|_| part == "block")?;
    Some(format!("{blocks}.{i}.resnets.{layer}.{}", resnet(rest)))
}

fn resnet(key: &str) -> String {
    key.strip_prefix("nin_shortcut.").map_or_else(|| key.to_owned(), |parameter| format!("conv_shortcut.{parameter}"))
}
