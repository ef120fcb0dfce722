//! Checks manifests: those of published crates must have the keys that registries want, and the others must say that they are not published.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::paths;

/// The keys in the package section of a published crate.
const KEYS: &[&str] = &[
    "name",
    "version",
    "edition",
    "rust-version",
    "license",
    "repository",
    "description",
    "categories",
    "keywords",
];

/// The most keywords and categories that a registry takes.
const MOST: usize = 5;

/// The faults of the workspace's manifests.
pub fn faults() -> Result<Vec<String>> {
    let root = paths::root();
    let text = read(&root.join("Cargo.toml"))?;
    let members = list(section(&text, "workspace"), "members");
    let outside = list(section(&text, "workspace"), "exclude");
    let mut faults = Vec::new();
    for member in members.iter().chain(&outside) {
        let text = read(&root.join(member).join("Cargo.toml"))?;
        let told = faults_of(&text);
        faults.extend(told.into_iter().map(|fault| format!("{member}: {fault}")));
    }
    Ok(faults)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn faults_of(text: &str) -> Vec<String> {
    let package = section(text, "package");
    if value(package, "publish") == Some("false") {
        return Vec::new();
    }
    let missing = KEYS.iter().filter(|key| value(package, key).is_none());
    let mut faults: Vec<String> = missing.map(|key| format!("no {key}")).collect();
    for key in ["categories", "keywords"] {
        if list(package, key).len() > MOST {
            faults.push(format!("more than {MOST} {key}"));
        }
    }
    let documented = section(text, "package.metadata.docs.rs");
    if list(documented, "targets").is_empty() {
        faults.push("no targets for docs.rs".into());
    }
    let features = section(text, "features").lines();
    let mut is_told = false;
    for line in features.map(str::trim) {
        if line.split_once(" = ").is_some() && !line.starts_with("default ") && !is_told {
            faults.push(format!("no comment above the feature {line}"));
        }
        // One comment may stand above several.
        is_told = line.starts_with('#') || is_told && !line.is_empty();
    }
    // A dependency with only a path does not exist for users of the registry; dependencies of tests may be so.
    let runs = text.split("\n[").filter(|part| {
        let head = part.split(']').next().unwrap_or_default();
        head.ends_with("dependencies") && !head.ends_with("dev-dependencies")
    });
    let ours = runs.flat_map(str::lines);
    let unversioned = ours.filter(|line| line.contains("path = ") && !line.contains("version = "));
    faults.extend(unversioned.map(|line| format!("no version in {line}")));
    faults
}

/// The lines below a heading, up to the next one.
fn section<'a>(text: &'a str, name: &str) -> &'a str {
    let head = format!("[{name}]\n");
    let start = match text.starts_with(&head) {
        true => Some(head.len()),
        false => text
            .find(&format!("\n{head}"))
            .map(|at| at + 1 + head.len()),
    };
    let rest = start.map_or("", |start| &text[start..]);
    &rest[..rest.find("\n[").unwrap_or(rest.len())]
}

/// The value of a key, from the crate itself or from the workspace.
fn value<'a>(section: &'a str, key: &str) -> Option<&'a str> {
    section.lines().find_map(|line| {
        let (name, value) = line.split_once(" = ")?;
        let is_it = name == key || name.strip_suffix(".workspace") == Some(key);
        is_it.then_some(value.trim())
    })
}

/// The texts of a list, on one line or on several.
fn list(section: &str, key: &str) -> Vec<String> {
    let start = section.find(&format!("{key} = ["));
    let rest = start.map_or("", |start| &section[start..]);
    let inside = rest.split(']').next().unwrap_or_default();
    let texts = inside.split('"').skip(1).step_by(2);
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"[package]
name = "a"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
repository.workspace = true
description = "What it is."
categories = ["x", "y"]
keywords = ["x"]

[package.metadata.docs.rs]
targets = [
    "x86_64-unknown-linux-gnu",
]

[features]
default = []
# What it adds.
more = []

[dependencies]
b = { path = "../b", version = "0.1.0" }

[dev-dependencies]
a = { path = "." }
"#;

    #[test]
    fn manifest_that_says_everything_is_in_order() {
        assert_eq!(faults_of(GOOD), [""; 0]);
        let private = "[package]\nname = \"a\"\npublish = false\n";
        assert_eq!(faults_of(private), [""; 0]);
    }

    #[test]
    fn what_a_manifest_does_not_say_is_told() {
        for (line, wanted) in [
            ("repository.workspace = true\n", "no repository"),
            ("keywords = [\"x\"]\n", "no keywords"),
            (
                "    \"x86_64-unknown-linux-gnu\",\n",
                "no targets for docs.rs",
            ),
            (
                "# What it adds.\n",
                "no comment above the feature more = []",
            ),
        ] {
            assert_eq!(faults_of(&GOOD.replace(line, "")), [wanted]);
        }
        let unversioned = GOOD.replace(", version = \"0.1.0\"", "");
        assert_eq!(
            faults_of(&unversioned),
            ["no version in b = { path = \"../b\" }"]
        );
        let many = GOOD.replace("[\"x\"]", "[\"1\", \"2\", \"3\", \"4\", \"5\", \"6\"]");
        assert_eq!(faults_of(&many), ["more than 5 keywords"]);
    }

    #[test]
    fn lists_are_read_on_one_line_and_on_several() {
        assert_eq!(list("a = [\"b\", \"c\"]\n", "a"), ["b", "c"]);
        assert_eq!(list("a = [\n    \"b\",\n]\n", "a"), ["b"]);
        assert_eq!(list("b = []\n", "a"), [""; 0]);
    }
}
