//! Where a job computes, and the class of machine in which equal keys give equal bytes.

use hyper_flow_diffusion::half::HalfCompute;
use hyper_flow_spec::Device as Asked;
use tch::{Cuda, Device, Kind};

use crate::NodeError;

/// The device of libtorch that a job asks for.
pub(super) fn choose(asked: Asked) -> Result<Device, NodeError> {
    match asked {
        Asked::Cpu => Ok(Device::Cpu),
        Asked::Auto => Ok(Device::cuda_if_available()),
        Asked::Cuda(index) if i64::from(index) < Cuda::device_count() => Ok(Device::Cuda(index as usize)),
        Asked::Cuda(index) => Err(NodeError::Unfit(format!(
            "there is no GPU {index}: {} seen by this worker. Build it against a CUDA libtorch on a machine with an \
             NVIDIA driver, or use `device: Cpu`",
            Cuda::device_count()
        ))),
    }
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

/// The classes of the GPUs, `cuda:sm_90`, as the driver names them.
pub(super) fn gpu_classes() -> Vec<String> {
    let asked =
        std::process::Command::new("nvidia-smi").args(["--query-gpu=compute_cap", "--format=csv,noheader"]).output();
    let Ok(answer) = asked else { return Vec::new() };
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    text.lines().map(|line| format!("cuda:sm_{}", line.trim().replace('.', ""))).collect()
}

/// The class of a job: `cpu:avx512x2`, `cuda:sm_90x1`.
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
