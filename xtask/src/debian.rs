//! Debian's source packages: downloaded with apt, which checks signatures, and with lists and caches of our own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::paths;
use crate::process::{self, Output};
use crate::setup;

/// The release whose packages are taken. It has MicroPython's version `source::VERSION`.
const SUITE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Downloads a source package into `work` and returns its upstream half, which is compressed.
pub fn download_source(work: &Path, package: &str) -> Result<PathBuf> {
    ensure!(
        process::on_path("apt-get"),
        "this is not a Debian-like system"
    );
    setup::ensure(setup::UNPACK)?;
    let mirror = mirror(work)?;
    let list = work.join("sources.list");
    fs::write(
        &list,
        format!("deb-src [signed-by={KEYRING}] {mirror} {SUITE} main\n"),
    )?;
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
    apt(&["source", "--download-only", package])?;
    only_entry(work, |name| {
        name.starts_with(package) && name.contains(".orig.tar.") && !name.ends_with(".asc")
    })
}

/// Unpacks a source package's upstream half into `work` and returns its top directory.
pub fn unpack(tarball: &Path, work: &Path) -> Result<PathBuf> {
    let tree = paths::emptied(work.join("tree"))?;
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(tarball).arg("-C").arg(&tree);
    process::run(&mut tar, Output::Shown)?;
    only_entry(&tree, |_| true)
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

/// The entry of `dir` whose name is wanted, of which there must be one.
fn only_entry(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([path]) => Ok(path),
        Err(found) => bail!("{} files in {} instead of one", found.len(), dir.display()),
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
}
