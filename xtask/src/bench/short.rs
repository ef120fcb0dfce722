//! Measures short scripts: whole processes of MicroPython by the number of their calls, and the first call, callback and so on in one process.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::curve::{Curve, Panel};
use super::harness::Effort;
use super::judge::{Judged, worst};
use super::loading::compile;
use super::samples::Samples;
use super::scripts::STOCK;
use crate::micropython::{self, Module};
use crate::paths;
use crate::process::{self, Output};
use crate::target::Target;

/// The prefix of rows of whole processes; the numbers of functions and of calls follow.
pub const WHOLE: &str = "whole/";

/// The prefix of rows of first things.
pub const ONCE: &str = "once/";

/// The numbers of functions that a script makes.
const FUNCTIONS: [u32; 2] = [1, 20];

/// The numbers of calls that it makes of them, by turns.
const CALLS: [u32; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// The number of calls from which on fewer rounds are measured: such scripts take so long that little disturbs them.
const LONG: u32 = 100_000;

/// Measures whole processes and first things.
pub fn scripts(effort: Effort, samples: &mut Samples) -> Result<()> {
    let peers = [
        ("farcall", program(Module::Ours)?),
        (STOCK, program(Module::StockNewest)?),
    ];
    let work = paths::made(paths::bench()?.join("short"))?;
    let [whole, clock] = ["whole", "clock.so"].map(|name| work.join(name));
    let source = |name: &str| [paths::root().join("benches/peers/c").join(name)];
    compile(&source("whole.c"), &whole, &["-Wall"])?;
    compile(&source("clock.c"), &clock, &["-Wall", "-shared", "-fPIC"])?;
    for _ in 0..effort.processes {
        for functions in FUNCTIONS {
            for calls in CALLS {
                let rounds = match calls {
                    LONG.. => effort.rounds.div_ceil(10),
                    _ => effort.rounds,
                };
                samples.read(&whole_processes(&whole, &peers, functions, calls, rounds)?)?;
            }
        }
        for _ in 0..effort.rounds {
            for (peer, program) in &peers {
                let mut command = Command::new(program);
                command
                    .arg(script("once.py"))
                    .arg(peer)
                    .env("LD_PRELOAD", &clock);
                samples.read(&process::stdout(&mut command)?)?;
            }
        }
    }
    Ok(())
}

/// A copy of an interpreter's program: the way in which a file was written affects how fast its pages are mapped.
fn program(module: Module) -> Result<PathBuf> {
    let built = micropython::build_with(Target::default(), module, Output::OnFailure)?;
    let name = match module {
        Module::Ours => "short/micropython",
        _ => "short/micropython-stock",
    };
    paths::made(paths::bench()?.join("short"))?;
    let copy = paths::bench()?.join(name);
    std::fs::copy(built, &copy)?;
    Ok(copy)
}

fn script(name: &str) -> PathBuf {
    paths::root().join("benches/peers/scripts").join(name)
}

fn whole_processes(
    whole: &Path,
    peers: &[(&str, PathBuf)],
    functions: u32,
    calls: u32,
    rounds: usize,
) -> Result<String> {
    let mut command = Command::new(whole);
    command
        .arg(rounds.to_string())
        .arg(format!("{WHOLE}{functions}/{calls}"));
    for (peer, program) in peers {
        command.arg(format!("{peer}={}", program.display()));
    }
    command
        .arg("--")
        .arg(script(&format!("whole{functions}.py")))
        .arg(calls.to_string());
    process::stdout(&mut command)
}

/// The point at which a script is slowest in comparison with MicroPython's own module.
pub fn slowest(samples: &Samples) -> Option<Judged> {
    samples.rows(WHOLE).next()?;
    worst(samples, WHOLE, "farcall", STOCK)
}

/// A first thing's time.
pub fn first(samples: &Samples, row: &str) -> Option<Judged> {
    let row = format!("{ONCE}{row}");
    let [ours, stock] = ["farcall", STOCK].map(|peer| samples.time(&row, peer));
    let note = format!("stock {:.0} ns", stock?.median);
    Some(Judged::of(ours?).with_note(note))
}

/// A first thing's time as a multiple of that with MicroPython's own module.
pub fn first_beside_stock(samples: &Samples, row: &str) -> Option<Judged> {
    let row = format!("{ONCE}{row}");
    let [ours, stock] = ["farcall", STOCK].map(|peer| samples.time(&row, peer));
    let note = format!(
        "{:.1} µs, stock {:.1} µs",
        ours?.median / 1000.0,
        stock?.median / 1000.0
    );
    Some(Judged::of(samples.ratio(&row, "farcall", STOCK)?).with_note(note))
}

/// The time of whole scripts over the number of their calls; none if that was not measured.
pub fn curves(samples: &Samples) -> Vec<Panel> {
    let curve = |functions: u32, peer: &str, label: &str| {
        let points = CALLS.iter().filter_map(|calls| {
            let row = format!("{WHOLE}{functions}/{calls}");
            let time = samples.time(&row, peer)?;
            Some((f64::from(*calls), time.median / 1e6))
        });
        Curve {
            label: label.into(),
            points: points.collect(),
            ours: peer != STOCK,
        }
    };
    let panel = |functions: u32| Panel {
        title: match functions {
            1 => "A script that calls one function".into(),
            _ => format!("A script that calls {functions} functions by turns"),
        },
        curves: vec![
            curve(functions, STOCK, "MicroPython's own"),
            curve(functions, "farcall", "farcall"),
        ],
    };
    let panels = FUNCTIONS.map(panel).into_iter();
    panels
        .filter(|panel| panel.curves.iter().all(|curve| curve.points.len() > 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slowest_point_is_named_by_functions_and_calls() {
        let mut samples = Samples::default();
        let text = "sample\twhole/1/1\tfarcall\t98 98\nsample\twhole/1/1\tstock\t100 100\n\
                    sample\twhole/20/10\tfarcall\t103 103\nsample\twhole/20/10\tstock\t100 100\n";
        samples.read(text).expect("samples");
        let judged = slowest(&samples).expect("two points");
        assert!((judged.value - 1.03).abs() < 1e-9);
        assert_eq!(judged.note, "20/10 1.03, 1/1 0.98");
        assert!(slowest(&Samples::default()).is_none());
        assert!(curves(&samples).is_empty());
    }
}
