//! Installs the drop-in libffi where a package wants it: any prefix, any directory for libraries, below a staging directory or not.
//!
//! The pkg-config file is written for that place. Without a prefix its paths are relative to its own directory, so that the whole tree may be moved.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::drop_in::{self, Parts};
use crate::paths;
use crate::process::{self, Output};
use crate::target::{Runner, Target};

/// The directories to install to, with the option names of other packages.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Where to install (as in GNU packages)")]
pub struct Places {
    /// Install below this directory, and write it into libffi.pc. Without it: below target/, with a libffi.pc that may be moved.
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// The directory of the libraries, such as lib64 or lib/x86_64-linux-gnu: below the prefix, or absolute.
    #[arg(long, value_name = "DIR", default_value = "lib")]
    libdir: PathBuf,
    /// The directory of the headers, likewise.
    #[arg(long, value_name = "DIR", default_value = "include")]
    includedir: PathBuf,
    /// Put everything below this directory instead of `/`, to make a package of.
    #[arg(long, value_name = "DIR", requires = "prefix")]
    destdir: Option<PathBuf>,
}

impl Places {
    /// The places of a package.
    pub fn packaged(prefix: &str, libdir: &str, includedir: &str, destdir: &Path) -> Places {
        Places {
            prefix: Some(prefix.into()),
            libdir: libdir.into(),
            includedir: includedir.into(),
            destdir: Some(destdir.into()),
        }
    }

    /// The places of a tree that may be moved.
    pub fn movable(libdir: &str) -> Places {
        Places {
            prefix: None,
            libdir: libdir.into(),
            includedir: "include".into(),
            destdir: None,
        }
    }

    /// A directory, as the pkg-config file has it.
    fn written(&self, directory: &Path) -> Result<String> {
        let has_only_names = directory
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::RootDir));
        ensure!(
            has_only_names,
            "a directory without . and .. is wanted, not {}",
            directory.display()
        );
        let below = match &self.prefix {
            Some(prefix) => directory.strip_prefix(prefix).unwrap_or(directory),
            None => directory,
        };
        if below.is_relative() {
            return Ok(format!("${{prefix}}/{}", below.display()));
        }
        let prefix = self.prefix.as_ref();
        prefix.with_context(|| {
            format!(
                "{} is absolute: there has to be a --prefix",
                directory.display()
            )
        })?;
        Ok(directory.display().to_string())
    }

    /// The prefix, as the pkg-config file has it.
    fn written_prefix(&self) -> Result<String> {
        let Some(prefix) = &self.prefix else {
            let depth = self.libdir.components().count() + 1;
            return Ok(format!("${{pcfiledir}}{}", "/..".repeat(depth)));
        };
        ensure!(
            prefix.is_absolute(),
            "an absolute --prefix is wanted, not {}",
            prefix.display()
        );
        Ok(prefix.display().to_string())
    }

    /// The pkg-config file.
    pub fn pkg_config(&self, target: Target) -> Result<String> {
        let [prefix, libdir, includedir] = [
            self.written_prefix()?,
            self.written(&self.libdir)?,
            self.written(&self.includedir)?,
        ];
        let version = drop_in::VERSION;
        let private = drop_in::private_libraries(target).join(" ");
        Ok(format!(
            "prefix={prefix}\n\
             libdir={libdir}\n\
             includedir={includedir}\n\
             \n\
             Name: libffi\n\
             Description: Calls C functions, and makes function pointers, whose types are known at run time only\n\
             Version: {version}\n\
             Libs: -L${{libdir}} -lffi\n\
             Libs.private: {private}\n\
             Cflags: -I${{includedir}}\n"
        ))
    }

    /// The path of the prefix on this machine.
    fn top(&self, top: &Path) -> PathBuf {
        // Without the separator that joining an empty name leaves at the end.
        self.staged(top, Path::new("")).components().collect()
    }

    /// The path of `directory` on this machine, to which files are copied.
    fn staged(&self, top: &Path, directory: &Path) -> PathBuf {
        let place = match &self.prefix {
            Some(prefix) => prefix.join(directory),
            None => top.join(directory),
        };
        match &self.destdir {
            Some(destdir) => destdir.join(place.strip_prefix("/").unwrap_or(&place)),
            None => place,
        }
    }
}

/// Builds the library with these parts and installs it; returns the prefix's directory.
pub fn install(target: Target, parts: Parts, places: &Places) -> Result<PathBuf> {
    // Reports places that cannot be written into a pkg-config file, before building.
    places.pkg_config(target)?;
    put(target, &drop_in::build_with(target, parts)?, places)
}

/// Installs the built library; returns the prefix's directory.
pub fn put(target: Target, built: &Path, places: &Places) -> Result<PathBuf> {
    let pkg_config = places.pkg_config(target)?;
    let default = Places::movable("lib").pkg_config(target)?;
    let top = match &places.prefix {
        Some(_) => PathBuf::new(),
        None if pkg_config == default => return Ok(built.to_owned()),
        // Beside the tree that tests use.
        None => paths::emptied(built.with_extension("moved"))?,
    };
    let lib = paths::made(places.staged(&top, &places.libdir))?;
    let include = paths::made(places.staged(&top, &places.includedir))?;
    let pkgconfig = paths::made(lib.join("pkgconfig"))?;
    for (from, to) in [("lib", &lib), ("include", &include)] {
        for file in fs::read_dir(built.join(from))? {
            let file = file?;
            if !file.file_type()?.is_dir() {
                replace(&file.path(), &to.join(file.file_name()))?;
            }
        }
    }
    if let Runner::Wine = target.spec().runner {
        // Windows looks for DLLs here.
        let name = drop_in::library_name(target);
        let bin = paths::made(places.staged(&top, Path::new("bin")))?;
        fs::rename(lib.join(name), bin.join(name))?;
    }
    fs::write(pkgconfig.join("libffi.pc"), pkg_config)?;
    Ok(places.top(&top))
}

/// Copies a file, or a link as a link, and puts it in place in one step: programs may have the old one loaded.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut copy = Command::new("cp");
    copy.arg("-P").arg(from).arg(&partial);
    process::run(&mut copy, Output::OnFailure)?;
    fs::rename(&partial, to).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(places: &Places) -> Result<Vec<String>> {
        let text = places.pkg_config(Target::X86_64Linux)?;
        Ok(text.lines().take(3).map(String::from).collect())
    }

    #[test]
    fn movable_file_finds_the_prefix_from_any_depth() {
        for (libdir, prefix) in [
            ("lib", "prefix=${pcfiledir}/../.."),
            ("lib64", "prefix=${pcfiledir}/../.."),
            ("lib/x86_64-linux-gnu", "prefix=${pcfiledir}/../../.."),
        ] {
            let found = variables(&Places::movable(libdir)).expect("a place");
            assert_eq!(found[0], prefix);
            assert_eq!(found[1], format!("libdir=${{prefix}}/{libdir}"));
        }
    }

    #[test]
    fn absolute_directories_are_written_below_the_prefix_or_as_they_are() {
        let found = |libdir: &str| {
            let places = Places::packaged("/usr", libdir, "include", Path::new("/stage"));
            variables(&places).expect("a place")
        };
        assert_eq!(
            found("/usr/lib64")[..2],
            ["prefix=/usr", "libdir=${prefix}/lib64"]
        );
        assert_eq!(found("/lib")[..2], ["prefix=/usr", "libdir=/lib"]);
    }

    #[test]
    fn directories_that_cannot_be_written_are_refused() {
        assert!(variables(&Places::movable("/usr/lib")).is_err());
        assert!(variables(&Places::movable("../lib")).is_err());
        let places = Places::packaged("usr", "lib", "include", Path::new("/stage"));
        assert!(variables(&places).is_err());
    }

    #[test]
    fn staged_files_lie_below_the_staging_directory() {
        let places = Places::packaged("/usr", "/lib", "include", Path::new("/stage"));
        let at = |directory| places.staged(Path::new(""), Path::new(directory));
        assert_eq!(at("/lib"), Path::new("/stage/lib"));
        assert_eq!(at("include"), Path::new("/stage/usr/include"));
        let top = Places::movable("lib64").top(Path::new("/built"));
        assert_eq!(top.as_os_str(), "/built", "no separator at the end");
    }
}
