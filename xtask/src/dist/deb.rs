//! The drop-in libffi as a package for Debian and its derivatives, in the place of the system's.
//!
//! The system's library stays installed, and its link `libffi.so.8` is put aside (`libffi/debian/`). Loaders follow that link. `ldconfig`
//! makes it lead to the library with the highest number, so ours has one that libffi will not reach.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::archive::{self, Tree};
use super::{LICENCES, VERSION, notices};
use crate::libffi::drop_in;
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::target::Target;

/// The programs that making and reading packages needs.
pub const NEEDS: &[Need] = &[Need::new(Check::Program("dpkg-deb"), "dpkg")];

/// The file that the link leads to.
pub const FILE: &str = "libffi.so.8.99.0";

/// The package's name.
pub const NAME: &str = "farcall-libffi8";

/// The oldest C library that it works with; the step `packaged` checks that.
const GLIBC: &str = "2.17";

/// Debian's names for a machine: of packages, and of the directory of libraries.
pub fn machine(target: Target) -> Option<[&'static str; 2]> {
    match target {
        Target::X86_64Linux => Some(["amd64", "x86_64-linux-gnu"]),
        Target::Aarch64Linux => Some(["arm64", "aarch64-linux-gnu"]),
        Target::X86_64Windows => None,
    }
}

/// Makes the package from the built library, if the target's system has such packages.
pub fn package(target: Target, built: &Path, out: &Path) -> Result<Option<PathBuf>> {
    let Some([architecture, multiarch]) = machine(target) else {
        return Ok(None);
    };
    setup::ensure(NEEDS)?;
    let tree = Tree::new(&format!("{NAME}_{VERSION}_{architecture}"))?;
    let lib = format!("usr/lib/{multiarch}");
    let shared = built.join("lib").join(drop_in::library_name(target));
    tree.add(&shared, &format!("{lib}/{FILE}"))?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(FILE, tree.path(&format!("{lib}/libffi.so.8"))?)?;
    let doc = format!("usr/share/doc/{NAME}");
    tree.copy("libffi/README.md", &format!("{doc}/README.md"))?;
    tree.write(&format!("{doc}/copyright"), &copyright(target)?)?;
    tree.settle_links()?;
    let kilobytes = kilobytes(tree.top())?;
    for (name, rights) in [("control", "644"), ("preinst", "755"), ("postrm", "755")] {
        let template = paths::root().join(format!("libffi/debian/{name}.in"));
        let text = fs::read_to_string(&template)
            .with_context(|| format!("cannot read {}", template.display()))?
            .replace("@VERSION@", VERSION)
            .replace("@ARCHITECTURE@", architecture)
            .replace("@MULTIARCH@", multiarch)
            .replace("@KILOBYTES@", &kilobytes.to_string())
            .replace("@GLIBC@", GLIBC)
            .replace("@LIBFFI@", drop_in::VERSION);
        let name = format!("DEBIAN/{name}");
        tree.write(&name, &text)?;
        let mut chmod = Command::new("chmod");
        process::run(chmod.arg(rights).arg(tree.path(&name)?), Output::OnFailure)?;
    }
    tree.write("DEBIAN/triggers", "activate-noawait ldconfig\n")?;
    pack(&tree, out).map(Some)
}

/// The licences of everything in it, in one file, as in Debian's packages.
fn copyright(target: Target) -> Result<String> {
    let mut text =
        String::from("farcall is licensed under either of the two licences that follow.\n");
    for licence in LICENCES {
        text += &fs::read_to_string(paths::root().join(licence))?;
        text += "\n";
    }
    Ok(text + &notices::of(&["farcall-libffi"], &[target])?)
}

/// The size of the files, in the unit that packages state.
fn kilobytes(directory: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        sum += match entry.file_type()?.is_dir() {
            true => 1 + kilobytes(&entry.path())?,
            false => entry.metadata()?.len().div_ceil(1024),
        };
    }
    Ok(sum)
}

fn pack(tree: &Tree, out: &Path) -> Result<PathBuf> {
    let top = tree.top();
    let name = top.file_name().context("it has a name")?;
    let file = out.join(format!("{}.deb", name.to_string_lossy()));
    let mut chmod = Command::new("chmod");
    chmod.args(["-R", archive::RIGHTS]).arg(top);
    process::run(&mut chmod, Output::OnFailure)?;
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", "-Zxz", "--build"])
        .arg(top)
        .arg(&file)
        .env("SOURCE_DATE_EPOCH", archive::time());
    process::run(&mut dpkg, Output::OnFailure)?;
    fs::remove_dir_all(top)?;
    Ok(file)
}
