//! The examples run, as they are.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;

/// An example that `cargo test` has built beside this test.
fn example(name: &str) -> Command {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(path.exists(), "{} is not there: cargo test builds it where no --test is named", path.display());
    Command::new(path)
}

#[test]
fn load() {
    // No network, and nobody's cache: then there are the digits that the crate draws, as many as MNIST has.
    let home = tempfile::tempdir().unwrap();
    let mut load = example("load");
    for name in ["HOME", "XDG_CACHE_HOME", "USERPROFILE", "LOCALAPPDATA"] {
        load.env(name, home.path());
    }
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        load.env_remove(name);
    }
    let output =
        load.env_remove("GANLET_DATA_DIR").env("GANLET_MIRROR", "https://127.0.0.1:1").output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complained}");
    assert_eq!(said, "synthetic-digits: [60000, 784] images, [60000] labels\n");
}
