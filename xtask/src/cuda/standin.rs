//! The stand-in for the CUDA driver, cuBLAS and cuRAND: one library that runs the kernels on the CPU.
//!
//! Its parts are in `xtask/standin`. The kernels are our `.cu` files and candle's, compiled by the host's compiler.

use super::toolchain::{NO_COMPILER, TARGET, folder};
use crate::command::{self, Outcome, cargo, root};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const PARTS: &[&str] = &["block.cpp", "driver.cpp", "blas.cpp"];
/// Of candle's kernels, which come with cargo: those for tensors. Half precision, convolutions and quantised models are left out.
const CANDLES: &[&str] =
    &["affine.cu", "binary.cu", "cast.cu", "fill.cu", "indexing.cu", "reduce.cu", "ternary.cu", "unary.cu"];
/// CUDA headers that are included, and whose contents are in `device.h` as far as they are needed.
const HEADERS: &[&str] = &["cuda.h", "cuda_fp16.h", "cuda_bf16.h", "cuda_fp8.h", "cuda/std/limits"];
const FILE: &str = "libstandin.so";
/// The names under which cudarc looks for its libraries. All are that one file: they share their state.
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
/// Kernels have each access to memory checked by `block.cpp`: whether it is allocated, aligned, and within its array.
/// Made for the Linux kernel, these checks bring no library of their own. The warnings are nvcc's.
const KERNEL_FLAGS: &[&str] = &[
    "-fsanitize=kernel-address,alignment,bounds",
    "--param=asan-instrumentation-with-call-threshold=0",
    "--param=asan-stack=0",
    "--param=asan-globals=0",
    "-w",
];

pub(super) struct StandIn {
    /// The folder for `LD_LIBRARY_PATH`.
    pub(super) library: PathBuf,
    /// The program that tests the stand-in itself.
    pub(super) tests: PathBuf,
    /// The names of our kernels.
    pub(super) kernels: Vec<String>,
}

/// Builds what is not up to date.
pub(super) fn build() -> Outcome<StandIn> {
    let parts = root().join("xtask/standin");
    let build =
        Build { dir: folder().join("standin"), age: newest(&parts)?.max(modified(&this_program())), parts };
    let library = build.dir.join("lib");
    create(&library)?;
    for name in HEADERS {
        let header = build.dir.join("include").join(name);
        create(header.parent().unwrap_or(&build.dir))?;
        write_if_changed(&header, "")?;
    }

    let mut objects = Vec::new();
    for part in PARTS {
        objects.push(build.object(&build.parts.join(part), build.age, &["-Wall", "-Wextra"])?);
    }
    let mut of_tests = objects.clone();
    of_tests.push(build.object(&build.parts.join("test.cpp"), build.age, &["-Wall", "-Wextra"])?);
    of_tests.push(build.kernels("test", &build.parts.join("test.cu"))?.0);

    let candle = candle_kernels()?;
    for name in CANDLES {
        objects.push(build.kernels("candle", &candle.join(name))?.0);
    }
    let mut kernels = Vec::new();
    for source in files_in(&root().join("crates/ops/src/cuda"))?.iter().filter(|path| is_kernels(path)) {
        let (object, names) = build.kernels("ours", source)?;
        objects.push(object);
        kernels.extend(names);
    }

    // Nothing may be missing.
    build.link(&library.join(FILE), &objects, &["-shared", "-Wl,-z,defs"])?;
    let tests = build.dir.join("tests");
    build.link(&tests, &of_tests, &["-pthread"])?;
    for name in NAMES {
        let name = library.join(name);
        #[cfg(unix)]
        if !name.exists() {
            std::os::unix::fs::symlink(FILE, &name)
                .map_err(|e| format!("could not make {}: {e}", name.display()))?;
        }
    }
    Ok(StandIn { library, tests, kernels })
}

struct Build {
    dir: PathBuf,
    parts: PathBuf,
    /// Of the newest part: what is older is out of date.
    age: SystemTime,
}

impl Build {
    /// Compiles `source`; gives the object file.
    fn object(&self, source: &Path, age: SystemTime, flags: &[&str]) -> Outcome<PathBuf> {
        let objects = self.dir.join("objects");
        create(&objects)?;
        let object = objects.join(source.file_name().unwrap_or(OsStr::new("unit"))).with_extension("o");
        if modified(&object) < age {
            let mut compile = compiler();
            compile.args(flags).arg("-I").arg(&self.parts).arg("-I").arg(self.dir.join("include"));
            command::run(compile.arg("-c").arg(source).arg("-o").arg(&object), NO_COMPILER)?;
        }
        Ok(object)
    }

    /// Compiles a file of kernels; gives the object file, and the kernels' names.
    fn kernels(&self, whose: &str, source: &Path) -> Outcome<(PathBuf, Vec<String>)> {
        let mut preprocess = compiler();
        preprocess.args([
            "-E",
            "-P",
            "-DSTANDIN_SCAN",
            "-DSTANDIN_SHARED=",
            "-x",
            "c++",
            "-include",
            "device.h",
        ]);
        preprocess.arg("-I").arg(&self.parts).arg("-I").arg(self.dir.join("include")).arg(source);
        let names = names_after(&command::read_quietly(&mut preprocess, NO_COMPILER)?, "__global__");

        let module = format!("{whose}_{}", source.file_stem().and_then(OsStr::to_str).unwrap_or("kernels"));
        let units = self.dir.join("units");
        create(&units)?;
        let unit = units.join(&module).with_extension("cpp");
        write_if_changed(&unit, &translation_unit(&module, source, &names))?;
        let age = self.age.max(newest(source.parent().unwrap_or(source))?).max(modified(&unit));
        Ok((self.object(&unit, age, KERNEL_FLAGS)?, names))
    }

    fn link(&self, file: &Path, objects: &[PathBuf], flags: &[&str]) -> Outcome {
        if objects.iter().any(|object| modified(object) > modified(file)) {
            command::run(compiler().args(flags).args(objects).arg("-o").arg(file), NO_COMPILER)?;
        }
        Ok(())
    }
}

fn compiler() -> Command {
    let mut compiler = Command::new("c++");
    compiler.args(FLAGS);
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

/// After each `word` the name before the next parenthesis.
fn names_after(text: &str, word: &str) -> Vec<String> {
    let name = |part: &str| {
        let mut words = part.split('(').next()?.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.rfind(|word| !word.is_empty()).map(String::from)
    };
    text.split(word).skip(1).filter_map(name).collect()
}

fn is_kernels(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("cu"))
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

pub(super) fn files_in(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let listed =
        std::fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut files: Vec<_> = listed.map_err(|e| format!("could not list {}: {e}", folder.display()))?;
    files.sort();
    Ok(files)
}

/// When it was written; for what is not there, long ago.
fn modified(path: &Path) -> SystemTime {
    path.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn newest(folder: &Path) -> Outcome<SystemTime> {
    Ok(files_in(folder)?.iter().map(|path| modified(path)).max().unwrap_or(SystemTime::UNIX_EPOCH))
}

/// What is made here depends on this program too.
fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_default()
}

fn create(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|e| format!("could not make {}: {e}", folder.display()).into())
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
