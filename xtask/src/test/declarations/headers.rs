//! Checks whole headers: all of the C library's, and those of libraries that people use from scripts.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use farcall_cdecl::c::Declarations;

use super::judges::{self, Judge};
use super::mutated::Mutated;
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

/// The directories of the C library's headers. Only files directly in them are read.
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

/// The headers for Windows that are read. There are thousands, and most declare the same as these.
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

/// Bytes that declarations may take regardless of their text.
const ROOM: usize = 1024;

/// Bytes that a constant may take beside those of its text, which may be no more than its name and a comma.
const CONSTANT: usize = 16;

/// The outcome of the headers.
struct Sums<'a> {
    judge: Judge,
    target: Target,
    work: &'a Path,
    mutated: &'a mut Mutated,
    headers: usize,
    functions: usize,
    types: usize,
    constants: usize,
    nameless: usize,
    /// The bytes of their texts, and those of the kept declarations.
    text: usize,
    kept: usize,
    /// The most bytes that are kept for each byte of text.
    most: f64,
    /// Headers that are not valid C by themselves.
    refused: Vec<String>,
    /// Differences from a compiler whose verdict is not final.
    differing: Vec<String>,
}

pub fn all(target: Target, work: &Path, report: &mut Report) -> Result<()> {
    let mut mutated = Mutated::default();
    for judge in judges::all(target) {
        by(judge, target, work, &mut mutated, report)?;
    }
    println!(
        "{} texts made of headers: {} read, {} refused",
        mutated.read + mutated.refused,
        mutated.read,
        mutated.refused
    );
    for text in &mutated.fatal {
        println!("FAIL  reading panicked:\n{text}");
    }
    report.add(
        mutated.fatal.is_empty(),
        "reading texts made of headers panicked",
    );
    Ok(())
}

/// Checks the headers with one compiler.
fn by(
    judge: Judge,
    target: Target,
    work: &Path,
    mutated: &mut Mutated,
    report: &mut Report,
) -> Result<()> {
    let mut sums = Sums::new(judge, target, work, mutated);
    for (directory, prefix) in system(target) {
        for name in names(Path::new(directory))? {
            sums.header(&format!("{prefix}{name}"), &[], report)?;
        }
    }
    if target == Target::X86_64Windows {
        for name in WINDOWS {
            sums.header(name, &[], report)?;
        }
    }
    if !target.is_foreign() {
        setup::ensure(NEEDS)?;
        for library in LIBRARIES {
            let flags =
                process::stdout(Command::new("pkg-config").args(["--cflags", library.package]))?;
            let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
            for name in library.headers {
                sums.header(name, &flags, report)?;
            }
        }
    }
    println!(
        "{} headers: {} types, {} functions and {} constants are as {} has them; {} functions have types that C cannot name",
        sums.headers, sums.types, sums.functions, sums.constants, judge.name, sums.nameless
    );
    println!(
        "{} bytes of memory for {} of text, and at most {:.2} for each of a header's",
        sums.kept, sums.text, sums.most
    );
    if !sums.refused.is_empty() {
        report.notes.push(format!(
            "{} takes these headers not by themselves: {}",
            judge.name,
            sums.refused.join(" ")
        ));
    }
    if !sums.differing.is_empty() {
        report.notes.push(format!(
            "{} has these otherwise: {}",
            judge.name,
            sums.differing.join(", ")
        ));
    }
    report.add(sums.headers > 15, "there are headers");
    report.add(
        sums.kept < sums.text,
        "all declarations take less memory than their text",
    );
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

impl<'a> Sums<'a> {
    fn new(judge: Judge, target: Target, work: &'a Path, mutated: &'a mut Mutated) -> Sums<'a> {
        Sums {
            judge,
            target,
            work,
            mutated,
            headers: 0,
            functions: 0,
            types: 0,
            constants: 0,
            nameless: 0,
            text: 0,
            kept: 0,
            most: 0.0,
            refused: Vec::new(),
            differing: Vec::new(),
        }
    }

    /// Checks that the kept declarations take no more bytes than their text, constants aside.
    fn weigh(&mut self, name: &str, c: &Declarations, text: &str, report: &mut Report) {
        let (kept, len) = (c.memory(), text.len());
        self.text += len;
        self.kept += kept;
        if len > 8 * ROOM {
            self.most = self.most.max(kept as f64 / len as f64);
        }
        let room = ROOM + CONSTANT * c.constants().count();
        report.add(
            kept <= len + room,
            format!("{name}: {kept} bytes are kept of {len}"),
        );
    }

    fn header(&mut self, name: &str, flags: &[String], report: &mut Report) -> Result<()> {
        let source = self.work.join("header.c");
        fs::write(&source, format!("#include <{name}>\n"))?;
        let cc = |mode: &[&str]| {
            let mut cc = self.judge.command();
            cc.args(["-std=gnu11", "-D_GNU_SOURCE", "-w"])
                .args(mode)
                .args(flags)
                .arg(&source);
            cc
        };
        if !process::succeeds(&mut cc(&["-fsyntax-only"])) {
            self.refused.push(name.to_owned());
            return Ok(());
        }
        let text = process::stdout(&mut cc(&["-E"]))?;
        let mut c = Declarations::new(platform(self.target))?;
        let by = self.judge.name;
        if let Err(error) = c.read(&text) {
            println!("FAIL  {name} as {by} has it: {error}");
            report.failures.push(format!("{name}, {by}: {error}"));
            return Ok(());
        }
        self.weigh(name, &c, &text, report);
        // Declarations that are known without a header must agree with the header.
        let bare = Declarations::new(platform(self.target))?;
        for (name, ty) in c.typedefs() {
            let name = c.name(name);
            if let Some(known) = bare.typedef(name) {
                report.add(
                    bare.passed(known).ok() == c.passed(ty).ok(),
                    format!("{name} is {} here", c.show(ty)),
                );
            }
        }
        if self.judge.is_final() {
            self.mutated.add(platform(self.target), &text)?;
        }
        let assertions = Assertions::of(&c)?;
        let said = assertions.judge(self.judge, self.work, flags, &text)?;
        let is_agreed = said.other.is_none() && (said.failed.is_empty() || !self.judge.is_final());
        if !is_agreed {
            let (failed, other) = (said.failed.join(", "), said.other.unwrap_or_default());
            println!("FAIL  {name}, {by}: {failed} {other}");
        } else if !said.failed.is_empty() {
            let failed = said.failed.join(" ");
            self.differing.push(format!("{name} ({failed})"));
        }
        report.add(is_agreed, format!("{name}: {by} does not agree"));
        self.headers += 1;
        self.functions += assertions.functions;
        self.types += assertions.types;
        self.constants += assertions.constants;
        self.nameless += assertions.nameless;
        Ok(())
    }
}
