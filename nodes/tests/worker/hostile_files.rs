//! Weight files that are damaged, made up or something else, where a node reads one: one message that names the file and
//! says what is wrong with it, no panic, and nothing of an artifact.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use serde_json::json;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

use crate::bad_inputs::copy;
use crate::lab::Work;
use crate::stable_diffusion::write_lora;
use crate::tiny_models::{Family, Tiny};

/// Every file of weights that `Sample` reads: the port, and the path.
const FILES: [(&str, &str); 5] = [
    ("model", "unet/diffusion_pytorch_model.safetensors"),
    ("model", "vae/diffusion_pytorch_model.safetensors"),
    ("model", "text_encoder/model.safetensors"),
    ("model", "text_encoder_2/model.safetensors"),
    ("lora", "lora.safetensors"),
];

/// A model with two text encoders and a VAE, and a LoRA of it.
struct Good {
    model: TempDir,
    lora: TempDir,
}

impl Good {
    fn new() -> Self {
        let (tiny, lora) = (Tiny::new(Family::Sdxl), tempfile::tempdir().unwrap());
        write_lora(&tiny, &lora.path().join("lora.safetensors"));
        let model = tiny.folder();
        Self { model, lora }
    }

    fn sample(&self) -> Work {
        let params = json!({"model": "model", "lora": "lora", "prompts": ["a red fox"], "steps": 1, "size": 16});
        Work::new("Sample", params).input("model", self.model.path()).input("lora", self.lora.path())
    }

    /// What is said when one file is changed.
    fn message(&self, (port, file): (&str, &str), damage: impl Fn(&Path)) -> String {
        let folder = copy(if port == "model" { self.model.path() } else { self.lora.path() });
        damage(&folder.path().join(file));
        let work = self.sample().input(port, folder.path());
        let message = work.failure();
        assert!(work.files().is_empty(), "{file}: {message}");
        message
    }
}

fn change(path: &Path, change: impl FnOnce(&mut BTreeMap<String, Tensor>)) {
    let mut tensors = read_tensors(path, Kind::Float, Device::Cpu).unwrap();
    change(&mut tensors);
    write_tensors(path, &tensors, None).unwrap();
}

fn with_header(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat()
}

#[test]
fn the_good_ones_are_good() {
    Good::new().sample().artifact();
}

#[test]
fn a_key_too_few_one_too_many_and_another_shape() {
    let good = Good::new();
    for (port, file) in FILES {
        let at = |path: &Path| read_tensors(path, Kind::Float, Device::Cpu).unwrap();
        let keys = at(&if port == "model" { good.model.path() } else { good.lora.path() }.join(file));
        let first = keys.keys().find(|key| !key.ends_with("alpha")).unwrap();
        let said = good.message((port, file), |path| change(path, |tensors| _ = tensors.remove(first)));
        assert_eq!(said, format!("<{port}>/{file}: keys do not fit: 1 missing: {first}"));
        let extra = Tensor::from(1f32);
        let said = good.message((port, file), |path| {
            change(path, |tensors| _ = tensors.insert("extra".into(), extra.shallow_clone()));
        });
        assert_eq!(said, format!("<{port}>/{file}: keys do not fit: 1 left over: extra"));
        let said = good.message((port, file), |path| {
            change(path, |tensors| {
                _ = tensors.insert(first.clone(), Tensor::zeros([3, 7], (Kind::Float, Device::Cpu)))
            });
        });
        assert!(said.contains("[3, 7] where the model has") || said.starts_with("lora: "), "{file}: {said}");
    }
}

#[test]
fn files_that_end_too_early_or_are_empty() {
    let good = Good::new();
    for (port, file) in FILES {
        let said = good.message((port, file), |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 3]).unwrap();
        });
        assert!(said.starts_with(&format!("<{port}>/{file}: the header promises")), "{said}");
        let said = good.message((port, file), |path| fs::write(path, "").unwrap());
        assert_eq!(said, format!("<{port}>/{file}: not a safetensors file (shorter than a header)"));
    }
}

#[test]
fn headers_that_lie() {
    let good = Good::new();
    let entry = |key: &str, shape: &str, offsets: &str| {
        format!(r#""{key}":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}"#)
    };
    let headers = [
        (format!("{{{}}}", entry("a", "[4611686018427387904,4]", "[0,8]")), "a has the shape"),
        (format!("{{{}}}", entry("a", "[2]", "[0,18446744073709551615]")), "invalid shape, data type, or offset"),
        (format!("{{{}}}", entry("a", "[1]", "[4,8]")), "invalid offset"),
        (format!("{{{},{}}}", entry("a", "[1]", "[0,4]"), entry("b", "[1]", "[2,6]")), "invalid offset"),
        (format!("{{{},{}}}", entry("a", "[1]", "[0,4]"), entry("a", "[1]", "[4,8]")), "the key a is there twice"),
        (format!("{{\"a\":{}", "[".repeat(10_000)), "expected value"),
    ];
    // All files are read by one reader, whose own tests have every case.
    for ((header, reason), (port, file)) in headers.iter().zip(FILES.iter().cycle()) {
        let said = good.message((port, file), |path| fs::write(path, with_header(header)).unwrap());
        assert!(said.starts_with(&format!("<{port}>/{file}: not a safetensors file (")), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let said = good.message(FILES[1], |path| fs::write(path, &huge).unwrap());
    assert!(said.ends_with("(a header of 18446744073709551615 bytes)"), "{said}");
}

#[test]
fn other_kinds_of_files() {
    let good = Good::new();
    let kinds = [
        (&b"PK\x03\x04\0\0\x08\x08\0\0\0\0"[..], "a Python pickle, which can run any program when it is opened"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-lfs pointer"),
        (b"<!doctype html><title>404</title>", "a web page"),
    ];
    for ((bytes, reason), (port, file)) in kinds.iter().zip(FILES.iter().rev()) {
        let said = good.message((port, file), |path| fs::write(path, bytes).unwrap());
        assert!(said.starts_with(&format!("<{port}>/{file}: ")) && said.contains(reason), "{said}");
    }
    let said = good.message(FILES[2], |path| fs::rename(path, path.with_file_name("pytorch_model.bin")).unwrap());
    let command = "python3 tests/parity/convert_pickle.py <model>/text_encoder/pytorch_model.bin <model>/text_encoder/model.safetensors";
    assert!(said.starts_with("<model>/text_encoder/pytorch_model.bin: a Python pickle"), "{said}");
    assert!(said.ends_with(command), "{said}");
}

/// The UNet's file as two shards with an index.
fn shard(path: &Path) {
    let tensors = read_tensors(path, Kind::Float, Device::Cpu).unwrap();
    fs::remove_file(path).unwrap();
    let mut map = serde_json::Map::new();
    for (i, name) in ["a.safetensors", "b.safetensors"].into_iter().enumerate() {
        let part = tensors.iter().filter(|(key, _)| key.len() % 2 == i);
        let part: BTreeMap<_, _> = part.map(|(key, tensor)| (key.clone(), tensor.shallow_clone())).collect();
        map.extend(part.keys().map(|key| (key.clone(), json!(name))));
        write_tensors(&path.with_file_name(name), &part, None).unwrap();
    }
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    fs::write(index_of(path), index.to_string()).unwrap();
}

fn index_of(path: &Path) -> std::path::PathBuf {
    path.with_extension("safetensors.index.json")
}

#[test]
fn shards() {
    let good = Good::new();
    let whole = good.sample().artifact();
    let folder = copy(good.model.path());
    shard(&folder.path().join(FILES[0].1));
    let sharded = good.sample().input("model", folder.path()).artifact();
    assert_eq!(whole["0000.png"], sharded["0000.png"]);
    let index = "<model>/unet/diffusion_pytorch_model.safetensors.index.json";
    let said = good.message(FILES[0], |path| {
        shard(path);
        fs::remove_file(path.with_file_name("b.safetensors")).unwrap();
    });
    assert_eq!(said, format!("{index}: 1 of 2 shards are missing: b.safetensors"));
    let said = good.message(FILES[0], |path| {
        shard(path);
        let text = fs::read_to_string(index_of(path)).unwrap();
        fs::write(index_of(path), text.replace("b.safetensors", "../vae/b.safetensors")).unwrap();
    });
    assert_eq!(said, format!("{index}: shards must lie beside it, and ../vae/b.safetensors would not"));
    let said = good.message(FILES[0], |path| {
        shard(path);
        fs::write(index_of(path), "{\"weight_map\": {\"a\": 1}}").unwrap();
    });
    assert!(said.starts_with(&format!("{index}: invalid type: integer `1`")), "{said}");
}
