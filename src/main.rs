//! The command `hyper-flow`.

fn main() -> std::process::ExitCode {
    hyper_flow::cli::main()
}
