//! `cargo xtask check`: what CI runs, cheapest first. The first failure ends it.

use crate::command::{self, Outcome, cargo};

pub(crate) fn run(args: &[String]) -> Outcome {
    if let [extra, ..] = args {
        return Err(format!("`cargo xtask check` takes no arguments, got `{extra}`").into());
    }
    command::run(cargo().args(["fmt", "--all", "--check"]), "run `cargo fmt --all`")?;
    command::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]), "")?;
    command::run(
        cargo().env("RUSTDOCFLAGS", "--deny=warnings").args(["doc", "--workspace", "--no-deps"]),
        "",
    )?;
    // What is off by default is checked too; with it comes candle-datasets, the oracle that our reader is held to.
    let hub = ["--package", "ganlet-data", "--features", "hub"];
    command::run(cargo().arg("clippy").args(hub).args(["--all-targets", "--", "--deny", "warnings"]), "")?;
    command::run(cargo().arg("test").args(hub), "")?;
    command::run(cargo().args(["test", "--workspace"]), "")
}
