//! Puts libtorch on the run path, so that tests and examples start from anywhere, and links its CUDA half where it has
//! one: nothing refers to it by name, so the linker would leave it out and no GPU would be found.

use std::path::Path;

fn main() {
    let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    if Path::new(&lib).join("libtorch_cuda.so").exists() {
        println!("cargo:rustc-link-arg=-L{lib}");
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
}
