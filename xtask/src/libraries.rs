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

/// The recipe for building a library from its source.
struct Recipe {
    pin: &'static Pin,
    /// The library's name where shared libraries end in `.so`.
    so: &'static str,
    /// Its name on Windows.
    dll: &'static str,
    /// A shell's commands that make the C files in an empty directory, if the source, `$0`, lacks them.
    prepare: &'static str,
    /// The C files; a name with a `*` stands for all that match.
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
        // The only result of its configure script that these functions depend on.
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

/// The programs and libraries that the target's libraries need.
pub fn needs(target: Target) -> Vec<Need> {
    match target.spec().libraries {
        Libraries::Installed(needs) => needs.to_vec(),
        Libraries::Built => RECIPES.iter().flat_map(Recipe::needs).collect(),
    }
}

/// Builds the libraries if need be, so that the target's programs can open them.
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
    /// The programs that building it needs. (A tree of the user's that cannot be found is reported when it is used.)
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
        // The name of its source is written last.
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

    /// The C files, which the source has or which are made from it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_all_of_a_kind_or_the_one_that_is_named() {
        let name = format!("libraries-{}", std::process::id());
        let dir = paths::emptied(std::env::temp_dir().join(name)).expect("a directory");
        for file in ["zlib.h", "inflate.c", "deflate.c", "sqlite3.c.in"] {
            fs::write(dir.join(file), "").expect("a file");
        }
        let count = |recipe: &Recipe| recipe.files_in(&dir).expect("it can be read").len();
        let [zlib, sqlite] = &RECIPES;
        assert_eq!([count(zlib), count(sqlite)], [2, 0]);
        fs::write(dir.join("sqlite3.c"), "").expect("a file");
        assert_eq!(count(sqlite), 1);
        fs::remove_dir_all(&dir).expect("it is ours");
    }
}
