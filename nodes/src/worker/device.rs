//! Where a job computes, how, and the class of machine in which equal keys give equal bytes.

use hyper_flow_diffusion::half::HalfCompute;
use hyper_flow_spec::kinds::Precision;
use hyper_flow_spec::{Device as Asked, Job};
use tch::{Cuda, Device, Kind};

use super::driver::{self, Means};
use crate::NodeError;

/// The device of libtorch that a job asks for, set to compute as the job wants.
pub(super) fn choose(job: &Job) -> Result<Device, NodeError> {
    let device = find(job.device)?;
    if matches!(device, Device::Cuda(_)) {
        set(job).map_err(|error| NodeError::Unfit(format!("the GPU cannot be set up: {error}")))?;
    }
    Ok(device)
}

fn find(asked: Asked) -> Result<Device, NodeError> {
    let index = match asked {
        Asked::Cpu => return Ok(Device::Cpu),
        Asked::Auto if Cuda::device_count() == 0 => return Ok(Device::Cpu),
        Asked::Auto => 0,
        Asked::Cuda(index) => index,
    };
    let fault = Means::here().fault();
    let is_there = i64::from(index) < Cuda::device_count();
    match fault {
        None if is_there => Ok(Device::Cuda(index as usize)),
        fault => {
            let cause = fault.unwrap_or_else(|| format!("libtorch sees {} of them", Cuda::device_count()));
            Err(NodeError::Unfit(format!(
                "it was given a GPU, and GPU {index} of this worker cannot be used: {cause}. Or let it compute on the CPU: \
                 `device: Cpu` in `settings`, or `--gpus 0`"
            )))
        }
    }
}

/// Float32 means float32: libtorch by itself rounds convolutions on a GPU to TF32, and products not.
fn set(job: &Job) -> Result<(), hyper_flow_torch_ext::TorchError> {
    hyper_flow_torch_ext::set_tf32(job.kind.precision() == Some(Precision::Tf32))?;
    hyper_flow_torch_ext::set_deterministic(job.exact)
}

/// The instruction set that libtorch's kernels use here, and the 16-bit formats whose layers compute in float32:
/// `cpu:avx512`, `cpu:avx2(bf16,fp16 in fp32)`.
pub(super) fn cpu_class() -> String {
    #[cfg(target_arch = "x86_64")]
    let capability =
        if std::arch::is_x86_feature_detected!("avx512vl") && std::arch::is_x86_feature_detected!("avx512bw") {
            "avx512"
        } else if std::arch::is_x86_feature_detected!("avx2") {
            "avx2"
        } else {
            "sse"
        };
    #[cfg(not(target_arch = "x86_64"))]
    let capability = std::env::consts::ARCH;
    let formats = [("bf16", Kind::BFloat16), ("fp16", Kind::Half)];
    let widened = formats.into_iter().filter(|(_, kind)| HalfCompute::of_cpu(*kind) == HalfCompute::Widened);
    format!("cpu:{capability}{}", in_fp32(&widened.map(|(name, _)| name).collect::<Vec<_>>()))
}

fn in_fp32(formats: &[&str]) -> String {
    if formats.is_empty() { String::new() } else { format!("({} in fp32)", formats.join(",")) }
}

/// The classes of the GPUs that this worker could use, as their driver names them.
pub(super) fn gpu_classes() -> Vec<String> {
    let means = Means::here();
    if means.fault().is_some() { Vec::new() } else { means.gpus().iter().map(driver::class).collect() }
}

/// The class of a job: `cpu:avx512x2`, `cuda:sm_90(NVIDIA H200)x1`.
pub(super) fn class(device: Device, threads: usize) -> String {
    match device {
        Device::Cuda(index) => {
            let class = gpu_classes().into_iter().nth(index).unwrap_or_else(|| "cuda".to_owned());
            format!("{class}x1")
        }
        _ => format!("{}x{threads}", cpu_class()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_names_the_formats_that_are_widened() {
        assert_eq!(in_fp32(&[]), "");
        assert_eq!(in_fp32(&["bf16", "fp16"]), "(bf16,fp16 in fp32)");
        let bf16 = HalfCompute::of_cpu(Kind::BFloat16) == HalfCompute::Widened;
        assert_eq!(cpu_class().contains("(bf16"), bf16, "{}", cpu_class());
    }
}
