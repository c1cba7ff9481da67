//! `cargo xtask cuda check`: the tests that run on every device, with the CUDA path among them.
//!
//! Where there is a card they run on it. Where there is none they run on the stand-in (see `standin.rs`), which finds
//! mistakes in kernels and in how they are called, and cannot tell how fast they are; the lints look at the CUDA path
//! then too. A bundle takes the same tests to a machine that has a card and little else.

use super::standin;
use super::toolchain::{TARGET, Toolchain};
use crate::command::{self, Outcome, root, target_dir};
use std::path::{Path, PathBuf};
use std::process::Command;

const USAGE: &str = "\
usage: cargo xtask cuda check [--stand-in | --bundle DIR]
  The tests that run on every device, on the GPU of this machine or, without one, on the stand-in for its driver.
  --stand-in     on the stand-in, even where there is a GPU
  --bundle DIR   run nothing: write DIR with the tests, the program and check.sh, which runs them where there is a GPU
                 and neither Rust nor a network";

/// The packages with such tests.
const PACKAGES: &[&str] = &["ops", "models", "train"];
/// What such a test calls.
const EVERY_DEVICE: &str = "testing::devices";
/// Ampere, Ada, Hopper and both kinds of Blackwell.
const GPUS: &[&str] = &["sm_80", "sm_89", "sm_90", "sm_100", "sm_120"];
/// Those of them that can start a kernel while the one before it ends.
const OVERLAPPING: &[&str] = &["sm_90", "sm_100", "sm_120"];
/// What compute-sanitizer looks for: accesses out of place, threads that disturb each other in shared memory, and barriers that not all reach.
const SANITIZER: &[&str] = &["memcheck", "racecheck", "synccheck"];
/// Makes the tests fail where they find no GPU, instead of doing without; and one at a time, since a test that opens the GPU waits for
/// all of it, which ends the recording of another.
const ENVIRONMENT: [(&str, &str); 2] = [("GANLET_REQUIRE_GPU", "1"), ("RUST_TEST_THREADS", "1")];

pub(super) fn run(args: &[String]) -> Outcome {
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    match words[..] {
        [] if has_gpu() => on_the_gpu(),
        [] => {
            eprintln!("There is no NVIDIA driver here: the tests run on the stand-in.");
            on_the_stand_in()
        }
        ["--stand-in"] => on_the_stand_in(),
        ["--bundle", dir] => bundle(Path::new(dir)),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("not understood: {}\n{USAGE}", args.join(" ")).into()),
    }
}

/// Whether the kernel's part of NVIDIA's driver is loaded: on Linux itself, or under Windows.
fn has_gpu() -> bool {
    ["/dev/nvidiactl", "/dev/dxg"].iter().any(|device| Path::new(device).exists())
}

fn on_the_gpu() -> Outcome {
    let tests = build_tests(&Toolchain::new()?)?.tests;
    for test in &tests {
        command::run(Command::new(&test.program).envs(ENVIRONMENT), "")?;
    }
    if Command::new("compute-sanitizer").arg("--version").output().is_err() {
        eprintln!("compute-sanitizer is not on the PATH: what kernels read and write was not looked at.");
        return Ok(());
    }
    for tool in SANITIZER {
        for test in tests.iter().filter(|test| test.is_short()) {
            let mut sanitizer = Command::new("compute-sanitizer");
            sanitizer.args(["--tool", tool, "--error-exitcode", "1"]);
            command::run(sanitizer.arg(&test.program).envs(ENVIRONMENT), "")?;
        }
    }
    Ok(())
}

fn on_the_stand_in() -> Outcome {
    let standin = standin::build()?;
    command::run(&mut Command::new(&standin.tests), "the stand-in itself is wrong")?;
    let toolchain = Toolchain::new()?;
    // What CI's lints do not see, for it is compiled with this feature alone.
    let mut lints = toolchain.cargo("clippy");
    lints.args(["--workspace", "--all-targets", "--features", "ganlet/cuda", "--", "--deny", "warnings"]);
    command::run(&mut lints, "")?;
    let Built { tests, ptx } = build_tests(&toolchain)?;
    for (folder, gpus) in [(&ptx, GPUS), (&ptx.join("overlapping"), OVERLAPPING)] {
        for file in
            standin::files_in(folder)?.iter().filter(|file| file.extension().is_some_and(|e| e == "ptx"))
        {
            for gpu in gpus {
                command::read_quietly(
                    toolchain.assembler(gpu).arg(file),
                    "a driver would not take it either",
                )?;
            }
        }
    }
    for file in standin::files_in(&ptx.join("overlapping"))? {
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("could not read {}: {e}", file.display()))?;
        if let Some(kernel) = without_wait(&text) {
            return Err(format!(
                "{}: kernel {kernel} does not wait for the one before it: see launch.cuh",
                file.display()
            )
            .into());
        }
    }
    let log = standin.library.with_file_name("launches");
    // Each program adds its own.
    let _ = std::fs::remove_file(&log);
    for test in &tests {
        let mut program = Command::new(&test.program);
        program.env("LD_LIBRARY_PATH", &standin.library).env("STANDIN_LOG", &log).envs(ENVIRONMENT);
        command::run(&mut program, "")?;
    }

    let launches =
        std::fs::read_to_string(&log).map_err(|e| format!("could not read {}: {e}", log.display()))?;
    let never = never_launched(&standin.kernels, &launches);
    eprintln!(
        "\nOn the stand-in all tests passed. Seen by them: {}.",
        match &never[..] {
            [] => "each of our kernels".to_string(),
            never => format!("our kernels, but not {}", never.join(", ")),
        }
    );
    eprintln!(
        "NVIDIA's assembler makes machine code of all of them for {}, and finds registers enough.\n\
         NOT verified: speed; races that need threads which really run at once; how much memory there is; and what the\n\
         driver says to calls during a capture, where its documentation does not. For these run `cargo xtask cuda check`\n\
         on a machine with a GPU, or take `--bundle` there.",
        GPUS.join(", ")
    );
    Ok(())
}

/// The kernels without a launch in the log, whose lines are a name and a count.
fn never_launched<'a>(kernels: &'a [String], log: &str) -> Vec<&'a str> {
    let launched = |kernel: &str| {
        log.lines()
            .filter_map(|line| line.split_once(' '))
            .any(|(name, count)| name == kernel && count != "0")
    };
    kernels.iter().map(String::as_str).filter(|kernel| !launched(kernel)).collect()
}

/// A kernel in PTX that does not wait for the one before it.
fn without_wait(ptx: &str) -> Option<&str> {
    let kernel = ptx.split(".entry ").skip(1).find(|kernel| !kernel.contains("griddepcontrol.wait"))?;
    kernel.split('(').next()
}

struct Test {
    name: String,
    program: PathBuf,
}

impl Test {
    /// Whether it ends soon even where each memory access is looked at.
    fn is_short(&self) -> bool {
        ["ops-devices", "models-models"].contains(&&*self.name)
    }
}

struct Built {
    tests: Vec<Test>,
    /// The folder with our kernels as the compiler left them.
    ptx: PathBuf,
}

/// Builds the tests that run on every device.
fn build_tests(toolchain: &Toolchain) -> Outcome<Built> {
    let mut build = toolchain.cargo("test");
    build.args([
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
        "--features",
        "ganlet-train/cuda",
    ]);
    let mut found = Vec::new();
    for package in PACKAGES {
        let folder = root().join("crates").join(package);
        build.arg("--package").arg(format!("ganlet-{package}"));
        for name in tests_on_every_device(&folder.join("tests"))? {
            found.push((package, folder.join("tests").join(&name).with_extension("rs"), name));
        }
    }
    // One of another package that has the same name is built too, and left alone.
    build.args(found.iter().flat_map(|(_, _, name)| ["--test", name]));
    let messages = command::read(&mut build, "")?;
    let test = |(package, source, name): (&&str, PathBuf, String)| {
        let program = program_of(&messages, &source)
            .ok_or_else(|| format!("cargo built no program of {}", source.display()))?;
        Ok(Test { name: format!("{package}-{name}"), program })
    };
    let tests = found.into_iter().map(test).collect::<Outcome<_>>()?;
    let ptx = folder_of_build(&messages, "ganlet-ops")
        .ok_or("cargo did not say where the build script of ganlet-ops left the kernels".to_string())?;
    Ok(Built { tests, ptx })
}

fn tests_on_every_device(folder: &Path) -> Outcome<Vec<String>> {
    let unread = |e| format!("could not read {}: {e}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && std::fs::read_to_string(&path).map_err(unread)?.contains(EVERY_DEVICE)
        {
            names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(String::from));
        }
    }
    names.sort();
    Ok(names)
}

/// The program that cargo, by its messages of one JSON object a line, built of a source.
fn program_of(messages: &str, source: &Path) -> Option<PathBuf> {
    let source = format!("\"src_path\":\"{}\"", source.display());
    messages
        .lines()
        .filter(|line| line.contains(&source))
        .find_map(|line| command::field(line, "executable"))
        .map(PathBuf::from)
}

/// Where a package's build script wrote to, by the same.
fn folder_of_build(messages: &str, package: &str) -> Option<PathBuf> {
    let package = format!("#{package}@");
    let is_it =
        |line: &&str| line.contains("\"reason\":\"build-script-executed\"") && line.contains(&package);
    messages.lines().filter(is_it).find_map(|line| command::field(line, "out_dir")).map(PathBuf::from)
}

/// What runs the bundle, beside the tests.
const SCRIPT: &str = include_str!("check.sh");

fn bundle(dir: &Path) -> Outcome {
    let tests = build_tests(&Toolchain::new()?)?.tests;
    super::build(&[])?;
    let dir = std::env::current_dir().unwrap_or_default().join(dir);
    std::fs::create_dir_all(dir.join("tests"))
        .map_err(|e| format!("could not make {}: {e}", dir.display()))?;
    for test in &tests {
        strip(&test.program, &dir.join("tests").join(&test.name))?;
    }
    strip(&target_dir().join(TARGET).join("release/ganlet"), &dir.join("ganlet"))?;
    let short: Vec<_> = tests.iter().filter(|test| test.is_short()).map(|test| &*test.name).collect();
    let script = dir.join("check.sh");
    let text = SCRIPT.replace("@SHORT@", &short.join(" ")).replace("@TOOLS@", &SANITIZER.join(" "));
    std::fs::write(&script, text).map_err(|e| format!("could not write {}: {e}", script.display()))?;
    println!("{}", dir.display());
    eprintln!("Copy it to a machine with an NVIDIA GPU, and run there: sh check.sh");
    Ok(())
}

fn strip(program: &Path, to: &Path) -> Outcome {
    command::run(Command::new("strip").arg("-o").arg(to).arg(program), super::toolchain::NO_COMPILER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_kernels_are_found() {
        let messages = r#"{"reason":"x"}
{"target":{"src_path":"/w/crates/ops/tests/golden.rs"},"executable":"/t/golden-1","fresh":true}
{"reason":"build-script-executed","package_id":"path+file:///w/crates/ops#ganlet-ops@0.1.0","out_dir":"/t/build/ops-1/out"}"#;
        let program = |source: &str| program_of(messages, Path::new(source));
        assert_eq!(program("/w/crates/ops/tests/golden.rs"), Some("/t/golden-1".into()));
        assert_eq!(program("/w/crates/train/tests/golden.rs"), None);
        assert_eq!(folder_of_build(messages, "ganlet-ops"), Some("/t/build/ops-1/out".into()));
        assert_eq!(folder_of_build(messages, "ops"), None);

        let kernels = ["a", "b", "c"].map(String::from);
        assert_eq!(never_launched(&kernels, "a 0\nb 2\na 1\n"), ["c"]);

        let waits = ".visible .entry a(\n)\n{\ngriddepcontrol.wait;\n}";
        assert_eq!(without_wait(waits), None);
        assert_eq!(without_wait(&format!("{waits}\n.visible .entry b(\n)\n{{\nret;\n}}")), Some("b"));
    }
}
