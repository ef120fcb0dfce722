//! MicroPython's source: the tree that `MICROPYTHON_SRC` names, or a pinned release fetched once into `target/`.
//!
//! Two ways lead to the release. On Debian it is the orig tarball of the distribution's source package, from the
//! mirror that this machine's apt is set up with, checked against the tarball's SHA-256. Elsewhere it is a clone of
//! MicroPython's repository at the tag, checked against a digest of the files that are compiled or run.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::debian;
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Need};

/// The release that everything here is built from and compared with.
pub const VERSION: &str = "1.25.0";

/// The Debian release whose source package is that version.
pub const DEBIAN_SUITE: &str = "trixie";
/// The upstream half of the source package; Debian's own half may be revised and is not used.
const TARBALL_SHA256: &str = "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea";

const REPOSITORY: &str = "https://github.com/micropython/micropython";
/// What of a clone is compiled or run here, and therefore checked.
const CHECKED: [&str; 16] = [
    "drivers",
    "extmod",
    "lib/crypto-algorithms",
    "lib/libm",
    "lib/libm_dbl",
    "lib/littlefs",
    "lib/oofatfs",
    "lib/re1.5",
    "lib/uzlib",
    "mpy-cross",
    "ports/unix",
    "ports/windows",
    "py",
    "shared",
    "tests",
    "tools",
];
/// `digest` of those, reckoned from Debian's tarball.
const CHECKED_SHA256: &str = "b1e90ae207f9efd3e7fbb135ade071d9b813975e7172a16bc666995473041cef";

/// The source tree.
pub struct Source {
    /// Its top directory; never written to.
    pub dir: PathBuf,
    /// Whether it is the pinned release, not a tree of the user's choice.
    pub pinned: bool,
}

/// The source to build from, fetched if need be. The caller holds the lock on builds.
pub fn get() -> Result<Source> {
    if let Some(dir) = std::env::var_os("MICROPYTHON_SRC") {
        return named(dir);
    }
    let (sources, dir) = places()?;
    if !dir.exists() {
        fetch(&sources, &dir)?;
    }
    Ok(Source { dir, pinned: true })
}

/// What getting the source takes, if it is still to be got. (Should Debian fail us, git is asked for later.)
pub fn needs() -> Result<&'static [Need]> {
    let here = std::env::var_os("MICROPYTHON_SRC").is_some() || places()?.1.exists();
    Ok(match (here, process::on_path("apt-get")) {
        (true, _) => &[],
        (false, true) => setup::UNPACK,
        (false, false) => setup::GIT,
    })
}

/// The directory of sources, and in it the release's.
fn places() -> Result<(PathBuf, PathBuf)> {
    let sources = paths::made(paths::micropython()?.join("src"))?;
    let dir = sources.join(format!("micropython-{VERSION}"));
    Ok((sources, dir))
}

fn named(dir: OsString) -> Result<Source> {
    let dir = fs::canonicalize(&dir)
        .with_context(|| format!("MICROPYTHON_SRC={}", dir.to_string_lossy()))?;
    ensure!(
        dir.join("py/mpconfig.h").is_file(),
        "MICROPYTHON_SRC={} is not MicroPython's source",
        dir.display()
    );
    Ok(Source { dir, pinned: false })
}

/// Brings the release into an empty directory and returns its top directory in there.
type Way = fn(&Path) -> Result<PathBuf>;

/// Tries each way in turn. What arrives at `dir` is whole and checked: it is renamed into place last.
fn fetch(sources: &Path, dir: &Path) -> Result<()> {
    let ways: [(&str, Way); 2] = [
        ("Debian's source package", from_debian),
        ("MicroPython's repository", from_git),
    ];
    let mut failures = String::new();
    for (name, way) in ways {
        eprintln!("getting MicroPython {VERSION} from {name}");
        let work = paths::emptied(sources.join("partial"))?;
        match way(&work) {
            Ok(tree) => {
                fs::rename(&tree, dir)?;
                fs::remove_dir_all(&work)?;
                return Ok(());
            }
            Err(error) => {
                eprintln!("that did not work: {error:#}");
                failures.push_str(&format!("\n  {name}: {error:#}"));
            }
        }
    }
    bail!(
        "cannot get MicroPython's source (MICROPYTHON_SRC=DIR names a tree of version {VERSION}):{failures}"
    );
}

/// Takes the upstream half of Debian's source package.
fn from_debian(work: &Path) -> Result<PathBuf> {
    let tarball = debian::tarball(work, "micropython", &[DEBIAN_SUITE])?;
    let sum = debian::sha256(&tarball)?;
    ensure!(
        sum == TARBALL_SHA256,
        "{} has SHA-256 {sum}, not {TARBALL_SHA256}",
        tarball.display()
    );
    debian::unpack(&tarball, work)
}

fn from_git(work: &Path) -> Result<PathBuf> {
    setup::ensure(setup::GIT)?;
    let tree = work.join("micropython");
    let tag = format!("v{VERSION}");
    let mut git = Command::new("git");
    git.args(["-c", "advice.detachedHead=false", "clone", "--depth", "1"])
        .args(["--branch", &tag, REPOSITORY])
        .arg(&tree);
    process::run(&mut git, Output::Shown)?;
    let sum = digest(&tree, &CHECKED)?;
    ensure!(
        sum == CHECKED_SHA256,
        "the files at {tag} have SHA-256 {sum}, not {CHECKED_SHA256}"
    );
    Ok(tree)
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
        all.update(format!("{}  {name}\n", debian::hex(&content)));
    }
    Ok(debian::hex(&all.finalize()))
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
