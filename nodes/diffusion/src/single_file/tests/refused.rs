//! What is no such checkpoint, or a damaged one: said by name, and nothing is written.

use super::*;

fn message(tiny: &Tiny) -> String {
    let config = tiny.path("config");
    let error = tiny.convert(&SingleFileOptions { config: Some(&config), ..Default::default() }).unwrap_err();
    assert!(!tiny.path("out").exists(), "nothing is written");
    error.to_string().replace(&format!("{}/", tiny.folder.path().display()), "")
}

/// The message for a checkpoint with one more tensor.
fn with(family: &'static str, key: &str, shape: &[i64]) -> String {
    let mut tiny = Tiny::new(family);
    tiny.tensors.insert(key.into(), Tensor::zeros(shape, (Kind::Float, CPU)));
    message(&tiny)
}

#[test]
fn other_models_are_called_by_their_names() {
    let conv_in = "model.diffusion_model.input_blocks.0.0.weight";
    assert_eq!(
        with("sd15", conv_in, &[4, 9, 3, 3]),
        "model.safetensors: it is an inpainting model (9 input channels), which is not converted; Stable Diffusion 1 and 2 \
         and SDXL base are"
    );
    assert!(with("sd15", conv_in, &[4, 8, 3, 3]).contains("its UNet takes 8 channels where latents have 4"));
    for (key, what) in [
        ("model.diffusion_model.joint_blocks.0.x", "Stable Diffusion 3"),
        ("model.diffusion_model.double_blocks.0.x", "Flux"),
        ("model.diffusion_model.time_embed.cond_proj.weight", "such as LCM"),
        ("conditioner.embedders.0.model.text_projection", "the SDXL refiner"),
        ("control_model.time_embed.0.weight", "a ControlNet"),
        ("lora_unet_x.lora_down.weight", "a LoRA, not a whole model"),
        ("edm_mean", "Playground 2.5"),
        ("edm_vpred.sigma_max", "EDM v-prediction"),
    ] {
        let said = with("sdxl", key, &[1]);
        assert!(said.starts_with("model.safetensors: it is ") && said.contains(what), "{key}: {said}");
    }
}

#[test]
fn parts_that_are_missing_are_named() {
    for (prefix, said) in [
        ("first_stage_model.", "it has no VAE (first_stage_model.…)"),
        ("cond_stage_model.", "it has no text encoder (cond_stage_model.… or conditioner.embedders.…)"),
        ("model.diffusion_model.", "it has no UNet (model.diffusion_model.input_blocks.0.0.weight)"),
    ] {
        let mut tiny = Tiny::new("sd15");
        tiny.tensors.retain(|key, _| !key.starts_with(prefix));
        let message = message(&tiny);
        assert!(message.starts_with(&format!("model.safetensors: {said}")), "{message}");
    }
    let mut tiny = Tiny::new("sd15");
    tiny.tensors = BTreeMap::from([("down_blocks.0.x.weight".into(), Tensor::from(1f32))]);
    assert!(message(&tiny).contains("its keys are those of diffusers"));
}

#[test]
fn every_key_that_does_not_fit_is_named() {
    let mut tiny = Tiny::new("sd15");
    let unet = "model.diffusion_model.";
    let removed = [format!("{unet}out.2.bias"), "first_stage_model.encoder.conv_in.bias".into()];
    tiny.tensors.retain(|key, _| !removed.contains(key));
    tiny.tensors.insert(format!("{unet}time_embed.0.bias"), Tensor::from(1f32));
    tiny.tensors.insert("extra".into(), Tensor::from(1f32));
    tiny.tensors.insert(format!("{unet}input_blocks.99.0.op.bias"), Tensor::from(1f32));
    assert_eq!(
        message(&tiny),
        "model.safetensors: keys do not fit: 2 missing: unet/conv_out.bias, vae/encoder.conv_in.bias; \
         2 left over: extra, model.diffusion_model.input_blocks.99.0.op.bias; \
         1 of another shape: model.diffusion_model.time_embed.0.bias is [] where the model has [16]"
    );
}

#[test]
fn a_matrix_that_has_no_thirds_is_of_another_shape() {
    let mut tiny = Tiny::new("sd21");
    let key = "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias";
    tiny.tensors.insert(key.into(), Tensor::zeros([25], (Kind::Float, CPU)));
    let said = message(&tiny);
    assert!(said.contains(&format!("3 of another shape: {key} is [25] where the model has [8]")), "{said}");
}

#[test]
fn a_model_of_another_size_than_the_published_one() {
    let tiny = Tiny::new("sd15");
    let tokenizer = fixtures().join("tokenizer");
    let options = SingleFileOptions { tokenizer: Some(&tokenizer), ..Default::default() };
    let said = tiny.convert(&options).unwrap_err().to_string();
    assert!(said.contains("of another shape: ") && said.contains("is [4, 4, 3, 3] where the model has [320, 4, 3, 3]"));
    assert!(!tiny.path("out").exists());
}

#[test]
fn a_tokenizer_must_be_given() {
    let tiny = Tiny::new("sd15");
    let said = tiny.convert(&SingleFileOptions::default()).unwrap_err().to_string();
    assert!(said.ends_with("has no tokenizer: give the folder of CLIP's, with vocab.json and merges.txt"), "{said}");
}

#[test]
fn whole_numbers_are_no_weights() {
    let mut tiny = Tiny::new("sd15");
    let key = "model.diffusion_model.out.2.bias";
    tiny.tensors.insert(key.into(), Tensor::from_slice(&[1i64, 2, 3, 4]));
    assert!(message(&tiny).ends_with(&format!("{key} has dtype I64, which is not supported")));
}

#[test]
fn a_file_cut_anywhere_or_a_pickle() {
    let tiny = Tiny::new("sd15");
    let whole = fs::read(tiny.write()).unwrap();
    let path = tiny.path("cut.safetensors");
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(ModelSource::of_single_file(&path, &SingleFileOptions::default()).is_err());
    }
    fs::write(&path, b"PK\x03\x04").unwrap();
    let said = ModelSource::of_single_file(&path, &SingleFileOptions::default()).unwrap_err().to_string();
    assert!(said.contains("tests/parity/convert_pickle.py"), "{said}");
    assert!(!tiny.path("out").exists());
}

#[test]
fn a_folder_that_cannot_be_written() {
    let tiny = Tiny::new("sd15");
    fs::write(tiny.path("out"), "a file").unwrap();
    assert!(tiny.convert_with_config().is_err());
}

#[test]
fn a_tokenizer_of_another_model() {
    let tiny = Tiny::new("sd15");
    let (tokenizer, config) = (fixtures().join("tokenizer"), tiny.path("config"));
    let options = SingleFileOptions { tokenizer: Some(&tokenizer), config: Some(&config), ..Default::default() };
    let said = tiny.convert(&options).unwrap_err().to_string();
    assert_eq!(said, "tokenizer: 573 tokens, and the text encoder beside it has vocab_size 520");
}
