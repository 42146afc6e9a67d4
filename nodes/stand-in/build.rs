//! Builds two libraries that tests put into a worker's process: `libcuda_device.so`, a CUDA device of host memory for a
//! libtorch without CUDA, and `libcuda.so.1`, NVIDIA's driver as far as a worker asks it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The parts of the device.
const DEVICE: [&str; 4] = ["counts.cpp", "device.cpp", "kernels.cpp", "memory.cpp"];

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    let lib = PathBuf::from(std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is"));
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it"));
    // A libtorch with CUDA has a device of its own, and takes no other under its name.
    if !lib.join("libtorch_cuda.so").exists() {
        device(&lib, &out.join("libcuda_device.so"));
    }
    let driver = out.join("driver");
    std::fs::create_dir_all(&driver).expect("the build's own folder can be written");
    let mut command = compiler();
    command.args(["-Wl,-soname,libcuda.so.1", "cpp/driver.cpp", "-o"]).arg(driver.join("libcuda.so.1"));
    run(&mut command);
}

fn device(lib: &Path, library: &Path) {
    let include = lib.with_file_name("include");
    let mut command = compiler();
    command.arg("-I").arg(&include).arg("-I").arg(include.join("torch/csrc/api/include"));
    command.args(DEVICE.map(|name| format!("cpp/{name}")));
    command.arg("-L").arg(lib).args(["-ltorch_cpu", "-lc10"]);
    command.arg(format!("-Wl,-rpath,{}", lib.display())).arg("-o").arg(library);
    run(&mut command);
}

/// The compiler for C++ that the `cc` crate finds, to link a library that is loaded at run time: that it does not do.
fn compiler() -> Command {
    let mut command = cc::Build::new().cpp(true).opt_level(1).debug(false).get_compiler().to_command();
    command.args(["-std=c++17", "-shared", "-fPIC", "-w"]);
    command
}

fn run(command: &mut Command) {
    let status = command.status().expect("a compiler for C++ is installed");
    assert!(status.success(), "{command:?} failed");
}
