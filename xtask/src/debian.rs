//! Debian's source packages, fetched with apt without touching the machine's own lists and caches.
//!
//! What is fetched is the upstream half of a package, from the mirror that this machine's apt is set up with. Debian's own
//! half may be revised at any time and is not used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::paths;
use crate::process::{self, Output};
use crate::setup;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Downloads the upstream tarball of the newest version of `package` that one of `suites` has, into `work`, an empty
/// directory of the caller's. Returns its path.
pub fn tarball(work: &Path, package: &str, suites: &[&str]) -> Result<PathBuf> {
    ensure!(
        process::on_path("apt-get"),
        "this is not a Debian-like system"
    );
    setup::ensure(setup::UNPACK)?;
    let mirror = mirror(work)?;
    let list = work.join("sources.list");
    let lines: String = suites
        .iter()
        .map(|suite| format!("deb-src [signed-by={KEYRING}] {mirror} {suite} main\n"))
        .collect();
    fs::write(&list, lines)?;
    let apt = |args: &[&str]| -> Result<()> {
        let mut command = private_apt(work)?;
        command
            .arg("-o")
            .arg(format!("Dir::Etc::SourceList={}", list.display()))
            .args(["-o", "Dir::Etc::SourceParts=/dev/null"])
            .args(args);
        process::run(&mut command, Output::Shown)
    };
    apt(&["update"])?;
    apt(&["source", "--download-only", "--tar-only", package])?;
    only_entry(work, |name| {
        name.contains(".orig.tar.") && !name.ends_with(".asc")
    })
}

/// The upstream version in the name of a tarball: `1.25.0` of `micropython_1.25.0+ds.orig.tar.xz`.
pub fn version(tarball: &Path) -> Result<String> {
    let name = tarball.file_name().unwrap_or_default().to_string_lossy();
    let version = name
        .split_once('_')
        .and_then(|(_, rest)| rest.split_once(".orig."))
        .with_context(|| format!("{name} names no version"))?
        .0;
    let upstream = version.split('+').next().unwrap_or(version);
    Ok(upstream.to_owned())
}

/// The SHA-256 of a file.
pub fn sha256(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// Unpacks a tarball below `work` and returns the one directory it consists of.
pub fn unpack(tarball: &Path, work: &Path) -> Result<PathBuf> {
    let tree = paths::made(work.join("tree"))?;
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(tarball).arg("-C").arg(&tree);
    process::run(&mut tar, Output::Shown)?;
    only_entry(&tree, |_| true)
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `apt-get` that leaves the machine's own lists and caches alone, in the directory `work`.
fn private_apt(work: &Path) -> Result<Command> {
    let lists = work.join("lists");
    let cache = work.join("cache");
    paths::made(lists.join("partial"))?;
    paths::made(cache.join("archives/partial"))?;
    let mut command = Command::new("apt-get");
    command
        .current_dir(work)
        .arg("-o")
        .arg(format!("Dir::State::Lists={}", lists.display()))
        .arg("-o")
        .arg(format!("Dir::Cache={}", cache.display()))
        // No other user could write to our directories.
        .args(["-o", "APT::Sandbox::User=root"]);
    Ok(command)
}

/// The mirror of Debian's main archive that this machine uses.
fn mirror(work: &Path) -> Result<String> {
    let format = "$(REPO_URI)\t$(ORIGIN)\t$(LABEL)\t$(COMPONENT)";
    let question = ["indextargets", "--format", format, "Created-By: Packages"];
    let known = process::stdout(Command::new("apt-get").args(question))?;
    if let Some(mirror) = main_archive(&known) {
        return Ok(mirror.into());
    }
    // Apt knows what an archive is once it has its lists, which a fresh machine lacks.
    process::run(private_apt(work)?.arg("update"), Output::Shown)?;
    let known = process::stdout(private_apt(work)?.args(question))?;
    main_archive(&known)
        .map(str::to_owned)
        .context("apt is not set up with a mirror of Debian")
}

/// Picks Debian's main archive out of lines of address, origin, label and component.
fn main_archive(targets: &str) -> Option<&str> {
    targets.lines().find_map(|line| {
        let mut fields = line.split('\t');
        let address = fields.next()?;
        fields.eq(["Debian", "Debian", "main"]).then_some(address)
    })
}

/// The entry of `dir` of which `is_it` says yes to the name; there must be one.
fn only_entry(dir: &Path, is_it: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if is_it(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([path]) => Ok(path),
        Err(found) => bail!("{} has {} such files", dir.display(), found.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_archive_is_neither_security_nor_a_third_party() {
        let targets = "a://other/\tOther\tOther\tmain\n\
                       a://mirror/debian-security/\tDebian\tDebian-Security\tmain\n\
                       a://mirror/debian/\tDebian\tDebian\tcontrib\n\
                       a://mirror/debian/\tDebian\tDebian\tmain\n";
        assert_eq!(main_archive(targets), Some("a://mirror/debian/"));
        assert_eq!(
            main_archive("a://mirror/ubuntu/\tUbuntu\tUbuntu\tmain\n"),
            None
        );
    }

    #[test]
    fn version_of_a_tarball_is_upstreams() {
        let of = |name: &str| version(Path::new(name)).ok();
        assert_eq!(of("libffi_3.8.0.orig.tar.gz").as_deref(), Some("3.8.0"));
        assert_eq!(
            of("a/micropython_1.25.0+ds.orig.tar.xz").as_deref(),
            Some("1.25.0")
        );
        assert_eq!(of("libffi-3.8.0.tar.gz"), None);
    }
}
