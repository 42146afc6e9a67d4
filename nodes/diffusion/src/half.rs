//! How layers whose weights have 16 bits compute on a CPU. Where the CPU has no instructions for a format, libtorch takes
//! 5 to 100 times as long for it as for float32; there the layers' weights stay in 16 bits and are widened one layer at a
//! time. On a GPU nothing is widened.

use std::cell::Cell;
use std::sync::LazyLock;
use tch::{Device, Kind, Tensor};

/// How a layer with weights of 16 bits computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfCompute {
    /// In the format itself, whose products are summed in float32.
    Native,
    /// In float32: inputs and weights are widened for the length of the layer, and what it makes is rounded back. So it is
    /// rounded where [`Native`](Self::Native) is, and only the order of sums differs. In a backward pass the widened
    /// weights of all layers of a graph are held at once: on a [`Tape`](crate::Tape) those of one part.
    Widened,
}

impl HalfCompute {
    /// How layers of this dtype compute on this CPU, within the bounds that `ATEN_CPU_CAPABILITY` and `ONEDNN_MAX_CPU_ISA`
    /// set to libtorch.
    pub fn of_cpu(kind: Kind) -> Self {
        static HERE: LazyLock<[HalfCompute; 2]> = LazyLock::new(|| [Kind::BFloat16, Kind::Half].map(detect));
        match kind {
            Kind::BFloat16 => HERE[0],
            Kind::Half => HERE[1],
            _ => Self::Native,
        }
    }
}

thread_local! {
    /// What [`with_half_compute`] asks for.
    static ASKED: Cell<Option<HalfCompute>> = const { Cell::new(None) };
}

/// What `f` yields, whose layers on a CPU compute as asked for, whatever the CPU has: for measurements and comparisons. A
/// recorded part of a network that is computed again outside of this computes as it does there.
pub fn with_half_compute<T>(how: HalfCompute, f: impl FnOnce() -> T) -> T {
    struct Back(Option<HalfCompute>);
    impl Drop for Back {
        fn drop(&mut self) {
            ASKED.set(self.0);
        }
    }
    let _back = Back(ASKED.replace(Some(how)));
    f()
}

/// The dtype that a layer computes in, whose weights have the dtype of `x`.
pub(crate) fn layer_kind(x: &Tensor) -> Kind {
    let kind = x.kind();
    let widened = || ASKED.get().unwrap_or_else(|| HalfCompute::of_cpu(kind)) == HalfCompute::Widened;
    match kind {
        Kind::BFloat16 | Kind::Half if x.device() == Device::Cpu && widened() => Kind::Float,
        _ => kind,
    }
}

/// The instruction sets of oneDNN, which does libtorch's matrix products and convolutions, as `ONEDNN_MAX_CPU_ISA` names
/// those without arithmetic in float16, upwards. The first seven have none in bfloat16 either.
const WITHOUT_FP16: [&str; 8] =
    ["SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16"];

fn detect(kind: Kind) -> HalfCompute {
    let set = |name: &str| std::env::var(name).ok();
    let one_dnn = set("ONEDNN_MAX_CPU_ISA").or_else(|| set("DNNL_MAX_CPU_ISA"));
    within(kind, has_instructions(kind), set("ATEN_CPU_CAPABILITY").as_deref(), one_dnn.as_deref())
}

/// With or without instructions for the format, in the bounds of libtorch's own kernels and of oneDNN.
fn within(kind: Kind, instructions: bool, aten: Option<&str>, one_dnn: Option<&str>) -> HalfCompute {
    let lacking = if kind == Kind::Half { &WITHOUT_FP16[..] } else { &WITHOUT_FP16[..7] };
    let bounded = matches!(aten, Some("default" | "avx2"))
        || one_dnn.is_some_and(|isa| lacking.contains(&isa.to_ascii_uppercase().as_str()));
    if instructions && !bounded { HalfCompute::Native } else { HalfCompute::Widened }
}

/// Whether the CPU multiplies numbers of the format. One with AVX-512 but without `avx512_bf16` does not: there libtorch
/// converts inside its kernels, which measured no faster than widening whole layers.
#[cfg(target_arch = "x86_64")]
fn has_instructions(kind: Kind) -> bool {
    match kind {
        Kind::Half => std::arch::is_x86_feature_detected!("avx512fp16"),
        _ => std::arch::is_x86_feature_detected!("avx512bf16"),
    }
}

/// Whether the CPU multiplies numbers of the format.
#[cfg(target_arch = "aarch64")]
fn has_instructions(kind: Kind) -> bool {
    match kind {
        Kind::Half => std::arch::is_aarch64_feature_detected!("fp16"),
        _ => std::arch::is_aarch64_feature_detected!("bf16"),
    }
}

/// Whether the CPU multiplies numbers of the format: nothing is known of it.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has_instructions(_: Kind) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::HalfCompute::{Native, Widened};
    use super::*;

    #[test]
    fn a_format_is_native_where_neither_cpu_nor_bounds_lack_it() {
        for (bf16, fp16, aten, one_dnn) in [
            (Native, Native, None, None),
            (Native, Native, Some("avx512"), Some("AVX512_CORE_AMX")),
            (Native, Native, None, Some("DEFAULT")),
            (Native, Widened, None, Some("AVX512_CORE_BF16")),
            (Widened, Widened, None, Some("avx512_core")),
            (Widened, Widened, None, Some("AVX2")),
            (Widened, Widened, Some("avx2"), None),
            (Widened, Widened, Some("default"), Some("AVX512_CORE_AMX")),
        ] {
            let found = [Kind::BFloat16, Kind::Half].map(|kind| within(kind, true, aten, one_dnn));
            assert_eq!(found, [bf16, fp16], "{aten:?} {one_dnn:?}");
        }
        assert_eq!(within(Kind::BFloat16, false, None, None), Widened);
    }

    #[test]
    fn what_is_asked_for_holds_inside_and_only_for_16_bits_on_a_cpu() {
        let of = |kind| layer_kind(&Tensor::zeros([1], (kind, Device::Cpu)));
        let before = of(Kind::BFloat16);
        with_half_compute(Widened, || {
            assert_eq!(
                [of(Kind::BFloat16), of(Kind::Half), of(Kind::Double)],
                [Kind::Float, Kind::Float, Kind::Double]
            );
            with_half_compute(Native, || assert_eq!(of(Kind::Half), Kind::Half));
            assert_eq!(of(Kind::Half), Kind::Float);
        });
        assert_eq!(of(Kind::BFloat16), before);
    }
}
