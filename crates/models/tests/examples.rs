//! The examples run, as they are.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;

use candle_core::Device;
use ganlet_models::{Generator, GeneratorConfig};

/// An example that `cargo test` has built beside this test.
fn example(name: &str) -> Command {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(path.exists(), "{} is not there: cargo test builds it where no --test is named", path.display());
    Command::new(path)
}

#[test]
fn sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("generator.safetensors");
    let generator = Generator::new(GeneratorConfig::new(4, &[5], [2, 3]), 0, &Device::Cpu).unwrap();
    std::fs::write(&path, generator.to_bytes(&Default::default()).unwrap()).unwrap();

    let output = example("sample").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = format!("{}\n", generator.sample(&[0, 1, 2]).unwrap());
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
