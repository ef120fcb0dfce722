//! `cargo xtask book`: makes an mdBook of the pages of `docs/SUMMARY.md`.
//!
//! The pages stay where readers of the repository find them. They are copied side by side into `target/book/src`, where links that lead
//! out of the book become plain text, and mdBook makes HTML of the copies.

pub mod links;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::paths;
use crate::process::{self, Output};
use crate::setup;

/// The version that makes the book. Building it takes some minutes on two cores, more than all of xtask; its server and its search are left out.
const MDBOOK: &str = "0.5.4";
/// The path to which cargo installs it, below the book's directory.
const PROGRAM: &str = "bin/mdbook";
/// The list of the book's pages.
const SUMMARY: &str = "docs/SUMMARY.md";
/// The kinds of files that pages show.
const PICTURES: [&str; 2] = ["svg", "png"];

/// Builds the book and returns its first page.
pub fn build() -> Result<PathBuf> {
    let program = program()?;
    assemble()?;
    run(&program)?;
    Ok(directory()?.join("html/index.html"))
}

/// Builds the book without installing anything. Returns whether mdBook was there to make HTML.
pub fn try_build() -> Result<bool> {
    assemble()?;
    let program = directory()?.join(PROGRAM);
    let is_there = is_pinned(&program);
    if is_there {
        run(&program)?;
    }
    Ok(is_there)
}

fn run(program: &Path) -> Result<()> {
    let mut mdbook = Command::new(program);
    mdbook.arg("build").current_dir(directory()?);
    process::run(&mut mdbook, Output::OnFailure)
}

/// The book's pages, as paths from the repository's top.
pub fn pages() -> Result<Vec<PathBuf>> {
    let summary = read(Path::new(SUMMARY))?;
    let links = links::of(&summary);
    let paths = links.iter().map(|link| resolved(Path::new(SUMMARY), link));
    paths
        .map(|path| path.with_context(|| format!("{SUMMARY} leads out of the repository")))
        .collect()
}

/// The directory in which the book is made.
fn directory() -> Result<PathBuf> {
    paths::made(paths::root().join("target/book"))
}

/// mdBook at the pinned version, which is installed below `target/` if it is not there yet.
fn program() -> Result<PathBuf> {
    let root = directory()?;
    let program = root.join(PROGRAM);
    if is_pinned(&program) {
        return Ok(program);
    }
    if setup::is_installation_forbidden() {
        bail!("mdbook {MDBOOK} is missing in {}", root.display());
    }
    let mut cargo = Command::new("cargo");
    cargo
        .args(["install", "mdbook", "--locked", "--force"])
        .args(["--version", MDBOOK, "--no-default-features", "--root"])
        .arg(&root)
        .arg("--target-dir")
        .arg(root.join("build"));
    process::run(&mut cargo, Output::Shown)?;
    Ok(program)
}

fn is_pinned(program: &Path) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|version| version.stdout.trim_ascii_end().ends_with(MDBOOK.as_bytes()))
}

/// Copies the pages with their pictures, and writes mdBook's other files.
fn assemble() -> Result<()> {
    let book = directory()?;
    let source = paths::emptied(book.join("src"))?;
    fs::copy(paths::root().join("docs/book.toml"), book.join("book.toml"))?;
    let pages = pages()?;
    let mut pictures = BTreeSet::new();
    for page in &pages {
        let text = links::rewritten(&read(page)?, |link| {
            let end = in_book(page, link, &pages)?;
            if is_picture(&end) {
                pictures.insert(end);
            }
            Some(link.replace("README.md", "index.md"))
        });
        write(&source.join(named(page)), &text)?;
    }
    for picture in pictures {
        let copy = source.join(&picture);
        paths::made(copy.parent().unwrap_or(&source).to_owned())?;
        fs::copy(paths::root().join(&picture), copy)?;
    }
    let summary = links::rewritten(&read(Path::new(SUMMARY))?, |link| {
        let page = resolved(Path::new(SUMMARY), link)?;
        Some(named(&page).to_string_lossy().into_owned())
    });
    write(&source.join("SUMMARY.md"), &summary)
}

/// The file that a link leads to, if it is a page of the book or a picture.
fn in_book(page: &Path, link: &str, pages: &[PathBuf]) -> Option<PathBuf> {
    resolved(page, link).filter(|end| pages.contains(end) || is_picture(end))
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| PICTURES.contains(&extension))
}

/// A page's name in the book: a folder's first page in the repository is its first page here, too.
fn named(page: &Path) -> PathBuf {
    if page.ends_with("README.md") {
        return page.with_file_name("index.md");
    }
    page.to_owned()
}

/// The file that a link on `page` leads to, as a path from the repository's top; `None` if it is not below that.
fn resolved(page: &Path, link: &str) -> Option<PathBuf> {
    let link = link.split('#').next().unwrap_or_default();
    if link.is_empty() {
        return Some(page.to_owned());
    }
    let mut path = page.parent()?.to_owned();
    for component in Path::new(link).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => path.pop().then_some(())?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

fn read(page: &Path) -> Result<String> {
    fs::read_to_string(paths::root().join(page))
        .with_context(|| format!("{} is missing", page.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        paths::made(folder.to_owned())?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_docs_is_in_the_book() {
        let pages = pages().expect("the list of pages");
        let mut folders = vec![PathBuf::from("docs")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(paths::root().join(&folder)).expect("a folder") {
                let path = folder.join(entry.expect("an entry").file_name());
                if paths::root().join(&path).is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    let is_known = path == Path::new(SUMMARY) || pages.contains(&path);
                    assert!(is_known, "{SUMMARY} lacks {}", path.display());
                }
            }
        }
    }

    #[test]
    fn code_within_a_text_ends_on_its_line() {
        // Otherwise links behind it are taken for code.
        for page in pages().expect("the list of pages") {
            let mut in_block = false;
            for line in read(&page).expect("a page").lines() {
                in_block ^= line.starts_with("```");
                let ends = line.matches('`').count();
                assert!(
                    in_block || ends.is_multiple_of(2) || line.starts_with("```"),
                    "{page:?}: {line}"
                );
            }
        }
    }

    #[test]
    fn links_between_files_lead_somewhere() {
        for page in pages().expect("the list of pages") {
            let text = read(&page).expect("a page");
            for link in links::of(&text) {
                let end = resolved(&page, &link).unwrap_or_else(|| panic!("{page:?}: {link}"));
                assert!(paths::root().join(&end).exists(), "{page:?}: {link}");
                if let Some((_, name)) = link.split_once('#') {
                    let text = read(&end).expect("a page");
                    let headings = links::headings(&text);
                    assert!(
                        headings.iter().any(|heading| heading == name),
                        "{page:?}: {link}"
                    );
                }
            }
        }
    }

    #[test]
    fn link_out_of_the_book_is_none() {
        let pages = [PathBuf::from("README.md"), PathBuf::from("docs/porting.md")];
        let end = |link| in_book(Path::new("docs/porting.md"), link, &pages);
        assert_eq!(end("../README.md#state"), Some("README.md".into()));
        assert_eq!(end("#codes"), Some("docs/porting.md".into()));
        assert_eq!(end("img/frame.svg"), Some("docs/img/frame.svg".into()));
        assert_eq!(end("../xtask/src/pins.rs"), None);
        assert_eq!(end("../../elsewhere.md"), None);
    }
}
