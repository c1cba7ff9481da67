//! The project's chores: `cargo xtask help`.
//!
//! Standard library only, and nothing of the project is linked: this builds in a second, and everything else is a
//! command that it prints before running it.

mod bench;
mod check;
mod command;
mod cuda;
mod parity;
mod python;
mod sanitize;
mod soak;
mod train;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask train [ARGS]        train: cargo run --release --bin ganlet -- train [ARGS]
cargo xtask check               all that CI runs, cheapest first: format, lints, documentation, tests
cargo xtask bench [ARGS]        time the training step and the program around it; --peers: beside PyTorch and JAX;
                                --device cuda: on a GPU
cargo xtask parity [RUN]        hold this project and PyTorch against each other; brings its own PyTorch
cargo xtask sanitize            the unsafe code under ThreadSanitizer, AddressSanitizer and Miri; needs a nightly compiler
cargo xtask soak [ARGS]         interrupt a training again and again, and compare it with one that was not
cargo xtask cuda build [ARGS]   build ganlet for NVIDIA GPUs; needs no CUDA toolkit, no driver and no GPU
cargo xtask cuda check [ARGS]   the tests on a GPU or, without one, on a stand-in for its driver that runs kernels on the CPU
cargo xtask help                this text
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let verb = args.next();
    let args: Vec<String> = args.collect();
    let outcome = match verb.as_deref() {
        Some("train") => train::run(&args),
        Some("check") => check::run(&args),
        Some("bench") => bench::run(&args),
        Some("parity") => parity::run(&args),
        Some("sanitize") => sanitize::run(&args),
        Some("soak") => soak::run(&args),
        Some("cuda") => cuda::run(&args),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some(verb) => Err(format!("there is no chore `{verb}`; there are these:\n\n{HELP}").into()),
        None => Err(format!("which chore?\n\n{HELP}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
