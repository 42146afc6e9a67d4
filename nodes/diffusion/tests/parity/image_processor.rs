//! Preprocessing against torchvision: fixtures by tests/parity/image_processor.py.

use crate::support::{assert_within, fixtures, input};
use hyper_flow_diffusion::image_processor::ImageProcessor;
use hyper_flow_diffusion::weights::read_tensors;
use serde_json::{Value, json};
use tch::{Device, Kind};

/// Relative; float32 against float64.
const TOLERANCE: f64 = 1e-5;

fn described() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixtures().join("image_processor.json")).unwrap()).unwrap()
}

#[test]
fn pictures_and_gradients_are_those_of_torchvision() {
    let reference = read_tensors(&fixtures().join("image_processor.safetensors"), Kind::Float, Device::Cpu).unwrap();
    let mut gradients = 0;
    for (i, case) in described()["cases"].as_array().unwrap().iter().enumerate() {
        let number = |field: &str| case[field].as_i64().unwrap();
        let (h, w) = (number("height"), number("width"));
        let crop_size = number("crop_size");
        let processor =
            ImageProcessor { shortest_edge: number("shortest_edge"), crop_size, ..ImageProcessor::clip(crop_size) };
        let pictures = input(&format!("pictures.{h}x{w}"), &[1, 3, h, w]) / 3f64.sqrt();
        let pictures = pictures.set_requires_grad(true);
        let output = processor.forward(&pictures);
        assert_within(TOLERANCE, &format!("{h}x{w}"), &output, &reference[&format!("{i}.output")]);
        (&output * input(&format!("loss.{i}"), &output.size())).sum(Kind::Float).backward();
        if let Some(gradient) = reference.get(&format!("{i}.gradient")) {
            assert_within(TOLERANCE, &format!("{h}x{w} gradient"), &pictures.grad(), gradient);
            gradients += 1;
        }
    }
    assert_eq!(gradients, 7);
}

#[test]
fn what_a_file_cannot_hold_is_cut_off_and_has_no_gradient() {
    let processor = ImageProcessor::clip(2);
    let outside = tch::Tensor::full([1, 3, 2, 2], 1.5, (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let output = processor.forward(&outside);
    assert_eq!(output, processor.forward(&outside.ones_like()));
    output.sum(Kind::Float).backward();
    assert_eq!(outside.grad().abs().max().double_value(&[]), 0.0);
}

#[test]
fn configurations_are_those_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preprocessor_config.json");
    assert_eq!(ImageProcessor::read(folder.path()).unwrap(), None);
    let config = &described()["config"];
    let read = |config: &Value| {
        std::fs::write(&path, config.to_string()).unwrap();
        ImageProcessor::read(folder.path())
    };
    let processor = ImageProcessor { shortest_edge: 18, ..ImageProcessor::clip(14) };
    assert_eq!(read(config).unwrap(), Some(processor.clone()));
    processor.write(folder.path()).unwrap();
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(&written, config);

    let with = |field: &str, value: Value| {
        let mut config = config.clone();
        config[field] = value;
        read(&config)
    };
    assert_eq!(with("size", json!(18)).unwrap(), Some(processor));
    let message = |field: &str, value: Value| {
        let message = with(field, value).unwrap_err().to_string();
        message.split_once("preprocessor_config.json: ").unwrap().1.to_owned()
    };
    assert_eq!(message("resample", json!(2)), "resample is 2, and only 3 (bicubic) is supported");
    assert_eq!(message("do_normalize", json!(false)), "do_normalize is false, which is not supported");
    assert_eq!(message("size", json!({"height": 3})), "size is {\"height\":3}, not a length of `shortest_edge`");
    assert_eq!(message("crop_size", json!(20)), "crop_size 20 is larger than the shortest edge, 18");
    assert!(message("image_mean", json!([0.5])).starts_with("image_mean: invalid length 1"));
}
