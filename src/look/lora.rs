//! A `Lora`: ranks, sizes, and how much it changes of each block.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use serde::Serialize;

use super::norm;

/// What is known of a LoRA.
#[derive(Debug, PartialEq, Serialize)]
pub struct Lora {
    /// The modules that it changes.
    pub modules: u64,
    /// Its numbers, without alphas.
    pub parameters: u64,
    /// The least and the greatest rank.
    pub ranks: [u64; 2],
    /// The least and the greatest alpha.
    pub alphas: [f64; 2],
    /// ‖ΔW‖ of all modules together.
    pub norm: f64,
    /// By block, in the order in which a picture goes through them.
    pub blocks: Vec<Block>,
}

/// The part of a LoRA that is for one block of a network.
#[derive(Debug, PartialEq, Serialize)]
pub struct Block {
    /// Its name: `down_blocks.0`, `mid_block`, `text encoder 1`.
    pub name: String,
    /// Its modules.
    pub modules: u64,
    /// The greatest rank.
    pub rank: u64,
    /// ‖ΔW‖ by Frobenius of all its modules together, alpha and rank taken in.
    pub norm: f64,
    /// Of each weight that it changes, the root mean square of the change.
    pub per_weight: f64,
}

/// One module's adapter.
struct Module {
    rank: usize,
    alpha: f64,
    /// Numbers of both halves.
    parameters: usize,
    /// Weights that it changes.
    weights: usize,
    /// ‖ΔW‖².
    square: f64,
}

/// Of a file with kohya's keys in fp32, as all kinds write it; none of another.
pub(crate) fn lora(file: &[u8]) -> Option<Lora> {
    let tensors = SafeTensors::deserialize(file).ok()?;
    let mut blocks: BTreeMap<(usize, String), Vec<Module>> = BTreeMap::new();
    for name in tensors.names().into_iter().filter_map(|key| key.strip_suffix(".lora_down.weight")) {
        blocks.entry(block(name)).or_default().push(module(&tensors, name)?);
    }
    let all = || blocks.values().flatten();
    let span = |of: fn(&Module) -> f64| {
        all().map(of).fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], x| [least.min(x), most.max(x)])
    };
    all().next()?;
    Some(Lora {
        modules: all().count() as u64,
        parameters: all().map(|module| module.parameters as u64).sum(),
        ranks: span(|module| module.rank as f64).map(|rank| rank as u64),
        alphas: span(|module| module.alpha),
        norm: all().map(|module| module.square).sum::<f64>().sqrt(),
        blocks: blocks.iter().map(|((_, name), modules)| total(name, modules)).collect(),
    })
}

fn total(name: &str, modules: &[Module]) -> Block {
    let square: f64 = modules.iter().map(|module| module.square).sum();
    let weights: usize = modules.iter().map(|module| module.weights).sum();
    Block {
        name: name.to_owned(),
        modules: modules.len() as u64,
        rank: modules.iter().map(|module| module.rank as u64).max().unwrap_or(0),
        norm: square.sqrt(),
        per_weight: (square / weights.max(1) as f64).sqrt(),
    }
}

fn module(tensors: &SafeTensors<'_>, name: &str) -> Option<Module> {
    let part = |part: &str| tensors.tensor(&format!("{name}.{part}")).ok().filter(|view| view.dtype() == Dtype::F32);
    let (down, up) = (part("lora_down.weight")?, part("lora_up.weight")?);
    let rank = *down.shape().first().filter(|rank| **rank > 0)?;
    let (down, up) = (numbers(down.data()), numbers(up.data()));
    if down.is_empty() || up.is_empty() || up.len() % rank != 0 {
        return None;
    }
    let alpha =
        part("alpha").map_or(Some(rank as f64), |alpha| numbers(alpha.data()).first().copied().map(f64::from))?;
    let scale = alpha / rank as f64;
    let parameters = down.len() + up.len();
    let weights = (down.len() / rank) * (up.len() / rank);
    Some(Module { rank, alpha, parameters, weights, square: scale * scale * norm::square(&down, &up, rank) })
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

/// The block of a module, and its place among the others.
fn block(module: &str) -> (usize, String) {
    if let Some(rest) = module.strip_prefix("lora_te") {
        let number = rest.chars().take_while(char::is_ascii_digit).collect::<String>();
        return (6, format!("text encoder {number}").trim_end().to_owned());
    }
    let path = module.strip_prefix("lora_unet_").unwrap_or(module);
    for (place, name) in [(1, "down_blocks"), (3, "up_blocks"), (1, "input_blocks"), (3, "output_blocks")] {
        if let Some(rest) = path.strip_prefix(name).and_then(|rest| rest.strip_prefix('_')) {
            let number = rest.split('_').next().unwrap_or_default();
            // So that the tenth comes after the second.
            return (place, format!("{name}.{number}"));
        }
    }
    match path.split_once("_block_") {
        Some((name @ ("mid" | "middle"), _)) => (2, format!("{name}_block")),
        _ => (if path.starts_with("conv_in") || path.contains("embed") { 0 } else { 5 }, ends(path)),
    }
}

/// What is in no block: the part of its name that says what it is.
fn ends(path: &str) -> String {
    let known = ["conv_in", "conv_out", "time_embedding", "add_embedding"];
    known.iter().find(|name| path.starts_with(**name)).map_or_else(|| "other".to_owned(), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name)).unwrap()
    }

    /// Holds every block of a file to what Python computed.
    fn held_to_reference(file: &str, case: &str) -> Lora {
        let found = lora(&fixture(file)).unwrap();
        let reference: Value = serde_json::from_slice(&fixture("lora_norms.json")).unwrap();
        let reference = reference[case].as_object().unwrap();
        assert_eq!(found.blocks.len(), reference.len());
        for block in &found.blocks {
            let expected = &reference[&block.name];
            assert_eq!(expected["modules"], block.modules, "{}", block.name);
            assert_eq!(expected["rank"], block.rank, "{}", block.name);
            for (name, own) in [("norm", block.norm), ("per_weight", block.per_weight)] {
                let of = expected[name].as_f64().unwrap();
                assert!((own - of).abs() <= 1e-6 * of, "{} {name}: {own} is not {of}", block.name);
            }
        }
        let square: f64 = found.blocks.iter().map(|block| block.norm.powi(2)).sum();
        assert!((found.norm.powi(2) - square).abs() < 1e-9 * square);
        found
    }

    #[test]
    fn norms_are_those_of_peft() {
        let found = held_to_reference("lora_kohya.safetensors", "digits");
        assert_eq!((found.modules, found.ranks, found.alphas), (30, [2, 2], [3.0, 3.0]));
    }

    #[test]
    fn every_module_has_its_block_rank_and_alpha() {
        let found = held_to_reference("lora_norms.safetensors", "mixed");
        assert_eq!((found.modules, found.ranks, found.alphas), (10, [1, 5], [0.5, 8.0]));
        let names: Vec<&str> = found.blocks.iter().map(|block| block.name.as_str()).collect();
        let expected = [
            "conv_in",
            "time_embedding",
            "down_blocks.1",
            "input_blocks.11",
            "mid_block",
            "up_blocks.0",
            "other",
            "text encoder 1",
            "text encoder 2",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_is_no_such_file_says_nothing() {
        assert_eq!(lora(b"no file"), None);
        assert_eq!(
            lora(&safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap()),
            None
        );
    }
}
