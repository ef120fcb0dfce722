//! Errors that end a command: the message, and the exit code.

use std::fmt::{self, Display};
use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// The exit codes. The help and `docs/cli.md` list the same.
pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;

/// A `Result` with this program's [`Failure`].
pub type Result<T> = std::result::Result<T, Failure>;

/// The reason why a command stops.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    /// Further lines of the message, such as a line of source with a caret below it.
    detail: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// A failure of the operation: a library, a call, a file.
    pub fn of(message: impl Display) -> Failure {
        Failure::new(FAILED, message)
    }

    /// A failure of the command line: the user's input is not valid.
    pub fn usage(message: impl Display) -> Failure {
        Failure::new(USAGE, message)
    }

    fn new(code: u8, message: impl Display) -> Failure {
        Failure {
            code,
            message: message.to_string(),
            detail: None,
            hint: None,
        }
    }

    pub fn with_detail(self, detail: impl Display) -> Failure {
        Failure {
            detail: Some(detail.to_string()),
            ..self
        }
    }

    pub fn with_hint(self, hint: impl Display) -> Failure {
        Failure {
            hint: Some(hint.to_string()),
            ..self
        }
    }

    /// An error in C text: the fault, and then the line with a caret.
    pub fn of_c(what: &str, error: &farcall_cdecl::c::Error) -> Failure {
        let text = error.to_string();
        let (message, excerpt) = text.split_once('\n').unwrap_or((&text, ""));
        let failure = Failure::usage(format_args!("{what}:{message}"));
        match excerpt {
            "" => failure,
            excerpt => failure.with_detail(excerpt),
        }
    }

    /// Writes it to standard error, in colour on a terminal, and returns the exit code.
    pub fn report(&self) -> ExitCode {
        let red = AnsiColor::Red.on_default().bold();
        let blue = AnsiColor::Cyan.on_default().bold();
        let reset = Style::new();
        let mut lines = format!("{red}error{red:#}{reset}: {}\n", self.message);
        for line in self.detail.iter().flat_map(|detail| detail.lines()) {
            let is_caret = !line.is_empty() && line.chars().all(|c| c == ' ' || c == '^');
            lines += &match is_caret {
                true => format!("  {red}{line}{red:#}\n"),
                false => format!("  {line}\n"),
            };
        }
        if let Some(hint) = &self.hint {
            lines += &format!("{blue}hint{blue:#}: {hint}\n");
        }
        // If errors cannot be written, there is no other place for a report.
        let _ = anstream::stderr().write_all(lines.as_bytes());
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
