//! Compiles the CUDA kernels to PTX, which the driver compiles for its GPU. Without the feature `cuda` there is nothing to do.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/cuda");
    #[cfg(feature = "cuda")]
    if let Err(error) = cuda::compile() {
        println!("cargo::error=could not compile the CUDA kernels: {error}");
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use std::error::Error;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    /// Where the PTX goes, and the oldest GPUs that it is for: Ampere, whose tensor cores take TF32; and Hopper, which can start a kernel
    /// while the one before it ends.
    const FOR: [(&str, &str); 2] = [("", "compute_80"), ("overlapping", "compute_90")];

    pub(super) fn compile() -> Result<(), Box<dyn Error>> {
        println!("cargo::rerun-if-env-changed=NVCC");
        let nvcc = cudaforge::CudaToolkit::detect()?.nvcc_path;
        let out = PathBuf::from(std::env::var("OUT_DIR")?);
        for (folder, gpus) in FOR {
            let folder = out.join(folder);
            std::fs::create_dir_all(&folder)?;
            for entry in std::fs::read_dir("src/cuda")? {
                let source = entry?.path();
                if source.extension().is_some_and(|extension| extension == "cu") {
                    let ptx = folder.join(source.with_extension("ptx").file_name().unwrap_or_default());
                    run(&nvcc, gpus, &source, &ptx)?;
                }
            }
        }
        Ok(())
    }

    fn run(nvcc: &Path, gpus: &str, source: &Path, ptx: &Path) -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(nvcc);
        // A product and a sum are one operation only where `fmaf` says so: noise must be the CPU's to the bit.
        command.args(["--ptx", "-std=c++17", "-O3", "--fmad=false", "--gpu-architecture", gpus]);
        let status = command.arg("--output-file").arg(ptx).arg(source).status();
        match status.map_err(|error| format!("{}: {error}", nvcc.display()))? {
            status if status.success() => Ok(()),
            status => Err(format!("{command:?}: {status}").into()),
        }
    }
}
