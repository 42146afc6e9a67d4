//! Formats of eight bits, held to torch's (tests/parity/eight_bits.py).

use super::*;
use crate::parity_support::fixtures;

fn fixture() -> WeightFile {
    WeightFile::open(&fixtures().join("eight_bits.safetensors")).unwrap()
}

fn read(file: &WeightFile, key: &str) -> Tensor {
    file.tensor(key, Kind::Float, CPU).unwrap()
}

/// The numbers as they are in memory, of which NaN is one.
fn bits(tensor: &Tensor) -> Vec<Option<u32>> {
    let values = Vec::<f32>::try_from(tensor.flatten(0, -1)).unwrap();
    values.into_iter().map(|value| (!value.is_nan()).then(|| value.to_bits())).collect()
}

#[test]
fn all_codes_are_what_torch_makes_of_them() {
    let file = fixture();
    for (format, none) in [("e4m3", 2), ("e5m2", 6)] {
        let key = format!("{format}.codes");
        assert_eq!(file.dtype(&key), Some(Kind::BFloat16));
        let (ours, theirs) = (bits(&read(&file, &key)), bits(&read(&file, &format!("{format}.values"))));
        assert_eq!(ours, theirs, "{format}");
        assert_eq!(ours.iter().filter(|value| value.is_none()).count(), none);
    }
}

#[test]
fn a_scale_multiplies_and_is_no_tensor_of_the_model() {
    let file = fixture();
    let keys: Vec<&str> = file.keys().filter(|key| !key.starts_with('e')).collect();
    let parts = ["expected", "weight"];
    let expected: Vec<String> =
        ["comfy", "other", "wide"].iter().flat_map(|name| parts.map(|part| format!("{name}.{part}"))).collect();
    assert_eq!(keys, expected);
    for name in ["comfy", "other", "wide"] {
        let (key, expected) = (format!("{name}.weight"), read(&file, &format!("{name}.expected")));
        assert_eq!(file.dtype(&key), Some(Kind::Float));
        assert_eq!(read(&file, &key), expected, "{name}");
        let rows = file.rows(&key, &[3, 4, 1], Kind::Float, CPU).unwrap();
        assert_eq!(rows, expected.index_select(0, &Tensor::from_slice(&[3i64, 4, 1])));
        assert_eq!(file.tensor(&key, Kind::Half, CPU).unwrap(), expected.to_kind(Kind::Half));
    }
}

#[test]
fn models_are_filled_and_files_copied_with_what_is_meant() {
    let vs = nn::VarStore::new(CPU);
    crate::layers::Linear::new(&(vs.root() / "comfy"), 16, 16, false);
    let weights = Weights::open(&fixtures().join("eight_bits.safetensors")).unwrap();
    load_pretrained(&vs, &weights, |key| (key == "comfy.weight").then(|| key.to_owned())).unwrap();
    let expected = read(&fixture(), "comfy.expected");
    assert_eq!(vs.variables()["comfy.weight"], expected);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.safetensors");
    let source = |key: &str, part, shape: &[i64]| Source { key: key.into(), part, shape: shape.to_vec() };
    let copied = |name: &str, of| copy_tensors(&weights, &BTreeMap::from([(name.to_owned(), of)]), &path);
    copied("turned", source("comfy.weight", Part::Transposed, &[16, 16])).unwrap();
    let copy = WeightFile::open(&path).unwrap();
    assert_eq!((copy.dtype("turned"), read(&copy, "turned")), (Some(Kind::Float), expected.tr()));
    // Codes 127 and 255 are no numbers, and refused; the first third has neither.
    copied("plain", source("e4m3.codes", Part::Third(0), &[85])).unwrap();
    let copy = WeightFile::open(&path).unwrap();
    assert_eq!(copy.dtype("plain"), Some(Kind::BFloat16));
    assert_eq!(bits(&read(&copy, "plain")), bits(&read(&fixture(), "e4m3.values").narrow(0, 0, 85)));
    let message = copied("all", source("e4m3.codes", Part::Whole, &[256])).unwrap_err().to_string();
    assert!(message.contains("e4m3.codes") && message.contains("NaN"), "{message}");
}

/// A file with a weight of one code, twice, and a scale of some shape.
fn with_scale(weight: &str, scale: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let header = format!(
        r#"{{"a.weight":{{"dtype":"{weight}","shape":[2],"data_offsets":[0,2]}},"a.scale_weight":{{"dtype":{scale},"data_offsets":[2,10]}}}}"#
    );
    let length = (header.len() as u64).to_le_bytes();
    fs::write(file.path(), [&length, header.as_bytes(), &[0x38; 10]].concat()).unwrap();
    file
}

#[test]
fn a_scale_that_is_not_one_number_is_refused_and_beside_other_weights_it_is_a_key() {
    for (scale, told) in [(r#""F32","shape":[2]"#, "has the shape [2]"), (r#""I64","shape":[]"#, "is whole")] {
        let file = with_scale("F8_E4M3", scale);
        let errors = [
            WeightFile::open(file.path()).unwrap().tensor("a.weight", Kind::Float, CPU).unwrap_err(),
            WeightFile::open(file.path()).unwrap().weight("a.weight", Kind::Float, CPU).unwrap_err(),
        ];
        for error in errors.map(|error| error.to_string()) {
            assert!(
                error.ends_with(&format!("a.scale_weight {told}: a tensor of eight bits is read by one number")),
                "{error}"
            );
        }
    }
    let file = with_scale("U8", r#""F32","shape":[2]"#);
    assert_eq!(WeightFile::open(file.path()).unwrap().keys().collect::<Vec<_>>(), ["a.scale_weight", "a.weight"]);
}
