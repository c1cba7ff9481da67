//! The examples run, as they are.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;

/// What an example says that `cargo test` has built beside this test.
fn said_by(name: &str) -> String {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(path.exists(), "{} is not there: cargo test builds it where no --test is named", path.display());
    let output = Command::new(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn own_networks() {
    assert_eq!(said_by("own_networks"), "80 steps\n");
}

#[test]
fn own_observer() {
    let said = said_by("own_observer");
    assert!(said.starts_with("step 2: D ") && said.ends_with("6 reports, 3 pictures\n"), "{said}");
}
