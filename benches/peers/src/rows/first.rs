//! The cost of new signatures: made, called once, called until there is code.
//!
//! Each round takes new signatures, the same for all peers.

use super::{Bench, functions};
use crate::library::{ClosureHandler, Libffi};
use crate::sampler::{self, Peer};
use anyhow::{Result, ensure};
use farcall::{Callback, Codes, Function, Role};
use farcall_engine::{self as engine, Compiled, Direction, Endpoint};
use farcall_memory::Shared;
use std::ffi::c_void;
use std::hint::black_box;
use std::time::Instant;

/// New signatures in one turn.
const FRESH: usize = 10;

/// The most rounds: together they use up all signatures.
const ROUNDS: usize = 81;

/// Letters of types that go different ways.
const LETTERS: [char; 6] = ['i', 'q', 'd', 'f', 'B', 'h'];

/// The number of arguments of new signatures.
const ARGS: usize = 5;

/// The value of every argument, small enough for each type.
const SLOTS: [u64; ARGS] = [1; ARGS];

/// Hands out new signatures, those of one turn at a time.
#[derive(Default)]
struct Signatures {
    used: usize,
}

impl Signatures {
    /// The argument letters of some new signatures.
    fn next(&mut self) -> Result<Vec<String>> {
        let numbers = self.used..self.used + FRESH;
        self.used = numbers.end;
        ensure!(
            numbers.end <= LETTERS.len().pow(ARGS as u32),
            "no more signatures"
        );
        Ok(numbers.map(signature).collect())
    }
}

/// The argument letters of the signature with a number: neighbours differ from their first argument on.
fn signature(number: usize) -> String {
    let digit = |place: u32| LETTERS[number / LETTERS.len().pow(place) % LETTERS.len()];
    (0..ARGS as u32).map(digit).collect()
}

/// Takes the time of `work` with each signature of a turn.
type Turn<'a> = Box<dyn FnMut(&[String]) -> Result<f64> + 'a>;

/// A peer of a row.
struct Fresh<'a> {
    name: String,
    turn: Turn<'a>,
    rounds: Vec<(f64, f64)>,
}

impl<'a> Fresh<'a> {
    fn new(name: &str, turn: impl FnMut(&[String]) -> Result<f64> + 'a) -> Fresh<'a> {
        Fresh {
            name: name.to_owned(),
            turn: Box::new(turn),
            rounds: Vec::new(),
        }
    }
}

/// Nanoseconds of `work` for one of the things in a turn.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_nanos() as f64 / FRESH as f64)
}

/// All rows.
pub fn all(bench: &Bench) -> Result<()> {
    let target = bench.c.case("none")?.ends;
    let mut signatures = Signatures::default();
    let mut row = |name: &str, peers| measure(bench, name, peers, &mut signatures);
    row("first/made", made(bench, target, 0))?;
    row("first/made and called once", made(bench, target, 1))?;
    row("first/made and called 16 times", made(bench, target, 16))?;
    row("first/made and called 256 times", made(bench, target, 256))?;
    row("first/closure made", closures(bench)?)?;
    row(
        "first/call",
        vec![Fresh::new("farcall", move |args| first_call(args, target))],
    )?;
    row(
        "first/call by plan",
        vec![Fresh::new("farcall", move |args| {
            call_by_plan(args, target)
        })],
    )?;
    row(
        "first/call by code",
        vec![Fresh::new("farcall", move |args| {
            call_by_code(args, target)
        })],
    )?;
    row("first/code", vec![Fresh::new("farcall", published)])
}

/// Runs each peer once in each round, beside a reference that always takes the same.
fn measure(
    bench: &Bench,
    row: &str,
    mut peers: Vec<Fresh<'_>>,
    signatures: &mut Signatures,
) -> Result<()> {
    let mut reference: Peer<'_> = functions::calls_in_c(bench)?;
    let count = bench.sampler.calibrate(&mut reference);
    for round in 0..bench.sampler.rounds.min(ROUNDS) {
        let fresh = signatures.next()?;
        for turn in 0..peers.len() {
            let index = (round + turn) % peers.len();
            let peer = &mut peers[index];
            let taken = (peer.turn)(&fresh)?;
            peer.rounds
                .push((taken, sampler::timed(&mut reference, count)));
        }
    }
    for peer in &peers {
        sampler::print_with_reference(row, &peer.name, &peer.rounds);
    }
    Ok(())
}

/// Makes functions, and calls each `calls` times: `Function::at` and `call_slots`; `ffi_prep_cif` and `ffi_call`.
fn made<'a>(bench: &'a Bench, target: *const c_void, calls: u64) -> Vec<Fresh<'a>> {
    let mut kept = Vec::new();
    let mut peers = vec![Fresh::new("farcall", move |fresh| {
        kept.reserve(FRESH);
        timed(|| {
            for args in fresh {
                let function = Function::at(target, "v", args)?;
                for _ in 0..calls {
                    call(&function)?;
                }
                kept.push(function);
            }
            Ok(())
        })
    })];
    for libffi in &bench.libffis {
        peers.push(Fresh::new(&libffi.name, move |fresh| {
            let cifs = declared(libffi, fresh)?;
            let values: Vec<*const u64> = SLOTS.iter().map(std::ptr::from_ref).collect();
            let mut result = 0;
            timed(|| {
                // SAFETY: the cifs are declared, the values are as many as each has arguments, and the target, which takes none,
                // does not mind them.
                unsafe {
                    (libffi.prepare_each)(
                        cifs.as_ptr(),
                        cifs.len() as u64,
                        target,
                        &mut result,
                        values.as_ptr(),
                        calls,
                    );
                }
                Ok(())
            })
        }));
    }
    peers
}

/// Calls a function of a turn's signature.
fn call(function: &Function) -> Result<()> {
    // SAFETY: the function takes no arguments, and does not mind those that a C caller cleans up.
    black_box(unsafe { function.call_slots(&SLOTS) })?;
    Ok(())
}

fn declared(libffi: &Libffi, fresh: &[String]) -> Result<Vec<*mut c_void>> {
    fresh.iter().map(|args| libffi.declare("v", args)).collect()
}

/// Makes callbacks: `Callback::with_slots`; `ffi_prep_cif` and `ffi_prep_closure_loc`. They are freed outside of the turn.
fn closures(bench: &Bench) -> Result<Vec<Fresh<'_>>> {
    let handler: ClosureHandler = bench.c.case("none")?.closure_ends;
    let mut peers = vec![Fresh::new("farcall", |fresh| {
        let mut kept = Vec::with_capacity(FRESH);
        timed(|| {
            for args in fresh {
                kept.push(Callback::with_slots("v", args, |_, _| {})?);
            }
            Ok(())
        })
    })];
    for libffi in &bench.libffis {
        peers.push(Fresh::new(&libffi.name, move |fresh| {
            let cifs = declared(libffi, fresh)?;
            let mut kept = vec![std::ptr::null_mut(); cifs.len()];
            let taken = timed(|| {
                let count = cifs.len() as u64;
                // SAFETY: the cifs are declared, and there is a place for each closure. The handler looks at no argument.
                unsafe {
                    (libffi.prepare_closures)(cifs.as_ptr(), count, handler, kept.as_mut_ptr());
                }
                Ok(())
            });
            for closure in kept {
                // SAFETY: it has just been made, and nobody calls it.
                unsafe { (libffi.closure_free)(closure) };
            }
            taken
        }));
    }
    Ok(peers)
}

/// The first call of functions that are made already.
fn first_call(fresh: &[String], target: *const c_void) -> Result<f64> {
    let made = fresh.iter().map(|args| Function::at(target, "v", args));
    let made: Vec<Function> = made.collect::<farcall::Result<_>>()?;
    timed(|| made.iter().try_for_each(call))
}

/// The second call, which follows the plan as the first did.
fn call_by_plan(fresh: &[String], target: *const c_void) -> Result<f64> {
    let made = fresh.iter().map(|args| Function::at(target, "v", args));
    let made: Vec<Function> = made.collect::<farcall::Result<_>>()?;
    made.iter().try_for_each(call)?;
    timed(|| made.iter().try_for_each(call))
}

/// A call by code, with as many signatures in turn.
fn call_by_code(fresh: &[String], target: *const c_void) -> Result<f64> {
    for args in fresh {
        compiled(args)?.serve_with_code(Direction::Call, Endpoint::Slots);
    }
    let made = fresh.iter().map(|args| Function::at(target, "v", args));
    let made: Vec<Function> = made.collect::<farcall::Result<_>>()?;
    for _ in 0..WARM {
        made.iter().try_for_each(call)?;
    }
    timed(|| made.iter().try_for_each(call))
}

/// Calls after which no function is on its plan any more.
const WARM: usize = 32;

fn compiled(args: &str) -> Result<Shared<Compiled>> {
    let codes = Codes::parse("v", args, Role::Function)?;
    Ok(engine::compile(codes.signature()?, None)?)
}

/// Makes code for signatures that are planned already.
fn published(fresh: &[String]) -> Result<f64> {
    let compiled = fresh.iter().map(|args| compiled(args));
    let compiled: Vec<Shared<Compiled>> = compiled.collect::<Result<_>>()?;
    timed(|| {
        for compiled in &compiled {
            black_box(compiled.serve_with_code(Direction::Call, Endpoint::Slots));
        }
        Ok(())
    })
}
