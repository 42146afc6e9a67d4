//! LoRAs of text encoders against diffusers' pipelines: fixtures by tests/parity/text_loras.py. What the script opens lies in
//! `target/tmp/exported_text`.

use crate::lora_spellings::{Described, write_described};
use crate::support::{assert_within, fixtures, lora_weight, relative_difference};
use crate::text_encoders;
use flate2::read::GzDecoder;
use hyper_flow_diffusion::lora::{
    Lora, LoraTarget, TextTower, concat, read_kohya, read_kohya_flat, read_kohya_unet, read_lora, write_kohya,
    write_peft,
};
use hyper_flow_diffusion::weights::{Entry, WeightFile, read_tensors, write_tensors};
use hyper_flow_diffusion::{Conditions, TextEncoders, TimeIds};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use tch::{Device, Kind, Tensor};

const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Case {
    model: String,
    tensors: BTreeMap<String, Described>,
    metadata: Option<BTreeMap<String, String>>,
    alpha: Option<f64>,
}

#[derive(Deserialize)]
struct Fixture {
    prompts: Vec<String>,
    cases: BTreeMap<String, Case>,
}

fn fixture() -> Fixture {
    let file = File::open(fixtures().join("text_loras.json.gz")).unwrap();
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
}

impl Case {
    fn read(&self, model: &Path, folder: &Path) -> Lora {
        let path = folder.join("lora.safetensors");
        let said = self.metadata.as_ref().and_then(|texts| texts.iter().next());
        write_described(&path, &self.tensors, said.map(|(name, text)| Entry { name, text }));
        read_lora(&path, &TextEncoders::lora_modules(model).unwrap(), self.alpha, Device::Cpu).unwrap()
    }
}

/// What a model's text encoders give for prompts with a LoRA.
fn encoded(model: &Path, lora: &Lora, prompts: &[String]) -> BTreeMap<&'static str, Tensor> {
    let encoders = TextEncoders::load(model, Kind::Float, Device::Cpu).unwrap();
    encoders.fuse(lora, 1.0).unwrap();
    let Conditions { text, added } = encoders.encode(prompts, TimeIds::square(1024)).unwrap();
    let pooled = added.map(|added| ("pooled", added.text_embeds));
    std::iter::once(("text", text)).chain(pooled).collect()
}

#[test]
fn prompts_give_what_the_pipelines_give_with_them() {
    let Fixture { prompts, cases } = fixture();
    let reference = read_tensors(&fixtures().join("text_loras.safetensors"), Kind::Float, Device::Cpu).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(cases.len(), 15);
    for (name, case) in &cases {
        let model = text_encoders::folder_of(&case.model);
        let ours = encoded(model.path(), &case.read(model.path(), folder.path()), &prompts);
        let plain = encoded(model.path(), &Lora::default(), &prompts);
        assert_eq!(ours.len(), 1 + usize::from(case.model == "sdxl"), "{name}");
        for (what, ours) in ours {
            let what_of = format!("{name}.{what}");
            assert_within(TOLERANCE, &what_of, &ours, &reference[&what_of]);
            assert!(relative_difference(&plain[what], &ours) > 0.1, "{what_of} is as without the LoRA");
        }
    }
}

/// A LoRA of all modules of the text encoders, one of them of a rank of its own, and one module of the UNet.
fn whole(model: &Path) -> Lora {
    let path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q".to_owned();
    let modules = [TextEncoders::lora_modules(model).unwrap(), vec![LoraTarget { path, shape: vec![8, 8] }]].concat();
    let mut lora = Lora::new(&modules[1..], 3, 4.5, 0).0.requires_grad(false);
    lora.layers.extend(Lora::new(&modules[..1], 2, 1.0, 0).0.requires_grad(false).layers);
    for (path, layer) in &mut lora.layers {
        layer.up = lora_weight(path, "up", &layer.up.size()) * 0.3;
    }
    lora
}

fn modules(model: &Path, lora: &Lora) -> Vec<LoraTarget> {
    let unet = lora.unet().layers.into_iter().map(|(path, l)| LoraTarget { path, shape: l.weight_shape() });
    TextEncoders::lora_modules(model).unwrap().into_iter().chain(unet).collect()
}

fn same(one: &Lora, other: &Lora) {
    assert!(one.layers.keys().eq(other.layers.keys()));
    for (path, layer) in &one.layers {
        assert!(relative_difference(&other.layers[path].delta(), &layer.delta()) < 1e-6, "{path}");
    }
}

/// Also for the script, which opens what is written here.
#[test]
fn files_keep_them() {
    for (name, towers) in [("sd15", vec!["lora_te_"]), ("sdxl", vec!["lora_te1_", "lora_te2_"])] {
        let model = text_encoders::folder_of(name);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exported_text").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let [kohya, peft] = ["kohya.safetensors", "peft.safetensors"].map(|file| folder.join(file));
        let lora = whole(model.path());
        let modules = modules(model.path(), &lora);
        for lora in [&lora, &lora.uniform()] {
            write_kohya(lora, &kohya).unwrap();
            write_peft(lora, &peft).unwrap();
            same(lora, &read_kohya(&kohya, &modules, Device::Cpu).unwrap());
            same(lora, &read_lora(&kohya, &modules, None, Device::Cpu).unwrap());
            same(lora, &read_lora(&peft, &modules, None, Device::Cpu).unwrap());
        }
        // What is merged without a model has the names that it had.
        let flat = concat(&[(&read_kohya_flat(&kohya, Device::Cpu).unwrap(), 0.5)]).unwrap();
        write_kohya(&flat, &kohya).unwrap();
        same(&concat(&[(&lora, 0.5)]).unwrap(), &read_kohya(&kohya, &modules, Device::Cpu).unwrap());
        // A UNet alone.
        let (unet, text) = read_kohya_unet(&kohya, &modules[modules.len() - 1..], Device::Cpu).unwrap();
        assert_eq!((unet.layers.len(), unet.text_modules()), (1, 0));
        assert_eq!(text, [format!("{} modules of text encoders", lora.text_modules())]);

        write_kohya(&lora.uniform(), &kohya).unwrap();
        let file = WeightFile::open(&kohya).unwrap();
        for tower in towers {
            assert!(file.keys().any(|key| key.starts_with(tower)), "{tower}");
        }
        let prompts = fixture().prompts;
        let outputs = encoded(model.path(), &lora, &prompts).into_iter().map(|(what, t)| (what.to_owned(), t));
        write_tensors(&folder.join("outputs.safetensors"), &outputs.collect(), None).unwrap();
    }
}

#[test]
fn a_lora_is_cut_by_whom_it_is_for() {
    let model = text_encoders::folder_of("sdxl");
    let lora = whole(model.path());
    assert_eq!(TextTower::ALL.map(|tower| lora.text(tower).layers.len()), [0, 18, 13]);
    assert!(lora.text(TextTower::Second).layers.contains_key("text_projection"));
    assert_eq!((lora.unet().layers.len(), lora.text_modules(), lora.layers.len()), (1, 31, 32));
    // One for another model.
    let other = text_encoders::folder_of("sd15");
    let path = tempfile::NamedTempFile::new().unwrap();
    write_kohya(&lora, path.path()).unwrap();
    let modules = modules(other.path(), &lora);
    let error = read_lora(path.path(), &modules, None, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("39 left over: lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha"), "{error}");
}
