//! Compiles the C++ side against the libtorch that `tch` is linked to.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    let lib = PathBuf::from(std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is"));
    let include = lib.with_file_name("include");
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").warnings(false).opt_level(1).debug(false);
    build.include(&include).include(include.join("torch/csrc/api/include"));
    build.files(["cpp/driver.cpp", "cpp/libtorch.cpp"]).compile("hyper_flow_torch_ext");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}
