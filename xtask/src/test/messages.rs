//! Checks the length of the module's messages.
//!
//! MicroPython keeps messages compressed, and has a buffer for them that is as long as the program's longest. It writes a NUL behind the
//! message, which lies outside of the buffer if that message is the longest. The longest of its own messages that every build has takes 74
//! bytes (`py/objstr.c`), so ours are shorter.

use std::fs;

use anyhow::Result;

use crate::paths;

/// The most bytes of a message.
const MOST: usize = 72;

/// The text ahead of a message in the source.
const BEGIN: &str = "MP_ERROR_TEXT(\"";

/// The module's messages that are too long.
pub fn too_long() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(paths::root().join("micropython/ffi"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            found.extend(too_long_in(&fs::read_to_string(path)?));
        }
    }
    Ok(found)
}

fn too_long_in(text: &str) -> Vec<String> {
    let messages = text.split(BEGIN).skip(1);
    let messages = messages.filter_map(|rest| rest.split_once("\")"));
    let messages = messages.map(|(message, _)| message);
    messages
        .filter(|message| message.len() > MOST)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_of_more_bytes_than_may_be_is_found() {
        let text = |len| {
            format!(
                "raise(MP_ERROR_TEXT(\"short\"), MP_ERROR_TEXT(\"{}\"));",
                "x".repeat(len)
            )
        };
        assert!(too_long_in(&text(MOST)).is_empty());
        assert_eq!(too_long_in(&text(MOST + 1)).len(), 1);
    }
}
