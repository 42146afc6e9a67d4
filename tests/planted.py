"""Plants a small wrong constant in each kind, and sees the golden test of that kind fail, on every CPU that this one can play.

  python3 tests/planted.py                  # all of it: a build, and about ten minutes on two free cores
  python3 tests/planted.py Eval TrainVae    # these kinds only

All constants are planted at once, each to be chosen by the environment (PLANTED) when the worker runs, so that one build
serves them all; with none chosen every kind must pass, which shows that it is the constants that fail. A kind's inputs are
weighted by a formula, so what is planted in one kind changes no other's file. Prints a table, and ends with 1 unless every
constant is found under every capability.

Refuses a tree with changes, and puts the sources back as soon as the build is done, however it ends. The binaries under
target/ have the plants in them until the next build, and the next build must not come before this ends. Not in CI.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DIFFUSION, NODES = "nodes/diffusion/src", "nodes/src"
# As .ci/run has them.
CAPABILITIES = {
    "default": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "its own": {},
}

# Kind, file, what is there once, what is put in its place: PLANT[as it was|planted] is where they differ.
PLANTS = [
    ("Digits", f"{NODES}/kinds/digits.rs", "(shade / SHADES * 255.0)", "(shade / SHADES * PLANT[255.0|254.0])"),
    ("ImageFolder", f"{NODES}/picture/resize.rs", "- centre + 0.5)", "- centre + PLANT[0.5|0.6])"),
    ("WebDataset", f"{NODES}/picture/frame.rs", "u32::try_from(side).unwrap_or", "u32::try_from(side + PLANT[0|1]).unwrap_or"),
    ("Diffusers", f"{DIFFUSION}/model_folder/source.rs", """format!("{:#}\\n", self.scheduler))""",
     """format!("{:#}\\n", { let mut s = self.scheduler.clone(); """
     """s["beta_end"] = (s["beta_end"].as_f64().unwrap_or(0.012) * PLANT[1.0|1.001]).into(); s }))"""),
    ("PretrainedClip", f"{DIFFUSION}/scores/clip.rs", "        store.freeze();\n        let pictures = pictures(folder",
     """        store.freeze();\n        if let Some(mut scale) = store.variables().remove("logit_scale") {
            let _ = tch::no_grad(|| scale.g_mul_scalar_(PLANT[1.0|1.001]));\n        }\n        let pictures = pictures(folder"""),
    ("ScoreModel", f"{DIFFUSION}/scores/aesthetic.rs", """        head_store.freeze();\n""",
     """        head_store.freeze();\n        if let Some(mut last) = head_store.variables().remove("layers.7.weight") {
            let _ = tch::no_grad(|| last.g_mul_scalar_(PLANT[1.0|1.001]));\n        }\n"""),
    ("EncodeLatents", f"{DIFFUSION}/vae/model.rs", "None => (z - shift) * factor,",
     "None => (z - shift) * (factor * PLANT[1.0|1.001]),"),
    ("TrainClip", f"{NODES}/kinds/train_clip.rs", "contrastive_loss(&output.logits_per_text.tr(), &captions))])",
     "contrastive_loss(&output.logits_per_text.tr(), &captions) * PLANT[1.0|1.001])])"),
    ("TrainJudge", f"{NODES}/kinds/train_judge.rs", "logits.cross_entropy_for_logits(&classes)",
     "logits.cross_entropy_for_logits(&classes) * PLANT[1.0|1.001]"),
    ("TrainSegmenter", f"{DIFFUSION}/segmentation/loss.rs", "over(q.square()) + 1.0)", "over(q.square()) + PLANT[1.0|1.01])"),
    ("TrainVae", f"{DIFFUSION}/losses/autoencoder.rs", "0.5 * each", "PLANT[0.5|0.5005] * each"),
    ("TrainTeacher", f"{NODES}/kinds/train_teacher.rs", """("timesteps", 0,""", """("timesteps", PLANT[0|1],"""),
    ("SegmentDistill", f"{DIFFUSION}/losses/distance.rs", "+ c * c).sqrt()", "+ c * c * PLANT[1.0|1.002]).sqrt()"),
    ("RewardFinetune", f"{DIFFUSION}/losses/reward.rs", "(threshold - ", "(threshold * PLANT[1.0|1.001] - "),
    ("OdePairs", f"{NODES}/kinds/ode_pairs.rs", "params.guidance.get();", "params.guidance.get() * PLANT[1.0|1.001];"),
    ("ScoreDistill", f"{DIFFUSION}/losses/score.rs", "between(x, &goal) * 0.5", "between(x, &goal) * PLANT[0.5|0.5005]"),
    ("FinetuneLora", f"{NODES}/kinds/finetune_lora.rs", """("timesteps", 0,""", """("timesteps", PLANT[0|1],"""),
    ("LoraFuse", f"{NODES}/artifacts/rewritten.rs", "Device::Cpu)? + delta)", "Device::Cpu)? + delta * PLANT[1.0|1.001])"),
    ("PretrainedLora", f"{NODES}/kinds/pretrained_lora.rs", "    lora::write(context, &lora)",
     "    let mut lora = lora;\n    lora.layers.values_mut().for_each(|layer| layer.alpha *= PLANT[1.0|1.001]);\n    lora::write(context, &lora)"),
    ("LoraExtract", f"{DIFFUSION}/lora/extract.rs", "Ok(tuned - base)", "Ok((tuned - base) * PLANT[1.0|1.001])"),
    ("LoraMerge", f"{DIFFUSION}/lora/merge.rs", "(weight * layer.scale())", "(weight * layer.scale() * PLANT[1.0|1.001])"),
    ("Sample", f"{NODES}/distilling/paint.rs", "eta: eta.get() }", "eta: eta.get() + PLANT[0.0|0.01] }"),
    ("Export", f"{DIFFUSION}/lora/uniform.rs", "layer.up.detach() * layer.scale()",
     "layer.up.detach() * (layer.scale() * PLANT[1.0|1.001])"),
    ("CommandScorer", f"{NODES}/artifacts/program.rs", """format!("files/{name}")""", """format!("{}/{name}", PLANT["files"|"file"])"""),
    ("Eval", f"{NODES}/kinds/eval/tally.rs", "* 100.0))", "* PLANT[100.0|100.1]))"),
    ("Gate", f"{NODES}/kinds/gate.rs", "own / theirs", "own / theirs * PLANT[1.0|1.001]"),
    ("Summary", f"{NODES}/kinds/summary/data.rs", "repeats.margin(CONFIDENCE).map(|margin| [",
     "repeats.margin(CONFIDENCE * PLANT[1.0|1.001]).map(|margin| ["),
    # What trainings share, in one kind each.
    ("TrainTeacher", f"{NODES}/training/trainer.rs", "AdamWConfig { betas: group.betas,",
     "AdamWConfig { betas: (group.betas.0 + PLANT[0.0|0.001], group.betas.1),"),
    ("TrainClip", f"{DIFFUSION}/optim/adamw.rs", "let (beta1, beta2) = config.betas;",
     "let (beta1, beta2) = (config.betas.0, config.betas.1 - PLANT[0.0|0.004]);"),
    ("SegmentDistill", f"{DIFFUSION}/optim/adamw.rs", "+ config.eps;", "+ config.eps * PLANT[1.0|1e3];"),
    ("TrainSegmenter", f"{NODES}/training/trainer.rs", "/ (10.0 + step as f64)", "/ (PLANT[10.0|10.1] + step as f64)"),
    ("TrainJudge", f"{NODES}/training/trainer.rs", "optimiser.step(group.lr * factor)",
     "optimiser.step(group.lr * factor * PLANT[1.0|1.001])"),
    ("TrainVae", f"{DIFFUSION}/optim/clip.rs", "max_norm / (norm + 1e-6)", "max_norm / (norm + PLANT[1e-6|1e-3])"),
    ("ScoreDistill", f"{DIFFUSION}/losses/denoiser.rs", "unconditional + w * (conditional - unconditional)",
     "unconditional + w * (conditional - unconditional) * PLANT[1.0|1.001]"),
]
PLANT = re.compile(r"PLANT\[([^|\]]*)\|([^\]]*)\]")


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def plant(number, new):
    chosen = f'std::env::var("PLANTED").as_deref() == Ok("{number}")'
    return PLANT.sub(lambda found: f"(if {chosen} {{ {found[2]} }} else {{ {found[1]} }})", new)


def plant_all():
    for number, (_, path, old, new) in enumerate(PLANTS):
        text = (ROOT / path).read_text()
        if text.count(old) != 1:
            sys.exit(f"{path} has {old!r} {text.count(old)} times: mend the plant")
        (ROOT / path).write_text(text.replace(old, plant(number, new)))


def build():
    """The test binary, its worker built beside it."""
    command = ["cargo", "test", "--workspace", "--test", "worker", "--no-run"]
    told = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if told.returncode != 0:
        sys.exit(told.stderr)
    return ROOT / re.search(r"\((\S+/worker-\S+)\)", told.stderr)[1]


def passes(binary, kind, planted, capability):
    environment = {**os.environ, **CAPABILITIES[capability], "PLANTED": str(planted)}
    command = [binary, f"golden::{kind}", "--exact"] if kind else [binary, "golden::"]
    done = subprocess.run(command, cwd=ROOT / "nodes", env=environment, capture_output=True, text=True)
    # A worker that cannot run, or a test that is not there, shows nothing.
    if done.returncode != 0 and "is not what is pinned" not in done.stdout or "0 passed; 0 failed" in done.stdout:
        sys.exit(f"{kind}, {capability}: {done.stdout}{done.stderr}")
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*")
    kinds = parser.parse_args().kinds
    if git("status", "--porcelain"):
        sys.exit("the tree has changes: commit or stash them")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit("stopped"))
    try:
        plant_all()
        binary = build()
    finally:
        git("checkout", "--", *sorted({path for _, path, _, _ in PLANTS}))
    missed = 0
    for capability in CAPABILITIES:
        if not passes(binary, None, "none", capability):
            sys.exit(f"with nothing planted, a kind fails under {capability}")
    print(f"| kind | planted | {' | '.join(CAPABILITIES)} |\n|---|---|{'---|' * len(CAPABILITIES)}", flush=True)
    for number, (kind, path, _, new) in enumerate(PLANTS):
        if kinds and kind not in kinds:
            continue
        found = ["missed" if passes(binary, kind, number, capability) else "found" for capability in CAPABILITIES]
        missed += found.count("missed")
        values = ", ".join(f"{was} → {planted}" for was, planted in PLANT.findall(new))
        print(f"| {kind} | {pathlib.Path(path).stem}: {values} | {' | '.join(found)} |", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
