//! Memory runs out at any allocation: that is an error and never ends the program; with memory back, the same work succeeds.

#![cfg(unix)]

mod common;

use common::in_child;
use farcall::{Callback, Declarations, Error, Function, Library, StructBytes, Value, Variable};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which fails after a number of requests.
struct Failing;

/// The number of further requests that succeed; [`ALL`] for all.
static LEFT: AtomicUsize = AtomicUsize::new(ALL);

const ALL: usize = usize::MAX;

fn is_met() -> bool {
    let take = |left| match left {
        ALL => None,
        left => Some(usize::saturating_sub(left, 1)),
    };
    match LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
        Ok(left) => left > 0,
        Err(_) => true,
    }
}

// SAFETY: every call is handed on to the system's allocator as it is, or answered with null.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match is_met() {
            // SAFETY: the contract is that of `GlobalAlloc`, which the system's allocator has too: the layout is no empty one.
            true => unsafe { System.alloc(layout) },
            false => ptr::null_mut(),
        }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match is_met() {
            // SAFETY: the contract is that of `GlobalAlloc`: the memory is from this allocator, with this layout.
            true => unsafe { System.realloc(old, layout, size) },
            false => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// More requests than any of the work makes.
const MOST: usize = 400;

/// Does `work` in children, with memory for fewer and for more requests, until there is enough. It must end well or with
/// [`Error::OutOfMemory`]; and well once there is memory again.
fn check(what: &str, work: impl Fn() -> Result<(), Error>) {
    let mut failed = 0;
    for requests in 0..MOST {
        let fine = in_child(|| {
            LEFT.store(requests, Ordering::Relaxed);
            let outcome = work();
            let left = LEFT.swap(ALL, Ordering::Relaxed);
            let is_right = matches!(outcome, Ok(()) | Err(Error::OutOfMemory(_)));
            if !is_right {
                eprintln!("{what}, {requests} requests: {outcome:?}");
            }
            let again = work();
            if again.is_err() {
                eprintln!("{what}, with memory after {requests} requests: {again:?}");
            }
            // A remainder is reported to the parent as a failure: see below.
            is_right && again.is_ok() && left == 0
        });
        if fine {
            failed += 1;
            continue;
        }
        // Either the work failed, or fewer requests were made than were allowed.
        let was_enough = in_child(|| {
            LEFT.store(requests, Ordering::Relaxed);
            let outcome = work();
            let left = LEFT.swap(ALL, Ordering::Relaxed);
            outcome.is_ok() && left > 0
        });
        assert!(was_enough, "{what}, with memory for {requests} requests");
        assert!(failed > 0, "{what} asks for no memory");
        return;
    }
    panic!("{what} never had enough");
}

extern "C" fn add2(a: i32, b: i32) -> i32 {
    a + b
}

fn call(function: &Function) -> Result<(), Error> {
    // SAFETY: all functions here take two ints.
    let sum = unsafe { function.call(&[40.into(), 2.into()])? };
    assert!(sum == Value::Int(42));
    Ok(())
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "builds for debugging check plans, with memory of their own"
)]
fn libraries_functions_and_variables_report_it() {
    let path = common::peer_path();
    let open = || {
        // SAFETY: it has no initialisers of its own.
        unsafe { Library::open(path) }
    };
    check("opening", || open().map(drop));
    check("a function", || {
        let library = open()?;
        let function = library.func("i", "flip_i", "i")?;
        // SAFETY: it is declared as it is.
        let flipped = unsafe { function.call(&[1.into()])? };
        assert!(flipped == Value::Int(-2));
        library.close();
        Ok(())
    });
    check("errors", || {
        let library = open()?;
        let missing = library.func("i", "no_such_function", "i");
        match missing.map(drop) {
            Err(Error::OutOfMemory(none)) => return Err(none.into()),
            other => assert!(other.is_err()),
        }
        let function = library.func("i", "flip_i", "i")?;
        // SAFETY: these are not called.
        let refused = unsafe { [function.call(&[]), function.call(&[0.5.into()])] };
        library.close();
        // SAFETY: as above.
        let closed = unsafe { function.call(&[1.into()]) };
        for error in refused.into_iter().chain([closed]) {
            if let Err(Error::OutOfMemory(none)) = error {
                return Err(none.into());
            }
            assert!(error.is_err());
        }
        Ok(())
    });
    #[cfg(unix)]
    {
        let script = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{}-script.so", std::process::id()));
        let text = format!("INPUT({path}) GROUP(AS_NEEDED(no-such.so) {path})");
        std::fs::write(&script, text).expect("a script");
        let script = script.to_str().expect("it is text");
        check("a linker script", || {
            // SAFETY: it has no initialisers of its own.
            unsafe { Library::open(script) }.map(drop)
        });
    }
    check("a variable at an address", || {
        let mut value = 1_i32;
        let variable = Variable::at((&raw mut value).cast(), "i")?;
        // SAFETY: the variable is there.
        unsafe {
            assert!(variable.get()? == Value::Int(1));
            match variable.set(Value::Int(1 << 40)) {
                Err(Error::OutOfMemory(none)) => Err(none.into()),
                other => {
                    assert!(other.is_err());
                    Ok(())
                }
            }
        }
    });
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "builds for debugging check plans, with memory of their own"
)]
fn calls_go_on_without_memory() {
    for count in [1, 256, 300] {
        check("calls", || {
            let function = Function::at(add2 as *const c_void, "i", "ii")?;
            (0..count).try_for_each(|_| call(&function))
        });
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "builds for debugging check plans, with memory of their own"
)]
fn callbacks_report_it_and_close_without() {
    for count in [1, 300] {
        check("a callback", || {
            let callback = Callback::with_codes("i", "ii", |args| match args {
                [Value::Int(a), Value::Int(b)] => Value::Int(a + b),
                _ => Value::Void,
            })?;
            // SAFETY: the callback is of this type.
            let add = unsafe {
                std::mem::transmute::<*const c_void, extern "C" fn(i32, i32) -> i32>(
                    callback.code(),
                )
            };
            for _ in 0..count {
                assert!(add(40, 2) == 42);
            }
            callback.close();
            Ok(())
        });
    }
    check("a callback with much state", || {
        let state = [7_u64; 64];
        let callback = Callback::with_slots("Q", "", move |_, result| *result = state[63])?;
        let function = Function::at(callback.code(), "Q", "")?;
        // SAFETY: the function is the callback.
        assert!(unsafe { function.call(&[])? } == Value::Uint(7));
        drop(callback);
        Ok(())
    });
}

#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
struct Pair {
    a: i64,
    b: [f64; 3],
}

extern "C" fn turn(pair: Pair) -> Pair {
    let [x, y, z] = pair.b;
    Pair {
        a: -pair.a,
        b: [z, y, x],
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "builds for debugging check plans, with memory of their own"
)]
fn declarations_and_structures_report_it() {
    check("a declared function", || {
        let function = Function::declared(add2 as *const c_void, "int add2(int a, int b)")?;
        call(&function)
    });
    let pair = Pair {
        a: 5,
        b: [1.0, 2.0, 3.0],
    };
    check("a structure", || {
        let c = Declarations::parse("struct pair { long long a; double b[3]; };")?;
        let members = c.ty("struct pair")?.members()?;
        assert!(members.len() == 2);
        let signature = c.signature("struct pair (struct pair)")?;
        let function = Function::of(turn as *const c_void, &signature)?;
        let arg = Value::Struct(StructBytes::of(&pair)?);
        // SAFETY: the function is declared as it is, and its result's members are numbers.
        let back: Pair = unsafe {
            let there = function.call(&[arg])?;
            StructBytes::try_from(function.call(&[there])?)?.read()?
        };
        assert!(back == pair);
        // SAFETY: it is not called.
        match unsafe { function.call(&[1.into()]) } {
            Err(Error::OutOfMemory(none)) => Err(none.into()),
            other => {
                assert!(other.is_err());
                Ok(())
            }
        }
    });
}
