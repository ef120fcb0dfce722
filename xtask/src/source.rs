//! Other projects' sources that are built here: a tree that the user names, or a pinned release fetched once into `target/`.
//!
//! There are several ways to a release: the tarball that its makers hand out, the upstream half of Debian's source package, by apt where
//! that knows Debian and as a plain file of the mirror that `DEBIAN_MIRROR` names, and a clone of the makers' repository. Each is tried in
//! turn, and a file is used only if its sum is the one in `pins.rs`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::debian;
use crate::paths;
use crate::pins::{Package, Pin, Tag};
use crate::process::{self, Output};
use crate::setup::{self, Need};

/// A source tree.
pub struct Source {
    /// Its top directory; never written to.
    pub dir: PathBuf,
    /// Whether it is the pinned release, not a tree of the user's choice.
    pub pinned: bool,
}

/// The environment variable that names a mirror of Debian's archive, for machines whose apt is set up with none.
const MIRROR: &str = "DEBIAN_MIRROR";

/// The seconds within which a server must answer, and for which it may send next to nothing.
const PATIENCE: &str = "20";

/// The source, fetched if need be. The caller holds a lock under which nobody else gets the same.
pub fn get(pin: &Pin) -> Result<Source> {
    let source = place(pin)?;
    if source.pinned && !source.dir.exists() {
        fetch(pin, &source.dir, &Machine)?;
    }
    Ok(source)
}

/// The source's place, also if it is still to be fetched.
pub fn place(pin: &Pin) -> Result<Source> {
    if let Some(dir) = std::env::var_os(pin.variable) {
        return named(pin, dir);
    }
    let name = format!("{}-{}", pin.name.to_lowercase(), pin.version);
    Ok(Source {
        dir: paths::sources()?.join(name),
        pinned: true,
    })
}

/// The needs of fetching the source, if that is still to be done. (The needs of the last ways are asked for when these are tried.)
pub fn needs(pin: &Pin) -> Result<Vec<Need>> {
    let source = place(pin)?;
    if source.dir.exists() {
        return Ok(Vec::new());
    }
    Ok([setup::UNPACK, setup::DOWNLOAD].concat())
}

fn named(pin: &Pin, dir: OsString) -> Result<Source> {
    let Pin { variable, mark, .. } = pin;
    let dir =
        fs::canonicalize(&dir).with_context(|| format!("{variable}={}", dir.to_string_lossy()))?;
    ensure!(
        dir.join(mark).is_file(),
        "{variable}={} is not the source of {}: it has no file {mark}",
        dir.display(),
        pin.name
    );
    Ok(Source { dir, pinned: false })
}

/// The programs that bring files here.
trait Tools {
    /// The mirror of Debian's archive that the user names.
    fn mirror(&self) -> Option<String>;
    /// Downloads `url` as `file`.
    fn download(&self, url: &str, file: &Path) -> Result<()>;
    /// Downloads a file of Debian's archive by apt into `work`, an empty directory, and returns its path.
    fn apt(&self, package: &Package, work: &Path) -> Result<PathBuf>;
    /// Clones a repository at a tag as `tree`.
    fn clone(&self, tag: &Tag, tree: &Path) -> Result<()>;
    /// Unpacks a tarball into the directory `tree`.
    fn unpack(&self, tarball: &Path, tree: &Path) -> Result<()>;
}

/// A way to a release: its name, and the function that brings the tree into an empty directory and returns its top directory there.
type Way<'a> = (String, Box<dyn Fn(&Path) -> Result<PathBuf> + 'a>);

/// All ways, the best first.
fn ways<'a>(pin: &'a Pin, tools: &'a dyn Tools) -> Vec<Way<'a>> {
    let mut ways: Vec<Way> = Vec::new();
    for url in pin.upstream.urls {
        ways.push((
            (*url).to_owned(),
            Box::new(|work| downloaded(tools, url, pin.upstream.sha256, work)),
        ));
    }
    let package = &pin.debian;
    ways.push((
        format!("apt, from Debian {}", package.suite),
        Box::new(|work| {
            let tarball = tools.apt(package, work)?;
            unpacked(tools, &tarball, package.sha256, work)
        }),
    ));
    let [directory, file] = package.path;
    if let Some(mirror) = tools.mirror() {
        let url = format!("{mirror}/{directory}/{file}");
        ways.push((
            url.clone(),
            Box::new(move |work| downloaded(tools, &url, package.sha256, work)),
        ));
    }
    if let Some(tag) = &pin.git {
        ways.push((
            format!("git, from {} at {}", tag.repository, tag.tag),
            Box::new(|work| cloned(tools, tag, work)),
        ));
    }
    ways
}

/// Tries each way in turn. The tree at `dir` is complete and checked, as it is renamed into place last.
fn fetch(pin: &Pin, dir: &Path, tools: &dyn Tools) -> Result<()> {
    let Pin {
        name,
        version,
        variable,
        ..
    } = pin;
    let mut partial = dir.as_os_str().to_owned();
    partial.push(".partial");
    let mut failures = String::new();
    for (what, way) in ways(pin, tools) {
        eprintln!("getting {name} {version}: {what}");
        let work = paths::emptied(PathBuf::from(&partial))?;
        match way(&work) {
            Ok(tree) => {
                fs::rename(&tree, dir)?;
                fs::remove_dir_all(&work)?;
                return Ok(());
            }
            Err(error) => {
                eprintln!("that did not work: {error:#}");
                failures.push_str(&format!("\n  {what}: {error:#}"));
                fs::remove_dir_all(&work)?;
            }
        }
    }
    bail!(
        "cannot get the source of {name} {version}. Unpack it by hand and name its directory ({variable}=DIR), or see to one of \
         these ways:{failures}"
    );
}

fn downloaded(tools: &dyn Tools, url: &str, sha256: &str, work: &Path) -> Result<PathBuf> {
    let tarball = work.join("tarball");
    tools.download(url, &tarball)?;
    unpacked(tools, &tarball, sha256, work)
}

/// Unpacks a tarball whose sum is right below `work` and returns the one directory that it consists of.
fn unpacked(tools: &dyn Tools, tarball: &Path, sha256: &str, work: &Path) -> Result<PathBuf> {
    let bytes = fs::read(tarball).with_context(|| format!("cannot read {}", tarball.display()))?;
    let sum = hex(&Sha256::digest(bytes));
    ensure!(
        sum == sha256,
        "the file that came has SHA-256 {sum}, not {sha256}"
    );
    let tree = paths::made(work.join("tree"))?;
    tools.unpack(tarball, &tree)?;
    let entries: Vec<_> = fs::read_dir(&tree)?.collect::<Result<_, _>>()?;
    match &entries[..] {
        [only] => Ok(only.path()),
        _ => bail!("the tarball has {} directories, not one", entries.len()),
    }
}

fn cloned(tools: &dyn Tools, tag: &Tag, work: &Path) -> Result<PathBuf> {
    let tree = work.join("tree");
    tools.clone(tag, &tree)?;
    let sum = digest(&tree, tag.parts)?;
    ensure!(
        sum == tag.sha256,
        "the files that came have SHA-256 {sum}, not {}",
        tag.sha256
    );
    Ok(tree)
}

/// The programs of this machine.
struct Machine;

impl Tools for Machine {
    fn mirror(&self) -> Option<String> {
        std::env::var(MIRROR).ok()
    }

    fn download(&self, url: &str, file: &Path) -> Result<()> {
        setup::ensure(setup::DOWNLOAD)?;
        let transcript = process::transcript(&mut downloader(url, file), None)?;
        ensure!(transcript.success(), "{}", transcript.text().trim());
        Ok(())
    }

    fn apt(&self, package: &Package, work: &Path) -> Result<PathBuf> {
        debian::tarball(package, self.mirror(), work)
    }

    fn clone(&self, tag: &Tag, tree: &Path) -> Result<()> {
        setup::ensure(setup::GIT)?;
        let mut git = Command::new("git");
        git.args(["-c", "advice.detachedHead=false", "clone", "--depth", "1"])
            .args(["--branch", tag.tag, tag.repository])
            .arg(tree)
            // Git must not wait for an answer when nobody can give one.
            .env("GIT_TERMINAL_PROMPT", "0");
        let transcript = process::transcript(&mut git, None)?;
        ensure!(transcript.success(), "{}", transcript.text().trim());
        Ok(())
    }

    fn unpack(&self, tarball: &Path, tree: &Path) -> Result<()> {
        setup::ensure(setup::UNPACK)?;
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(tarball).arg("-C").arg(tree);
        process::run(&mut tar, Output::Shown)
    }
}

fn downloader(url: &str, file: &Path) -> Command {
    let mut command = if process::on_path("curl") {
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--location", "--silent", "--show-error"])
            .args(["--connect-timeout", PATIENCE])
            .args(["--speed-limit", "1000", "--speed-time", PATIENCE])
            .arg("--output");
        curl
    } else {
        let mut wget = Command::new("wget");
        wget.args(["--no-verbose", "--tries", "2", "--timeout", PATIENCE])
            .arg("--output-document");
        wget
    };
    command.arg(file).arg(url);
    command
}

/// One sum over names and contents of all files in `dirs`, directories of `tree`.
fn digest(tree: &Path, dirs: &[&str]) -> Result<String> {
    let mut names = Vec::new();
    for dir in dirs {
        collect(tree, Path::new(dir), &mut names)?;
    }
    names.sort_unstable();
    let mut all = Sha256::new();
    for name in names {
        let content = Sha256::digest(fs::read(tree.join(&name))?);
        all.update(format!("{}  {name}\n", hex(&content)));
    }
    Ok(hex(&all.finalize()))
}

fn collect(tree: &Path, dir: &Path, names: &mut Vec<String>) -> Result<()> {
    let path = tree.join(dir);
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = dir.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(tree, &name, names)?;
        } else {
            names.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(all(test, unix))]
mod tests;
