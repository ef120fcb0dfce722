//! The shared libraries that examples open, for targets whose packages cannot be installed on this machine: compiled by
//! the target's compiler from Debian's source packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::debian;
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::source;
use crate::target::{Libraries, Target};

/// How a library is made of a source package.
struct Recipe {
    package: &'static str,
    /// What the library is called where shared libraries end in `.so`.
    so: &'static str,
    /// And on Windows.
    dll: &'static str,
    /// A shell's commands that get the source ready to be compiled.
    prepare: &'static str,
    /// The C files; a name with a `*` stands for all of its kind.
    sources: &'static str,
    args: &'static [&'static str],
    needs: &'static [Need],
}

const RECIPES: [Recipe; 2] = [
    Recipe {
        package: "zlib",
        so: "libz.so.1",
        dll: "zlib1.dll",
        prepare: "true",
        sources: "*.c",
        // The one thing that its configure script finds out and these functions depend on.
        args: &["-O1", "-DHAVE_UNISTD_H"],
        needs: &[],
    },
    Recipe {
        package: "sqlite3",
        so: "libsqlite3.so.0",
        dll: "sqlite3.dll",
        // Its sources are one file, which is put together by a script. It is not worth optimising here.
        prepare: "./configure --disable-readline && make sqlite3.c",
        sources: "sqlite3.c",
        args: &[
            "-O0",
            "-DSQLITE_THREADSAFE=0",
            "-DSQLITE_OMIT_LOAD_EXTENSION",
        ],
        needs: &[Need::new(Check::Program("tclsh"), "tcl")],
    },
];

/// What opening the target's libraries takes.
pub fn needs(target: Target) -> Vec<Need> {
    match target.spec().libraries {
        Libraries::Installed(needs) => needs.to_vec(),
        Libraries::Built => RECIPES
            .iter()
            .flat_map(|recipe| recipe.needs)
            .copied()
            .collect(),
    }
}

/// Sees to it that the target's programs can open them.
pub fn ensure(target: Target) -> Result<()> {
    setup::ensure(&needs(target))?;
    if let Libraries::Built = target.spec().libraries {
        let _lock = paths::lock("libraries")?;
        for recipe in &RECIPES {
            recipe.build(target)?;
        }
    }
    Ok(())
}

impl Recipe {
    fn build(&self, target: Target) -> Result<()> {
        let name = match target.spec().dll {
            "dll" => self.dll,
            _ => self.so,
        };
        let library = paths::libraries(target.spec().triple)?.join(name);
        if library.exists() {
            return Ok(());
        }
        let source = self.source()?;
        eprintln!("compiling {name} for {}", target.spec().triple);
        target.compile_library(&library, &self.files(&source)?, self.args)
    }

    /// The source's top directory, ready to be compiled. It is the same for all targets.
    fn source(&self) -> Result<PathBuf> {
        let sources = paths::made(paths::micropython()?.join("src"))?;
        let dir = sources.join(self.package);
        if !dir.exists() {
            let work = paths::emptied(sources.join(format!("{}.partial", self.package)))?;
            let tarball = debian::tarball(&work, self.package, &[source::DEBIAN_SUITE])?;
            let tree = debian::unpack(&tarball, &work)?;
            let mut shell = Command::new("sh");
            shell.args(["-c", self.prepare]).current_dir(&tree);
            process::run(&mut shell, Output::OnFailure)?;
            std::fs::rename(&tree, &dir)?;
            std::fs::remove_dir_all(&work)?;
        }
        Ok(dir)
    }

    fn files(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let Some((start, end)) = self.sources.split_once('*') else {
            return Ok(vec![dir.join(self.sources)]);
        };
        let mut files = Vec::new();
        for entry in dir.read_dir()? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(start) && name.ends_with(end) {
                files.push(dir.join(name));
            }
        }
        Ok(files)
    }
}
