//! Measures the memory of signatures and callbacks, as the kernel counts it. Each figure is taken in a process of its own.

use super::{Bench, callbacks, functions};
use crate::sampler;
use anyhow::{Context, Result, ensure};
use std::fs;

/// The numbers of signatures and of callbacks.
const SIGNATURES: usize = 1000;
const CALLBACKS: usize = 100_000;

/// The sums of `/proc/self/smaps`.
#[derive(Default)]
struct Memory {
    /// Bytes of mappings that are executable and belong to no file.
    code: f64,
    /// Bytes with memory behind them. A page that is mapped several times counts once.
    used: f64,
    /// The number of mappings.
    mappings: f64,
}

impl Memory {
    fn now() -> Result<Memory> {
        let text = fs::read_to_string("/proc/self/smaps").context("cannot read smaps")?;
        let mut memory = Memory::default();
        let mut is_code = false;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [_, permissions, _, _, _, ref path @ ..] if permissions.len() == 4 => {
                    is_code = permissions.contains('x') && path.is_empty();
                    memory.mappings += 1.0;
                }
                ["Size:", kilobytes, "kB"] if is_code => {
                    memory.code += kilobytes.parse::<f64>()? * 1024.0;
                }
                ["Pss:", kilobytes, "kB"] => memory.used += kilobytes.parse::<f64>()? * 1024.0,
                _ => {}
            }
        }
        Ok(memory)
    }

    /// Prints the growth since `before`.
    fn print_growth(&self, before: &Memory, row: &str, peer: &str) {
        for (what, now, then) in [
            ("code", self.code, before.code),
            ("used", self.used, before.used),
            ("mappings", self.mappings, before.mappings),
        ] {
            sampler::print_count(&format!("{row}/{what}"), peer, now - then);
        }
    }
}

/// Measures that many signatures, all in use.
pub fn of_signatures() -> Result<()> {
    let mut kept = Vec::with_capacity(SIGNATURES);
    let before = Memory::now()?;
    for number in 0..SIGNATURES {
        let args = functions::fresh_signature(number);
        kept.push(functions::trampoline("v", &args)?);
    }
    Memory::now()?.print_growth(&before, "memory/signatures", "farcall");
    Ok(())
}

/// Measures that many callbacks of one signature, made by the named peer; without a name, by each in turn.
pub fn of_callbacks(bench: &Bench, peer: &str) -> Result<()> {
    if peer.is_empty() {
        bench.in_child("callbacks:farcall")?;
        return bench
            .libffis
            .iter()
            .try_for_each(|libffi| bench.in_child(&format!("callbacks:{}", libffi.name)));
    }
    let case = bench.case("add2")?;
    let c = bench.c.case(case.name)?;
    if peer == "farcall" {
        let compiled = callbacks::compiled(case)?;
        let make = || callbacks::raw(&compiled, c.slots_ends);
        return many(peer, make);
    }
    let libffi = bench.libffis.iter().find(|libffi| libffi.name == peer);
    let libffi = libffi.with_context(|| format!("there is no {peer}"))?;
    let cif = libffi.prepare(case.ret, case.args)?;
    many(peer, || libffi.closure(cif, c.closure_ends))
}

fn many<T>(peer: &str, mut make: impl FnMut() -> Result<T>) -> Result<()> {
    // Written to, so that the list itself has its memory before the count.
    let mut kept: Vec<Option<T>> = std::iter::repeat_with(|| None).take(CALLBACKS).collect();
    let before = Memory::now()?;
    for place in &mut kept {
        *place = Some(make()?);
    }
    let after = Memory::now()?;
    ensure!(kept.iter().all(Option::is_some), "one is missing");
    after.print_growth(&before, "memory/callbacks", peer);
    // Not freed, as freeing them one by one takes long with some peers.
    std::mem::forget(kept);
    Ok(())
}
