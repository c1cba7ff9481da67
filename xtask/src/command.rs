//! Running other programs: each is printed first, and a failure says which one it was.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Why a chore stopped, and the exit status that it leaves.
pub(crate) struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// Says it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        eprintln!("error: {}", self.message.trim_end());
        ExitCode::from(self.status)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, status: 2 }
    }
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// Where cargo builds, and where the chores put what they bring.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs this, at the root.
pub(crate) fn cargo() -> Command {
    let mut cargo = cargo_here();
    cargo.current_dir(root());
    cargo
}

/// The cargo that runs this, in the caller's folder.
///
/// Without what it says to us about ourselves: build scripts that look at it would run again, and all that depends on
/// them, each time that a chore and a hand build in turn.
pub(crate) fn cargo_here() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Prints `command`, runs it and waits for it; a failure says which command it was, and then `hint`.
///
/// It stays in our process group: Ctrl-C reaches it too.
pub(crate) fn run(command: &mut Command, hint: &str) -> Outcome {
    output(command.stdout(Stdio::inherit()), hint).map(drop)
}

/// The same, and gives what it prints on standard output.
pub(crate) fn read(command: &mut Command, hint: &str) -> Outcome<String> {
    output(command.stdout(Stdio::piped()), hint)
}

/// The same, of commands that are many and say nothing to anybody: it is printed only when it fails.
pub(crate) fn read_quietly(command: &mut Command, hint: &str) -> Outcome<String> {
    finish(command.stdout(Stdio::piped()), hint)
}

/// The text of a field in a message of cargo, which is one object of JSON in a line.
pub(crate) fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split_once(&format!("\"{name}\":\""))?.1.split('"').next()
}

/// Prints `command` as one that is about to be run.
pub(crate) fn announce(command: &Command) {
    eprintln!("$ {}", show(command));
}

fn output(command: &mut Command, hint: &str) -> Outcome<String> {
    announce(command);
    finish(command, hint)
}

fn finish(command: &mut Command, hint: &str) -> Outcome<String> {
    let shown = show(command);
    let output = command
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("could not start `{shown}`: {e}\n{hint}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let status = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure { message: format!("`{shown}` failed ({})\n{hint}", output.status), status })
}

/// The command as one would type it at the root, with the variables that are set for it.
pub(crate) fn show(command: &Command) -> String {
    let mut words = Vec::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quote(&value.to_string_lossy())));
        }
    }
    let program = command.get_program();
    let is_cargo = Path::new(program).file_stem().is_some_and(|stem| stem == "cargo");
    words.push(if is_cargo { "cargo".into() } else { quote(&program.to_string_lossy()) });
    words.extend(command.get_args().map(|arg| quote(&arg.to_string_lossy())));
    words.join(" ")
}

/// `word` in quotes where a shell would need them.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("{word:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.env("RUSTFLAGS", "--cfg a=\"b\"").env_remove("OTHER").args(["build", "two words"]);
        assert_eq!(show(&command), r#"RUSTFLAGS="--cfg a=\"b\"" cargo build "two words""#);
    }
}
