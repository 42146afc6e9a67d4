//! Puts libtorch on the run path, so that binaries and tests start from anywhere, and links its CUDA half where it has
//! one: nothing refers to it by name, so the linker would leave it out and no GPU would be found. Tells the worker which
//! version it is built against.

use std::path::Path;

fn main() {
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    if Path::new(&lib).join("libtorch_cuda.so").exists() {
        println!("cargo:rustc-link-arg=-L{lib}");
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
    println!(
        "cargo:rustc-env=HYPER_FLOW_LIBTORCH={}",
        version(Path::new(&lib)).unwrap_or_else(|| "unknown".to_owned())
    );
}

/// `2.11.0`, out of the header that libtorch ships.
fn version(lib: &Path) -> Option<String> {
    let header = lib.parent()?.join("include/torch/headeronly/version.h");
    println!("cargo:rerun-if-changed={}", header.display());
    let text = std::fs::read_to_string(header).ok()?;
    let part = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("#define TORCH_VERSION_{name} ")))?;
        Some(line.trim().to_owned())
    };
    Some([part("MAJOR")?, part("MINOR")?, part("PATCH")?].join("."))
}
