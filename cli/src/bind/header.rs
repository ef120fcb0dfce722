//! A header after the C compiler's preprocessor: its declarations, and which of them are its own.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use farcall_cdecl::c::{Declarations, Error, Platform};

use crate::failure::{Failure, Result};

/// The header and how to read it.
pub struct Source<'a> {
    pub compiler: &'a str,
    pub header: &'a str,
    /// Options for the preprocessor.
    pub options: Vec<String>,
}

/// The declarations of a header.
pub struct Header {
    pub all: Declarations,
    /// The names of types and constants that other headers declare.
    foreign: BTreeSet<String>,
}

impl Header {
    pub fn read(source: &Source) -> Result<Header> {
        let text = macros_last(&preprocessed(source)?);
        let pieces = pieces(&text);
        let own = own_files(source, &pieces);
        let is_own = |piece: &&Piece| own.contains(Path::new(piece.file));
        let others: String = pieces
            .iter()
            .filter(|piece| !is_own(piece))
            .map(|piece| piece.text)
            .collect();
        let mut all = Declarations::new(Platform::host()).map_err(Failure::of)?;
        all.read(&text).map_err(|error| placed(&error, &pieces))?;
        let mut rest = Declarations::new(Platform::host()).map_err(Failure::of)?;
        let foreign = match rest.read(&others) {
            Ok(()) => names(&rest),
            // The header's own names cannot be told from the others' then, so all of them are taken.
            Err(_) => BTreeSet::new(),
        };
        Ok(Header { all, foreign })
    }

    /// Whether the header itself declares a type or a constant.
    pub fn is_own(&self, name: &str) -> bool {
        !self.foreign.contains(name)
    }
}

fn names(c: &Declarations) -> BTreeSet<String> {
    let typedefs = c.typedefs().map(|(name, _)| name);
    let tags = c.tags().map(|(name, _)| name);
    let constants = c.constants().map(|(name, _)| name);
    let all = typedefs.chain(tags).chain(constants);
    all.map(|name| c.name(name).to_owned()).collect()
}

/// The output of the preprocessor, including macros.
fn preprocessed(source: &Source) -> Result<String> {
    let Source {
        compiler,
        header,
        options,
    } = source;
    let failed = |why: &dyn std::fmt::Display| Failure::of(format_args!("{compiler}: {why}"));
    let mut child = Command::new(compiler)
        .args(["-E", "-dD", "-x", "c"])
        .args(options)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            failed(&error)
                .with_hint("a C compiler's preprocessor reads the header; --cc names another one")
        })?;
    let line = match Path::new(header).canonicalize() {
        Ok(path) => format!("#include \"{}\"\n", path.display()),
        Err(_) => format!("#include <{header}>\n"),
    };
    if let Some(mut input) = child.stdin.take() {
        input
            .write_all(line.as_bytes())
            .map_err(|error| failed(&error))?;
    }
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(&"the header cannot be read").with_detail(said.trim_end()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same text with all macros moved after the declarations: a macro may be defined in the middle of an enumeration whose constant has the same
/// name. Every line keeps its number, and macros keep the line markers that tell their origin.
fn macros_last(text: &str) -> String {
    let (mut declarations, mut macros) = (String::new(), String::new());
    for line in text.split_inclusive('\n') {
        let is_macro = line.starts_with("#define ") || line.starts_with("#undef ");
        let is_marker = marker(line).is_some();
        if is_macro || is_marker {
            macros += line;
        }
        declarations += if is_macro { "\n" } else { line };
    }
    declarations + &macros
}

/// Consecutive lines of one file.
struct Piece<'t> {
    file: &'t str,
    /// The number of the first line, in the whole text and in the file.
    first: (u32, u32),
    text: &'t str,
}

/// Splits the text at its line markers.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut place = ("", (1, 1));
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some((first, file)) = marker(line) {
            let (file_before, first_before) = place;
            pieces.push(Piece {
                file: file_before,
                first: first_before,
                text: &text[start..at],
            });
            start = at + line.len();
            place = (file, (number as u32 + 2, first));
        }
        at += line.len();
    }
    pieces.push(Piece {
        file: place.0,
        first: place.1,
        text: &text[start..],
    });
    pieces
}

/// The line and the file of a line marker, such as `# 12 "file" 1 3`.
fn marker(line: &str) -> Option<(u32, &str)> {
    let (number, rest) = line.strip_prefix("# ")?.split_once(" \"")?;
    let file = rest.split('"').next()?;
    Some((number.parse().ok()?, file))
}

/// The header's file, the files that it includes in quotes, and the files beside it, unless it is in a directory for all headers.
fn own_files(source: &Source, pieces: &[Piece]) -> BTreeSet<PathBuf> {
    let wanted = Path::new(source.header);
    let files: BTreeSet<&Path> = pieces.iter().map(|piece| Path::new(piece.file)).collect();
    let canonical = wanted.canonicalize().ok();
    let is_it = |file: &&&Path| match &canonical {
        Some(path) => **file == path,
        None => file.ends_with(wanted),
    };
    let mut own = BTreeSet::new();
    let mut left: Vec<PathBuf> = files
        .iter()
        .find(is_it)
        .map(|file| file.to_path_buf())
        .into_iter()
        .collect();
    let beside = left
        .first()
        .and_then(|file| file.parent().map(Path::to_owned));
    while let Some(file) = left.pop() {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let directory = file.parent().unwrap_or(Path::new("")).to_owned();
        let quoted = text
            .lines()
            .filter_map(included)
            .map(|name| directory.join(name));
        let new: Vec<PathBuf> = quoted
            .filter(|path| files.contains(path.as_path()))
            .collect();
        if own.insert(file) {
            left.extend(new);
        }
    }
    let is_shared = |directory: &Path| {
        ["/usr/include", "/usr/local/include"].iter().any(|root| {
            let root = Path::new(root);
            directory == root
                || directory.parent() == Some(root)
                    && directory.to_string_lossy().contains("-linux-")
        })
    };
    if let Some(beside) = beside.filter(|directory| !is_shared(directory)) {
        own.extend(
            files
                .iter()
                .filter(|file| file.starts_with(&beside))
                .map(|file| file.to_path_buf()),
        );
    }
    own
}

/// The name in `#include "name"`.
fn included(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('#')?.trim_start();
    let rest = rest.strip_prefix("include")?.trim_start();
    rest.strip_prefix('"')?.split('"').next()
}

/// An error in the whole text, with its file and line.
fn placed(error: &Error, pieces: &[Piece]) -> Failure {
    let Error::Text(fault) = error else {
        return Failure::of(error);
    };
    let before = pieces.iter().rfind(|piece| piece.first.0 <= fault.line);
    let place = before.map_or(String::new(), |piece| {
        let (first, own) = piece.first;
        format!(
            "{}:{}:{}",
            piece.file,
            own + (fault.line - first),
            fault.column
        )
    });
    let text = error.to_string();
    let excerpt = text.split_once('\n').map_or("", |(_, excerpt)| excerpt);
    Failure::of(format_args!("{place}: {}", fault.message)).with_detail(excerpt)
}
