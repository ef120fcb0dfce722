//! Debian's source packages, fetched with apt without touching the machine's own lists and caches.
//!
//! The mirror is the one that this machine's apt is set up with. Where apt is another distribution's, one that the user names will do if the
//! keyring is there that its lists are checked with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::paths;
use crate::pins::Package;
use crate::process::{self, Output};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Downloads the package's file into `work`, an empty directory of the caller's, from the machine's mirror or else from the one that is `named`.
/// Returns its path.
pub fn tarball(package: &Package, named: Option<String>, work: &Path) -> Result<PathBuf> {
    let Package { name, suite, .. } = package;
    ensure!(process::on_path("apt-get"), "there is no apt here");
    ensure!(
        Path::new(KEYRING).is_file(),
        "there is no {KEYRING} to check lists with (package debian-archive-keyring)"
    );
    let mirror = mirror(work)?
        .or(named)
        .context("apt is not set up with a mirror of Debian, and DEBIAN_MIRROR names none")?;
    let list = work.join("sources.list");
    let line = format!("deb-src [signed-by={KEYRING}] {mirror} {suite} main\n");
    fs::write(&list, line)?;
    let apt = |program: &str, args: &[&str]| -> Result<Command> {
        let mut command = private(program, work)?;
        command
            .arg("-o")
            .arg(format!("Dir::Etc::SourceList={}", list.display()))
            .args(["-o", "Dir::Etc::SourceParts=/dev/null"])
            .args(args);
        Ok(command)
    };
    // By itself apt is content with lists that it could not get, and not with old ones, which are good enough here.
    let update = [
        "-o",
        "APT::Update::Error-Mode=any",
        "-o",
        "Acquire::Check-Valid-Until=false",
        "update",
    ];
    let updated = process::transcript(&mut apt("apt-get", &update)?, None)?;
    ensure!(
        updated.success(),
        "no list of {suite} from {mirror}: {}",
        complaints(&updated.text())
    );
    let known = process::stdout(&mut apt("apt-cache", &["showsrc", "--only-source", name])?)?;
    let [_, file] = package.path;
    let version = version_with(&known, file)
        .with_context(|| format!("{suite} at {mirror} has no {file} (any more)"))?;
    let source = format!("{name}={version}");
    let args = ["source", "--download-only", "--tar-only", &source];
    process::run(&mut apt("apt-get", &args)?, Output::OnFailure)?;
    Ok(work.join(file))
}

/// The version of a package that a file belongs to, out of what apt knows of all its versions: a paragraph each.
fn version_with<'a>(known: &'a str, file: &str) -> Option<&'a str> {
    let paragraph = known.split("\n\n").find(|paragraph| {
        let mut last_words = paragraph
            .lines()
            .filter_map(|line| line.split_whitespace().last());
        last_words.any(|word| word == file)
    })?;
    paragraph
        .lines()
        .find_map(|line| line.strip_prefix("Version: "))
}

/// The lines in which apt says what is wrong.
fn complaints(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("Err:") || line.starts_with("E: "));
    lines.collect::<Vec<_>>().join("; ")
}

/// One of apt's programs, made to leave the machine's own lists and caches alone, in the directory `work`.
fn private(program: &str, work: &Path) -> Result<Command> {
    let lists = work.join("lists");
    let cache = work.join("cache");
    paths::made(lists.join("partial"))?;
    paths::made(cache.join("archives/partial"))?;
    let mut command = Command::new(program);
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

/// The mirror of Debian's main archive that this machine uses; `None` if it uses none.
fn mirror(work: &Path) -> Result<Option<String>> {
    let format = "$(REPO_URI)\t$(ORIGIN)\t$(LABEL)\t$(COMPONENT)";
    let question = ["indextargets", "--format", format, "Created-By: Packages"];
    let known = process::stdout(Command::new("apt-get").args(question))?;
    if let Some(mirror) = main_archive(&known) {
        return Ok(Some(mirror));
    }
    // Apt knows what an archive is once it has its lists, which a fresh machine lacks.
    process::run(private("apt-get", work)?.arg("update"), Output::Shown)?;
    let known = process::stdout(private("apt-get", work)?.args(question))?;
    Ok(main_archive(&known))
}

/// Picks Debian's main archive out of lines of address, origin, label and component.
fn main_archive(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut fields = line.split('\t');
        let address = fields.next()?;
        let is_it = fields.eq(["Debian", "Debian", "main"]);
        is_it.then(|| address.to_owned())
    })
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
        let main = main_archive(targets);
        assert_eq!(main.as_deref(), Some("a://mirror/debian/"));
        assert_eq!(
            main_archive("a://mirror/ubuntu/\tUbuntu\tUbuntu\tmain\n"),
            None
        );
    }

    #[test]
    fn version_is_that_of_the_paragraph_with_the_file() {
        let known = "Package: zlib\nVersion: 1:1.3.2-4\nFiles:\n 0 1 zlib_1.3.2.orig.tar.gz\n 0 1 zlib_1.3.2-4.dsc\n\n\
                     Package: zlib\nVersion: 1:1.3.1-1\nFiles:\n 0 1 zlib_1.3.1.orig.tar.gz\n 0 1 zlib_1.3.1-1.dsc\n\n";
        let version = |file| version_with(known, file);
        assert_eq!(version("zlib_1.3.1.orig.tar.gz"), Some("1:1.3.1-1"));
        assert_eq!(version("zlib_1.3.2.orig.tar.gz"), Some("1:1.3.2-4"));
        assert_eq!(version("zlib_1.3.3.orig.tar.gz"), None);
    }
}
