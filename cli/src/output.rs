//! Output to standard output.

use std::io::{ErrorKind, Write};

use crate::failure::{Failure, Result};

/// Prints text, with colours only on a terminal. A reader that stops in the middle is not an error.
pub fn print(text: &str) -> Result<()> {
    let mut output = anstream::stdout();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::of(format_args!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}
