//! How to draw with what is exported.

use hyper_flow_diffusion::ModelIndex;
use hyper_flow_spec::kinds::{Export, ExportFormat, Sampler};

use super::sampler::class;
use super::{DIFFUSERS_FILE, FUSED_FOLDER, MODEL_FOLDER};
use crate::artifacts::lora::LORA_FILE;

/// The text of `README.md`; `modules` is how many modules the LoRA is on.
pub(super) fn text(params: &Export, index: ModelIndex, modules: usize) -> String {
    let has = |format| params.formats.contains(&format);
    let mut parts = vec!["# How to draw with this\n".to_owned()];
    if modules > 0 {
        parts.push("Without guidance, in as few steps as the LoRA was distilled for.\n".into());
    }
    if !index.vae {
        parts.push("The model draws pixels: it has no VAE, which pipelines of diffusers need.\n".into());
    }
    if has(ExportFormat::Fused) {
        parts.push(fused(params.sampler));
    } else if has(ExportFormat::Kohya) || has(ExportFormat::Diffusers) {
        let file = if has(ExportFormat::Diffusers) { DIFFUSERS_FILE } else { LORA_FILE };
        let model = if has(ExportFormat::Model) { MODEL_FOLDER } else { "the model that was distilled" };
        parts.push(loaded(params.sampler, model, file));
    } else {
        parts.push(diffusers("DiffusionPipeline", &format!("pipe = {}\n", opened(MODEL_FOLDER))));
    }
    if has(ExportFormat::Kohya) {
        parts.push(other_programs(index.text_encoder_2, modules));
    }
    parts.join("\n")
}

fn diffusers(imports: &str, code: &str) -> String {
    format!("## diffusers\n\n```python\nimport torch\nfrom diffusers import {imports}\n\n{code}```\n")
}

fn opened(model: &str) -> String {
    format!("DiffusionPipeline.from_pretrained(\"{model}\", torch_dtype=torch.float16).to(\"cuda\")")
}

fn fused(sampler: Sampler) -> String {
    diffusers("DiffusionPipeline", &format!("pipe = {}\n{}", opened(FUSED_FOLDER), call(sampler)))
}

fn loaded(sampler: Sampler, model: &str, file: &str) -> String {
    let class = class(sampler);
    let spacing = match sampler {
        Sampler::Ddim | Sampler::Euler => ", timestep_spacing=\"trailing\"",
        Sampler::Tcd(_) | Sampler::Lcm => "",
    };
    let code = format!(
        "pipe = {}\npipe.load_lora_weights(\".\", weight_name=\"{file}\")  # needs peft\n\
         pipe.scheduler = {class}.from_config(pipe.scheduler.config{spacing})\n{}",
        opened(model),
        call(sampler)
    );
    diffusers(&format!("DiffusionPipeline, {class}"), &code)
}

fn call(sampler: Sampler) -> String {
    let eta = if let Sampler::Tcd(eta) = sampler { format!(", eta={:?}", eta.get()) } else { String::new() };
    format!("pipe(\"a red fox\", num_inference_steps=4, guidance_scale=0{eta}).images[0].save(\"fox.png\")\n")
}

fn other_programs(sdxl: bool, modules: usize) -> String {
    let left_out = if sdxl {
        format!(
            " Of the LoRA's {modules} modules it leaves out `up_blocks.0.upsamplers.0.conv`, which it looks for in the \
             place where older models have it."
        )
    } else {
        String::new()
    };
    format!(
        "## ComfyUI\n\n`{LORA_FILE}` goes into `models/loras`. Load it with strength 1; sample with cfg 1 and the scheduler \
         `sgm_uniform`.\n\n## stable-diffusion-webui\n\n`{LORA_FILE}` goes into `models/Lora`. Write `<lora:lora:1>` into \
         the prompt; sample with CFG scale 1.{left_out}\n"
    )
}
