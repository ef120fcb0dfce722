//! Building the drop-in libffi, and installing it below `target/libffi/<target>/` as a package would.
//!
//! Cargo makes the static library. The shared one is linked from it here, since rustc has no room for a version script of ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths;
use crate::process::{self, Output};
use crate::setup;
use crate::target::{Runner, Target};

/// The package that is built.
const PACKAGE: &str = "farcall-libffi";

/// The version of libffi that it stands in for.
pub const VERSION: &str = "3.8.0";

const HEADERS: [&str; 2] = ["ffi.h", "ffitarget.h"];

/// The file that programs load.
pub fn library_name(target: Target) -> &'static str {
    match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => "libffi.so.8",
        Runner::Wine => "libffi-8.dll",
    }
}

/// Builds and installs it; returns the directory.
pub fn build(target: Target) -> Result<PathBuf> {
    let spec = target.spec();
    setup::ensure(spec.needs)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--quiet", "--package", PACKAGE])
        .current_dir(paths::root());
    target.cargo(&mut cargo)?;
    process::run(&mut cargo, Output::OnFailure)?;
    let archive = paths::root()
        .join("target")
        .join(spec.triple)
        .join("release/libffi.a");
    let top = paths::made(paths::libffi(spec.triple))?;
    let lib = paths::made(top.join("lib"))?;
    let include = paths::made(top.join("include"))?;
    for header in HEADERS {
        let from = paths::root().join("libffi/include").join(header);
        copy(&from, &include.join(header))?;
    }
    link(target, &archive, &lib)?;
    copy(&archive, &lib.join("libffi.a"))?;
    let pkgconfig = paths::made(lib.join("pkgconfig"))?;
    fs::write(pkgconfig.join("libffi.pc"), pkg_config())?;
    Ok(top)
}

/// What links a program with the library that is installed below `prefix`, and with whatever else it needs.
pub fn link_options(target: Target, prefix: &Path) -> Vec<String> {
    let search = format!("-L{}", prefix.join("lib").display());
    let others: &[&str] = match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => &["-lpthread"],
        // No DLLs of the compiler's.
        Runner::Wine => &[
            "-static-libgcc",
            "-static-libstdc++",
            "-Wl,-Bstatic,-lpthread,-Bdynamic",
        ],
    };
    let words = ["-lffi", "-lm"].into_iter().chain(others.iter().copied());
    [search]
        .into_iter()
        .chain(words.map(String::from))
        .collect()
}

/// The command that runs a program of the target's, with the library that is installed below `prefix` in reach of its loader.
pub fn command(target: Target, prefix: &Path, program: &Path) -> Result<Command> {
    let lib = prefix.join("lib");
    let mut command = target.command(program)?;
    match target.spec().runner {
        Runner::None => {
            command.env("LD_LIBRARY_PATH", lib);
        }
        Runner::Qemu { .. } | Runner::Wine => {
            command.envs(target.environment(&[lib])?);
        }
    }
    Ok(command)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Links the shared library. It replaces the old one in one step, which programs may have loaded.
fn link(target: Target, archive: &Path, lib: &Path) -> Result<()> {
    let spec = target.spec();
    let name = library_name(target);
    let partial = lib.join(format!("{name}.partial"));
    let sources = paths::root().join("libffi");
    let mut cc = Command::new(spec.cc);
    cc.arg("-shared")
        .arg("-o")
        .arg(&partial)
        .arg("-Wl,--gc-sections");
    if let Runner::Wine = spec.runner {
        // What is exported has to be asked for, or the linker takes nothing out of the archive.
        let exports = sources.join("libffi.def");
        for line in fs::read_to_string(&exports)?.lines() {
            if let Some(symbol) = line.strip_prefix("    ") {
                let symbol = symbol.split(' ').next().unwrap_or(symbol);
                cc.arg(format!("-Wl,-u,{symbol}"));
            }
        }
        cc.args([archive, &exports])
            .arg(format!(
                "-Wl,--out-implib={}",
                lib.join("libffi.dll.a").display()
            ))
            .args(["-static-libgcc", "-Wl,--strip-debug"])
            .args([
                "-lkernel32",
                "-lntdll",
                "-luserenv",
                "-lws2_32",
                "-ldbghelp",
            ]);
    } else {
        cc.arg("-Wl,--whole-archive")
            .arg(archive)
            .args(["-Wl,--no-whole-archive"])
            .arg(format!("-Wl,-soname,{name}"))
            .arg(format!(
                "-Wl,--version-script={}",
                sources.join("libffi.map").display()
            ))
            .args(["-Wl,-z,defs", "-Wl,-z,relro,-z,now", "-Wl,--strip-debug"])
            .args(["-shared-libgcc", "-lgcc_s", "-lpthread", "-ldl"]);
    }
    process::run(&mut cc, Output::OnFailure)?;
    fs::rename(&partial, lib.join(name))?;
    #[cfg(unix)]
    if !matches!(spec.runner, Runner::Wine) {
        let link = lib.join("libffi.so");
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(name, &link)?;
        }
    }
    Ok(())
}

fn pkg_config() -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\n\
         libdir=${{prefix}}/lib\n\
         includedir=${{prefix}}/include\n\
         \n\
         Name: libffi\n\
         Description: Calls C functions, and makes function pointers, whose types are known at run time only\n\
         Version: {VERSION}\n\
         Libs: -L${{libdir}} -lffi\n\
         Cflags: -I${{includedir}}\n"
    )
}
