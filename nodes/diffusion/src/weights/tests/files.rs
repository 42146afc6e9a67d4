//! What is written is read back, and what does not fit is named.

use super::*;

#[test]
fn a_model_comes_back_bit_by_bit_and_nothing_lies_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    save_var_store(&model(), &path).unwrap();
    let other = nn::VarStore::new(CPU);
    crate::layers::Linear::new(&(other.root() / "text" / "proj"), 3, 2, true);
    load_var_store(&other, &path, "").unwrap();
    assert_eq!(other.variables(), model().variables());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert_eq!(WeightFile::open(&path).unwrap().metadata()["format"], "pt");
}

#[test]
fn equal_tensors_give_equal_bytes_whatever_their_layout() {
    let straight = saved(|_| {});
    let strided = saved(|tensors| {
        for tensor in tensors.values_mut().filter(|t| t.dim() == 2) {
            *tensor = tensor.tr().contiguous().tr();
        }
    });
    assert_eq!(fs::read(straight.path()).unwrap(), fs::read(strided.path()).unwrap());
}

#[test]
fn all_differences_are_listed_and_nothing_is_changed() {
    let file = saved(|tensors| {
        let _ = tensors.remove("text.proj.bias");
        tensors.insert("text.extra".into(), ones(&[1]));
        tensors.insert("text.proj.weight".into(), ones(&[3, 2]));
        tensors.insert("vision.other".into(), ones(&[1]));
    });
    let vs = model();
    let before: BTreeMap<_, _> = vs.variables().into_iter().map(|(name, t)| (name, t.copy())).collect();
    let error = load_var_store(&vs, file.path(), "").unwrap_err().to_string();
    let expected = "keys do not fit: 1 missing: text.proj.bias; 2 left over: text.extra, vision.other; \
                    1 of another shape: text.proj.weight is [3, 2] where the model has [2, 3]";
    assert!(error.ends_with(expected), "{error}");
    assert_eq!(vs.variables().into_iter().collect::<BTreeMap<_, _>>(), before);
}

#[test]
fn a_prefix_takes_its_own_keys_only() {
    let file = saved(|tensors| {
        let all = std::mem::take(tensors);
        tensors.extend(all.into_iter().map(|(key, t)| (format!("model.{key}"), t + 1.0)));
        tensors.insert("other.key".into(), ones(&[1]));
    });
    let vs = model();
    load_var_store(&vs, file.path(), "model.").unwrap();
    let expected = &model().variables()["text.proj.weight"] + 1.0;
    assert_eq!(vs.variables()["text.proj.weight"], expected);
}

#[test]
fn half_precision_files_are_read_in_the_dtype_of_the_store() {
    for kind in [Kind::Half, Kind::BFloat16] {
        let file = saved(|tensors| tensors.values_mut().for_each(|t| *t = t.to_kind(kind)));
        let mut vs = model();
        load_var_store(&vs, file.path(), "").unwrap();
        let variable = &vs.variables()["text.proj.weight"];
        assert_eq!(variable.kind(), Kind::Float);
        assert_eq!(*variable, model().variables()["text.proj.weight"].to_kind(kind).to_kind(Kind::Float));
        vs.bfloat16();
        load_var_store(&vs, file.path(), "").unwrap();
        assert_eq!(vs.variables()["text.proj.weight"].kind(), Kind::BFloat16);
    }
}

#[test]
fn whole_numbers_are_not_converted() {
    let file = saved(|tensors| _ = tensors.insert("ids".into(), Tensor::from_slice(&[3i64])));
    let tensors = read_tensors(file.path(), Kind::Half, CPU).unwrap();
    assert_eq!((tensors["ids"].kind(), tensors["text.proj.bias"].kind()), (Kind::Int64, Kind::Half));
}

#[test]
fn rows_are_those_of_the_whole_tensor() {
    let table = Tensor::arange(60, (Kind::Float, CPU)).reshape([10, 3, 2]);
    let file = saved(|tensors| {
        tensors.insert("table".into(), table.to_kind(Kind::Half));
        tensors.insert("ids".into(), Tensor::arange(10, (Kind::Int64, CPU)));
        tensors.insert("narrow".into(), ones(&[4, 0]));
        tensors.insert("one".into(), Tensor::from(1f32));
    });
    let file = WeightFile::open(file.path()).unwrap();
    for indices in [&[][..], &[3], &[4, 5, 6, 2, 2, 9, 0, 1], &[9, 8, 7]] {
        let rows = file.rows("table", indices, Kind::Float, CPU).unwrap();
        assert_eq!(rows, table.index_select(0, &Tensor::from_slice(indices)));
        let ids = file.rows("ids", indices, Kind::Float, CPU).unwrap();
        assert_eq!(Vec::<i64>::try_from(ids).unwrap(), indices);
    }
    assert_eq!(file.rows("narrow", &[3, 1], Kind::Float, CPU).unwrap().size(), [2, 0]);
    for (key, index, count) in [("table", 10, 10), ("table", -1, 10), ("narrow", 4, 4), ("one", 0, 0)] {
        let error = file.rows(key, &[index], Kind::Float, CPU).unwrap_err().to_string();
        assert!(error.ends_with(&format!("{key} has no row {index}: it has {count}")), "{error}");
    }
}

#[test]
fn unsupported_types_and_absent_files_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let header = r#"{"a":{"dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    fs::write(file.path(), [&length, header.as_bytes(), &[0; 4]].concat()).unwrap();
    let error = read_tensors(file.path(), Kind::Float, CPU).unwrap_err().to_string();
    assert!(error.ends_with("a has dtype F8_E8M0, which is not supported"), "{error}");
    let absent = file.path().join("absent");
    assert!(matches!(WeightFile::open(&absent), Err(E::Io { action: "read", .. })));
    assert!(matches!(write_tensors(&absent, &BTreeMap::new(), None), Err(E::Io { action: "write", .. })));
}

#[test]
fn a_tensor_written_row_by_row_has_the_bytes_of_one_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, rows) = (folder.path().join("whole"), folder.path().join("rows"));
    for kind in [Kind::Uint8, Kind::Half, Kind::BFloat16, Kind::Float] {
        let x = (Tensor::arange(5 * 6, (Kind::Float, CPU)) / 3.0).reshape([5, 2, 3]).to_kind(kind);
        write_tensors(&whole, &BTreeMap::from([("latents".to_owned(), x.shallow_clone())]), None).unwrap();
        let mut writer = RowWriter::create(&rows, "latents", kind, &[5, 2, 3]).unwrap();
        writer.push(&x.narrow(0, 0, 2)).unwrap();
        writer.sync().unwrap();
        assert!(matches!(WeightFile::open(&rows), Err(E::Truncated { .. })), "half a file is none");
        writer.push(&x.narrow(0, 2, 2).to_kind(Kind::Double)).unwrap();
        drop(writer);
        let mut writer = RowWriter::resume(&rows, "latents", kind, &[5, 2, 3], 3).unwrap();
        writer.push(&x.narrow(0, 3, 2)).unwrap();
        writer.finish().unwrap();
        assert_eq!(fs::read(&rows).unwrap(), fs::read(&whole).unwrap(), "{kind:?}");
    }
}

#[test]
fn a_file_of_rows_that_is_not_what_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    let mut writer = RowWriter::create(&path, "x", Kind::Float, &[3, 2]).unwrap();
    writer.push(&ones(&[2, 2])).unwrap();
    assert!(matches!(writer.finish(), Err(E::Truncated { .. })), "a row is missing");
    let resume = |key, shape: &[i64], rows| RowWriter::resume(&path, key, Kind::Float, shape, rows).map(drop);
    assert!(matches!(resume("x", &[3, 2], 3), Err(E::Truncated { .. })));
    assert!(matches!(resume("y", &[3, 2], 1), Err(E::NotSafetensors { .. })));
    assert!(matches!(resume("x", &[4, 2], 1), Err(E::NotSafetensors { .. })));
    let mut writer = RowWriter::resume(&path, "x", Kind::Float, &[3, 2], 2).unwrap();
    writer.push(&ones(&[2, 2])).unwrap();
    assert!(matches!(writer.finish(), Err(E::Truncated { .. })), "a row too many");
    let none = folder.path().join("none");
    assert!(matches!(RowWriter::create(&none, "x", Kind::ComplexFloat, &[1]), Err(E::Dtype { .. })));
    assert!(matches!(RowWriter::resume(&none, "x", Kind::Float, &[1], 0), Err(E::Io { .. })));
}

#[test]
fn a_file_is_written_again_with_other_numbers_and_of_another_type() {
    let source = saved(|tensors| _ = tensors.insert("ids".into(), Tensor::from_slice(&[3i64])));
    let source = WeightFile::open(source.path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.safetensors");
    let twice = |key: &str, kind| Ok(source.tensor(key, kind, CPU)? * 2);
    for kind in [None, Some(Kind::Half)] {
        rewrite_tensors(&source, &path, kind, twice).unwrap();
        let again = WeightFile::open(&path).unwrap();
        assert!(again.keys().eq(source.keys()));
        for key in ["text.proj.weight", "text.proj.bias"] {
            let expected = source.tensor(key, kind.unwrap_or(Kind::Float), CPU).unwrap() * 2;
            assert_eq!(again.dtype(key), Some(expected.kind()));
            assert_eq!(again.tensor(key, expected.kind(), CPU).unwrap(), expected);
        }
        assert_eq!(again.dtype("ids"), Some(Kind::Int64));
        assert_eq!(again.tensor("ids", Kind::Int64, CPU).unwrap().int64_value(&[0]), 6);
        assert_eq!(again.metadata()["format"], "pt");
    }
    // In one type it is the file that the tensors together make.
    rewrite_tensors(&source, &path, None, |key, kind| source.tensor(key, kind, CPU)).unwrap();
    let together = folder.path().join("together.safetensors");
    write_tensors(&together, &read_tensors(source.path(), Kind::Float, CPU).unwrap(), Some(Entry::FORMAT_PT)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&together).unwrap());
}

#[test]
fn what_cannot_be_written_again_leaves_no_file() {
    let source = saved(|_| {});
    let source = WeightFile::open(source.path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.safetensors");
    let refused = |tensor: &dyn Fn(&str, Kind) -> Result<Tensor, E>| {
        let error = rewrite_tensors(&source, &path, None, tensor).unwrap_err().to_string();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        error
    };
    let error = refused(&|key, kind| source.tensor(&key.replace("weight", "height"), kind, CPU));
    assert!(error.ends_with("keys do not fit: 1 missing: text.proj.height"), "{error}");
    let error = refused(&|key, kind| Ok(source.tensor(key, kind, CPU)?.flatten(0, -1)));
    assert!(error.ends_with("text.proj.weight became [6] where it was [2, 3]"), "{error}");
}
