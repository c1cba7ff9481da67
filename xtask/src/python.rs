//! Python packages for the chores that need them, in folders below `target/`: nothing is installed anywhere else.

use crate::command::{self, Outcome};
use std::path::{Path, PathBuf};
use std::process::Command;

const NO_PYTHON: &str = "this needs Python 3 with its `venv` module: install them \
    (Debian and Ubuntu: apt install python3-venv) and run it again";

const NO_PACKAGES: &str = "packages come from https://pypi.org: behind a proxy set HTTPS_PROXY, for a mirror PIP_INDEX_URL; \
    or give an interpreter that has them, where there is a flag --python";

/// PyTorch's own index, of wheels without CUDA.
const WITHOUT_CUDA: &[&str] = &["--index-url", "https://download.pytorch.org/whl/cpu", "--retries", "1"];

/// The interpreter of the virtual environment at `dir`, which is made if need be.
pub(crate) fn venv(dir: &Path) -> Outcome<PathBuf> {
    let python = dir.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        let system = if cfg!(windows) { "python" } else { "python3" };
        command::run(Command::new(system).args(["-m", "venv"]).arg(dir), NO_PYTHON)?;
    }
    Ok(python)
}

/// Installs `packages`, unless `dir` says that just this was done before; `args` are for `pip install`.
pub(crate) fn install(python: &Path, dir: &Path, args: &[&str], packages: &[&str]) -> Outcome {
    once(dir, packages, || pip(python, args, packages))
}

/// Installs PyTorch, without CUDA where that can be had, and `packages`, unless `dir` says that just this was done before.
pub(crate) fn install_with_torch(python: &Path, dir: &Path, packages: &[&str]) -> Outcome {
    once(dir, &[&["torch"], packages].concat(), || {
        if pip(python, WITHOUT_CUDA, &["torch"]).is_err() {
            eprintln!("PyTorch's own index cannot be reached; PyPI's PyTorch is some gigabytes larger.");
            pip(python, &[], &["torch"])?;
        }
        pip(python, &[], packages)
    })
}

fn pip(python: &Path, args: &[&str], packages: &[&str]) -> Outcome {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(args).args(packages);
    command::run(&mut pip, NO_PACKAGES)
}

/// Installs what is wanted, and writes down in `dir` that it was done.
fn once(dir: &Path, packages: &[&str], install: impl FnOnce() -> Outcome) -> Outcome {
    let stamp = dir.join(STAMP);
    let wanted = packages.join("\n") + "\n";
    if std::fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    install()?;
    std::fs::write(&stamp, wanted).map_err(|e| format!("could not write {}: {e}", stamp.display()))?;
    Ok(())
}

/// Lists the packages that a folder holds, and is written last.
const STAMP: &str = "installed.txt";
