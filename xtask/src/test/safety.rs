//! Finds `SAFETY:` notes that would fit any block: they say that somebody vouches, but neither for what nor why that is enough.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::paths;

/// The directories without source of ours.
const SKIPPED: [&str; 2] = ["target", ".git"];
/// The phrases of such notes.
const EMPTY: [&str; 3] = ["vouches", "vouch for", "the caller's promise"];

/// The places of such notes in all Rust files of the repository.
pub fn empty_notes() -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let mut folders = vec![paths::root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            if entry.is_dir() && !SKIPPED.contains(&&*name) {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry)?;
                let place = entry.strip_prefix(paths::root()).unwrap_or(&entry);
                notes.extend(lines(&text).map(|line| format!("{}:{line}", place.display())));
            }
        }
    }
    notes.sort();
    Ok(notes)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {folder:?}"))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// The numbers of the lines with such notes.
fn lines(text: &str) -> impl Iterator<Item = usize> {
    let is_empty = |line: &str| {
        let note = line.trim_start().strip_prefix("// SAFETY:");
        note.is_some_and(|note| EMPTY.iter().any(|words| note.contains(words)))
    };
    let numbered = text.lines().enumerate();
    numbered.filter_map(move |(index, line)| is_empty(line).then_some(index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_without_a_duty_are_found_by_line() {
        let text = "f();\n    // SAFETY: the caller vouches for it.\n// SAFETY: `ty` is a type.\n// it vouches\n";
        assert_eq!(lines(text).collect::<Vec<_>>(), [2]);
    }
}
