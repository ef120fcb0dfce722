//! Checks costs that must not grow: that of a call with the number of signatures, of callbacks, and, but for a trifle, of arguments.

use super::{Bench, callbacks, functions};
use crate::sampler::{self, Peer, Sampler};
use anyhow::Result;
use farcall::Function;
use std::hint::black_box;

/// The numbers of callbacks, and of signatures, that exist meanwhile.
const CALLBACKS: [usize; 3] = [1, 1000, 100_000];
const SIGNATURES: [usize; 4] = [1, 10, 100, 1000];

/// The number of cycles through these numbers.
const CYCLES: usize = 31;

/// Turns within a cycle, of which the median counts.
const TURNS: usize = 5;

/// Measures all of these rows; or, in a process of its own, one number of signatures.
pub fn all(bench: &Bench, detail: &str) -> Result<()> {
    if let Ok(signatures) = detail.parse() {
        return with_signatures(bench, signatures);
    }
    register_arguments(bench, 'q', 6)?;
    register_arguments(bench, 'd', 8)?;
    live_callbacks(bench)?;
    let cycles = CYCLES.min(bench.sampler.rounds);
    for _ in 0..cycles {
        for count in SIGNATURES {
            bench.in_child(&format!("flat:{count}"))?;
        }
    }
    Ok(())
}

/// Times calls with ever more arguments that go into registers. The function takes none of them, so only the passing is timed.
fn register_arguments(bench: &Bench, letter: char, most: usize) -> Result<()> {
    let c = bench.c.case("none")?;
    let target = c.ends;
    let call = c.slots_loops[0];
    let slots = vec![0; most];
    let functions = (0..=most).map(|count| {
        let args: String = std::iter::repeat_n(letter, count).collect();
        functions::trampoline("v", &args)
    });
    let functions: Vec<_> = functions.collect::<Result<_>>()?;
    let peers = functions
        .iter()
        .enumerate()
        .map(|(count, (_, trampoline))| {
            let slots = &slots;
            let mut result = 0;
            Peer::new(format!("{count}"), move |times| {
                // SAFETY: there are as many slots as the trampoline reads. The caller of a C function cleans up
                // behind it, so a function without parameters does not mind arguments.
                unsafe { call(*trampoline, target, slots.as_ptr(), &mut result, times) };
            })
        });
    let row = format!("flat/arguments/{letter}");
    bench.sampler.row(&row, peers.collect());
    Ok(())
}

/// A short version of the sampler, for one cycle.
fn few_turns(sampler: Sampler) -> Sampler {
    Sampler {
        rounds: TURNS,
        ..sampler
    }
}

/// Calls a callback, and makes and frees another, while ever more of them exist.
fn live_callbacks(bench: &Bench) -> Result<()> {
    let case = bench.case("add2")?;
    let c = bench.c.case(case.name)?;
    let compiled = callbacks::compiled(case)?;
    let sampler = few_turns(bench.sampler);
    let mut samples = vec![[const { Vec::new() }; 3]; CALLBACKS.len()];
    for _ in 0..CYCLES.min(bench.sampler.rounds) {
        let mut live = Vec::new();
        for (samples, count) in samples.iter_mut().zip(CALLBACKS) {
            while live.len() < count {
                live.push(callbacks::raw(&compiled, c.slots_ends)?);
            }
            let newest = live[count - 1].code();
            let mut peers = [
                Peer::new("call", |times| {
                    callbacks::call(c.callers[0], case, newest, times);
                }),
                Peer::new("made", |times| {
                    for _ in 0..times {
                        black_box(callbacks::raw(&compiled, c.slots_ends)).expect("memory");
                    }
                }),
                Peer::new("c", |times| {
                    callbacks::call(c.callers[1], case, c.ends, times);
                }),
            ];
            for (samples, median) in samples.iter_mut().zip(sampler.medians(&mut peers)) {
                samples.push(median);
            }
        }
    }
    for (samples, count) in samples.iter().zip(CALLBACKS) {
        for (samples, what) in samples.iter().zip(["call", "made", "c"]) {
            sampler::print(
                &format!("flat/callbacks/{what}"),
                &count.to_string(),
                samples,
            );
        }
    }
    Ok(())
}

/// Calls a function, and makes it again, while `count` signatures are compiled. This runs once in a process.
fn with_signatures(bench: &Bench, count: usize) -> Result<()> {
    let c = bench.c.case("add2")?;
    let target = c.ends;
    let (_made, trampoline) = functions::trampoline("i", "ii")?;
    let _function = Function::at(target, "i", "ii")?;
    let others = (1..count).map(|number| {
        let args = functions::fresh_signature(number);
        functions::trampoline("i", &args)
    });
    let _others: Vec<_> = others.collect::<Result<_>>()?;
    let slots = [1, 2];
    let in_loop = |n: usize, trampoline| {
        let call = c.slots_loops[n];
        let mut result = 0;
        move |times| {
            // SAFETY: both are for functions of two ints, of which there are two slots.
            unsafe { call(trampoline, target, slots.as_ptr(), &mut result, times) };
        }
    };
    let mut peers = [
        Peer::new("call", in_loop(0, trampoline)),
        Peer::new("seen", |times| {
            for _ in 0..times {
                black_box(Function::at(target, "i", "ii")).expect("a known signature");
            }
        }),
        Peer::new("c", in_loop(1, c.typed_call)),
    ];
    let medians = few_turns(bench.sampler).medians(&mut peers);
    for (median, what) in medians.iter().zip(["call", "seen", "c"]) {
        sampler::print(
            &format!("flat/signatures/{what}"),
            &count.to_string(),
            &[*median],
        );
    }
    Ok(())
}
