//! Whole headers: all of the C library's, and those of libraries that people use from scripts.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use farcall_cdecl::c::Declarations;

use super::{Assertions, Report, platform};
use crate::process;
use crate::setup::{self, Check, Need};
use crate::target::Target;

/// A library's headers, and the name by which pkg-config knows how to find them.
struct Library {
    package: &'static str,
    headers: &'static [&'static str],
}

const LIBRARIES: &[Library] = &[
    Library {
        package: "zlib",
        headers: &["zlib.h"],
    },
    Library {
        package: "sqlite3",
        headers: &["sqlite3.h", "sqlite3ext.h"],
    },
    Library {
        package: "sdl2",
        headers: &["SDL.h"],
    },
    Library {
        package: "gobject-2.0",
        headers: &["glib.h", "glib-object.h"],
    },
    Library {
        package: "openssl",
        headers: &[
            "openssl/ssl.h",
            "openssl/evp.h",
            "openssl/x509v3.h",
            "openssl/cms.h",
        ],
    },
    Library {
        package: "libpng",
        headers: &["png.h"],
    },
    Library {
        package: "cairo",
        headers: &["cairo.h"],
    },
    Library {
        package: "ncurses",
        headers: &["curses.h", "term.h", "panel.h", "menu.h", "form.h"],
    },
    Library {
        package: "libcurl",
        headers: &["curl/curl.h"],
    },
];

const NEEDS: &[Need] = &[
    Need::new(Check::Program("pkg-config"), "pkg-config"),
    Need::new(Check::PkgConfig("zlib"), "zlib1g-dev"),
    Need::new(Check::PkgConfig("sqlite3"), "libsqlite3-dev"),
    Need::new(Check::PkgConfig("sdl2"), "libsdl2-dev"),
    Need::new(Check::PkgConfig("gobject-2.0"), "libglib2.0-dev"),
    Need::new(Check::PkgConfig("openssl"), "libssl-dev"),
    Need::new(Check::PkgConfig("libpng"), "libpng-dev"),
    Need::new(Check::PkgConfig("cairo"), "libcairo2-dev"),
    Need::new(Check::PkgConfig("ncurses"), "libncurses-dev"),
    Need::new(Check::PkgConfig("libcurl"), "libcurl4-openssl-dev"),
];

/// Where the C library's headers are: directories, of each of which those directly in it are read.
fn system(target: Target) -> &'static [(&'static str, &'static str)] {
    match target {
        Target::X86_64Linux => &[
            ("/usr/include", ""),
            ("/usr/include/x86_64-linux-gnu/sys", "sys/"),
            ("/usr/include/arpa", "arpa/"),
            ("/usr/include/net", "net/"),
            ("/usr/include/netinet", "netinet/"),
        ],
        Target::Aarch64Linux => &[
            ("/usr/aarch64-linux-gnu/include", ""),
            ("/usr/aarch64-linux-gnu/include/sys", "sys/"),
            ("/usr/aarch64-linux-gnu/include/arpa", "arpa/"),
            ("/usr/aarch64-linux-gnu/include/net", "net/"),
            ("/usr/aarch64-linux-gnu/include/netinet", "netinet/"),
        ],
        Target::X86_64Windows => &[],
    }
}

/// Microsoft's are thousands, most of which declare what these do.
const WINDOWS: [&str; 21] = [
    "stdio.h",
    "stdlib.h",
    "string.h",
    "math.h",
    "time.h",
    "wchar.h",
    "io.h",
    "fcntl.h",
    "process.h",
    "direct.h",
    "locale.h",
    "signal.h",
    "sys/stat.h",
    "conio.h",
    "setjmp.h",
    "windows.h",
    "winsock2.h",
    "ws2tcpip.h",
    "shellapi.h",
    "commctrl.h",
    "wincrypt.h",
];

/// What became of the headers.
#[derive(Default)]
struct Sums {
    headers: usize,
    functions: usize,
    types: usize,
    constants: usize,
    nameless: usize,
    /// Those that are no C by themselves.
    refused: Vec<String>,
}

pub fn all(target: Target, work: &Path, report: &mut Report) -> Result<()> {
    let mut sums = Sums::default();
    for (directory, prefix) in system(target) {
        for name in names(Path::new(directory))? {
            header(
                target,
                work,
                &format!("{prefix}{name}"),
                &[],
                &mut sums,
                report,
            )?;
        }
    }
    if target == Target::X86_64Windows {
        for name in WINDOWS {
            header(target, work, name, &[], &mut sums, report)?;
        }
    }
    if !target.is_foreign() {
        setup::ensure(NEEDS)?;
        for library in LIBRARIES {
            let flags =
                process::stdout(Command::new("pkg-config").args(["--cflags", library.package]))?;
            let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
            for name in library.headers {
                header(target, work, name, &flags, &mut sums, report)?;
            }
        }
    }
    println!(
        "{} headers: {} types, {} functions and {} constants are as the compiler has them; {} functions have types that C cannot name",
        sums.headers, sums.types, sums.functions, sums.constants, sums.nameless
    );
    if !sums.refused.is_empty() {
        report.notes.push(format!(
            "the compiler takes these headers not by themselves: {}",
            sums.refused.join(" ")
        ));
    }
    report.add(sums.headers > 15, "there are headers");
    Ok(())
}

/// The headers of a directory, in order.
fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".h") {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn header(
    target: Target,
    work: &Path,
    name: &str,
    flags: &[String],
    sums: &mut Sums,
    report: &mut Report,
) -> Result<()> {
    let source = work.join("header.c");
    fs::write(&source, format!("#include <{name}>\n"))?;
    let cc = |mode: &[&str]| {
        let mut cc = Command::new(target.spec().cc);
        cc.args(["-std=gnu11", "-D_GNU_SOURCE", "-w"])
            .args(mode)
            .args(flags)
            .arg(&source);
        cc
    };
    if !process::succeeds(&mut cc(&["-fsyntax-only"])) {
        sums.refused.push(name.to_owned());
        return Ok(());
    }
    let text = process::stdout(&mut cc(&["-E"]))?;
    let mut c = Declarations::new(platform(target))?;
    if let Err(error) = c.read(&text) {
        println!("FAIL  {name}: {error}");
        report.failures.push(format!("{name}: {error}"));
        return Ok(());
    }
    let assertions = Assertions::of(&c)?;
    let said = assertions.judge(target, work, flags, &text)?;
    if let Some(said) = &said {
        println!("FAIL  {name}: {said}");
    }
    report.add(
        said.is_none(),
        format!("{name}: the compiler does not agree"),
    );
    sums.headers += 1;
    sums.functions += assertions.functions;
    sums.types += assertions.types;
    sums.constants += assertions.constants;
    sums.nameless += assertions.nameless;
    Ok(())
}
