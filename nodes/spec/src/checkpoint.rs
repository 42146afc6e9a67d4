//! What the checkpoints of a training are called.

/// The step of a checkpoint in a job's `scratch`, by its name: `checkpoint-00000020-…64 digits….safetensors` holds all that the
/// step after the 20th follows from. Such a file is whole, and nobody changes it.
pub fn checkpoint_step(name: &str) -> Option<u64> {
    let (step, digest) = name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.split_once('-')?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { step.parse().ok() } else { None }
}
