//! NVIDIA's compiler from wheels, and what lets it serve where nothing of CUDA is installed.
//!
//! - NVIDIA publishes its compiler as Python wheels, and these versions of it are enough.
//! - cudarc, through which candle calls CUDA, can load the libraries when the program runs instead of being linked to
//!   them. Such a program starts anywhere, and says what it misses only when asked for a GPU. The build scripts name
//!   the libraries to the linker all the same, so empty ones stand in: no symbol of theirs is used, and the linker
//!   leaves them out of the program.
//! - The kernels that nothing here calls are skipped: see `nvcc.sh`.
//!
//! This leans on the insides of candle 0.11.1, cudarc 0.19.10 and cudaforge 0.1.6, which `Cargo.lock` pins. With a CUDA
//! toolkit installed, `cargo build --release --features cuda` needs none of it.

use crate::command::{self, Outcome, cargo, target_dir};
use crate::python;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the wheels, the linker's stand-ins and the binaries are for.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// CUDA 13.0: drivers from 580 on take the PTX that it writes.
const COMPILER: &[&str] = &[
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
];
/// The same in cudarc's notation: the oldest CUDA interface that the program may use.
const CUDARC_CUDA_VERSION: &str = "13000";
/// PTX for Ampere, which the driver compiles for whichever newer GPU it finds.
const OLDEST_GPU: &str = "80";

/// The libraries that the build scripts of cudarc and candle-kernels name to the linker.
const SHARED: &[&str] = &["cuda", "nvrtc", "curand", "cublas", "cublasLt"];
const STATIC: &str = "libcudart.a";

pub(crate) const NO_COMPILER: &str = "this needs a C compiler and binutils, as Rust itself does: install them \
    (Debian and Ubuntu: apt install build-essential) and run it again";

/// Where all of this lies.
pub(super) fn folder() -> PathBuf {
    target_dir().join("cuda")
}

/// The cargo whose builds have the feature `cuda`: give it a verb, and `arguments()` after it.
pub(crate) struct Toolchain {
    nvcc: PathBuf,
    wrapper: PathBuf,
    libraries: PathBuf,
}

impl Toolchain {
    pub(crate) fn new() -> Outcome<Self> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("this builds on Linux on x86-64 only; elsewhere install the CUDA toolkit and run \
                        `cargo build --release --features cuda`"
                .to_string()
                .into());
        }
        let dir = folder();
        Ok(Self { nvcc: compiler(&dir)?, libraries: stand_ins(&dir)?, wrapper: wrapper(&dir)? })
    }

    /// `cargo VERB --target TARGET`, with the environment that the build scripts need.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut build = cargo();
        build.args([verb, "--target", TARGET]);
        build.env("NVCC", &self.wrapper).env("REAL_NVCC", &self.nvcc);
        build.env("CUDA_HOME", &self.libraries).env("CUDARC_CUDA_VERSION", CUDARC_CUDA_VERSION);
        if std::env::var_os("CUDA_COMPUTE_CAP").is_none() {
            build.env("CUDA_COMPUTE_CAP", OLDEST_GPU);
        }
        // Asked for as a feature, run-time loading collides with the linking that candle asks for, in cudarc's build
        // script. Its sources test this one flag, and with --target it reaches the sources alone.
        build.env("RUSTFLAGS", "--cfg feature=\"dynamic-loading\"").env_remove("CARGO_ENCODED_RUSTFLAGS");
        build
    }

    /// NVIDIA's assembler: give it a file of PTX. It makes machine code for a GPU like `sm_90`, and fails where a kernel does not get by
    /// with its registers.
    pub(super) fn assembler(&self, gpu: &str) -> Command {
        let mut assembler = Command::new(self.nvcc.with_file_name("ptxas"));
        assembler.args([
            "--gpu-name",
            gpu,
            "--warn-on-spills",
            "--warning-as-error",
            "--output-file",
            "/dev/null",
        ]);
        assembler
    }
}

/// Brings the compiler; gives the path of `nvcc`.
fn compiler(dir: &Path) -> Outcome<PathBuf> {
    let python = python::venv(&dir.join("venv"))?;
    let toolkit = dir.join("toolkit");
    python::install(&python, &toolkit, &["--no-deps", "--upgrade", "--target", &text(&toolkit)?], COMPILER)?;
    let nvcc = toolkit.join("nvidia/cu13/bin/nvcc");
    if nvcc.exists() {
        Ok(nvcc)
    } else {
        Err(format!(
            "the compiler is not at {}: remove {} and run it again",
            nvcc.display(),
            toolkit.display()
        )
        .into())
    }
}

/// Makes the empty libraries; gives the folder that stands for an installed CUDA.
fn stand_ins(dir: &Path) -> Outcome<PathBuf> {
    let home = dir.join("stand-ins");
    let lib = home.join("lib");
    std::fs::create_dir_all(&lib).map_err(|e| format!("could not make {}: {e}", lib.display()))?;
    for name in SHARED {
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-nostdlib", "-x", "c", "/dev/null", "-o"]);
        command::run(cc.arg(lib.join(format!("lib{name}.so"))), NO_COMPILER)?;
    }
    let archive = lib.join(STATIC);
    // "!<arch>\n" is an archive without members.
    std::fs::write(&archive, "!<arch>\n")
        .map_err(|e| format!("could not write {}: {e}", archive.display()))?;
    Ok(home)
}

/// Writes the script that stands in front of `nvcc`; gives its path.
fn wrapper(dir: &Path) -> Outcome<PathBuf> {
    let path = dir.join("nvcc");
    let script = include_bytes!("nvcc.sh");
    // Written only when it changes: build scripts may look at its date.
    if std::fs::read(&path).is_ok_and(|written| written == script) {
        return Ok(path);
    }
    std::fs::write(&path, script).map_err(|e| format!("could not write {}: {e}", path.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
            .map_err(|e| format!("could not make {} executable: {e}", path.display()))?;
    }
    Ok(path)
}

fn text(path: &Path) -> Outcome<String> {
    let text = path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()))?;
    Ok(text.to_string())
}
