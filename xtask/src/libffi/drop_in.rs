//! Building the drop-in libffi, and installing it below `target/libffi/<target>/` as a package would.
//!
//! Cargo makes an archive that defines all of Rust's standard library. Out of it comes one object with what libffi needs, of which only
//! libffi's own symbols can be seen: so it goes together with any other library in Rust. That object is the static library;
//! the shared one is linked from it here, since rustc has no room for a version script of ours.
//!
//! What a program pays that loads it and makes no call is decided here as well: what a panic brings with it is exchanged
//! ([`REPLACED`]), and the shared library finds the unwinder when it is wanted (`libffi/shared/unwinder.c`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::install::Places;
use crate::paths;
use crate::process::{self, Output};
use crate::setup;
use crate::target::{Runner, Target};

/// The package that is built.
const PACKAGE: &str = "farcall-libffi";

/// The profile that it is built with.
const PROFILE: &str = "packaged";

/// Without it calls between crates go through a table, whose entries take 24 bytes each to fill in. How the library is linked is not changed.
const DIRECT_CALLS: &str = "build.rustflags=['-Crelro-level=partial']";

/// What the standard library does where all is lost, by the ends of its functions' names, and what does it here: see
/// `libffi/src/fault.rs`.
const REPLACED: [[&str; 2]; 2] = [
    ["rust_begin_unwind", "farcall_libffi_fault"],
    ["rust_alloc_error_handler", "farcall_libffi_no_memory"],
];

/// Sections of the standard library's objects that are for other compilers.
pub const BITCODE: [&str; 2] = [".llvmbc", ".llvmcmd"];

/// The local symbols that are kept, for those who look at backtraces.
const NAMES: [&str; 3] = ["_R*", "_Z*", "farcall_*"];

/// The version of libffi that it stands in for.
pub const VERSION: &str = "3.8.0";

/// What a DLL exports, and the others as well.
const DEFINITIONS: &str = "libffi/libffi.def";

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
    let archive = compile(target)?;
    let object = one_object(target, &archive)?;
    let top = paths::made(paths::libffi(spec.triple))?;
    let lib = paths::made(top.join("lib"))?;
    let include = paths::made(top.join("include"))?;
    for header in HEADERS {
        let from = paths::root().join("libffi/include").join(header);
        copy(&from, &include.join(header))?;
    }
    link(target, &object, &lib)?;
    archive_of(target, &object, &lib.join("libffi.a"))?;
    let pkgconfig = paths::made(lib.join("pkgconfig"))?;
    let places = Places::movable("lib");
    fs::write(pkgconfig.join("libffi.pc"), places.pkg_config(target)?)?;
    Ok(top)
}

/// Has Cargo make its archive; returns where that is.
fn compile(target: Target) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["rustc", "--quiet", "--package", PACKAGE, "--lib"])
        .args(["--crate-type", "staticlib", "--profile", PROFILE])
        .args(["--config", DIRECT_CALLS])
        .current_dir(paths::root());
    if !is_linked_by_pieces(target) {
        // So that little is left of what is not used.
        cargo.args(["--config", &format!("profile.{PROFILE}.lto='fat'")]);
    }
    target.cargo(&mut cargo)?;
    process::run(&mut cargo, Output::OnFailure)?;
    Ok(paths::root()
        .join("target")
        .join(target.spec().triple)
        .join(PROFILE)
        .join("libffi.a"))
}

/// Whether the linker can make one object of the archive's. The one for Windows cannot, so all is compiled as a whole there.
fn is_linked_by_pieces(target: Target) -> bool {
    !matches!(target.spec().runner, Runner::Wine)
}

/// Makes the one object out of Cargo's archive; returns where it is.
fn one_object(target: Target, archive: &Path) -> Result<PathBuf> {
    let exports = exports()?;
    let object = archive.with_extension("o");
    let mut objcopy = Command::new(tool(target, "objcopy")?);
    objcopy.args(["--strip-debug", "--wildcard"]);
    for symbol in &exports {
        objcopy.arg(format!("--keep-global-symbol={symbol}"));
    }
    let whole = if is_linked_by_pieces(target) {
        for section in BITCODE {
            objcopy.arg(format!("--remove-section={section}"));
        }
        // Linkers look for what an object names, be it used or not.
        objcopy.arg("--strip-unneeded-symbol=*");
        for symbol in exports.iter().map(String::as_str).chain(NAMES) {
            objcopy.arg(format!("--keep-symbol={symbol}"));
        }
        what_is_needed(target, archive, &exports)?
    } else {
        // Each is in a section that linkers know by its symbol.
        objcopy.arg("--keep-global-symbol=.refptr.*");
        own_member(target, archive)?
    };
    process::run(objcopy.arg(&whole).arg(&object), Output::OnFailure)?;
    Ok(object)
}

/// Links what `exports` need out of the archive to one object, with [`REPLACED`] exchanged; returns where it is.
fn what_is_needed(target: Target, archive: &Path, exports: &[String]) -> Result<PathBuf> {
    let whole = archive.with_extension("whole.o");
    let mut cc = Command::new(target.spec().cc);
    cc.args(["-r", "-nostdlib", "-Wl,--gc-sections"])
        // A group's name is a symbol like any other, and shared with other libraries in Rust.
        .arg("-Wl,--force-group-allocation");
    for symbol in exports {
        cc.arg(format!("-Wl,-u,{symbol}"));
    }
    let mut readelf = Command::new(tool(target, "readelf")?);
    let symbols = process::stdout(readelf.args(["--symbols", "--wide"]).arg(archive))?;
    for [end, ours] in REPLACED {
        let mut names = symbols.lines().filter_map(|line| line.rsplit(' ').next());
        let theirs = names
            .find(|name| name.starts_with("_R") && name.ends_with(end))
            .with_context(|| format!("the standard library has no {end}"))?;
        cc.arg(format!("-Wl,--wrap={theirs}"))
            .arg(format!("-Wl,--defsym=__wrap_{theirs}={ours},-u,{ours}"));
    }
    process::run(cc.arg(archive).arg("-o").arg(&whole), Output::OnFailure)?;
    Ok(whole)
}

/// Compiles what the shared library has instead of the unwinder; returns the object.
fn unwinder(target: Target, object: &Path) -> Result<PathBuf> {
    let output = object.with_file_name("unwinder.o");
    let mut cc = Command::new(target.spec().cc);
    cc.args([
        "-Os",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fPIC",
        "-fvisibility=hidden",
    ])
    .args(["-fasynchronous-unwind-tables", "-c", "-o"])
    .arg(&output)
    .arg(paths::root().join("libffi/shared/unwinder.c"));
    process::run(&mut cc, Output::OnFailure)?;
    Ok(output)
}

/// Takes out of Cargo's archive the object that is all our code: beside it there are import libraries of the system's alone, which
/// the compiler has of its own. The linker for Windows cannot make one object of several.
fn own_member(target: Target, archive: &Path) -> Result<PathBuf> {
    let directory = archive.parent().context("an archive lies somewhere")?;
    let ar = tool(target, "ar")?;
    let members = process::stdout(Command::new(&ar).arg("t").arg(archive))?;
    let own: Vec<&str> = members
        .lines()
        .filter(|member| member.starts_with("ffi-") && member.ends_with(".o"))
        .collect();
    let [member] = own[..] else {
        bail!("{} has not one object of ours: {own:?}", archive.display());
    };
    let mut command = Command::new(&ar);
    command.arg("x").arg(archive).arg(member);
    process::run(command.current_dir(directory), Output::OnFailure)?;
    Ok(directory.join(member))
}

/// The program of that name which belongs to the target's compiler.
pub fn tool(target: Target, name: &str) -> Result<String> {
    let mut cc = Command::new(target.spec().cc);
    let path = process::stdout(cc.arg(format!("-print-prog-name={name}")))?;
    Ok(path.trim().to_owned())
}

/// What the library exports.
pub fn exports() -> Result<Vec<String>> {
    let definitions = fs::read_to_string(paths::root().join(DEFINITIONS))?;
    let names = definitions
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split(' ').next());
    Ok(names.map(String::from).collect())
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

/// Makes the static library.
fn archive_of(target: Target, object: &Path, library: &Path) -> Result<()> {
    let partial = library.with_extension("a.partial");
    if partial.exists() {
        fs::remove_file(&partial)?;
    }
    let mut ar = Command::new(tool(target, "ar")?);
    // The same bytes each time: D leaves out who made it, and when.
    ar.arg("rcsD").arg(&partial).arg(object);
    process::run(&mut ar, Output::OnFailure)?;
    fs::rename(&partial, library)?;
    Ok(())
}

/// Links the shared library. It replaces the old one in one step, which programs may have loaded.
fn link(target: Target, object: &Path, lib: &Path) -> Result<()> {
    let spec = target.spec();
    let name = library_name(target);
    let partial = lib.join(format!("{name}.partial"));
    let mut cc = Command::new(spec.cc);
    cc.args(["-shared", "-Wl,--gc-sections,--strip-debug", "-o"])
        .arg(&partial)
        .arg(object);
    if let Runner::Wine = spec.runner {
        let import_library = lib.join("libffi.dll.a");
        cc.arg(paths::root().join(DEFINITIONS))
            .arg(format!("-Wl,--out-implib={}", import_library.display()))
            // The same bytes each time.
            .arg("-Wl,--no-insert-timestamp")
            .arg("-static-libgcc");
    } else {
        let versions = paths::root().join("libffi/libffi.map");
        cc.arg(format!("-Wl,-soname,{name}"))
            .arg(format!("-Wl,--version-script={}", versions.display()))
            .args(["-Wl,-z,defs", "-Wl,-z,relro,-z,now"])
            // The fewer segments and pages, the sooner it is loaded. What can be executed besides is read-only all the same.
            .args(["-Wl,-O1,--hash-style=gnu", "-Wl,-z,noseparate-code"])
            .arg(unwinder(target, object)?)
            .arg("-static-libgcc")
            // The code that it has made, which lies in its own addresses, is there for as long as the process.
            .arg("-Wl,-z,nodelete");
    }
    let own = |library: &&&str| library.starts_with("-l");
    cc.args(private_libraries(target).iter().filter(own));
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

/// What the object needs of the system, as a static link names it.
pub fn private_libraries(target: Target) -> &'static [&'static str] {
    match target.spec().runner {
        // Threads are a library of their own before glibc 2.34. Compilers have several unwinders, and take the one that goes with the rest of the
        // link: libgcc_s, or libgcc_eh where all is static. By a library's name a static link would fail, and by the other's would a program
        // have two.
        Runner::None | Runner::Qemu { .. } => &["-lpthread", "-shared-libgcc"],
        Runner::Wine => &["-lntdll", "-lsynchronization"],
    }
}
