//! The step that checks imports: a crate has no circle of them, and imports none of our crates that it may not know. It also checks that
//! the module's messages are short enough, that `SAFETY:` notes name a duty, and that manifests have the keys that registries want.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Report;
use super::{manifests, messages, safety};
use crate::paths;

/// A crate's source, and which of our crates it may import.
struct House {
    source: &'static str,
    may_import: &'static [&'static str],
}

const HOUSES: &[House] = &[
    House {
        source: "memory/src",
        may_import: &["farcall_memory"],
    },
    House {
        source: "cdecl/src",
        may_import: &["farcall_arch", "farcall_memory"],
    },
    House {
        source: "derive/src",
        may_import: &[],
    },
    House {
        source: "engine/src",
        may_import: &["farcall_arch", "farcall_memory"],
    },
    House {
        source: "src",
        may_import: &[
            "farcall_arch",
            "farcall_cdecl",
            "farcall_derive",
            "farcall_engine",
            "farcall_memory",
        ],
    },
    House {
        source: "libffi/src",
        may_import: &["farcall_arch", "farcall_engine", "farcall_memory"],
    },
    House {
        source: "micropython/src",
        may_import: &[
            "farcall_arch",
            "farcall_cdecl",
            "farcall_engine",
            "farcall_memory",
        ],
    },
    House {
        source: "cli/src",
        may_import: &["farcall", "farcall_arch", "farcall_cdecl"],
    },
    House {
        source: "soak/src",
        may_import: &["farcall"],
    },
    House {
        source: "conformance/src",
        // The crate itself, which its program imports.
        may_import: &[
            "conformance",
            "farcall",
            "farcall_arch",
            "farcall_cdecl",
            "farcall_engine",
            "farcall_memory",
        ],
    },
];

/// The beginnings of our crates' names.
const OURS: [&str; 2] = ["farcall", "conformance"];

/// Checks all houses.
pub fn house() -> Result<Report> {
    let mut report = Report::default();
    for House { source, may_import } in HOUSES {
        let faults = faults(&paths::root().join(source), may_import)?;
        report.add(
            faults.is_empty(),
            format!("{source}: {}", faults.join("; ")),
        );
    }
    let notes = safety::empty_notes()?;
    report.add(
        notes.is_empty(),
        format!("SAFETY notes that name no duty: {}", notes.join(", ")),
    );
    let messages = messages::too_long()?;
    let manifests = manifests::faults()?;
    report.add(
        manifests.is_empty(),
        format!("manifests: {}", manifests.join("; ")),
    );
    report.add(
        messages.is_empty(),
        format!("messages that are too long: {}", messages.join("; ")),
    );
    Ok(report)
}

/// The circles of imports between the files below `directory`, and their imports of crates of ours that are not in
/// `may_import`. Imports in tests do not count.
fn faults(directory: &Path, may_import: &[&str]) -> Result<Vec<String>> {
    let mut files = BTreeMap::new();
    read(directory, &mut Vec::new(), &mut files)?;
    let modules: BTreeSet<Module> = files.keys().cloned().collect();
    let mut faults = Vec::new();
    let mut edges: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, text) in &files {
        let imports = edges.entry(module).or_default();
        for path in paths_in(text, module) {
            let [root, rest @ ..] = &path[..] else {
                continue;
            };
            let child = [&module[..], std::slice::from_ref(root)].concat();
            if root == "crate" {
                imports.extend(file_of(rest, &modules).filter(|file| file != module));
            } else if modules.contains(&child) {
                let whole = [&module[..], &path[..]].concat();
                imports.extend(file_of(&whole, &modules));
            } else if OURS.iter().any(|ours| root.starts_with(ours))
                && !may_import.contains(&root.as_str())
            {
                faults.push(format!("{} imports {root}", name(module)));
            }
        }
    }
    faults.dedup();
    faults.extend(circles(&edges));
    Ok(faults)
}

/// A file by its module's path; empty for the crate's root.
type Module = Vec<String>;

fn name(module: &Module) -> String {
    match module.is_empty() {
        true => "the root".to_owned(),
        false => module.join("::"),
    }
}

fn read(directory: &Path, path: &mut Module, files: &mut BTreeMap<Module, String>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {directory:?}"))?;
    let mut entries: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    entries.sort();
    for entry in entries {
        let stem = entry.file_stem().unwrap_or_default().to_string_lossy();
        if entry.is_dir() {
            path.push(stem.into_owned());
            read(&entry, path, files)?;
            path.pop();
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let mut module = path.clone();
            if !["lib", "main", "mod"].contains(&&*stem) {
                module.push(stem.into_owned());
            }
            let text = fs::read_to_string(&entry)?;
            *files.entry(module).or_default() += &text;
        }
    }
    Ok(())
}

/// The file that a path within the crate leads to: that of the longest module.
fn file_of(path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let ends = (0..=path.len()).rev();
    let mut starts = ends.map(|end| path[..end].to_vec());
    starts.find(|start| modules.contains(start))
}

/// Every path in `text`, a file of formatted code, that begins with a crate. Paths that begin with `super` or `self` are resolved from
/// `module`, and begin with `crate`.
fn paths_in(text: &str, module: &Module) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (nesting, statement) in statements(text) {
        for path in expand(&statement) {
            let up = path
                .iter()
                .take_while(|segment| *segment == "super")
                .count();
            let is_inside = up < nesting;
            let inner = module.len() + nesting;
            match path[0].as_str() {
                // Up to an inline module, whose names are the file's.
                "super" | "self" if is_inside => {}
                "super" => {
                    let base = module[..inner.saturating_sub(up)].iter();
                    let rest = path[up..].iter();
                    let whole = ["crate".to_owned()].into_iter();
                    found.push(whole.chain(base.chain(rest).cloned()).collect());
                }
                "self" => {
                    let own = module.iter().chain(&path[1..]).cloned();
                    found.push(["crate".to_owned()].into_iter().chain(own).collect());
                }
                _ => found.push(path),
            }
        }
    }
    found
}

/// Pieces of code, each with how many inline modules it stands in: `use` declarations as a whole, other code line by line.
/// Without comments and tests.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    // For each inline module around, its indentation, and whether it is of tests.
    let mut inline: Vec<(usize, bool)> = Vec::new();
    let (mut is_test, mut is_open) = (false, false);
    for line in text.lines() {
        // The paths in a macro count where it is used, and a macro at the root is in no file.
        let line = line.replace("$crate::", "");
        let is_macro = line.trim_start().starts_with("crate::") && line.contains("!(");
        let line = if is_macro { String::new() } else { line };
        let code = line.split("//").next().unwrap_or_default();
        let indent = code.len() - code.trim_start().len();
        let code = code.trim();
        if code == "}" && inline.last().is_some_and(|(start, _)| *start == indent) {
            inline.pop();
            continue;
        }
        let is_module = code.contains("mod ") && code.ends_with('{') && !code.contains("fn ");
        if is_module {
            inline.push((indent, is_test));
        }
        is_test = code.starts_with("#[cfg(") && code.contains("test") || is_test && code.is_empty();
        if is_module || inline.iter().any(|(_, is_test)| *is_test) {
            continue;
        }
        match found.last_mut().filter(|_| is_open) {
            Some((_, statement)) => statement.push_str(code),
            None => found.push((inline.len(), code.to_owned())),
        }
        let start = found.last().map_or("", |(_, statement)| statement);
        let is_use =
            start.starts_with("use ") || start.starts_with("pub") && start.contains("use ");
        is_open = is_use && !code.ends_with(';');
    }
    found
}

/// The paths of several segments in a piece of code, groups in braces taken apart.
fn expand(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find("::") {
        let before = &rest[..start];
        let root = before
            .rfind(|c: char| !is_in_name(c))
            .map_or(0, |at| at + 1);
        let (root, after) = (&before[root..], &rest[start + 2..]);
        let length = tree(root, after, &mut found);
        rest = &after[length..];
    }
    found.retain(|path| !path[0].is_empty());
    found
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads the text behind `start::`, and notes each path. Returns the number of bytes read.
fn tree(start: &str, text: &str, found: &mut Vec<Vec<String>>) -> usize {
    let mut path: Vec<String> = start.split("::").map(str::to_owned).collect();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with('{') {
            return at + group(&path, rest, found);
        }
        let length = rest.find(|c| !is_in_name(c)).unwrap_or(rest.len());
        if length > 0 && &rest[..length] != "self" {
            path.push(rest[..length].to_owned());
        }
        at += length;
        if length == 0 || !text[at..].starts_with("::") {
            found.push(path);
            return at;
        }
        at += 2;
    }
}

/// The same for a group in braces.
fn group(path: &[String], text: &str, found: &mut Vec<Vec<String>>) -> usize {
    let mut at = 1;
    while let Some(next) = text[at..].chars().next() {
        match next {
            '}' => return at + 1,
            next if is_in_name(next) => at += tree(&path.join("::"), &text[at..], found),
            next => at += next.len_utf8(),
        }
    }
    at
}

/// Each set of files of which every one leads to every other.
fn circles(edges: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<String> {
    let reach = |from: &Module| {
        let mut reached = BTreeSet::new();
        let mut left = vec![from];
        while let Some(module) = left.pop() {
            for next in edges.get(module).into_iter().flatten() {
                if reached.insert(next) {
                    left.push(next);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, _> = edges
        .keys()
        .map(|module| (*module, reach(module)))
        .collect();
    let mut found = BTreeSet::new();
    for (module, others) in &reached {
        if others.contains(module) {
            let back = |other: &&&Module| reached[**other].contains(module);
            let circle = others.iter().filter(back);
            found.insert(circle.map(|module| name(module)).collect::<Vec<_>>());
        }
    }
    let told = found.into_iter();
    told.map(|circle| format!("a circle of {}", circle.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of a crate of these files.
    fn faults_of(files: &[(&str, &str)]) -> Vec<String> {
        let name = std::thread::current()
            .name()
            .unwrap_or_default()
            .replace("::", "-");
        let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        for (file, text) in files {
            let path = directory.join(file);
            let parent = path.parent().expect("a directory");
            fs::create_dir_all(parent).expect("a directory");
            fs::write(&path, text).expect("a file");
        }
        let found = faults(&directory, &["farcall_arch"]);
        fs::remove_dir_all(&directory).expect("the directory");
        found.expect("the files")
    }

    #[test]
    fn one_line_of_imports_is_in_order() {
        let found = faults_of(&[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "use farcall_arch::Plan;\n"),
            (
                "b/mod.rs",
                "mod c;\nuse crate::a::{self, Thing};\nuse std::fmt;\n",
            ),
            ("b/c.rs", "use crate::a::Thing;\n"),
            ("b/d.rs", "use super::c::Thing;\n"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn circles_are_found_however_they_are_written() {
        for (one, other) in [
            ("use crate::b::c::Thing;", "use crate::a::Thing;"),
            (
                "use crate::{\n    z,\n    b::{d, c::Thing},\n};",
                "use super::super::a::Thing;",
            ),
            (
                "fn f() -> crate::b::c::Thing {}",
                "pub(crate) use crate::a;",
            ),
        ] {
            let found = faults_of(&[("a.rs", one), ("b/mod.rs", ""), ("b/c.rs", other)]);
            assert_eq!(found, ["a circle of a, b::c"], "{one} {other}");
        }
        let found = faults_of(&[
            ("a/mod.rs", "use self::b::Thing;"),
            ("a/b.rs", "use super::Other;"),
        ]);
        assert_eq!(found, ["a circle of a, a::b"]);
        let found = faults_of(&[
            ("a/mod.rs", "fn f() -> b::Thing {}"),
            ("a/b.rs", "use super::Other;"),
        ]);
        assert_eq!(found, ["a circle of a, a::b"]);
        let found = faults_of(&[
            ("a.rs", "use crate::b::X;"),
            ("b.rs", "use crate::c::X;"),
            ("c.rs", "use crate::a::X;"),
        ]);
        assert_eq!(found, ["a circle of a, b, c"]);
    }

    #[test]
    fn comments_tests_and_inline_modules_are_no_imports() {
        let back = "//! See crate::b.\nuse std::fmt; // crate::b::X\n\n\
                    mod inside {\n    use super::X;\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    use crate::b::X;\n}\n";
        let found = faults_of(&[("a.rs", back), ("b.rs", "use crate::a::X;")]);
        assert_eq!(found, [""; 0]);
        let inside = "mod inside {\n    use super::super::b::X;\n}\n";
        let found = faults_of(&[("a.rs", inside), ("b.rs", "use crate::a::X;")]);
        assert_eq!(found, ["a circle of a, b"]);
    }

    #[test]
    fn crates_of_ours_that_may_not_be_imported_are_told() {
        let found = faults_of(&[(
            "lib.rs",
            "use farcall::Function;\nuse farcall_arch::Plan;\n",
        )]);
        assert_eq!(found, ["the root imports farcall"]);
    }
}
