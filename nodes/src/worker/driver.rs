//! Why a GPU cannot be used: what NVIDIA's driver says, and what this libtorch needs of it.

use hyper_flow_torch_ext::{Driver, Gpu, InitError};

/// The oldest GPUs that CUDA 13 computes on: Turing.
const OLDEST: (u32, u32) = (7, 5);
/// The CUDA that leaves older ones out.
const SINCE: (u32, u32) = (13, 0);

/// What a worker has to compute on GPUs with.
pub(super) struct Means {
    /// Whether its libtorch has CUDA.
    pub(super) built: bool,
    /// Of which version.
    pub(super) cuda: Option<(u32, u32)>,
    /// The driver.
    pub(super) driver: Result<Driver, InitError>,
}

impl Means {
    /// Those of this process.
    pub(super) fn here() -> Means {
        // The driver first: where it has woken from an unusual place, libtorch finds it.
        let driver = hyper_flow_torch_ext::driver();
        let (built, cuda) = (hyper_flow_torch_ext::cuda_is_built(), hyper_flow_torch_ext::cuda_version());
        Means { built, cuda, driver }
    }

    /// The GPUs of the driver.
    pub(super) fn gpus(&self) -> &[Gpu] {
        self.driver.as_ref().map_or(&[], |driver| &driver.gpus)
    }

    /// Why no GPU can be used, and what to do; `None` where nothing speaks against it.
    pub(super) fn fault(&self) -> Option<String> {
        if !self.built {
            return Some(
                "this worker's libtorch is the one without CUDA; build anew on this machine with `HYPER_FLOW_CUDA=1 make`"
                    .into(),
            );
        }
        match &self.driver {
            Err(error) => Some(told(*error)),
            Ok(driver) => self.too_old(driver).or_else(|| none_left(driver)).or_else(|| self.too_small(driver)),
        }
    }

    fn too_old(&self, driver: &Driver) -> Option<String> {
        let (needs, knows) = (self.cuda?, driver.cuda?);
        (knows < needs).then(|| {
            format!(
                "the NVIDIA driver knows CUDA {}, and this libtorch needs {}; update the driver, to 580 or newer for CUDA 13.0",
                dotted(knows),
                dotted(needs)
            )
        })
    }

    fn too_small(&self, driver: &Driver) -> Option<String> {
        let gpu = driver.gpus.first().filter(|gpu| self.cuda >= Some(SINCE) && gpu.capability < OLDEST)?;
        Some(format!(
            "{} has compute capability {}, and this libtorch computes on {} and newer; use `device: Cpu`, or set LIBTORCH to \
             a libtorch 2.11 that was built for it",
            printable(&gpu.name),
            dotted(gpu.capability),
            dotted(OLDEST)
        ))
    }
}

fn none_left(driver: &Driver) -> Option<String> {
    let text =
        "the NVIDIA driver works and shows this worker no GPU; see what CUDA_VISIBLE_DEVICES names (`nvidia-smi -L`)";
    driver.gpus.is_empty().then(|| text.into())
}

/// What `cuInit` says, in words: the codes are CUDA's `CUresult`.
fn told(error: InitError) -> String {
    match error {
        InitError::NoLibrary => {
            "there is no libcuda.so.1, the library of the NVIDIA driver; install the driver, or start the container with its \
             GPUs (`--gpus all` and the NVIDIA Container Toolkit)"
                .into()
        }
        InitError::Code(code) => {
            let why = match code {
                2 => "it has no memory left: other programs use the GPU (`nvidia-smi`)",
                34 => "its library is a stub of the CUDA toolkit; take that folder out of LD_LIBRARY_PATH",
                46 => "the GPU is busy or is not to be had; see `nvidia-smi`, and its compute mode",
                100 => "it sees no GPU; see what CUDA_VISIBLE_DEVICES names and whether this user may open /dev/nvidia* (`nvidia-smi`)",
                101 => "CUDA_VISIBLE_DEVICES names no GPU or part of one that is here; `nvidia-smi -L` lists them",
                802 => "it is not ready yet: on machines with NVSwitch start `nvidia-fabricmanager`, of the driver's version",
                803 => "its library and its kernel module are of two versions; restart the machine after an update of the driver",
                804 => "it is older than its compatibility library, which this GPU does not support; update the driver",
                999 => "it cannot be woken; often /dev/nvidia-uvm is missing (`nvidia-modprobe -u`) or it wants a restart",
                _ => "see `nvidia-smi`",
            };
            format!("the NVIDIA driver failed to start (CUDA error {code}): {why}")
        }
    }
}

/// The class of a GPU: `cuda:sm_90(NVIDIA H200)`.
pub(super) fn class(gpu: &Gpu) -> String {
    format!("cuda:sm_{}{}({})", gpu.capability.0, gpu.capability.1, printable(&gpu.name))
}

/// A name without what is no letter, number or mark of ASCII.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

fn dotted((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(driver: Result<Driver, InitError>) -> Means {
        Means { built: true, cuda: Some((13, 0)), driver }
    }

    fn gpu(capability: (u32, u32)) -> Gpu {
        Gpu { name: "NVIDIA X\u{1b}[1m".into(), capability }
    }

    fn driver(cuda: (u32, u32), gpus: &[(u32, u32)]) -> Result<Driver, InitError> {
        Ok(Driver { cuda: Some(cuda), gpus: gpus.iter().map(|capability| gpu(*capability)).collect() })
    }

    #[test]
    fn every_fault_is_named() {
        let without = Means { built: false, ..means(driver((13, 0), &[(9, 0)])) };
        for (means, expected) in [
            (without, "HYPER_FLOW_CUDA=1"),
            (means(Err(InitError::NoLibrary)), "libcuda.so.1"),
            (means(Err(InitError::Code(803))), "two versions"),
            (means(Err(InitError::Code(12345))), "CUDA error 12345"),
            (means(driver((12, 4), &[(9, 0)])), "knows CUDA 12.4, and this libtorch needs 13.0"),
            (means(driver((13, 1), &[])), "shows this worker no GPU"),
            (means(driver((13, 0), &[(6, 1)])), "NVIDIA X?[1m has compute capability 6.1"),
        ] {
            let fault = means.fault().unwrap();
            assert!(fault.contains(expected), "{fault}");
        }
        assert_eq!(means(driver((13, 1), &[(7, 5), (6, 1)])).fault(), None, "the first is the one that is used");
        let older = Means { cuda: Some((12, 8)), ..means(driver((12, 8), &[(6, 1)])) };
        assert_eq!(older.fault(), None, "an older CUDA computes on older GPUs");
    }

    #[test]
    fn a_class_is_printable() {
        assert_eq!(class(&gpu((12, 0))), "cuda:sm_120(NVIDIA X?[1m)");
    }
}
