//! The library of a header: its file, its name for the loader, and its exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol, elf};

use crate::failure::{Failure, Result};

/// A shared library.
pub struct Shared {
    /// The name that programs open it by.
    pub name: String,
    /// The symbols that it exports.
    pub exports: BTreeSet<String>,
}

impl Shared {
    /// The library that `-l name` would link, or the file with this path.
    pub fn find(compiler: &str, name: &str, directories: &[PathBuf]) -> Result<Shared> {
        let file = match name.contains('/') {
            true => PathBuf::from(name),
            false => find(compiler, name, directories)?,
        };
        Shared::read(&behind_script(file)?)
    }

    fn read(file: &Path) -> Result<Shared> {
        let data = fs::read(file).map_err(|error| told(file, error))?;
        let object = object::File::parse(&*data).map_err(|error| told(file, error))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let dynamic = object.dynamic_symbols();
        let own = dynamic.filter(|symbol| symbol.is_definition() && !symbol.is_local());
        let mut exports: BTreeSet<String> = own
            .filter_map(|symbol| Some(symbol.name().ok()?.to_owned()))
            .collect();
        if exports.is_empty() {
            // Other formats list exports separately.
            let all = object.exports().map_err(|error| told(file, error))?;
            let names = all
                .iter()
                .map(|export| String::from_utf8_lossy(export.name()));
            exports.extend(names.map(|name| name.trim_start_matches('_').to_owned()));
        }
        if exports.is_empty() {
            return Err(told(file, "it exports nothing"));
        }
        Ok(Shared {
            name: soname(&data).unwrap_or_else(|| name.into_owned()),
            exports,
        })
    }
}

fn told(file: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::of(format_args!("{}: {why}", file.display()))
}

/// The name that an ELF library gives itself (`DT_SONAME`).
fn soname(data: &[u8]) -> Option<String> {
    let file = ElfFile64::<Endianness>::parse(data).ok()?;
    let endian = file.endian();
    let sections = file.elf_section_table();
    let (entries, link) = sections.dynamic(endian, data).ok()??;
    let strings = sections.strings(endian, data, link).ok()?;
    let entry = entries
        .iter()
        .find(|entry| entry.d_tag.get(endian) == u64::from(elf::DT_SONAME))?;
    let offset = u32::try_from(entry.d_val.get(endian)).ok()?;
    Some(String::from_utf8_lossy(strings.get(offset).ok()?).into_owned())
}

/// The file of a library in the compiler's directories. It also finds names with a version number, which are there without the development
/// package.
fn find(compiler: &str, name: &str, directories: &[PathBuf]) -> Result<PathBuf> {
    let has_ending = name.contains(".so") || name.contains(".dylib") || name.contains(".dll");
    let endings = ["so", "dylib"].map(|ending| format!("lib{name}.{ending}"));
    let names: Vec<&str> = match has_ending {
        true => vec![name],
        false => endings.iter().map(String::as_str).collect(),
    };
    let mut places = directories.to_vec();
    places.extend(searched(compiler)?);
    let exact = places
        .iter()
        .flat_map(|place| names.iter().map(|name| place.join(name)));
    if let Some(file) = exact.into_iter().find(|file| file.is_file()) {
        return Ok(file);
    }
    let numbered = places.iter().find_map(|place| {
        let entries = fs::read_dir(place).ok()?.flatten();
        let is_it = |file: &PathBuf| {
            let file = file.file_name().unwrap_or_default().to_string_lossy();
            names.iter().any(|name| {
                file.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
        };
        entries.map(|entry| entry.path()).filter(is_it).min()
    });
    numbered.ok_or_else(|| {
        let failure = Failure::of(format_args!("no library {} is found", names[0]));
        failure.with_hint("-L names a directory to look in, and -l takes a path, too")
    })
}

/// The directories that the compiler searches for libraries.
fn searched(compiler: &str) -> Result<Vec<PathBuf>> {
    let output = Command::new(compiler)
        .arg("-print-search-dirs")
        .output()
        .map_err(|error| Failure::of(format_args!("{compiler}: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("libraries: ="));
    Ok(line
        .map(|line| std::env::split_paths(line).collect())
        .unwrap_or_default())
}

/// The library that a linker script stands for.
fn behind_script(file: PathBuf) -> Result<PathBuf> {
    let data = fs::read(&file).map_err(|error| told(&file, error))?;
    let text = match std::str::from_utf8(&data) {
        Ok(text) if text.contains("GROUP") || text.contains("INPUT") => text,
        _ => return Ok(file),
    };
    // A name without a directory means a file beside the script.
    let beside = file.parent().unwrap_or(Path::new(""));
    let words = text.split([' ', '(', ')', '\n', '\t']);
    let mut files = words
        .filter(|word| word.contains(".so"))
        .map(|word| beside.join(word));
    let named = files.find(|file| file.is_file());
    named.ok_or_else(|| told(&file, "a linker script that names no library"))
}
