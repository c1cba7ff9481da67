//! `cargo xtask train`: an optimised build, then `ganlet train`.

use crate::command::{Outcome, cargo_here, root};
use std::process::Command;

/// Becomes `cargo run`, in the caller's folder: Ctrl-C and the exit status are the program's own.
pub(crate) fn run(args: &[String]) -> Outcome {
    let mut command = cargo_here();
    command.args(["run", "--release", "--bin", "ganlet", "--manifest-path"]);
    command.arg(root().join("Cargo.toml")).args(["--", "train"]).args(args);
    become_it(command)
}

#[cfg(unix)]
fn become_it(mut command: Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(format!("could not start cargo: {error}").into())
}

/// Where a process cannot become another one, it waits for it.
#[cfg(not(unix))]
fn become_it(mut command: Command) -> Outcome {
    let status = command.status().map_err(|e| format!("could not start cargo: {e}"))?;
    std::process::exit(status.code().unwrap_or(1))
}
