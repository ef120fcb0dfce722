//! `cargo xtask bench`: measures farcall and its alternatives by turns on one machine.

mod cases;
mod chart;
mod closures;
mod curve;
mod emitted;
mod goals;
pub mod harness;
mod judge;
mod loading;
mod machine;
mod report;
mod samples;
mod scripts;
mod short;
mod sizes;
mod tables;

use std::process::ExitCode;

use anyhow::{Result, bail};

use harness::{Effort, Harness};
use machine::Machine;
use samples::Samples;

use crate::micropython::{self, Module, Release};
use crate::pins;
use crate::setup::{self, Need};
use crate::source;
use crate::target::Target;

/// The choice of measurements.
#[derive(clap::Args)]
pub struct Args {
    /// Measure for a minute only and write no files.
    #[arg(long)]
    quick: bool,
    /// Measure this group of rows only; may be given several times. No files are written.
    #[arg(long, value_name = "GROUP")]
    only: Vec<String>,
    /// List the groups of rows and measure nothing.
    #[arg(long)]
    list: bool,
}

/// Rows that are measured together.
struct Group {
    name: &'static str,
    about: &'static str,
    measure: Measure,
    /// The amount of measuring, also for a quick run.
    effort: Effort,
    quick: Effort,
}

enum Measure {
    /// Measured by the harness, which calls the group by the same name.
    Harness,
    /// Measured by a function of this program.
    Here(fn(Effort, &mut Samples) -> Result<()>),
    /// Measured by the harness, and then by a function of this program.
    Both(fn(Effort, &mut Samples) -> Result<()>),
}

const fn effort(processes: usize, rounds: usize, turn: usize) -> Effort {
    Effort {
        processes,
        rounds,
        turn,
    }
}

/// Every group, in the order of the report.
const GROUPS: &[Group] = &[
    Group {
        name: "call",
        about: "C functions called with arguments in slots",
        measure: Measure::Harness,
        effort: effort(61, 81, 20),
        quick: effort(5, 41, 20),
    },
    Group {
        name: "callback",
        about: "function pointers that C calls",
        measure: Measure::Harness,
        effort: effort(61, 81, 20),
        quick: effort(5, 41, 20),
    },
    Group {
        name: "made",
        about: "callbacks made and freed",
        measure: Measure::Harness,
        effort: effort(61, 81, 20),
        quick: effort(5, 41, 20),
    },
    Group {
        name: "prepared",
        about: "libffi's cifs",
        measure: Measure::Harness,
        effort: effort(5, 41, 20),
        quick: effort(1, 21, 20),
    },
    Group {
        name: "func",
        about: "functions made of known signatures",
        measure: Measure::Harness,
        effort: effort(61, 81, 20),
        quick: effort(5, 41, 20),
    },
    Group {
        name: "first",
        about: "signatures that nobody has used before",
        measure: Measure::Harness,
        effort: effort(21, 41, 20),
        quick: effort(3, 21, 20),
    },
    Group {
        name: "declarations",
        about: "C declarations read",
        measure: Measure::Harness,
        effort: effort(5, 41, 20),
        quick: effort(1, 21, 20),
    },
    Group {
        name: "signatures",
        about: "memory for signatures",
        measure: Measure::Harness,
        effort: effort(1, 1, 20),
        quick: effort(1, 1, 20),
    },
    Group {
        name: "callbacks",
        about: "memory for callbacks",
        measure: Measure::Harness,
        effort: effort(1, 1, 20),
        quick: effort(1, 1, 20),
    },
    Group {
        name: "flat",
        about: "what must not grow with signatures, callbacks and arguments",
        measure: Measure::Harness,
        effort: effort(9, 81, 20),
        quick: effort(1, 11, 20),
    },
    Group {
        name: "load",
        about: "what libffi costs programs that make no call",
        measure: Measure::Here(loading::of_libffis),
        effort: effort(9, 101, 1),
        quick: effort(1, 101, 1),
    },
    Group {
        name: "size",
        about: "sizes of what is shipped",
        measure: Measure::Here(sizes::shipped),
        effort: effort(1, 1, 1),
        quick: effort(1, 1, 1),
    },
    Group {
        name: "instructions",
        about: "instructions of trampolines, for every target",
        measure: Measure::Both(emitted::by_compilers),
        effort: effort(1, 1, 1),
        quick: effort(1, 1, 1),
    },
    Group {
        name: "micropython",
        about: "calls from MicroPython's scripts, and callbacks to them",
        measure: Measure::Here(scripts::micropython),
        effort: effort(41, 31, 200),
        quick: effort(5, 15, 200),
    },
    Group {
        name: "short",
        about: "whole scripts of MicroPython's by the number of their calls, and the first of everything in one",
        measure: Measure::Here(short::scripts),
        effort: effort(5, 41, 1),
        quick: effort(1, 21, 1),
    },
    Group {
        name: "interpreters",
        about: "calls from LuaJIT and CPython, and callbacks to them",
        measure: Measure::Here(scripts::others),
        effort: effort(15, 21, 200),
        quick: effort(3, 7, 200),
    },
];

/// All that must be installed for measuring.
fn needs() -> Result<Vec<Need>> {
    let mut needs = [
        setup::AUTOTOOLS,
        setup::INTERPRETERS,
        setup::CROSS_COMPILERS,
    ]
    .concat();
    needs.extend(source::needs(&pins::LIBFFI)?);
    for module in [Module::Ours, Module::Stock] {
        let target = Target::default();
        needs.extend(micropython::needs(Release::Own, target, module)?);
    }
    Ok(needs)
}

/// Measures what `args` selects.
pub fn run(args: &Args) -> Result<ExitCode> {
    let selected = select(&args.only)?;
    if args.list {
        for group in selected {
            println!("{:12} {}", group.name, group.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.only.is_empty() {
        setup::ensure(&needs()?)?;
    }
    let harness = Harness::build()?;
    let mut samples = Samples::default();
    eprintln!("checking that every peer computes the same");
    harness.measure("check", effort(1, 1, 1), &mut samples)?;
    for group in selected {
        eprintln!("measuring: {}", group.about);
        let effort = if args.quick {
            group.quick
        } else {
            group.effort
        };
        match group.measure {
            Measure::Harness => harness.measure(group.name, effort, &mut samples)?,
            Measure::Here(measure) => measure(effort, &mut samples)?,
            Measure::Both(measure) => {
                harness.measure(group.name, effort, &mut samples)?;
                measure(effort, &mut samples)?;
            }
        }
    }
    print!("{}", report::text(&samples));
    if !args.quick && args.only.is_empty() {
        report::write(&samples, &Machine::here(&harness.libffis, &samples))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn select(only: &[String]) -> Result<Vec<&'static Group>> {
    for name in only {
        if !GROUPS.iter().any(|group| group.name == name) {
            let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
            bail!("there is no group {name}, only {}", names.join(", "));
        }
    }
    let wanted = |group: &&Group| only.is_empty() || only.iter().any(|name| name == group.name);
    Ok(GROUPS.iter().filter(wanted).collect())
}
