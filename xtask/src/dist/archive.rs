//! Makes tarballs that are the same each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::book::links;
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{Check, Need};

/// The programs that packing needs.
pub const NEEDS: &[Need] = &[
    Need::new(Check::Program("tar"), "tar"),
    Need::new(Check::Program("gzip"), "gzip"),
];

/// The default time of all files: the earliest that every format has.
const EARLIEST: &str = "315532800";

/// The rights of all files: a program may be run by everyone.
pub const RIGHTS: &str = "a+rX,u+w,go-w";

/// Files to pack, in the one directory that they will be unpacked to.
pub struct Tree {
    name: String,
    top: PathBuf,
}

impl Tree {
    /// An empty one.
    pub fn new(name: &str) -> Result<Tree> {
        let top = paths::emptied(paths::root().join("target/dist.partial").join(name))?;
        Ok(Tree {
            name: name.into(),
            top,
        })
    }

    /// The directory.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// The path of a file of that name. Its directory is made if need be.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        let path = self.top.join(name);
        paths::made(path.parent().context("it lies in the tree")?.to_owned())?;
        Ok(path)
    }

    /// Adds a file of this repository.
    pub fn copy(&self, from: &str, name: &str) -> Result<()> {
        self.add(&paths::root().join(from), name)
    }

    /// Adds a file, or a directory with all that is in it.
    pub fn add(&self, from: &Path, name: &str) -> Result<()> {
        let mut copy = Command::new("cp");
        copy.arg("-RP").arg(from).arg(self.path(name)?);
        process::run(&mut copy, Output::OnFailure)
    }

    /// Adds a file of that content.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Leaves only the text of each link in its pages that leads to a file which it lacks.
    pub fn settle_links(&self) -> Result<()> {
        for page in pages(&self.top)? {
            let directory = page.parent().context("a page lies in the tree")?;
            let text = fs::read_to_string(&page)?;
            let settled = links::rewritten(&text, |link| {
                leads_to_file(directory, link).then(|| link.to_owned())
            });
            fs::write(&page, settled)?;
        }
        Ok(())
    }

    /// Makes the tarball, and removes the directory.
    pub fn pack(self, out: &Path) -> Result<PathBuf> {
        self.settle_links()?;
        let file = out.join(format!("{}.tar.gz", self.name));
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--format=ustar", "--numeric-owner"])
            .args(["--owner=0", "--group=0"])
            .arg(format!("--mode={RIGHTS}"))
            .arg(format!("--mtime=@{}", time()))
            .args(["--use-compress-program", "gzip -9n", "-cf"])
            .arg(&file)
            .arg("-C")
            .arg(self.top.parent().context("it lies below target/")?)
            .arg(&self.name);
        process::run(&mut tar, Output::OnFailure)?;
        fs::remove_dir_all(&self.top)?;
        Ok(file)
    }
}

/// The Markdown files in a directory and all below it.
pub fn pages(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut pages(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether a link of a page in `directory` leads to a file that is there, or into the page itself.
pub fn leads_to_file(directory: &Path, link: &str) -> bool {
    let file = link.split('#').next().unwrap_or_default();
    directory.join(file).exists()
}

/// The time that all files have, in seconds since 1970.
pub fn time() -> &'static str {
    static TIME: OnceLock<String> = OnceLock::new();
    TIME.get_or_init(|| {
        let is_time = |text: &String| text.parse::<u64>().is_ok();
        let named = std::env::var("SOURCE_DATE_EPOCH").ok().filter(is_time);
        named
            .or_else(|| last_commit().filter(is_time))
            .unwrap_or(EARLIEST.into())
    })
}

/// When the last commit was made.
fn last_commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"])
        .current_dir(paths::root());
    Some(process::stdout(&mut git).ok()?.trim().to_owned())
}
