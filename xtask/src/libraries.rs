//! The shared libraries that examples open, for targets whose packages cannot be installed on this machine: compiled by
//! the target's compiler from source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::paths;
use crate::pins::{self, Pin};
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::source::{self, Source};
use crate::target::{Libraries, Target};

/// How a library is made of its source.
struct Recipe {
    pin: &'static Pin,
    /// What the library is called where shared libraries end in `.so`.
    so: &'static str,
    /// And on Windows.
    dll: &'static str,
    /// A shell's commands that make the C files in an empty directory, if the source, `$0`, lacks them.
    prepare: &'static str,
    /// The C files; a name with a `*` stands for all of its kind.
    sources: &'static str,
    args: &'static [&'static str],
    needs: &'static [Need],
}

const RECIPES: [Recipe; 2] = [
    Recipe {
        pin: &pins::ZLIB,
        so: "libz.so.1",
        dll: "zlib1.dll",
        prepare: "false",
        sources: "*.c",
        // The one thing that its configure script finds out and these functions depend on.
        args: &["-O1", "-DHAVE_UNISTD_H"],
        needs: &[],
    },
    Recipe {
        pin: &pins::SQLITE,
        so: "libsqlite3.so.0",
        dll: "sqlite3.dll",
        // Its sources are one file, which a script puts together unless it comes with the tarball. It is not worth optimising here.
        prepare: r#""$0/configure" --disable-readline && make sqlite3.c"#,
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
        Libraries::Built => RECIPES.iter().flat_map(Recipe::needs).collect(),
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
    /// What making it takes. (A tree of the user's that cannot be found is reported when it is used.)
    fn needs(&self) -> Vec<Need> {
        let mut needs = source::needs(self.pin).unwrap_or_default();
        needs.extend(self.needs);
        needs
    }

    fn build(&self, target: Target) -> Result<()> {
        let name = match target.spec().dll {
            "dll" => self.dll,
            _ => self.so,
        };
        let library = paths::libraries(target.spec().triple)?.join(name);
        // What it was made of is written last.
        let stamp = library.with_file_name(format!("{name}.source"));
        let place = source::place(self.pin)?.dir.display().to_string();
        if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == place) {
            return Ok(());
        }
        let files = self.files(&source::get(self.pin)?)?;
        eprintln!("compiling {name} for {}", target.spec().triple);
        target.compile_library(&library, &files, self.args)?;
        fs::write(&stamp, place)?;
        Ok(())
    }

    /// The C files, in the source or made of it.
    fn files(&self, source: &Source) -> Result<Vec<PathBuf>> {
        let files = self.files_in(&source.dir)?;
        if !files.is_empty() {
            return Ok(files);
        }
        let name = self.pin.name.to_lowercase();
        let made = paths::emptied(paths::libraries("made")?.join(name))?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", self.prepare])
            .arg(&source.dir)
            .current_dir(&made);
        process::run(&mut shell, Output::OnFailure)?;
        self.files_in(&made)
    }

    fn files_in(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let parts = self.sources.split_once('*');
        let is_one = |name: &str| match parts {
            Some((start, end)) => name.starts_with(start) && name.ends_with(end),
            None => name == self.sources,
        };
        let mut files = Vec::new();
        for entry in dir.read_dir()? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if is_one(&name) {
                files.push(dir.join(name));
            }
        }
        Ok(files)
    }
}
