//! Making functions: of a signature that is known already, and of a new one.

use super::Bench;
use crate::sampler::{self, Peer};
use anyhow::Result;
use farcall::Function;
use std::hint::black_box;

/// New signatures in one round.
const FRESH: usize = 10;
/// Rounds: together they stay below the number at which the cache begins to forget.
const ROUNDS: usize = 90;

/// Letters of types that are compiled differently.
const LETTERS: [char; 6] = ['i', 'q', 'd', 'f', 'B', 'h'];

/// The argument letters of a signature of its own for each number, four to six arguments.
pub fn fresh_signature(number: usize) -> String {
    let digit = |place: u32| LETTERS[number / 6_usize.pow(place) % 6];
    (0..4 + number as u32 % 3).map(digit).collect()
}

/// `Function::at` with a signature seen before, and with new ones. All of these functions are kept.
pub fn seen_and_first(bench: &Bench) -> Result<()> {
    for case in &bench.cases {
        let address = bench.c.case(case.name)?.ends;
        let first = Function::at(address, case.ret, case.args)?;
        let make = move |count| {
            for _ in 0..count {
                black_box(Function::at(address, case.ret, case.args)).expect("a known signature");
            }
        };
        bench.sampler.row(
            &format!("func/seen/{}", case.name),
            vec![Peer::new("farcall", make)],
        );
        drop(first);
    }
    let address = bench.c.case("none")?.ends;
    let mut kept = Vec::new();
    let mut samples = Vec::new();
    for round in 0..bench.sampler.rounds.min(ROUNDS) {
        let fresh: Vec<String> = (0..FRESH)
            .map(|n| fresh_signature(round * FRESH + n))
            .collect();
        let start = sampler::processor_time();
        for args in &fresh {
            kept.push(Function::at(address, "v", args)?);
        }
        samples.push((sampler::processor_time() - start) / FRESH as f64);
    }
    sampler::print("func/first", "farcall", &samples);
    Ok(())
}
