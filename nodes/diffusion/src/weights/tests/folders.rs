//! Folders as diffusers and transformers write them (tests/parity/weights.py).

use super::*;
use crate::clip::{self, ClipTextModelWithProjection};
use tempfile::TempDir;

pub(super) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/fixtures/weights")
}

fn copy(folder: &str) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixtures().join(folder)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

fn find(folder: &Path, stem: &str, variant: Option<&str>) -> Result<Weights, E> {
    find_weights(folder, stem, variant)
}

fn message(folder: &TempDir, stem: &str, variant: Option<&str>) -> String {
    let error = find(folder.path(), stem, variant).unwrap_err();
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

const UNET: &str = "diffusion_pytorch_model";
const INDEX: &str = "diffusion_pytorch_model.safetensors.index.json";
const SHARDS: [&str; 3] = [
    "diffusion_pytorch_model-00001-of-00003.safetensors",
    "diffusion_pytorch_model-00002-of-00003.safetensors",
    "diffusion_pytorch_model-00003-of-00003.safetensors",
];

/// A folder whose index says something else.
fn with_index(change: impl Fn(&str) -> String) -> TempDir {
    let folder = copy("unet/sharded");
    let path = folder.path().join(INDEX);
    fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
    folder
}

#[test]
fn shards_and_variants_hold_the_same_numbers() {
    for (model, stem, count) in [("unet", UNET, 206), ("text", "model", 37)] {
        let whole = find(&fixtures().join(model).join("sharded"), stem, None).unwrap();
        let half = find(&fixtures().join(model).join("sharded_fp16"), stem, Some("fp16")).unwrap();
        assert_eq!(whole.keys().count(), count, "{model}");
        assert!(whole.keys().eq(half.keys()));
        for key in whole.keys() {
            let expected = whole.tensor(key, Kind::Float, CPU).unwrap();
            assert_eq!(whole.shape(key).unwrap(), expected.size());
            let found = half.tensor(key, Kind::Float, CPU).unwrap();
            assert_eq!(found, expected.to_kind(Kind::Half).to_kind(Kind::Float), "{key}");
        }
    }
}

#[test]
fn a_model_is_loaded_from_shards() {
    let folder = fixtures().join("text/sharded");
    let (vs, ..) = clip::load::<ClipTextModelWithProjection>(&folder, Kind::Float, CPU).unwrap();
    let weights = find(&folder, "model", None).unwrap();
    for (name, variable) in vs.variables() {
        assert_eq!(variable, weights.tensor(&name, Kind::Float, CPU).unwrap(), "{name}");
    }
}

#[test]
fn a_single_file_of_a_variant() {
    let folder = fixtures().join("text/fp16");
    let weights = find(&folder, "model", Some("fp16")).unwrap();
    assert_eq!(weights.tensor("text_projection.weight", Kind::Half, CPU).unwrap().kind(), Kind::Half);
    let error = find(&folder, "model", None).unwrap_err().to_string();
    assert!(
        error.ends_with("model.safetensors: there is only model.fp16.safetensors: choose the `variant`"),
        "{error}"
    );
    let error = find(&folder, "model", Some("bf16")).unwrap_err().to_string();
    assert!(error.contains("model.bf16.safetensors: there is only model.fp16.safetensors"), "{error}");
}

#[test]
fn every_name_of_an_index_is_known() {
    for name in ["safetensors.index.fp16.json", "safetensors.fp16.index.json", "fp16.safetensors.index.json"] {
        let folder = copy("text/sharded_fp16");
        let at = |name: &str| folder.path().join(format!("model.{name}"));
        fs::rename(at("safetensors.index.fp16.json"), at(name)).unwrap();
        assert_eq!(find(folder.path(), "model", Some("fp16")).unwrap().path(), at(name));
    }
}

#[test]
fn shards_that_are_missing_are_named() {
    let folder = copy("unet/sharded");
    for shard in &SHARDS[1..] {
        fs::remove_file(folder.path().join(shard)).unwrap();
    }
    let expected = format!("{INDEX}: 2 of 3 shards are missing: {}, {}", SHARDS[1], SHARDS[2]);
    assert_eq!(message(&folder, UNET, None), expected);
}

#[test]
fn a_shard_that_is_cut_is_named() {
    let folder = copy("unet/sharded");
    let path = folder.path().join(SHARDS[1]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    let message = message(&folder, UNET, None);
    assert!(message.starts_with(SHARDS[1]) && message.ends_with("truncated or damaged"), "{message}");
}

#[test]
fn index_and_shards_must_agree() {
    let entry = |key: &str, shard: &str| format!(r#""{key}": "{shard}""#);
    let bias = |shard: &str| entry("conv_in.bias", shard);
    for (from, to, problem) in [
        (bias(SHARDS[0]), bias(SHARDS[2]), format!("conv_in.bias is in {} and should be in {}", SHARDS[0], SHARDS[2])),
        (bias(SHARDS[0]), entry("x", SHARDS[0]), "x is in no shard and should be in".into()),
        (bias(SHARDS[0]), entry("x", SHARDS[0]), format!("conv_in.bias is in {} and should be in nowhere", SHARDS[0])),
        (bias(SHARDS[0]), [bias(SHARDS[0]), bias(SHARDS[0])].join(","), "the key conv_in.bias is there twice".into()),
        (bias(SHARDS[0]), bias("../x.safetensors"), "shards must lie beside it, and ../x.safetensors would not".into()),
        (bias(SHARDS[0]), bias("/etc/x.safetensors"), "beside it, and /etc/x.safetensors would not".into()),
        (bias(SHARDS[0]), bias("."), "beside it, and . would not".into()),
        (bias(SHARDS[0]), bias("a/b.safetensors"), "beside it, and a/b.safetensors would not".into()),
        (bias(SHARDS[0]), bias(""), "beside it, and  would not".into()),
        (bias(SHARDS[0]), entry("conv_in.bias", "x.safetensors"), "1 of 4 shards are missing: x.safetensors".into()),
        ("weight_map".into(), "weights".into(), "missing field `weight_map`".into()),
        ("{".into(), "[".into(), "at line".into()),
    ] {
        let folder = with_index(|text| text.replacen(&from, &to, 1));
        let message = message(&folder, UNET, None);
        assert!(message.starts_with(&format!("{INDEX}: ")) && message.contains(&problem), "{message}");
    }
    let nothing = with_index(|_| r#"{"weight_map": {}}"#.into());
    assert_eq!(message(&nothing, UNET, None), format!("{INDEX}: it names no file"));
}

#[test]
fn a_key_in_two_shards_is_refused() {
    let folder = copy("unet/sharded");
    let path = folder.path().join(SHARDS[2]);
    let mut tensors = read_tensors(&path, Kind::Float, CPU).unwrap();
    tensors.insert("conv_in.bias".into(), ones(&[4]));
    write_tensors(&path, &tensors, None).unwrap();
    let problem = format!("conv_in.bias is in {} and {} and should be in {}", SHARDS[0], SHARDS[2], SHARDS[0]);
    let message = message(&folder, UNET, None);
    assert!(message.ends_with(&problem), "{message}");
}

#[test]
fn a_file_beside_an_index_is_refused() {
    let folder = copy("unet/sharded");
    write_tensors(&folder.path().join(format!("{UNET}.safetensors")), &BTreeMap::new(), None).unwrap();
    let message = message(&folder, UNET, None);
    assert!(
        message.ends_with(&format!("{UNET}.safetensors is there, too: remove the one that is not meant")),
        "{message}"
    );
}

#[test]
fn a_pickle_where_safetensors_should_be_is_named_with_its_conversion() {
    let folder = tempfile::tempdir().unwrap();
    assert!(message(&folder, "model", None).starts_with("read model.safetensors: "));
    fs::write(folder.path().join("pytorch_model.bin"), b"PK\x03\x04").unwrap();
    let said = message(&folder, "model", None);
    let command = "python3 tests/parity/convert_pickle.py pytorch_model.bin model.safetensors";
    assert!(said.starts_with("pytorch_model.bin: a Python pickle") && said.ends_with(command), "{said}");
    for more in ["pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"] {
        fs::write(folder.path().join(more), b"PK\x03\x04").unwrap();
    }
    let said = message(&folder, "model", None);
    assert!(said.ends_with("convert_pickle.py pytorch_model.bin.index.json model.safetensors"), "{said}");
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("optimizer.pt"), b"PK\x03\x04").unwrap();
    assert!(message(&other, "model", None).starts_with("read model.safetensors: "));
    let absent = folder.path().join("absent");
    assert!(matches!(find(&absent, "model", None), Err(E::Io { action: "read", .. })));
}

#[test]
fn pickled_shards_are_converted_by_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let index = r#"{"weight_map": {"a": "pytorch_model-00001-of-00001.bin"}}"#;
    fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    let command = "convert_pickle.py model.safetensors.index.json model.safetensors";
    let said = message(&folder, "model", None);
    assert!(said.ends_with(command), "{said}");
}

#[test]
fn old_names_of_a_vae_are_its_new_ones() {
    for (old, new) in [
        ("encoder.mid_block.attentions.0.query.weight", "encoder.mid_block.attentions.0.to_q.weight"),
        ("decoder.mid_block.attentions.0.key.bias", "decoder.mid_block.attentions.0.to_k.bias"),
        ("decoder.mid_block.attentions.0.value.bias", "decoder.mid_block.attentions.0.to_v.bias"),
        ("decoder.mid_block.attentions.0.proj_attn.weight", "decoder.mid_block.attentions.0.to_out.0.weight"),
        ("decoder.mid_block.attentions.0.to_q.weight", "decoder.mid_block.attentions.0.to_q.weight"),
        ("decoder.conv_in.weight", "decoder.conv_in.weight"),
    ] {
        assert_eq!(vae_name(old), new);
    }
}

#[test]
fn two_keys_of_one_name_are_refused() {
    let file = saved(|tensors| _ = tensors.insert("text_proj.bias".into(), ones(&[2])));
    let weights = Weights::open(file.path()).unwrap();
    let error = load_pretrained(&model(), &weights, |key| Some(key.replace("text_", "text."))).unwrap_err();
    assert!(error.to_string().ends_with("keys do not fit: 1 left over: text_proj.bias"), "{error}");
}
