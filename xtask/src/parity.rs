//! `cargo xtask parity [RUN]`: this project and PyTorch held against each other, both ways.
//!
//! PyTorch, and for the metrics SciPy and others, compute the golden files again, which our tests are held to; and PyTorch
//! loads the generator of a run and must make the images of it that we make, as must onnxruntime; TensorBoard reads its event
//! file. The scripts say more.

use crate::command::{self, Outcome, cargo, root, target_dir};
use crate::python;
use std::path::{Path, PathBuf};
use std::process::Command;

const USAGE: &str = "usage: cargo xtask parity [--python PYTHON] [RUN]
RUN     a run directory, whose images PyTorch and onnxruntime are to make as well
PYTHON  an interpreter that has torch, safetensors, numpy, scipy, scikit-learn, prdc, onnx, onnxruntime, tensorboard and pillow;
        otherwise they are installed into target/parity";

/// Beside PyTorch.
const PACKAGES: &[&str] = &[
    "safetensors",
    "numpy",
    "scipy",
    "scikit-learn",
    "prdc",
    "onnx",
    "onnxruntime",
    "tensorboard",
    "pillow",
];

pub(crate) fn run(args: &[String]) -> Outcome {
    let (python, run) = match args {
        [flag, python, run @ ..] | [run @ .., flag, python] if flag == "--python" => (Some(python), run),
        run => (None, run),
    };
    let run = match run {
        [] => None,
        [run] if !run.starts_with('-') => Some(run),
        _ => return Err(USAGE.to_string().into()),
    };

    let dir = target_dir().join("parity");
    let python = match python {
        Some(python) => PathBuf::from(python),
        None => {
            let venv = dir.join("venv");
            let python = python::venv(&venv)?;
            python::install_with_torch(&python, &venv, PACKAGES)?;
            python
        }
    };

    for name in ["golden.py", "golden_ops.py", "golden_choices.py", "check_metrics.py", "golden_formats.py"] {
        command::run(script(&python, name).arg("--check"), "")?;
    }

    let Some(run) = run else { return Ok(()) };
    let run = std::path::absolute(run).map_err(|e| format!("{run}: {e}"))?;
    std::fs::create_dir_all(&dir).map_err(|e| format!("could not make {}: {e}", dir.display()))?;
    let (images, latents) = (dir.join("images.npy"), dir.join("latents.npy"));
    let check = || script(&python, "check_generator.py");
    command::run(check().args([&run, &latents]), "")?;
    let ganlet = |verb: &str| {
        let mut ganlet = cargo();
        ganlet.args(["run", "--release", "--bin", "ganlet", "--", verb]).arg(&run);
        ganlet
    };
    command::run(ganlet("sample").arg("--latents").arg(&latents).arg("--out").arg(&images), "")?;
    command::run(check().args([&run, &latents, &images]), "")?;

    let (model, logs) = (dir.join("generator.onnx"), dir.join("logs"));
    command::run(ganlet("export").arg("--onnx").arg(&model).arg("--tensorboard").arg(&logs), "")?;
    command::run(script(&python, "check_export.py").args([&run, &model, &latents, &images, &logs]), "")
}

fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    // -B: no compiled copies among the sources.
    command.arg("-B").arg(root().join("scripts").join(name));
    command
}
