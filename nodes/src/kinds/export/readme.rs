//! How to draw with what is exported.

use hyper_flow_diffusion::ModelIndex;
use hyper_flow_spec::kinds::{About, Export, ExportFormat, Sampler};

use super::sampler::class;
use super::{DIFFUSERS_FILE, FUSED_FOLDER, MODEL_FOLDER};
use crate::artifacts::lora::LORA_FILE;

/// The text of `README.md`; `modules` is how many modules the LoRA is on.
pub(super) fn text(params: &Export, index: ModelIndex, modules: usize) -> String {
    let has = |format| params.formats.contains(&format);
    let mut parts = vec!["# How to draw with this\n".to_owned()];
    if modules > 0 {
        let steps = params.about.steps_in_words();
        let few = "as few steps as the LoRA was distilled for";
        parts.push(format!(
            "Without guidance, in {}.\n",
            steps.map_or(few.into(), |steps| format!("{steps} step{}", if steps == "1" { "" } else { "s" }))
        ));
        parts.extend(distilled(&params.about));
    }
    if !index.vae {
        parts.push("The model draws pixels: it has no VAE, which pipelines of diffusers need.\n".into());
    }
    if has(ExportFormat::Fused) {
        parts.push(fused(params));
    } else if has(ExportFormat::Kohya) || has(ExportFormat::Diffusers) {
        let file = if has(ExportFormat::Diffusers) { DIFFUSERS_FILE } else { LORA_FILE };
        let base = params.about.base.as_deref().unwrap_or("the model that was distilled");
        parts.push(loaded(params, if has(ExportFormat::Model) { MODEL_FOLDER } else { base }, file));
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

/// What is in the LoRA, as far as it is known.
fn distilled(about: &About) -> Option<String> {
    let base = about.base.as_ref().map(|base| format!("it is for `{base}`"));
    let guidance = about.guidance.map(|(low, high)| match low == high {
        true => format!("guidance of {} is in it", low.get()),
        false => format!("guidance of {} to {} is in it", low.get(), high.get()),
    });
    let grid = about.solver_steps.map(|points| format!("it was distilled on a grid of {} points", points.get()));
    let told: Vec<String> = base.into_iter().chain(guidance).chain(grid).collect();
    (!told.is_empty()).then(|| format!("Of the LoRA: {}.\n", told.join("; ")))
}

fn fused(params: &Export) -> String {
    diffusers("DiffusionPipeline", &format!("pipe = {}\n{}", opened(FUSED_FOLDER), call(params)))
}

fn loaded(params: &Export, model: &str, file: &str) -> String {
    let class = class(params.sampler);
    let spacing = match params.sampler {
        Sampler::Ddim | Sampler::Euler => ", timestep_spacing=\"trailing\"",
        Sampler::Tcd(_) | Sampler::Lcm => "",
    };
    let code = format!(
        "pipe = {}\npipe.load_lora_weights(\".\", weight_name=\"{file}\")  # needs peft\n\
         pipe.scheduler = {class}.from_config(pipe.scheduler.config{spacing})\n{}",
        opened(model),
        call(params)
    );
    diffusers(&format!("DiffusionPipeline, {class}"), &code)
}

/// Draws the captions that are known, or else leaves a place for one.
fn call(params: &Export) -> String {
    let eta = if let Sampler::Tcd(eta) = params.sampler { format!(", eta={:?}", eta.get()) } else { String::new() };
    let steps = params.about.shown_steps();
    let draw = format!("num_inference_steps={steps}, guidance_scale=0{eta}).images[0].save(");
    match params.about.prompts.as_slice() {
        [] => format!("pipe(\"your prompt\", {draw}\"picture.png\")\n"),
        [one] => format!("pipe({}, {draw}\"picture.png\")\n", python(one)),
        several => {
            let prompts: String = several.iter().map(|prompt| format!("    {},\n", python(prompt))).collect();
            format!(
                "prompts = [\n{prompts}]\nfor i, prompt in enumerate(prompts):\n    pipe(prompt, {draw}f\"picture-{{i}}.png\")\n"
            )
        }
    }
}

/// A text as Python writes it: JSON's is the same, but for characters that are not in ASCII, which Python takes as they are.
fn python(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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
