//! The benchmark on a GPU: a folder of programs and scripts that runs without Rust, and running it.
//!
//! What is measured and how the table is made, `scripts/bench.sh` says alone: here, and wherever the folder is copied to.

use crate::command::{self, Outcome, root, target_dir};
use crate::cuda::{NO_COMPILER, TARGET, Toolchain};
use crate::python;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// PyPI's PyTorch has CUDA.
const PACKAGES: &[&str] = &["torch", "numpy", "jax[cuda13]", "optax"];

/// Writes the folder; runs its script with `args`, unless it is to be a bundle.
pub(super) fn run(args: &[String]) -> Outcome {
    if let [flag, rest @ ..] = args
        && flag == "--bundle"
    {
        let [dir] = rest else {
            return Err(
                "--bundle: expected the folder to write, and nothing after it; its bench.sh takes the \
                        other arguments"
                    .to_string()
                    .into(),
            );
        };
        assemble(Path::new(dir))?;
        println!("{dir}");
        eprintln!(
            "Copy it to a machine with an NVIDIA GPU and run its bench.sh; bench.sh --help says what it needs."
        );
        return Ok(());
    }
    let dir = target_dir().join("cuda/bench");
    assemble(&dir)?;
    let mut script = Command::new("sh");
    script.arg(dir.join("bench.sh")).args(args);
    if !args.iter().any(|arg| ["--python", "--help"].contains(&arg.as_str())) {
        let venv = target_dir().join("peers-cuda");
        let python = python::venv(&venv)?;
        python::install(&python, &venv, &[], PACKAGES)?;
        script.arg("--python").arg(python);
    }
    command::run(&mut script, "")
}

/// Builds what runs, and puts it into the folder with the scripts.
fn assemble(dir: &Path) -> Outcome {
    let toolchain = Toolchain::new()?;
    let mut build = toolchain.cargo("build");
    command::run(build.args(["--release", "--bin", "ganlet", "--features", "cuda"]), "")?;
    let mut build = toolchain.cargo("build");
    build.args(["--release", "--package", "ganlet-train", "--bench", "step", "--features", "cuda"]);
    let messages = command::read(build.args(["--message-format", "json-render-diagnostics"]), "")?;
    let benchmark = executable(&messages, "step").ok_or_else(|| {
        format!("expected the path of the benchmark `step` among cargo's messages:\n{messages}")
    })?;

    for folder in ["bin", "peers"] {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder).map_err(|e| format!("could not make {}: {e}", folder.display()))?;
    }
    for (from, to) in [(target_dir().join(TARGET).join("release/ganlet"), "ganlet"), (benchmark, "step")] {
        let mut strip = Command::new("strip");
        command::run(strip.arg("-o").arg(dir.join("bin").join(to)).arg(from), NO_COMPILER)?;
    }
    for (from, to) in [
        ("bench.sh", "bench.sh"),
        ("peers/torch_step.py", "peers/torch_step.py"),
        ("peers/jax_step.py", "peers/jax_step.py"),
    ] {
        let (from, to) = (root().join("scripts").join(from), dir.join(to));
        // Its permissions come along.
        fs::copy(&from, &to)
            .map_err(|e| format!("could not copy {} to {}: {e}", from.display(), to.display()))?;
    }
    Ok(())
}

/// The executable of the target of this name, from cargo's messages in JSON, one a line.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    let name = format!("\"name\":\"{target}\"");
    let mut of_target = messages.lines().rev().filter(|line| line.contains(&name));
    of_target.find_map(|line| command::field(line, "executable")).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchmark_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"step"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"step"},"executable":"/t/deps/step-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "step"), Some(PathBuf::from("/t/deps/step-1")));
        assert_eq!(executable(messages, "absent"), None);
    }
}
