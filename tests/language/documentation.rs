//! What the language says of itself, and the pipelines that ship.

use std::path::{Path, PathBuf};

use hyper_flow::pipeline::{KindDescription, Overrides, json_schema, load};
use hyper_flow_spec::Kind;

use crate::support::{DIGITS, Folder};

/// What users bring to the pipelines of Stable Diffusion.
const BROUGHT: [&str; 5] = [
    "cutouts",
    "models/ImageReward.safetensors",
    "models/clip-vit-base-patch32",
    "models/sac+logos+ava1-l14-linearMSE.safetensors",
    "pictures",
];

#[test]
fn every_pipeline_that_ships_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let data = ["data/digits.csv.gz", "data/emoji"];
    for file in BROUGHT.iter().chain(&data).map(|name| folder.path().join(name)) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
    }
    for path in shipped() {
        let copy = folder.path().join(path.file_name().unwrap());
        std::fs::copy(&path, &copy).unwrap();
        let pipeline = load(&copy, &Overrides::default()).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert!(!pipeline.nodes.is_empty() && pipeline.warnings.is_empty(), "{}", path.display());
    }
}

#[test]
fn what_a_pipeline_wants_brought_is_told_at_once() {
    for path in shipped().into_iter().filter(|path| path.to_string_lossy().contains("hyper-sd")) {
        let errors = load(&path, &Overrides::default()).unwrap_err();
        let told = format!("{errors:?}");
        assert!(BROUGHT.iter().all(|name| told.contains(name)), "{told}");
    }
}

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "ron")).collect()
}

#[test]
fn every_kind_and_field_is_documented() {
    for name in Kind::NAMES {
        let kind = KindDescription::of(name).unwrap();
        assert!(!kind.params.doc.is_empty(), "{name}");
        for field in &kind.params.fields {
            assert!(!field.doc.is_empty(), "{name}.{}", field.name);
            assert_ne!(kind.params.takes(field), "a value", "{name}.{}", field.name);
        }
    }
    assert!(KindDescription::of("Nothing").is_none());
}

/// The defaults that the documentation shows can be written in a file.
#[test]
fn documented_defaults_are_what_the_language_takes() {
    for name in Kind::NAMES {
        let kind = KindDescription::of(name).unwrap();
        for field in &kind.params.fields {
            let Some(default) = kind.params.default(field) else { continue };
            let text = DIGITS.replace("// more", &format!("\"x\": {name}({}: {default})", field.name));
            let folder = Folder::new();
            let told = folder.parse(&text, &Overrides::default()).map_or_else(|errors| errors.findings, |_| Vec::new());
            let of_the_default = told.iter().filter(|finding| !finding.message.contains("needs"));
            assert_eq!(of_the_default.count(), 0, "{text}: {told:?}");
        }
    }
}

#[test]
fn the_schema_has_every_kind_and_setting() {
    let schema = json_schema();
    let text = schema.to_string();
    for name in Kind::NAMES {
        assert!(schema["$defs"].get(name).is_some(), "{name}");
    }
    for setting in ["device", "memory", "timeout", "checkpoint_seconds"] {
        assert!(schema["$defs"]["NodeSettings"]["properties"].get(setting).is_some(), "{setting}");
    }
    assert_eq!(schema["$defs"]["NodeSettings"]["additionalProperties"], false);
    assert!(text.contains("\"x-artifacts\":[\"Model\"]"));
}
