//! What goes to standard output.

use std::io::{ErrorKind, Write};

use crate::failure::{Failure, Result};

/// Prints text, without its colours where nobody sees them. Who reads it may stop in the middle.
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
