//! `farcall doctor`: reports what this machine permits, and which interpreters and libraries it has.

mod found;
mod native;
mod report;

use std::fs;
use std::process::ExitCode;

use clap::ValueEnum;
use farcall::{Callback, Function, Library, Value};

use crate::failure::{FAILED, Result};
use crate::output::print;
use crate::target::Target;
use report::{Section, State};

/// How to tell.
#[derive(clap::Args)]
#[command(after_long_help = LONG)]
pub struct Args {
    /// How to show it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

const LONG: &str = "\
The exit code is 0 where calls and callbacks work and get machine code of their own, and 1
where they do not: where the system refuses executable memory, all works, about as fast as
with libffi.";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A number of calls that is more than enough for a signature to get code.
const CALLS: i64 = 5000;

/// Examines the machine and prints a report.
pub fn run(args: &Args) -> Result<ExitCode> {
    let has_code = farcall::generates_code();
    let works = tried();
    let sections = [
        machine(&works, has_code),
        memory(),
        policies(),
        threads(),
        found::found(),
    ];
    let verdict = match (&works, has_code) {
        (Ok(()), true) => "All is well: calls and callbacks get machine code of their own.",
        (Ok(()), false) => "Calls and callbacks work, but get no machine code of their own here.",
        (Err(_), _) => "Calls or callbacks do not work here.",
    };
    let is_well = works.is_ok() && has_code;
    let text = match args.format {
        Format::Text => report::text(&sections, verdict),
        Format::Json => format!("{:#}\n", report::json(&sections, is_well, verdict)),
    };
    print(&text)?;
    Ok(match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}

/// Calls a callback until the function and the callback have got code.
fn tried() -> std::result::Result<(), String> {
    let callback = Callback::with_codes("q", "qq", |args: &[Value]| {
        let numbers = args
            .iter()
            .filter_map(|arg| i64::try_from(arg.clone()).ok());
        numbers.sum::<i64>().into()
    });
    let callback = callback.map_err(|error| error.to_string())?;
    let add = Function::at(callback.code(), "q", "qq").map_err(|error| error.to_string())?;
    for number in 0..CALLS {
        // SAFETY: the function is the callback, of the same codes.
        let sum = unsafe { add.call(&[number.into(), 1.into()]) };
        match sum.map_err(|error| error.to_string())? {
            Value::Int(sum) if sum == number + 1 => {}
            other => return Err(format!("{number} and 1 came back as {other}")),
        }
    }
    Ok(())
}

fn machine(works: &std::result::Result<(), String>, has_code: bool) -> Section {
    let mut section = Section::new("farcall");
    let target = Target::host();
    section.add("version", State::Note, env!("CARGO_PKG_VERSION"));
    section.add(
        "target",
        State::Note,
        format!("{}, {}", target.name(), target.abi()),
    );
    match works {
        Ok(()) => section.add(
            "calls",
            State::Good,
            format!("{CALLS} of a callback came back"),
        ),
        Err(error) => section.add("calls", State::Bad, error.as_str()),
    }
    match has_code {
        true => section.add(
            "code",
            State::Good,
            "is made, and appears in place complete",
        ),
        false => section.add(
            "code",
            State::Worse,
            "cannot be made: signatures are followed step by step",
        ),
    }
    section
}

fn memory() -> Section {
    let mut section = Section::new("executable memory");
    let told = |can: Option<bool>| match can {
        Some(true) => "can be had",
        Some(false) => "refused",
        None => "not known here",
    };
    let written = native::makes_written_pages_executable();
    let state = match written {
        Some(true) => State::Good,
        Some(false) => State::Worse,
        None => State::Note,
    };
    section.add("written, then executable", state, told(written));
    let both = native::maps_writable_and_executable();
    let text = format!("{}; farcall never asks for it", told(both));
    section.add("both at once", State::Note, text);
    section
}

fn policies() -> Section {
    let mut section = Section::new("policies");
    let mdwe = native::mdwe();
    section.add(
        "MDWE",
        in_force(mdwe.map(|bits| bits != 0)),
        match mdwe {
            None => "the kernel does not know it",
            Some(0) => "off",
            Some(_) => "on: memory that was writable is never executable",
        },
    );
    section.add("seccomp", State::Note, seccomp());
    section.add("SELinux", State::Note, selinux());
    section.add(
        "other rights (AT_SECURE)",
        State::Note,
        match native::is_secure() {
            Some(true) => "yes: variables of the environment do not count",
            Some(false) => "no",
            None => "not known here",
        },
    );
    match std::env::var("FARCALL_CODE") {
        Ok(value) => {
            let state = if value == "never" {
                State::Worse
            } else {
                State::Note
            };
            section.add("FARCALL_CODE", state, value);
        }
        Err(_) => section.add("FARCALL_CODE", State::Note, "not set"),
    }
    section
}

fn seccomp() -> String {
    match status("Seccomp").as_deref() {
        Some("0") => "off".to_owned(),
        Some("1") => "strict".to_owned(),
        Some("2") => {
            let count = status("Seccomp_filters");
            format!("{} filters", count.unwrap_or_else(|| "some".to_owned()))
        }
        _ => "not known here".to_owned(),
    }
}

fn selinux() -> String {
    let enforcing = fs::read_to_string("/sys/fs/selinux/enforce");
    match enforcing.as_deref().map(str::trim) {
        Ok("1") => {
            let label = fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
            format!("enforcing, as {}", label.trim_matches(['\0', '\n']))
        }
        Ok(_) => "permissive".to_owned(),
        Err(_) => "none".to_owned(),
    }
}

fn in_force(is: Option<bool>) -> State {
    match is {
        Some(true) => State::Worse,
        Some(false) | None => State::Note,
    }
}

/// A line of the kernel's status of this process.
fn status(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Some(line?.trim().to_owned())
}

fn threads() -> Section {
    /// The memory barrier for the threads of one process (linux/membarrier.h).
    const PRIVATE_EXPEDITED: i64 = 1 << 3;
    let mut section = Section::new("threads and exceptions");
    match native::membarrier() {
        Some(mask) if mask & PRIVATE_EXPEDITED != 0 => {
            section.add("fences", State::Good, "membarrier reaches all threads");
        }
        Some(_) | None => {
            section.add(
                "fences",
                State::Worse,
                "no membarrier: what is closed waits for its threads",
            );
        }
    }
    let this = Library::this();
    let unwinder = this
        .ok()
        .and_then(|this| native::file_of(&this, "_Unwind_RaiseException"));
    section.add(
        "unwinder",
        State::Note,
        match unwinder {
            Some(file) => file.display().to_string(),
            None => "none that the loader knows".to_owned(),
        },
    );
    section
}
