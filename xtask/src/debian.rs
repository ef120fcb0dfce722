//! Fetches files of Debian's archive by apt, without touching the machine's own lists and caches: apt knows a mirror, and the way to it.
//!
//! The mirror is the one that this machine's apt is set up with, or else one that the user names. Each file's sum is checked.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::paths;
use crate::pins::Package;
use crate::process::{self, Output};

/// Downloads a file with apt's settings, such as those of a proxy.
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// Downloads the package's file into `work`, an empty directory of the caller's, from the machine's mirror or else from the one that is `named`.
/// Returns its path.
pub fn tarball(package: &Package, named: Option<String>, work: &Path) -> Result<PathBuf> {
    ensure!(process::on_path("apt-get"), "there is no apt here");
    let mirror = mirror(work)?
        .or(named)
        .context("apt is not set up with a mirror of Debian, and DEBIAN_MIRROR names none")?;
    let [directory, name] = package.path;
    let file = work.join(name);
    let mut helper = private(HELPER, work)?;
    helper
        .arg("download-file")
        .arg(format!(
            "{}/{directory}/{name}",
            mirror.trim_end_matches('/')
        ))
        .arg(&file)
        .arg(format!("SHA256:{}", package.sha256));
    let fetched = process::transcript(&mut helper, None)?;
    ensure!(fetched.success(), "{}", complaints(&fetched.text()));
    Ok(file)
}

/// The lines of apt's output that are errors.
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
    // Apt knows an archive's origin only once it has its lists, which a fresh machine lacks.
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
}
