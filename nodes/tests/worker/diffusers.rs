//! Models of this machine: folders, and checkpoints in one file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use hyper_flow_diffusion::clip::ClipTokenizer;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use hyper_flow_spec::Level;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::chain::{over, sample, teacher};
use crate::lab::{Files, Work, assert_same};

fn import(folder: &Path, variant: Option<&str>) -> Work {
    Work::new("Diffusers", json!({"path": "path", "variant": variant})).file("path", folder)
}

/// The teacher, with its weights called otherwise.
fn renamed(from: &str, to: &str) -> TempDir {
    let folder = copy(teacher());
    fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    folder
}

#[test]
fn a_model_of_here_comes_through_unchanged() {
    let own = import(teacher(), None);
    assert_same("the model", &own.artifact(), &import(teacher(), None).artifact());
    sample(json!({})).input("model", &own.job.output).run().succeeded();
}

#[test]
fn a_variant_loses_its_name_and_what_is_not_needed_stays_behind() {
    let plain = import(teacher(), None).artifact();
    let weights = "unet/diffusion_pytorch_model";
    let folder = renamed(&format!("{weights}.safetensors"), &format!("{weights}.fp16.safetensors"));
    fs::write(folder.path().join("unet/diffusion_pytorch_model.bin"), "pickle").unwrap();
    fs::create_dir(folder.path().join("safety_checker")).unwrap();
    fs::write(folder.path().join("safety_checker/model.safetensors"), "large").unwrap();
    assert_same("the model", &import(folder.path(), Some("fp16")).artifact(), &plain);
    let message = import(folder.path(), None).failure();
    assert_eq!(
        message,
        "read <path>/unet/diffusion_pytorch_model.safetensors: there is only diffusion_pytorch_model.fp16.safetensors: \
         choose the `variant`"
    );
}

#[test]
fn a_folder_of_something_else_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let message = import(folder.path(), None).failure();
    assert_eq!(message, "<path>: has no model_index.json, so it is no diffusers folder");
    let folder = copy(teacher());
    let index = folder.path().join("model_index.json");
    fs::write(&index, fs::read_to_string(&index).unwrap().replace("\"CLIPTextModel\"", "\"T5EncoderModel\"")).unwrap();
    let message = import(folder.path(), None).failure();
    assert!(message.contains("T5EncoderModel"), "{message}");
}

/// A tiny checkpoint in one file with random weights, and a folder of its configurations and tokenizers.
struct Checkpoint {
    folder: TempDir,
}

impl Checkpoint {
    fn new(family: &str) -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures/single_file_tiny.json.gz");
        let fixture: Value = serde_json::from_reader(GzDecoder::new(fs::File::open(fixture).unwrap())).unwrap();
        let keys: BTreeMap<String, Vec<i64>> = serde_json::from_value(fixture[family]["keys"].clone()).unwrap();
        let random = |(key, shape): (String, Vec<i64>)| {
            let values = Rng::at(1, &key, 0).uniform(-0.2, 0.2, &shape, (Kind::Float, Device::Cpu));
            let shift = f64::from(u8::from(shape.len() == 1 && key.ends_with("weight")));
            (key, values + shift)
        };
        let folder = tempfile::tempdir().unwrap();
        write_tensors(&folder.path().join("model.safetensors"), &keys.into_iter().map(random).collect(), None).unwrap();
        let write = |path: &str, value: &Value| {
            let path = folder.path().join("config").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value.to_string()).unwrap();
        };
        for (part, config) in fixture[family]["configs"].as_object().unwrap() {
            write(&format!("{part}/config.json"), config);
        }
        let scheduler = json!({
            "_class_name": "DDIMScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
            "clip_sample": false,
        });
        write("scheduler/scheduler_config.json", &scheduler);
        let tokenizer = ClipTokenizer::train(&["a red fox"], 0, 16).unwrap();
        for name in ["tokenizer", "tokenizer_2"] {
            tokenizer.write(&folder.path().join("config").join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, path: &Path, changes: Value) -> Work {
        let base = json!({"path": "path", "config": "config"});
        Work::new("Diffusers", over(base, changes)).file("path", path).file("config", &self.path("config"))
    }

    fn artifact(&self) -> Files {
        self.import(&self.path("model.safetensors"), json!({})).artifact()
    }
}

#[test]
fn a_checkpoint_in_one_file_becomes_a_folder_that_draws() {
    for family in ["sd15", "sd21", "sdxl"] {
        let checkpoint = Checkpoint::new(family);
        let work = checkpoint.import(&checkpoint.path("model.safetensors"), json!({"prediction": "V"}));
        let ended = work.run();
        let told = ended.succeeded().messages(Level::Info);
        assert!(told[0].contains("; predicts v; the only weights (no model_ema); unet F32, "), "{told:?}");
        let files = work.files();
        assert!(String::from_utf8_lossy(&files["scheduler/scheduler_config.json"]).contains("v_prediction"));
        assert_eq!(files.contains_key("text_encoder_2/model.safetensors"), family == "sdxl");
        let params = json!({"model": "model", "prompts": ["a red fox"], "steps": 1, "size": 16});
        Work::new("Sample", params).input("model", &work.job.output).artifact();
        // Canonical already: a second import changes nothing.
        assert_same(family, &import(&work.job.output, None).artifact(), &files);
    }
}

#[test]
fn a_folder_of_one_checkpoint_is_the_checkpoint() {
    let checkpoint = Checkpoint::new("sd15");
    let folder = checkpoint.path("alone");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("README.md"), "a model").unwrap();
    fs::copy(checkpoint.path("model.safetensors"), folder.join("model.safetensors")).unwrap();
    assert_same("alone", &checkpoint.import(&folder, json!({})).artifact(), &checkpoint.artifact());
    fs::copy(folder.join("model.safetensors"), folder.join("other.safetensors")).unwrap();
    let message = checkpoint.import(&folder, json!({})).failure();
    assert_eq!(message, "<path>: has no model_index.json, so it is no diffusers folder");
}

#[test]
fn parameters_of_the_other_form_are_refused() {
    let checkpoint = Checkpoint::new("sd15");
    let message = checkpoint.import(&checkpoint.path("model.safetensors"), json!({"variant": "fp16"})).failure();
    assert_eq!(message, "<path>: is a checkpoint in one file, which has no variants: leave `variant` out");
    let message = checkpoint.import(teacher(), json!({})).failure();
    assert_eq!(message, "<path>: is a diffusers folder, which has its own: leave `config` out");
    let predicting = json!({"path": "path", "prediction": "V"});
    let message = Work::new("Diffusers", predicting).file("path", teacher()).failure();
    assert_eq!(
        message,
        "<path>: is a diffusers folder, which has its own: leave `prediction` out; if what it says is wrong, edit \
         \"prediction_type\" in its scheduler/scheduler_config.json"
    );
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_another_model_leaves_nothing() {
    let checkpoint = Checkpoint::new("sd15");
    let path = checkpoint.path("model.safetensors");
    let whole = fs::read(&path).unwrap();
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let work = checkpoint.import(&path, json!({}));
        let message = work.failure();
        assert!(work.files().is_empty(), "{message}");
        message
    };
    assert!(message(&whole[..whole.len() - 1]).starts_with("<path>: the header promises"));
    assert!(message(&[&whole[..], b"\n"].concat()).starts_with("<path>: 1 bytes follow the last tensor"));
    assert!(message(b"PK\x03\x04").contains("python3 tests/parity/convert_pickle.py <path>"));
    fs::write(&path, &whole).unwrap();
    let changed = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        fs::write(&path, &whole).unwrap();
        let mut tensors = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
        change(&mut tensors);
        write_tensors(&path, &tensors, None).unwrap();
        message(&fs::read(&path).unwrap())
    };
    let extra = changed(&|tensors| _ = tensors.insert("extra".into(), Tensor::from(1f32)));
    assert_eq!(extra, "<path>: keys do not fit: 1 left over: extra");
    let no_vae = changed(&|tensors| tensors.retain(|key, _| !key.starts_with("first_stage_model.")));
    assert!(no_vae.starts_with("<path>: it has no VAE"), "{no_vae}");
    let conv_in = "model.diffusion_model.input_blocks.0.0.weight";
    let inpainting = changed(&|tensors| {
        tensors.insert(conv_in.into(), Tensor::zeros([4, 9, 3, 3], (Kind::Float, Device::Cpu)));
    });
    assert!(inpainting.contains("an inpainting model (9 input channels)"), "{inpainting}");
}
