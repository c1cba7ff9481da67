//! The stand-in for the CUDA driver, cuBLAS and cuRAND: one library that runs the kernels on the CPU.
//!
//! Its parts are in `xtask/standin`. The kernels are our `.cu` files and candle's, compiled by the host's compiler.

use super::toolchain::{NO_COMPILER, TARGET, folder};
use crate::command::{self, Outcome, cargo, root};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const PARTS: &[&str] = &["block", "driver", "blas"];
/// Of candle's kernels, which come with cargo: those for tensors. Half precision, convolutions and quantised models are left out.
const CANDLES: &[&str] = &["affine", "binary", "cast", "fill", "indexing", "reduce", "ternary", "unary"];
/// CUDA headers that are included, and whose contents are in `device.h` as far as they are needed.
const HEADERS: &[&str] = &["cuda.h", "cuda_fp16.h", "cuda_bf16.h", "cuda_fp8.h", "cuda/std/limits"];
/// The names under which cudarc looks for its libraries. All are one file: they share their state.
const NAMES: &[&str] = &["libcuda.so", "libcublas.so", "libcublasLt.so", "libcurand.so", "libnvrtc.so"];

/// A product and a sum stay two roundings, and memory may be read as other types than it was written.
const FLAGS: &[&str] = &[
    "-std=c++17",
    "-fmax-errors=5",
    "-O2",
    "-march=native",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fPIC",
    "-fvisibility=hidden",
];

/// Builds what is not up to date; gives the folder for `LD_LIBRARY_PATH`.
///
/// `extra` are options for the compiler.
pub(super) fn build(extra: &[&str]) -> Outcome<PathBuf> {
    let parts = root().join("xtask/standin");
    let dir = folder().join(if extra.is_empty() { "standin" } else { "standin-sanitized" });
    let (objects, headers, library) = (dir.join("objects"), dir.join("include"), dir.join("lib"));
    for name in HEADERS {
        let header = headers.join(name);
        create_parent(&header)?;
        write_if_changed(&header, "")?;
    }

    let candle = candle_kernels()?;
    let ours = root().join("crates/ops/src/cuda");
    let mut made = Vec::new();
    for name in PARTS {
        made.push((
            parts.join(name).with_extension("cpp"),
            objects.join(name).with_extension("o"),
            newest(&parts)?,
        ));
    }
    let candles = CANDLES.iter().map(|name| ("candle", candle.join(name).with_extension("cu")));
    for (whose, source) in candles.chain(kernels_in(&ours)?.into_iter().map(|source| ("ours", source))) {
        let stem = source.file_stem().and_then(OsStr::to_str).unwrap_or("kernels");
        let module = format!("{whose}_{stem}");
        let unit = objects.join(&module).with_extension("cpp");
        let age = newest(source.parent().unwrap_or(&parts))?.max(newest(&parts)?);
        create_parent(&unit)?;
        let names = kernel_names(&source, &parts, &headers)?;
        write_if_changed(&unit, &translation_unit(&module, &source, &names))?;
        let age = age.max(modified(&unit).unwrap_or(age));
        made.push((unit, objects.join(&module).with_extension("o"), age));
    }

    let mut link = compiler(extra);
    create_parent(&library.join("x"))?;
    let shared = library.join("libstandin.so");
    // Nothing may be missing, and each module's shared memory is to stay together under its name.
    link.args(["-shared", "-Wl,-z,defs", "-Wl,-z,nostart-stop-gc", "-o"]).arg(&shared);
    let mut is_old = false;
    for (source, object, age) in &made {
        create_parent(object)?;
        if modified(object).is_none_or(|compiled| compiled < *age) {
            let mut compile = compiler(extra);
            compile.arg("-c").arg(source).arg("-o").arg(object).arg("-I").arg(&parts).arg("-I").arg(&headers);
            // Candle's kernels are what they are.
            let warnings = if source.starts_with(&objects) { "-w" } else { "-Wall" };
            command::run(compile.arg(warnings), NO_COMPILER)?;
            is_old = true;
        }
        link.arg(object);
    }
    if is_old || !shared.exists() {
        command::run(&mut link, NO_COMPILER)?;
    }
    for name in NAMES {
        let link = library.join(name);
        if !link.exists() {
            #[cfg(unix)]
            std::os::unix::fs::symlink("libstandin.so", &link)
                .map_err(|e| format!("could not make {}: {e}", link.display()))?;
        }
    }
    Ok(library)
}

fn compiler(extra: &[&str]) -> Command {
    let mut compiler = Command::new("c++");
    compiler.args(FLAGS).args(extra);
    compiler
}

/// The source that compiles the kernels of `source` and makes them known.
///
/// In a namespace without a name everything is of this file alone, the shared memory of templates too; candle overloads
/// `atomicAdd` there.
fn translation_unit(module: &str, source: &Path, names: &[String]) -> String {
    let mut text = format!(
        "#define STANDIN_SHARED \"shared_{module}\"\n#include \"device.h\"\nnamespace {{\nusing ::atomicAdd;\n#include {source:?}\n}}\n\
         extern \"C\" char __start_shared_{module}[] __attribute__((weak)), __stop_shared_{module}[] __attribute__((weak));\n\
         static const bool known = [] {{\n"
    );
    for name in names {
        text += &format!(
            "    standin::add({{\"{name}\", standin::Entry<{name}>::parameters, standin::Entry<{name}>::call, \
             __start_shared_{module}, __stop_shared_{module}}});\n"
        );
    }
    text + "    return true;\n}();\n"
}

/// The names of the kernels in a source, those that macros make too.
fn kernel_names(source: &Path, parts: &Path, headers: &Path) -> Outcome<Vec<String>> {
    let mut preprocess = compiler(&[]);
    preprocess
        .args(["-E", "-P", "-DSTANDIN_SCAN", "-DSTANDIN_SHARED=", "-x", "c++", "-include"])
        .arg(parts.join("device.h"));
    let text =
        command::read(preprocess.arg("-I").arg(headers).arg("-I").arg(parts).arg(source), NO_COMPILER)?;
    Ok(names_after(&text, "__global__"))
}

/// After each `word` the name before the next parenthesis.
fn names_after(text: &str, word: &str) -> Vec<String> {
    let name = |part: &str| {
        let words = part.split('(').next()?.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|word| !word.is_empty()).next_back().map(String::from)
    };
    text.split(word).skip(1).filter_map(name).collect()
}

fn kernels_in(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut sources: Vec<_> =
        files_in(folder)?.into_iter().filter(|path| path.extension() == Some(OsStr::new("cu"))).collect();
    sources.sort();
    Ok(sources)
}

/// Where cargo has the sources of candle's kernels.
fn candle_kernels() -> Outcome<PathBuf> {
    let metadata = command::read(
        cargo().args([
            "metadata",
            "--format-version",
            "1",
            "--features",
            "cuda",
            "--filter-platform",
            TARGET,
        ]),
        "",
    )?;
    let manifest = metadata
        .split("\"manifest_path\":\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.ends_with("/Cargo.toml") && path.contains("/candle-kernels-"));
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent()).map(|folder| folder.join("src"));
    folder.ok_or_else(|| {
        "cargo metadata names no candle-kernels, whose sources are compiled".to_string().into()
    })
}

fn files_in(folder: &Path) -> Outcome<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(format!("could not list {}: {e}", folder.display()).into()),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn newest(folder: &Path) -> Outcome<SystemTime> {
    let times = files_in(folder)?.iter().filter_map(|path| modified(path)).max();
    Ok(times.unwrap_or(SystemTime::UNIX_EPOCH))
}

fn create_parent(path: &Path) -> Outcome {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(|e| format!("could not make {}: {e}", parent.display()).into())
}

fn write_if_changed(path: &Path, text: &str) -> Outcome {
    if std::fs::read(path).is_ok_and(|written| written == text.as_bytes()) {
        return Ok(());
    }
    std::fs::write(path, text).map_err(|e| format!("could not write {}: {e}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_name() {
        let text = "extern \"C\" __global__ void one(const float *x) {}\nextern \"C\" __global__ void\n two (int n);";
        assert_eq!(names_after(text, "__global__"), ["one", "two"]);
    }
}
