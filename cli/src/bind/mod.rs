//! `farcall bind`: turns a header into a module for MicroPython.

mod header;
mod library;
mod select;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::output::print;
use header::{Header, Source};
use library::Shared;
use select::{Selection, select};

/// Which header, for which library.
#[derive(clap::Args)]
#[command(after_long_help = LONG)]
pub struct Args {
    /// The header: a path, or a name that the compiler finds
    #[arg(value_name = "HEADER")]
    header: String,
    /// The library, as for the linker: 'z' for libz; or its path
    #[arg(short, long, value_name = "LIB")]
    library: String,
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Look for headers in this directory, too
    #[arg(short = 'I', value_name = "DIR")]
    include: Vec<PathBuf>,
    /// Look for the library in this directory, too
    #[arg(short = 'L', value_name = "DIR")]
    search: Vec<PathBuf>,
    /// Define a macro for the header
    #[arg(short = 'D', value_name = "MACRO")]
    define: Vec<String>,
    /// The C compiler whose preprocessor reads the header
    #[arg(
        long,
        value_name = "COMMAND",
        env = "CC",
        default_value = "cc",
        hide_env_values = true
    )]
    cc: String,
}

const LONG: &str = "\
The module has the header's functions and variables that the library exports, the types
that these need, and the header's own constants. It looks each function up in the library
when it is first used.

Example:
  farcall bind zlib.h -l z -o z.py
  micropython -c 'import z; print(hex(z.crc32(0, b\"123456789\", 9)), z.Z_OK)'";

/// Writes the module.
pub fn run(args: &Args) -> Result<()> {
    let shared = Shared::find(&args.cc, &args.library, &args.search)?;
    let mut options: Vec<String> = Vec::new();
    options.extend(
        args.include
            .iter()
            .map(|directory| format!("-I{}", directory.display())),
    );
    options.extend(args.define.iter().map(|name| format!("-D{name}")));
    let source = Source {
        compiler: &args.cc,
        header: &args.header,
        options,
    };
    let header = Header::read(&source)?;
    let selection = select(&header, &shared.exports).map_err(Failure::of)?;
    if selection.functions.is_empty() && selection.variables.is_empty() {
        let failure = Failure::of(format_args!(
            "{} exports nothing that {} declares",
            shared.name, args.header
        ));
        return Err(failure.with_hint("is this the header's library?"));
    }
    let text = module(args, &shared, &selection);
    match &args.output {
        None => print(&text),
        Some(path) => {
            let failed = |error| Failure::of(format_args!("{}: {error}", path.display()));
            fs::write(path, text).map_err(failed)?;
            told(path, &selection);
            Ok(())
        }
    }
}

/// Reports the content of a module that was written to a file.
fn told(path: &std::path::Path, selection: &Selection) {
    let count = |what: &str, items: &[String]| match items.len() {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let counts = [
        count("function", &selection.functions),
        count("variable", &selection.variables),
        count("type", &selection.types),
        count("constant", &selection.constants),
    ];
    let mut text = format!("{}: {}\n", path.display(), counts.join(", "));
    for (name, why) in &selection.left_out {
        text += &format!("left out: {name}: {why}\n");
    }
    // If that cannot be written, there is no other place for a report.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn module(args: &Args, shared: &Shared, selection: &Selection) -> String {
    let header = args.header.rsplit('/').next().unwrap_or_default();
    let name = &shared.name;
    let mut text = format!(
        "# {header} for {name}, by farcall bind.\n\nimport ffi\n\ntypes = ffi.cdef(\n    r\"\"\"\n"
    );
    for (title, items) in [
        ("constants", &selection.constants),
        ("types", &selection.types),
        ("functions", &selection.functions),
        ("variables", &selection.variables),
    ] {
        if !items.is_empty() {
            text += &format!("/* {title} */\n{}\n\n", items.join("\n"));
        }
    }
    text = text.trim_end().to_owned();
    text += &format!("\n\"\"\"\n)\nlib = ffi.open(\"{name}\", types)\n\n\n");
    text += "def __getattr__(name):\n    try:\n        return getattr(lib, name)\n    except AttributeError:\n        return getattr(types, name)\n";
    for (number, (name, why)) in selection.left_out.iter().enumerate() {
        let space = if number == 0 { "\n\n" } else { "" };
        text += &format!("{space}# Left out: {name}: {why}\n");
    }
    text
}
