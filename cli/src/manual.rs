//! The manual page, and shell completions.

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::failure::{Failure, Result};
use crate::output::print;

/// Which shell.
#[derive(clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Prints the manual page: first the program, then each command.
pub fn page(command: Command) -> Result<()> {
    let mut whole = command.disable_help_subcommand(true);
    whole.build();
    let page = rendered(&whole).map_err(Failure::of)?;
    print(&String::from_utf8_lossy(&page))
}

fn rendered(whole: &Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let man = Man::new(whole.clone());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_options_section(&mut text)?;
    for command in whole.get_subcommands() {
        let name = command.get_name();
        let about = command.get_about().map(ToString::to_string);
        let title = format!(".SH \"COMMAND {}\"\n", name.to_uppercase());
        text.extend_from_slice(title.as_bytes());
        let about = format!("{}.\n", about.unwrap_or_default());
        text.extend_from_slice(about.as_bytes());
        let mut own = Vec::new();
        let man = Man::new(command.clone());
        man.render_synopsis_section(&mut own)?;
        man.render_options_section(&mut own)?;
        // These are parts of the command's section.
        let own = String::from_utf8_lossy(&own).replace(".SH ", ".SS ");
        text.extend_from_slice(own.as_bytes());
        if let Some(more) = command.get_after_long_help() {
            text.extend_from_slice(as_it_is(&more.to_string()).as_bytes());
        }
    }
    let more = whole.get_after_help().map(ToString::to_string);
    text.extend_from_slice(b".SH \"EXIT CODES\"\n");
    text.extend_from_slice(as_it_is(&more.unwrap_or_default()).as_bytes());
    Ok(text)
}

/// Text whose lines are not filled.
fn as_it_is(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let escaped = line
            .replace('\\', "\\e")
            .replace('-', "\\-")
            .replace('\'', "\\(aq");
        // A dot at the start of a line would be a request.
        format!("\\&{escaped}\n")
    });
    format!(".PP\n.nf\n{}.fi\n", lines.collect::<String>())
}

/// Prints a shell's completion script for commands and options.
pub fn completions(args: &Args, mut command: Command) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "farcall", &mut text);
    print(&String::from_utf8_lossy(&text))
}
