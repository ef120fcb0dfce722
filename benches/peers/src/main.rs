//! Times farcall beside its competitors, all in one process and by turns.
//!
//! `cargo xtask bench` compiles the C side, runs this program and makes tables of its output: a line for each peer in a row, with the time
//! of each round, tab-separated. It can be run by itself, too.

mod closures;
mod library;
mod rows;
mod sampler;
mod signatures;

use anyhow::{Result, bail};
use clap::Parser;
use closures::Closures;
use library::{CSide, Libffi};
use rows::Bench;
use sampler::Sampler;
use std::path::PathBuf;

/// The groups to measure, and the files for that.
#[derive(Parser)]
struct Args {
    /// The shared object with the generated cases.
    #[arg(long)]
    cases: PathBuf,
    /// A libffi as NAME=GLUE=LIBRARY: libffi.c compiled with its headers, and the library itself.
    #[arg(long)]
    libffi: Vec<String>,
    /// The library built from `benches/libffi-rs`.
    #[arg(long)]
    closures: Option<PathBuf>,
    /// The number of turns of each peer.
    #[arg(long, default_value_t = 201)]
    rounds: usize,
    /// The length of a turn, in microseconds.
    #[arg(long, default_value_t = 200)]
    turn: u32,
    /// The groups of rows.
    groups: Vec<String>,
}

impl Args {
    /// The command line of the same options.
    fn options(&self) -> Vec<String> {
        let mut words = vec![
            format!("--cases={}", self.cases.display()),
            format!("--rounds={}", self.rounds),
            format!("--turn={}", self.turn),
        ];
        words.extend(
            self.closures
                .iter()
                .map(|closures| format!("--closures={}", closures.display())),
        );
        words.extend(
            self.libffi
                .iter()
                .map(|libffi| format!("--libffi={libffi}")),
        );
        words
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut libffis = Vec::new();
    for libffi in &args.libffi {
        let parts: Vec<&str> = libffi.split('=').collect();
        let [name, glue, library] = parts[..] else {
            bail!("--libffi wants three parts, got {libffi}");
        };
        libffis.push(Libffi::open(name, glue.as_ref(), library.as_ref())?);
    }
    let bench = Bench {
        cases: signatures::all()?,
        c: CSide::open(&args.cases)?,
        libffis,
        closures: args.closures.as_deref().map(Closures::open).transpose()?,
        sampler: Sampler {
            rounds: args.rounds,
            turn: f64::from(args.turn) * 1000.0,
        },
        options: args.options(),
    };
    sampler::pin();
    args.groups.iter().try_for_each(|group| bench.run(group))
}
