//! The interpreters and the libraries on this machine that can use farcall.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use farcall::Library;

use super::native::{file_of, text};
use super::report::{Section, State};

/// The file names of libffi's versions.
const LIBFFI: [&str; 5] = [
    "libffi.so.8",
    "libffi.so.7",
    "libffi.so.6",
    "libffi.8.dylib",
    "libffi-8.dll",
];

/// A text that every program with farcall contains.
const OURS: &[u8] = b"FARCALL_CODE";

/// A script that prints the interpreter's version, and which `ffi` module it has.
const SCRIPT: &str = "\
import sys
v = '.'.join(str(n) for n in sys.implementation[1][:3])
try:
    import ffi
    print(v, 'farcall' if hasattr(ffi, 'cdef') else 'stock')
except ImportError:
    print(v, 'none')
";

/// Looks for `micropython` and for libffi.
pub fn found() -> Section {
    let mut section = Section::new("programs and libraries");
    let interpreters = programs("micropython");
    if interpreters.is_empty() {
        section.add("micropython", State::Note, "none on the search path");
    }
    for program in interpreters {
        section.add("micropython", State::Note, interpreter(&program));
    }
    let libraries: Vec<(&str, String)> = LIBFFI
        .into_iter()
        .filter_map(|name| Some((name, libffi(name)?)))
        .collect();
    if libraries.is_empty() {
        section.add("libffi", State::Note, "none that the loader finds");
    }
    for (name, library) in libraries {
        section.add(name, State::Note, library);
    }
    section
}

/// The first program called `name` on the search path.
fn programs(name: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let files = env::split_paths(&path).map(|directory| directory.join(name));
    files.filter(|file| file.is_file()).take(1).collect()
}

fn interpreter(program: &Path) -> String {
    let output = Command::new(program)
        .args(["-c", SCRIPT])
        .stdin(Stdio::null())
        .output();
    let said = match &output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout),
        Ok(output) => return format!("{}: {}", program.display(), output.status),
        Err(error) => return format!("{}: {error}", program.display()),
    };
    let (version, ffi) = said.trim().split_once(' ').unwrap_or((said.trim(), ""));
    let ffi = match ffi {
        "farcall" => "ffi is farcall's",
        "stock" => "ffi is its own",
        _ => "no ffi",
    };
    let place = program.display();
    format!("{place}: {version}, {ffi}, {}", size_of(program))
}

fn libffi(name: &str) -> Option<String> {
    // SAFETY: libffi's initialiser only sets up its own memory.
    let library = unsafe { Library::open(name) }.ok()?;
    let file = file_of(&library, "ffi_call")?;
    let file = fs::canonicalize(&file).unwrap_or(file);
    let version = text(&library, "const char *ffi_get_version(void)");
    let version = version.unwrap_or_else(|| "before 3.5".to_owned());
    let bytes = fs::read(&file).unwrap_or_default();
    let is_ours = bytes.windows(OURS.len()).any(|window| window == OURS);
    let whose = if is_ours {
        "farcall's"
    } else {
        "not farcall's"
    };
    let place = file.display();
    Some(format!("{place}: {version}, {whose}, {}", size_of(&file)))
}

fn size_of(file: &Path) -> String {
    match fs::metadata(file) {
        Ok(metadata) => format!("{} kB", metadata.len().div_ceil(1000)),
        Err(error) => error.to_string(),
    }
}
