//! Callbacks: calls by C, and making and freeing.

use super::{Bench, Purpose};
use crate::library::Caller;
use crate::sampler::Peer;
use crate::signatures::Case;
use anyhow::Result;
use farcall::{Codes, Pointer, Role, Value};
use farcall_engine::{Callback, Compiled, Direction, Endpoint, Handler, compile};
use farcall_memory::Shared;
use std::ffi::c_void;
use std::hint::black_box;

/// The code for callbacks of a case's signature.
pub fn compiled(case: &Case) -> Result<Shared<Compiled>> {
    let codes = Codes::parse(case.ret, case.args, Role::Callback)?;
    let compiled = compile(codes.signature()?, None)?;
    compiled.serve_with_code(Direction::Entry, Endpoint::Slots);
    Ok(compiled)
}

/// A callback whose handler needs no context.
pub fn raw(compiled: &Shared<Compiled>, handler: Handler) -> Result<Callback> {
    // SAFETY: the handlers of the C side only read their slots and write the result.
    Ok(unsafe { Callback::new(compiled.clone(), handler, std::ptr::null_mut()) }?)
}

/// C calls a function pointer: a C function, a callback of farcall's, a closure of each libffi. All of them do the same.
pub fn called(bench: &Bench, purpose: Purpose) -> Result<()> {
    for case in &bench.cases {
        let c = bench.c.case(case.name)?;
        let (function, slots, closure) = match purpose {
            Purpose::Time => (c.ends, c.slots_ends, c.closure_ends),
            Purpose::Check => (c.weighed, c.slots_weighed, c.closure_weighed),
        };
        let callback = raw(&compiled(case)?, slots)?;
        let mut pointers = vec![("farcall", callback.code()), ("c", function)];
        if purpose == Purpose::Time {
            pointers.push(("c slots", c.entry));
        }
        let of_the_crate = match (purpose, case.name) {
            (Purpose::Time, "add2") => Some((with_slots(case)?, with_values(case)?)),
            _ => None,
        };
        if let Some((slots, values)) = &of_the_crate {
            pointers.push(("farcall slots", slots.code()));
            pointers.push(("farcall values", values.code()));
        }
        let typed = match &of_the_crate {
            Some(_) => Some(Typed::new()?),
            None => None,
        };
        if let Some(typed) = &typed {
            pointers.push(("farcall typed", typed.empty.code()));
            pointers.push(("farcall typed, owning", typed.owning.code()));
            pointers.push(("farcall typed, for good", typed.leaked.address()));
            if let Some(closures) = &bench.closures {
                pointers.push(("libffi crate", closures.add2()));
            }
        }
        let mut closures = Vec::new();
        for libffi in &bench.libffis {
            let cif = libffi.prepare(case.ret, case.args)?;
            let closure = libffi.closure(cif, closure)?;
            pointers.push((&libffi.name, closure.code));
            closures.push(closure);
        }
        let mut peers = Vec::new();
        for ((name, pointer), caller) in pointers.into_iter().zip(c.callers) {
            bench.check(case, purpose, name, || call(caller, case, pointer, 1))?;
            peers.push(Peer::new(name, move |count| {
                call(caller, case, pointer, count);
            }));
        }
        bench.row(purpose, &format!("callback/{}", case.name), peers);
    }
    Ok(())
}

/// The type of the functions of two ints that C calls.
type Add = unsafe extern "C" fn(i32, i32) -> i32;

/// `Callback::new` that adds two ints: with a closure without captures, and with one that has some.
struct Typed {
    empty: farcall::Callback<Add>,
    owning: farcall::Callback<Add>,
    leaked: Add,
}

impl Typed {
    fn new() -> farcall::Result<Typed> {
        Ok(Typed {
            empty: farcall::Callback::new(|one: i32, other: i32| one.wrapping_add(other))?,
            owning: owning()?,
            leaked: farcall::Callback::leak(adding())?,
        })
    }
}

/// A closure that adds three ints, one of which it captures.
fn adding() -> impl Fn(i32, i32) -> i32 + Send + Sync + 'static {
    let third = black_box(0);
    move |one: i32, other: i32| one.wrapping_add(other).wrapping_add(third)
}

/// `Callback::new` with a closure that has captures.
fn owning() -> farcall::Result<farcall::Callback<Add>> {
    farcall::Callback::new(adding())
}

/// `Callback::with_slots` that adds two ints.
fn with_slots(case: &Case) -> farcall::Result<farcall::Callback> {
    farcall::Callback::with_slots(case.ret, case.args, |slots, result| {
        *result = i64::from(slots[0] as i32 + slots[1] as i32) as u64;
    })
}

/// `Callback::with_codes` that adds two ints.
pub fn with_values(case: &Case) -> farcall::Result<farcall::Callback> {
    farcall::Callback::with_codes(case.ret, case.args, |values| match values {
        [Value::Int(one), Value::Int(other)] => Value::Int(one + other),
        _ => Value::Void,
    })
}

/// Makes C call a function pointer of the case's type.
pub fn call(caller: Caller, case: &Case, pointer: *const c_void, count: u64) -> u64 {
    let mut result = 0;
    // SAFETY: the pointer is of the case's type, and there is a slot for each argument.
    unsafe { caller(pointer, case.slots.as_ptr(), &mut result, count) };
    result
}

/// Makes and frees a callback, whose signature is compiled, or whose cif is prepared, already.
pub fn made_and_freed(bench: &Bench) -> Result<()> {
    for case in bench.cases.iter().filter(|case| case.name == "add2") {
        let c = bench.c.case(case.name)?;
        let compiled = compiled(case)?;
        raw(&compiled, c.slots_ends)?;
        let mut peers = vec![Peer::new("farcall", move |count| {
            for _ in 0..count {
                black_box(raw(&compiled, c.slots_ends)).expect("memory for callbacks");
            }
        })];
        peers.push(Peer::new("farcall typed, owning", move |count| {
            for _ in 0..count {
                black_box(owning()).expect("memory for callbacks");
            }
        }));
        if let Some(closures) = &bench.closures {
            peers.push(Peer::new("libffi crate", |count| closures.churn(count)));
        }
        for libffi in &bench.libffis {
            let cif = libffi.prepare(case.ret, case.args)?;
            // SAFETY: a cif of this libffi and a handler for it.
            let churn = move |count| unsafe { (libffi.churn)(cif, c.closure_ends, count) };
            peers.push(Peer::new(&libffi.name, churn));
        }
        bench.sampler.row("made", peers);
    }
    Ok(())
}
