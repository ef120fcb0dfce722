//! The groups of rows, each measured by one function.

mod callbacks;
mod calls;
mod counted;
mod declarations;
mod first;
mod flat;
mod functions;
mod instructions;
mod memory;

use crate::closures::Closures;
use crate::library::{CSide, Libffi};
use crate::sampler::{Peer, Sampler};
use crate::signatures::Case;
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// Everything that measuring needs.
pub struct Bench {
    /// The signatures.
    pub cases: Vec<Case>,
    /// The C side for them.
    pub c: CSide,
    /// The libffis, the newest first.
    pub libffis: Vec<Libffi>,
    /// The closures of the crate called libffi.
    pub closures: Option<Closures>,
    /// The sampler, with the amount of measuring.
    pub sampler: Sampler,
    /// This program's command line without the groups.
    pub options: Vec<String>,
}

/// A group of rows.
struct Group {
    /// Its name on the command line.
    name: &'static str,
    /// Measures and prints. It gets the text behind a colon that follows the name.
    run: fn(&Bench, &str) -> Result<()>,
}

/// Every group.
const GROUPS: &[Group] = &[
    Group::new("check", |bench, _| {
        calls::from_slots(bench, Purpose::Check)?;
        callbacks::called(bench, Purpose::Check)
    }),
    Group::new("call", |bench, _| calls::from_slots(bench, Purpose::Time)),
    Group::new("callback", |bench, _| {
        callbacks::called(bench, Purpose::Time)
    }),
    Group::new("made", |bench, _| callbacks::made_and_freed(bench)),
    Group::new("prepared", |bench, _| calls::prepared_each_time(bench)),
    Group::new("func", |bench, _| functions::seen(bench)),
    Group::new("first", |bench, _| first::all(bench)),
    Group::new("declarations", |bench, _| declarations::read(bench)),
    Group::new("signatures", |_, _| memory::of_signatures()),
    Group::new("callbacks", memory::of_callbacks),
    Group::new("flat", flat::all),
    Group::new("instructions", |bench, _| {
        instructions::of_trampolines(bench)
    }),
    Group::new("counted", counted::work),
];

impl Group {
    const fn new(name: &'static str, run: fn(&Bench, &str) -> Result<()>) -> Group {
        Group { name, run }
    }
}

/// The purpose of running a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To check that every peer passes every argument. The called functions compute a weighed sum.
    Check,
    /// To time the peers. The functions do next to nothing. Times are wrong in a process that has run the checks: the processor has then
    /// seen the same calls with other targets.
    Time,
}

impl Bench {
    /// Runs the group `name`, which may be followed by a colon and an argument.
    pub fn run(&self, name: &str) -> Result<()> {
        let (name, detail) = name.split_once(':').unwrap_or((name, ""));
        let group = GROUPS.iter().find(|group| group.name == name);
        let group = group.with_context(|| {
            let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
            format!("there is no group {name}, only {}", names.join(", "))
        })?;
        (group.run)(self, detail)
    }

    /// A case by its name.
    pub fn case(&self, name: &str) -> Result<&Case> {
        let found = self.cases.iter().find(|case| case.name == name);
        found.with_context(|| format!("there is no signature {name}"))
    }

    /// Runs a group in a process of its own, which prints where this one does.
    fn in_child(&self, group: &str) -> Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        let status = command.args(&self.options).arg(group).status()?;
        ensure!(status.success(), "{group}: {status}");
        Ok(())
    }

    /// Times the peers of a row, if that is the purpose.
    fn row(&self, purpose: Purpose, row: &str, peers: Vec<Peer>) {
        if purpose == Purpose::Time {
            self.sampler.row(row, peers);
        }
    }

    /// Makes sure that `run`, which makes one call through some peer, returns the right result.
    fn check(
        &self,
        case: &Case,
        purpose: Purpose,
        peer: &str,
        run: impl Fn() -> u64,
    ) -> Result<()> {
        // SAFETY: a variable of the C side that this thread alone uses.
        let counter = || unsafe { self.c.counter.read_volatile() };
        let before = counter();
        let got = run();
        let wanted = match purpose {
            Purpose::Check => case.weighed,
            Purpose::Time => case.ends,
        };
        match wanted {
            Some(wanted) => {
                let mask = if case.ret == "f" {
                    u64::from(u32::MAX)
                } else {
                    u64::MAX
                };
                ensure!(
                    got & mask == wanted & mask,
                    "{peer}: {} gave {got:#x}, not {wanted:#x}",
                    case.name
                );
            }
            None => {
                let wanted = before + u64::from(purpose == Purpose::Check);
                ensure!(counter() == wanted, "{peer}: {} was not called", case.name);
            }
        }
        Ok(())
    }
}
