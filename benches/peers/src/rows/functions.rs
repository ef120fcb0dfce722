//! Makes functions of signatures that are known already. `first.rs` measures new ones.

use super::Bench;
use crate::library::Trampoline;
use crate::sampler::Peer;
use anyhow::Result;
use farcall::{Codes, Function, Role};
use farcall_engine as engine;
use std::hint::black_box;

/// Letters of types that are compiled differently.
const LETTERS: [char; 6] = ['i', 'q', 'd', 'f', 'B', 'h'];

/// The argument letters of a signature of its own for each number, four to six arguments.
pub fn fresh_signature(number: usize) -> String {
    let digit = |place: u32| LETTERS[number / 6_usize.pow(place) % 6];
    (0..4 + number as u32 % 3).map(digit).collect()
}

/// The code that calls functions of a signature, which must be kept while it is in use.
pub fn trampoline(ret: &str, args: &str) -> Result<(engine::Trampoline, Trampoline)> {
    let codes = Codes::parse(ret, args, Role::Function)?;
    let made = engine::Trampoline::new(engine::compile(codes.signature()?, None)?)?;
    // SAFETY: it is a function of this type.
    let call = unsafe { std::mem::transmute::<std::ptr::NonNull<u8>, Trampoline>(made.start()) };
    Ok((made, call))
}

/// `Function::at` with a signature seen before.
pub fn seen(bench: &Bench) -> Result<()> {
    for case in &bench.cases {
        let address = bench.c.case(case.name)?.ends;
        let first = Function::at(address, case.ret, case.args)?;
        let make = Peer::new("farcall", move |count| {
            for _ in 0..count {
                black_box(Function::at(address, case.ret, case.args)).expect("a known signature");
            }
        });
        let row = format!("func/seen/{}", case.name);
        bench
            .sampler
            .row_with_reference(&row, make, calls_in_c(bench)?);
        drop(first);
    }
    Ok(())
}

/// The reference, which always takes the same time: calls from slots, written in C.
pub fn calls_in_c(bench: &Bench) -> Result<Peer<'_>> {
    let case = bench.case("add2")?;
    let c = bench.c.case(case.name)?;
    let mut result = 0;
    Ok(Peer::new("c", move |count| {
        // SAFETY: call and function are of the case's signature, and there is a slot for each argument.
        unsafe {
            (c.slots_loops[1])(
                c.typed_call,
                c.ends,
                case.slots.as_ptr(),
                &mut result,
                count,
            )
        };
    }))
}
