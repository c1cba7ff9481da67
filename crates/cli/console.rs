//! What is said: data on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::error::{Error, Result};

/// What was asked for, on standard output.
pub(crate) fn print(data: impl Display) -> Result<()> {
    match writeln!(io::stdout(), "{data}") {
        // The reader has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Error::Print),
    }
}

/// A line of news.
pub(crate) fn note(line: impl Display) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Something that works, and not as one might think.
pub(crate) fn warning(line: impl Display) {
    note(format_args!("{}: {line}", bold(MAGENTA, "warning")));
}

/// What went wrong.
pub(crate) fn error(line: impl Display) {
    note(format_args!("{}: {line}", bold(RED, "error")));
}

/// What to do about it.
pub(crate) fn hint(line: impl Display) {
    note(format_args!("{}: {line}", bold(DEFAULT, "hint")));
}

/// Colors that are seen on a dark terminal and on a light one: yellow and cyan are not.
const RED: u8 = 31;
const MAGENTA: u8 = 35;
const DEFAULT: u8 = 39;

fn bold(color: u8, word: &str) -> String {
    match io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb() {
        true => format!("\x1b[1;{color}m{word}\x1b[0m"),
        false => word.into(),
    }
}

/// Whether standard error shows what moves: it is a terminal, and no log that only looks like one.
pub(crate) fn is_live() -> bool {
    io::stderr().is_terminal() && !is_set("CI") && !is_dumb()
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Columns of the terminal that standard output goes to; 80 where it goes elsewhere.
pub(crate) fn columns() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| width.0.into())
}

/// A whole number with its thousands set apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 epoch`, `2 epochs`.
pub(crate) fn epochs(number: u64) -> String {
    format!("{number} epoch{}", if number == 1 { "" } else { "s" })
}

/// A length of time, in the two units that matter: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(duration(0.44), "0.4 s");
        assert_eq!(duration(59.6), "1 min 0 s");
        assert_eq!(duration(200.), "3 min 20 s");
        assert_eq!(duration(7500.), "2 h 5 min");
        assert_eq!(duration(f64::NAN), "NaN s");
    }
}
