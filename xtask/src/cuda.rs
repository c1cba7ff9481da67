//! `cargo xtask cuda ...`: ganlet for NVIDIA GPUs, built and checked where there is no CUDA toolkit, no driver and no GPU.

mod check;
mod standin;
mod toolchain;

use crate::command::{self, Outcome, target_dir};
pub(crate) use toolchain::{NO_COMPILER, TARGET, Toolchain};

const USAGE: &str = "\
usage: cargo xtask cuda build [CARGO BUILD ARGS]   the program
       cargo xtask cuda check [OPTIONS]            the tests, on a GPU or on the stand-in for its driver; --help has more
       cargo xtask cuda standin                    the stand-in alone; prints where it is";

pub(crate) fn run(args: &[String]) -> Outcome {
    match args {
        [] => Err(USAGE.to_string().into()),
        [verb, args @ ..] => match verb.as_str() {
            "build" => build(args),
            "check" => check::run(args),
            "standin" => {
                println!("{}", standin::build()?.library.display());
                Ok(())
            }
            _ => Err(format!("there is no `cargo xtask cuda {verb}`\n{USAGE}").into()),
        },
    }
}

fn build(args: &[String]) -> Outcome {
    let mut build = Toolchain::new()?.cargo("build");
    build.args(["--release", "--bin", "ganlet", "--features", "cuda"]).args(args);
    command::run(&mut build, "")?;

    let binary = target_dir().join(TARGET).join("release/ganlet");
    println!("{}", binary.display());
    eprintln!(
        "To use a GPU it needs an NVIDIA driver from 580 on, and CUDA 13's cuBLAS and cuRAND where the system finds \
         libraries:\nthose of the toolkit, or, through LD_LIBRARY_PATH, those that PyTorch brings in \
         site-packages/nvidia/cu13/lib."
    );
    Ok(())
}
