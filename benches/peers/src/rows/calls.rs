//! Calls of C functions whose arguments lie in memory.

use super::{Bench, Purpose, functions};
use crate::library::{CCase, LibffiCall, LibffiLoop, SlotsLoop, Trampoline};
use crate::sampler::Peer;
use crate::signatures::Case;
use anyhow::Result;
use farcall::{Function, Value};
use std::cell::Cell;
use std::ffi::c_void;
use std::hint::black_box;

/// Calls a function of a case's signature a given number of times and returns the slot with the last result.
type Run<'a> = Box<dyn Fn(u64) -> u64 + 'a>;

/// Each signature through farcall's bare trampoline, the same typed call written in C, each libffi, and the crate's two ways to call.
pub fn from_slots(bench: &Bench, purpose: Purpose) -> Result<()> {
    for case in &bench.cases {
        let c = bench.c.case(case.name)?;
        let target = match purpose {
            Purpose::Time => c.ends,
            Purpose::Check => c.weighed,
        };
        let (_made, trampoline) = functions::trampoline(case.ret, case.args)?;
        let slots = |n: usize, call| in_slots(case, c.slots_loops[n], call, target);
        let mut runs = vec![
            ("farcall".to_owned(), slots(0, trampoline)),
            ("c".to_owned(), slots(1, c.typed_call)),
        ];
        through_libffi(bench, case, c, target, &mut runs)?;
        through_the_crate(case, target, &mut runs)?;
        typed(case, target, &mut runs)?;
        for (name, run) in &runs {
            bench.check(case, purpose, name, || run(1))?;
        }
        let peers = runs.into_iter().map(|(name, run)| {
            Peer::new(name, move |count| {
                run(count);
            })
        });
        bench.row(purpose, &format!("call/{}", case.name), peers.collect());
    }
    Ok(())
}

/// Through a trampoline.
fn in_slots<'a>(
    case: &'a Case,
    in_loop: SlotsLoop,
    call: Trampoline,
    target: *const c_void,
) -> Run<'a> {
    let result = Cell::new(0);
    Box::new(move |count| {
        // SAFETY: trampoline and target are of the case's signature, and there is a slot for each argument.
        unsafe { in_loop(call, target, case.slots.as_ptr(), result.as_ptr(), count) };
        result.get()
    })
}

/// Through `Function::call_slots` and `Function::call`, which check their arguments and keep the library open.
fn through_the_crate<'a>(
    case: &'a Case,
    target: *const c_void,
    runs: &mut Vec<(String, Run<'a>)>,
) -> Result<()> {
    let function = Function::at(target, case.ret, case.args)?;
    let with_values = function.clone();
    runs.push((
        "farcall slots".into(),
        Box::new(move |count| {
            let mut result = 0;
            for _ in 0..count {
                // SAFETY: the function is of the case's signature, and the slots hold its arguments.
                let called = unsafe { function.call_slots(black_box(&case.slots)) };
                result = called.expect("as many slots as arguments");
            }
            result
        }),
    ));
    let values: Vec<Value> = case.values().collect();
    runs.push((
        "farcall values".into(),
        Box::new(move |count| {
            let mut result = Value::Void;
            for _ in 0..count {
                // SAFETY: as above.
                let called = unsafe { with_values.call(black_box(&values)) };
                result = called.expect("values of the arguments' types");
            }
            slot_of(result)
        }),
    ));
    Ok(())
}

/// Through `Function::typed`, for the signature of two ints.
fn typed<'a>(
    case: &'a Case,
    target: *const c_void,
    runs: &mut Vec<(String, Run<'a>)>,
) -> Result<()> {
    if case.name != "add2" {
        return Ok(());
    }
    let function = Function::at(target, case.ret, case.args)?.typed::<(i32, i32), i32>()?;
    let args = (case.slots[0] as i32, case.slots[1] as i32);
    runs.push((
        "farcall typed".into(),
        Box::new(move |count| {
            let mut result = 0;
            for _ in 0..count {
                // SAFETY: the function is of the case's signature.
                result = unsafe { function.call(black_box(args)) }.expect("no library");
            }
            i64::from(result) as u64
        }),
    ));
    Ok(())
}

/// The slot that holds a value.
fn slot_of(value: Value) -> u64 {
    match value {
        Value::Void => 0,
        Value::Int(value) => value as u64,
        Value::Uint(value) => value,
        Value::Float(value) => value.to_bits().into(),
        Value::Double(value) => value.to_bits(),
        Value::Pointer(value) => value as u64,
        wide => unreachable!("results of one slot, got {wide}"),
    }
}

/// Through `ffi_call` of each libffi and, where there are plans, `ffi_call_plan_invoke`.
fn through_libffi<'a>(
    bench: &'a Bench,
    case: &'a Case,
    c: &CCase,
    target: *const c_void,
    runs: &mut Vec<(String, Run<'a>)>,
) -> Result<()> {
    let mut loops = c.libffi_loops.iter();
    let mut add = |name: String, call, prepared| {
        if let Some(in_loop) = loops.next() {
            runs.push((name, with_pointers(case, *in_loop, call, prepared, target)));
        }
    };
    for libffi in &bench.libffis {
        let cif = libffi.prepare(case.ret, case.args)?;
        add(libffi.name.clone(), libffi.call, cif);
        if let Some(invoke) = libffi.plan_invoke {
            add(format!("{} plan", libffi.name), invoke, libffi.plan(cif)?);
        }
    }
    Ok(())
}

fn with_pointers<'a>(
    case: &'a Case,
    in_loop: LibffiLoop,
    call: LibffiCall,
    prepared: *mut c_void,
    target: *const c_void,
) -> Run<'a> {
    let values: Vec<*const u64> = case.slots.iter().map(std::ptr::from_ref).collect();
    let result = Cell::new(0);
    Box::new(move |count| {
        // SAFETY: what was prepared for the case's signature, and pointers to as many values; each lies in the low bytes of
        // its slot, which is where a little-endian machine looks for narrower ones.
        unsafe {
            in_loop(
                call,
                prepared,
                target,
                result.as_ptr(),
                values.as_ptr(),
                count,
            )
        };
        result.get()
    })
}

/// Prepares libffi's cifs, and prepares and uses them once, as programs do that keep none.
pub fn prepared_each_time(bench: &Bench) -> Result<()> {
    for case in &bench.cases {
        let target = bench.c.case(case.name)?.ends;
        let values: &Vec<*const u64> = &case.slots.iter().map(std::ptr::from_ref).collect();
        let mut preparing = Vec::new();
        let mut calling = Vec::new();
        for libffi in &bench.libffis {
            let cif = libffi.prepare(case.ret, case.args)?;
            preparing.push(Peer::new(&libffi.name, move |count| {
                // SAFETY: a cif of this libffi.
                unsafe { (libffi.prepare_often)(cif, count) }
            }));
            calling.push(Peer::new(&libffi.name, move |count| {
                let mut result = 0;
                // SAFETY: a cif of this libffi for the target, and as many values as it takes.
                unsafe {
                    (libffi.prepare_and_call)(cif, target, &mut result, values.as_ptr(), count);
                }
            }));
        }
        bench
            .sampler
            .row(&format!("prepared/{}", case.name), preparing);
        bench
            .sampler
            .row(&format!("prepared and called/{}", case.name), calling);
    }
    Ok(())
}
