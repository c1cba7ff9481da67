//! `ganlet completions` and `ganlet man`: what the arguments are, for shells and for `man`.

use std::fmt::Write;
use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::error::{Error, Result};
use crate::{console, files};

pub(crate) fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "ganlet", &mut script);
    console::print(String::from_utf8_lossy(&script).trim_end())
}

pub(crate) fn man(args: &ManArgs) -> Result<()> {
    // There is a page for each verb, and none for the help on it.
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &args.folder else {
        let page = page(&program).map_err(Error::Print)?;
        return console::print(String::from_utf8_lossy(&page).trim_end());
    };
    files::make_folder(folder)?;
    let mut commands = vec![&program];
    while let Some(command) = commands.pop() {
        let path = folder.join(Man::new(command.clone()).get_filename());
        files::replace(&path, &page(command).map_err(|source| Error::write(&path, source))?)?;
        commands.extend(command.get_subcommands());
    }
    console::print(folder.display())
}

/// The manual page of a command, in the language of `man`.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend(sections(&command.get_after_help().map(ToString::to_string).unwrap_or_default()).bytes());
    Ok(page)
}

/// What stands after the help, `EXAMPLES:` and lines below it, as sections whose lines stay as they are.
fn sections(text: &str) -> String {
    let mut sections = String::new();
    for line in text.lines() {
        let written = match line.strip_suffix(':').filter(|heading| heading.chars().all(char::is_uppercase)) {
            Some(heading) => writeln!(sections, ".fi\n.SH {heading}\n.nf"),
            None => writeln!(sections, "{}", plain(line.strip_prefix("  ").unwrap_or(line))),
        };
        // A string takes whatever is written to it.
        debug_assert!(written.is_ok());
    }
    sections + ".fi\n"
}

/// A line that means nothing but itself.
fn plain(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_stay_line_by_line() {
        let text = "EXAMPLES:\n  ganlet x --y  \\ a\n  .b\n\nENVIRONMENT:\n  C";
        let expected =
            ".fi\n.SH EXAMPLES\n.nf\nganlet x \\-\\-y  \\e a\n\\&.b\n\n.fi\n.SH ENVIRONMENT\n.nf\nC\n.fi\n";
        assert_eq!(sections(text), expected);
    }
}
