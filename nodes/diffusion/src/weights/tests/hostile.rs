//! Files that are damaged, made up, or something else: an error that says so, and never a panic.

use super::*;
use crate::lora::{LoraTarget, read_kohya, read_kohya_flat, read_lora};
use proptest::prelude::*;
use std::sync::LazyLock;
use tempfile::NamedTempFile;

/// A good file.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| fs::read(saved(|_| {}).path()).unwrap());

fn file_of(bytes: &[u8]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    file
}

/// A file with a header and eight bytes of data.
fn with_header(header: &str) -> NamedTempFile {
    file_of(&[&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat())
}

fn entry(shape: &str, offsets: &str) -> String {
    format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
}

fn message(path: &Path) -> String {
    WeightFile::open(path).unwrap_err().to_string()
}

/// Every reader of weights, on one file.
fn read_by_all(path: &Path) -> Vec<Result<(), E>> {
    let modules = [LoraTarget { path: "text.proj".into(), shape: vec![2, 3] }];
    let rows = |key: &str| WeightFile::open(path)?.rows(key, &[0, 1], Kind::Float, CPU).map(drop);
    vec![
        read_tensors(path, Kind::Float, CPU).map(drop),
        read_tensors(path, Kind::BFloat16, CPU).map(drop),
        load_var_store(&model(), path, ""),
        Weights::open(path).map(drop),
        read_kohya(path, &modules, CPU).map(drop),
        read_kohya_flat(path, CPU).map(drop),
        read_lora(path, &modules, None, CPU).map(drop),
        rows("text.proj.weight"),
        rows("a"),
    ]
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for length in 0..WHOLE.len() {
        let file = file_of(&WHOLE[..length]);
        let error = WeightFile::open(file.path()).unwrap_err();
        assert!(matches!(error, E::Truncated { .. } | E::NotSafetensors { .. }), "{length}: {error}");
        assert!(read_by_all(file.path()).iter().all(Result::is_err));
    }
}

#[test]
fn what_follows_the_last_tensor_is_told_as_such() {
    for extra in [1, 8, 4096] {
        let file = file_of(&[WHOLE.as_slice(), &vec![0; extra]].concat());
        let whole = WHOLE.len();
        let told = format!(
            ": {extra} bytes follow the last tensor, which ends at byte {whole}: something was appended to the file; its \
             first {whole} bytes are a whole one"
        );
        assert!(message(file.path()).ends_with(&told), "{}", message(file.path()));
        assert!(read_by_all(file.path()).iter().all(Result::is_err));
    }
}

#[test]
fn hostile_headers_are_errors() {
    let two = |first: &str, second: &str| {
        let entry = |key, offsets| format!(r#""{key}":{{"dtype":"U8","shape":[4],"data_offsets":{offsets}}}"#);
        format!("{{{},{}}}", entry("a", first), entry("b", second))
    };
    for (header, reason) in [
        (entry("[2]", "[0,4]"), "invalid shape, data type, or offset"),
        (entry("[1]", "[4,0]"), "invalid offset for tensor"),
        (entry("[2]", "[8,16]"), "invalid offset for tensor"),
        (entry("[1]", "[0,18446744073709551615]"), "invalid shape, data type, or offset"),
        (entry("[1]", "[0,18446744073709551616]"), "invalid type"),
        (entry("[4294967296,4294967296,4294967296]", "[0,4]"), "a has the shape"),
        (entry("[0,9223372036854775808]", "[0,0]"), "a has the shape"),
        (entry("[4611686018427387904,2,0]", "[0,0]"), "a has the shape"),
        (entry("[-1]", "[0,4]"), "invalid value"),
        (entry("[1.5]", "[0,4]"), "invalid type"),
        (entry("[2]", "[0,8]").replace("F32", "F33"), "unknown variant"),
        (two("[0,4]", "[2,6]"), "invalid offset for tensor"),
        (two("[0,4]", "[0,4]"), "invalid offset for tensor"),
        (two("[0,4]", "[4,8]").replace("\"b\"", "\"a\""), "the key a is there twice"),
        (entry("[2]", "[0,8]").replace("\"shape\":[2]", "\"shape\":[2],\"shape\":[2]"), "duplicate field `shape`"),
        (r#"{"__metadata__":{"a":"","a":""}}"#.into(), "the key a is there twice"),
        (r#"{"__metadata__":{},"__metadata__":{}}"#.into(), "the key __metadata__ is there twice"),
        (r#"{"__metadata__":{"a":1}}"#.into(), "expected a string"),
        (format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200)), "expected"),
        (format!(r#"{{"a":{{"x":{}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000)), "missing field"),
        ("[]".into(), "expected a map of tensors"),
        ("{".into(), "EOF while parsing"),
        (String::new(), "EOF while parsing"),
        ("\u{80}{}".into(), "expected value"),
    ] {
        let (file, header) = (with_header(&header), &header[..header.len().min(200)]);
        let error = WeightFile::open(file.path()).unwrap_err();
        assert!(matches!(error, E::NotSafetensors { .. }) && error.to_string().contains(reason), "{header}: {error}");
        assert!(read_by_all(file.path()).iter().all(Result::is_err), "{header}");
    }
}

#[test]
fn a_header_must_not_decide_how_much_memory_is_taken() {
    let file = file_of(&[&u64::MAX.to_le_bytes()[..], &[b'{'; 64]].concat());
    assert!(message(file.path()).contains("a header of 18446744073709551615 bytes"));
    let file = file_of(&[&99_999_999u64.to_le_bytes()[..], &[b'{'; 64]].concat());
    assert!(message(file.path()).ends_with("truncated or damaged"));
    // A sparse file keeps a promise that no memory does.
    let size = 1u64 << 45;
    let header = entry(&format!("[{}]", size / 4), &format!("[0,{size}]"));
    let file = file_of(&[&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat());
    if file.as_file().set_len(8 + header.len() as u64 + size).is_ok() {
        let error = read_tensors(file.path(), Kind::Float, CPU).unwrap_err();
        assert!(matches!(error, E::Io { action: "read", .. }), "{error}");
    }
}

#[test]
fn what_is_no_file_of_weights_is_said() {
    let named = |name: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        message(&path).replace(&folder.path().display().to_string(), "")
    };
    for (bytes, expected) in [
        (&b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"[..], "a git-lfs pointer"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n <HTML><head>", "a web page"),
        (b"GGUF\x03\0\0\0\0\0\0\0", "a GGUF file"),
        (b"Entry not found", "a header of"),
        (b"", "shorter than a header"),
    ] {
        let message = named("m.safetensors", bytes);
        assert!(message.starts_with(&format!("/m.safetensors: not a safetensors file ({expected}")), "{message}");
    }
    for name in ["m.safetensors", "m.bin", "m.PT", "m.pth", "m.ckpt", "my model.ckpt"] {
        let message = named(name, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9");
        assert!(message.starts_with(&format!("/{name}: a Python pickle")), "{message}");
        let arguments = match name {
            "m.safetensors" => "/m.safetensors /m.converted.safetensors",
            "my model.ckpt" => "'/my model.ckpt' '/my model.safetensors'",
            _ => &format!("/{name} /m.safetensors"),
        };
        assert!(message.ends_with(&format!("python3 tests/parity/convert_pickle.py {arguments}")), "{message}");
    }
    // By name alone, too, but only if it is no safetensors file.
    assert!(named("m.ckpt", b"damaged").starts_with("/m.ckpt: a Python pickle"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.ckpt");
    write_tensors(&path, &BTreeMap::new(), None).unwrap();
    assert!(WeightFile::open(&path).is_ok());
}

#[test]
fn a_header_that_looks_like_a_pickle_is_none() {
    // 640 and 642 in little endian begin with the bytes of a pickle's protocol.
    for length in [640usize, 896, 1152, 1408] {
        let header = entry("[2]", "[0,8]");
        let file = with_header(&format!("{header}{}", " ".repeat(length - header.len())));
        assert!(WeightFile::open(file.path()).is_ok());
        let whole = fs::read(file.path()).unwrap();
        assert!(message(file_of(&whole[..200]).path()).ends_with("truncated or damaged"));
    }
}

#[test]
fn real_pickles_are_recognised() {
    let fixtures = super::folders::fixtures();
    for name in ["zip.ckpt", "old.pt"] {
        let file = file_of(&fs::read(fixtures.join(name)).unwrap());
        assert!(message(file.path()).contains(": a Python pickle"));
    }
}

#[test]
fn whole_numbers_are_no_weights() {
    let file = saved(|tensors| _ = tensors.insert("text.proj.bias".into(), Tensor::from_slice(&[1i64, 2])));
    let vs = model();
    let error = load_var_store(&vs, file.path(), "").unwrap_err().to_string();
    assert!(error.ends_with("text.proj.bias has dtype I64, which is not supported"), "{error}");
    assert_eq!(vs.variables(), model().variables());
}

#[test]
fn whole_numbers_are_no_adapter() {
    let half = |shape: &[i64]| Tensor::ones(shape, (Kind::Int64, CPU));
    let halves = [("lora_unet_m.lora_down.weight", [2, 3]), ("lora_unet_m.lora_up.weight", [4, 2])];
    let file = NamedTempFile::new().unwrap();
    let tensors = halves.iter().map(|(key, shape)| ((*key).to_owned(), half(shape))).collect();
    write_tensors(file.path(), &tensors, None).unwrap();
    let error = read_kohya_flat(file.path(), CPU).unwrap_err().to_string();
    assert!(error.ends_with("lora_unet_m.lora_down.weight has dtype I64, which is not supported"), "{error}");
}

#[test]
fn folders_and_pipes_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    assert!(message(folder.path()).ends_with("not a file"));
    assert!(message(Path::new("/dev/null")).ends_with("not a file"));
}

/// Headers that are almost right.
fn almost() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        6 => (0u64..20).prop_map(|n| n.to_string()),
        1 => any::<u64>().prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => prop::sample::select(vec!["1e3", "null", "\"1\"", "[]", "18446744073709551616"]).prop_map(str::to_owned),
    ];
    let numbers = prop::collection::vec(number.clone(), 0..4).prop_map(|numbers| numbers.join(","));
    let dtype = prop::sample::select(vec!["F32", "F16", "BF16", "U8", "I64", "BOOL", "F8_E4M3", "F4", "C64", "x"]);
    let key =
        prop::sample::select(vec!["a", "b", "text.proj.weight", "unet.text.proj.lora_A.weight", "__metadata__", ""]);
    let tensor = (key, dtype, numbers, number.clone(), number).prop_map(|(key, dtype, shape, from, to)| {
        format!(r#""{key}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{from},{to}]}}"#)
    });
    prop::collection::vec(tensor, 0..4).prop_map(|tensors| format!("{{{}}}", tensors.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        read_by_all(file_of(&bytes).path());
    }

    #[test]
    fn no_header_panics(header in almost(), data in 0usize..32) {
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat();
        read_by_all(file_of(&bytes).path());
    }

    #[test]
    fn no_damage_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = WHOLE.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_by_all(file_of(&bytes).path());
    }
}
