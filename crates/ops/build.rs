//! Compiles the CUDA kernels to PTX, which the driver compiles for its GPU. Without the feature `cuda` there is nothing to do.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/cuda");
    #[cfg(feature = "cuda")]
    if let Err(error) = kernels() {
        println!("cargo::error=could not compile the CUDA kernels: {error}");
    }
}

#[cfg(feature = "cuda")]
fn kernels() -> cudaforge::Result<()> {
    cudaforge::KernelBuilder::new()
        .source_dir("src/cuda")
        .arg("-std=c++17")
        .arg("-O3")
        // A product and a sum are one operation only where `fmaf` says so: noise must be the CPU's to the bit.
        .arg("--fmad=false")
        .build_ptx()?;
    Ok(())
}
