//! Builds the drop-in libffi, and installs it below `target/libffi/<target>/` as a package would.
//!
//! Cargo makes an archive that defines all of Rust's standard library. From it one object is linked with the parts that libffi needs. Only
//! libffi's own symbols are visible in it, so it can be linked together with any other library in Rust. That object is the static library;
//! the shared one is linked from it here, since rustc has no room for a version script of ours.
//!
//! This file also keeps the cost low for a program that loads the library and makes no call: the standard library's code for panics is
//! replaced ([`REPLACED`]), and the shared library looks for the unwinder at its first use (`libffi/shared/unwinder.c`).

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

/// The option for direct calls between crates. Otherwise they go through a table, in which each entry needs a relocation of 24 bytes. It
/// does not change how the library is linked.
const DIRECT_CALLS: &str = "build.rustflags=['-Crelro-level=partial']";

/// The standard library's functions for panics and failed allocations, by the ends of their names, and our replacements: see `libffi/src/fault.rs`.
const REPLACED: [[&str; 2]; 2] = [
    ["rust_begin_unwind", "farcall_libffi_fault"],
    ["rust_alloc_error_handler", "farcall_libffi_no_memory"],
];

/// Sections of the standard library's objects that are for other compilers.
pub const BITCODE: [&str; 2] = [".llvmbc", ".llvmcmd"];

/// The local symbols that are kept, for readers of backtraces.
const NAMES: [&str; 3] = ["_R*", "_Z*", "farcall_*"];

/// The version of libffi that it replaces.
pub const VERSION: &str = "3.8.0";

/// The list of exports, for DLLs and for other shared libraries.
const DEFINITIONS: &str = "libffi/libffi.def";

const HEADERS: [&str; 2] = ["ffi.h", "ffitarget.h"];

/// The file that programs load.
pub fn library_name(target: Target) -> &'static str {
    match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => "libffi.so.8",
        Runner::Wine => "libffi-8.dll",
    }
}

/// What is built into it beyond what every program needs.
#[derive(clap::Args, Clone, Copy, Default, Debug)]
pub struct Parts {
    /// Build in what FARCALL_PERF=jitdump needs, 4 kB of code: see docs/debugging.md.
    #[arg(long)]
    pub jitdump: bool,
}

/// Builds and installs it; returns the directory.
pub fn build(target: Target) -> Result<PathBuf> {
    build_with(target, Parts::default())
}

/// Builds and installs it with these parts, in a directory of its own if there are any; returns the directory.
pub fn build_with(target: Target, parts: Parts) -> Result<PathBuf> {
    let spec = target.spec();
    setup::ensure(spec.needs)?;
    let archive = compile(target, parts)?;
    let object = one_object(target, &archive)?;
    let suffix = if parts.jitdump { "-jitdump" } else { "" };
    let top = paths::made(paths::libffi(&format!("{}{suffix}", spec.triple)))?;
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

/// Makes Cargo's archive; returns its path.
fn compile(target: Target, parts: Parts) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["rustc", "--quiet", "--package", PACKAGE, "--lib"])
        .args(["--crate-type", "staticlib", "--profile", PROFILE])
        .args(["--config", DIRECT_CALLS])
        .current_dir(paths::root());
    if parts.jitdump {
        cargo.args(["--features", "jitdump"]);
    }
    if !is_linked_by_pieces(target) {
        // This removes most unused code.
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

/// Whether the linker can make one object of the archive's objects. The one for Windows cannot, so everything is compiled as a whole there.
fn is_linked_by_pieces(target: Target) -> bool {
    !matches!(target.spec().runner, Runner::Wine)
}

/// Makes the one object from Cargo's archive; returns its path.
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
        // Linkers look for every symbol that an object names, even an unused one.
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

/// Links the parts of the archive that `exports` need to one object, with [`REPLACED`] exchanged; returns its path.
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

/// Compiles the code of the shared library that finds the unwinder; returns the object.
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

/// Extracts from Cargo's archive the one object with all our code. The other members are the system's import libraries, which the compiler
/// has, too. The linker for Windows cannot make one object of several.
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

/// The program of that name that belongs to the target's compiler.
pub fn tool(target: Target, name: &str) -> Result<String> {
    let mut cc = Command::new(target.spec().cc);
    let path = process::stdout(cc.arg(format!("-print-prog-name={name}")))?;
    Ok(path.trim().to_owned())
}

/// The names that the library exports.
pub fn exports() -> Result<Vec<String>> {
    let definitions = fs::read_to_string(paths::root().join(DEFINITIONS))?;
    let names = definitions
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split(' ').next());
    Ok(names.map(String::from).collect())
}

/// The options that link a program with the library installed below `prefix`, and with the libraries that it needs.
pub fn link_options(target: Target, prefix: &Path) -> Vec<String> {
    let search = format!("-L{}", prefix.join("lib").display());
    let others: &[&str] = match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => &["-lpthread"],
        // Without DLLs of the compiler's.
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

/// The command that runs a program of the target's, whose loader finds the library installed below `prefix`.
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
    // The same bytes each time: D leaves out owner and time.
    ar.arg("rcsD").arg(&partial).arg(object);
    process::run(&mut ar, Output::OnFailure)?;
    fs::rename(&partial, library)?;
    Ok(())
}

/// Links the shared library. It replaces the old one in one step, as programs may have that loaded.
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
            // Fewer segments and pages load faster. The data that becomes executable with this is read-only.
            .args(["-Wl,-O1,--hash-style=gnu", "-Wl,-z,noseparate-code"])
            .arg(unwinder(target, object)?)
            .arg("-static-libgcc")
            // Generated code lies in the library's own addresses, and must stay as long as the process.
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

/// The options that name the system's libraries in a static link.
pub fn private_libraries(target: Target) -> &'static [&'static str] {
    match target.spec().runner {
        // Threads are a library of their own before glibc 2.34. Compilers have several unwinders, and take the one that goes with the rest of the
        // link: libgcc_s, or libgcc_eh where all is static. Naming libgcc_s would make a static link fail, and naming libgcc_eh would give
        // a program two unwinders.
        Runner::None | Runner::Qemu { .. } => &["-lpthread", "-shared-libgcc"],
        Runner::Wine => &["-lntdll", "-lsynchronization"],
    }
}
