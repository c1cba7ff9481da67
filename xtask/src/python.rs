//! Python packages for the chores that need them, in folders below `target/`: nothing is installed anywhere else.

use crate::command::{self, Outcome};
use std::path::{Path, PathBuf};
use std::process::Command;

const NO_PYTHON: &str = "this needs Python 3 with its `venv` module: install them \
    (Debian and Ubuntu: apt install python3-venv) and run it again";

/// For `pip install`: for Linux there are smaller PyTorch wheels without CUDA, in PyTorch's own index.
pub(crate) const WITHOUT_CUDA: &[&str] = &["--extra-index-url", "https://download.pytorch.org/whl/cpu"];

/// The interpreter of the virtual environment at `dir`, which is made if need be.
pub(crate) fn venv(dir: &Path) -> Outcome<PathBuf> {
    let python = dir.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        let system = if cfg!(windows) { "python" } else { "python3" };
        command::run(Command::new(system).args(["-m", "venv"]).arg(dir), NO_PYTHON)?;
    }
    Ok(python)
}

/// Runs `python -m pip install ARGS PACKAGES`, unless `dir` says that just this was done before.
pub(crate) fn install(python: &Path, dir: &Path, args: &[&str], packages: &[&str]) -> Outcome {
    let stamp = dir.join(STAMP);
    let wanted = packages.join("\n") + "\n";
    if std::fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(args).args(packages);
    command::run(&mut pip, NO_PYTHON)?;
    std::fs::write(&stamp, wanted).map_err(|e| format!("could not write {}: {e}", stamp.display()))?;
    Ok(())
}

/// Lists the packages that a folder holds, and is written last.
const STAMP: &str = "installed.txt";
