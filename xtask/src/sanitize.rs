//! `cargo xtask sanitize`: the threads and the unsafe code of `ops` under ThreadSanitizer, AddressSanitizer and Miri.
//!
//! The sanitizers see what really runs, vector instructions and all, in the order in which it happened to run. Miri interprets,
//! knows the language's rules and other orders, and is slow: it has the thread pool and the micro-kernel.

use crate::command::{self, Outcome, root, target_dir};
use std::process::Command;

const NO_NIGHTLY: &str = "this needs Linux and a nightly compiler: \
    rustup toolchain install nightly --profile minimal --component miri --component rust-src";

pub(crate) fn run(args: &[String]) -> Outcome {
    if let [extra, ..] = args {
        return Err(format!("`cargo xtask sanitize` takes no arguments, got `{extra}`").into());
    }
    // The standard library is built as well: a sanitizer that sees half of the synchronisation reports races that are none.
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    for sanitizer in ["thread", "address"] {
        let mut tests = nightly_cargo(&[
            "test",
            "-Zbuild-std",
            "--target",
            &target,
            "--package",
            "ganlet-ops",
            "--tests",
        ]);
        tests.env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}"));
        // Helpers that wait for the next loop are not leaks.
        tests.env("ASAN_OPTIONS", "detect_leaks=0");
        command::run(tests.env("CARGO_TARGET_DIR", target_dir().join(sanitizer)), NO_NIGHTLY)?;
    }
    // Ten thousand loops are too many for an interpreter.
    let mut pool = nightly_cargo(&["miri", "test", "--package", "ganlet-ops", "--lib", "--"]);
    pool.args(["pool::", "microkernel::", "--skip", "every_piece_is_done_once"]);
    // The helpers never end, and Miri would call them leaks too.
    command::run(pool.env("MIRIFLAGS", "-Zmiri-ignore-leaks"), NO_NIGHTLY)
}

fn nightly_cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo"]).args(args).current_dir(root());
    cargo
}
