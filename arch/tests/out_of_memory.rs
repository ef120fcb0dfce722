//! Where there is no memory, whatever is made says so, and nothing ends the program.
//!
//! An allocator fails from the n-th request of a thread on, for all n; or that request only. What succeeds at last is what is made
//! with memory from the start.

mod common;

use common::model::model;
use common::{EMITTERS, signature};
use farcall_arch::abi::Dialect;
use farcall_arch::emit::unwind::{debug_object, eh_frame, shadow};
use farcall_arch::emit::{self, Code};
use farcall_arch::endpoint::{Boxing, Delivery, ObjectCall, SharedOffsets, Unbox};
use farcall_arch::{Abi, OutOfMemory, Struct, StructError, Type, plan};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Debug;
use std::ptr::null_mut;

#[derive(Clone, Copy)]
enum Failing {
    Never,
    /// All requests after so many.
    After(usize),
    /// The one after so many.
    Once(usize),
}

thread_local! {
    static FAILING: Cell<Failing> = const { Cell::new(Failing::Never) };
}

struct Allocator;

/// Whether the next request fails.
fn fails() -> bool {
    FAILING.with(|failing| match failing.get() {
        Failing::Never => false,
        Failing::After(0) => true,
        Failing::After(left) => {
            failing.set(Failing::After(left - 1));
            false
        }
        Failing::Once(0) => {
            failing.set(Failing::Never);
            true
        }
        Failing::Once(left) => {
            failing.set(Failing::Once(left - 1));
            false
        }
    })
}

// SAFETY: each request fails, as it may, or is the system's allocator's.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match fails() {
            true => null_mut(),
            // SAFETY: the contract is that of `GlobalAlloc`, which the system's allocator has too: the layout is no empty one.
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the contract is that of `GlobalAlloc`; all memory is from the system's allocator, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        match fails() {
            true => null_mut(),
            // SAFETY: as above.
            false => unsafe { System.realloc(memory, layout, size) },
        }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// What is made while memory fails in this way, and whether a request failed.
fn made<T>(failing: Failing, make: impl FnOnce() -> T) -> T {
    FAILING.set(failing);
    let made = make();
    FAILING.set(Failing::Never);
    made
}

/// Makes it with the n-th request failing, for all n. Returns how many requests it takes.
fn assert_fails<T: PartialEq + Debug, E: PartialEq + Debug>(
    what: &str,
    error: E,
    make: impl Fn() -> Result<T, E>,
) -> usize {
    let wanted = make();
    assert!(wanted.is_ok(), "{what}: {wanted:?}");
    for n in 0.. {
        let after = made(Failing::After(n), &make);
        let once = made(Failing::Once(n), &make);
        if after == wanted {
            assert_eq!(once, wanted, "{what}");
            return n;
        }
        assert_eq!(after.as_ref(), Err(&error), "{what}, request {n}");
        // A list of a draft that is thrown away may be refused, once there is memory again.
        let is_right = once == wanted || once.as_ref() == Err(&error);
        assert!(is_right, "{what}, request {n} only: {once:?}");
    }
    0
}

/// A signature of each kind that listings are of, and such as have long lists in emitters.
const SIGNATURES: [&str; 16] = [
    "v()",
    "v(qq)",
    "i(i)",
    "f(f)",
    "d(ddf)",
    "b(bBhHiIqQ)",
    "i(idqfhdBp)",
    "q(40q)",
    "d(9dffd)",
    "i(p.idqd)",
    "{2d}({2d})",
    "{qd}(i{qd}{3b})",
    "{7b}({7b}{13b})",
    "{5q}({5q}q)",
    "v({600b}i)",
    "D(FD)",
];

#[test]
fn code_and_unwind_data_say_that_there_is_no_memory() {
    for abi in Abi::ALL {
        for text in SIGNATURES {
            let plan = plan(&signature(text), abi).expect("a plan");
            for (emitter, emit) in EMITTERS {
                let what = format!("{emitter} {text} under {abi}");
                assert!(assert_fails(&what, OutOfMemory, || emit(&plan)) > 0);
                let code = emit(&plan).expect("memory");
                assert_told(&what, &code);
            }
        }
        let thunks = || emit::thunks(abi, 4, 4096);
        assert!(assert_fails("thunks", OutOfMemory, thunks) > 0);
        assert_told("thunks", &thunks().expect("memory"));
    }
}

/// The same of what is told to unwinders and debuggers of code.
fn assert_told(what: &str, code: &Code) {
    let frames = || eh_frame(code, 0x1000);
    assert!(assert_fails(what, OutOfMemory, frames) > 0);
    let frames = frames().expect("memory");
    let object = || debug_object(code, 0x1000, &frames);
    assert!(assert_fails(what, OutOfMemory, object) > 0);
    assert!(assert_fails(what, OutOfMemory, || shadow(code)) > 0);
    let moved = || code.behind_shared(64).map(|code| code.into_owned());
    if !code.to_shared.is_empty() {
        assert!(assert_fails(what, OutOfMemory, moved) > 0);
    }
}

type Make = fn(Vec<Type>) -> Result<Struct, StructError>;

#[test]
fn code_on_objects_says_that_there_is_no_memory() {
    for abi in [Abi::SysV64, Abi::Win64, Abi::Aapcs64(Dialect::Linux)] {
        let model = model(abi);
        let shared = || emit::shared_for_objects(abi, &model);
        assert!(assert_fails("shared code", OutOfMemory, shared) > 0);
        let shared = shared().expect("memory").expect("an emitter").offsets;
        for (text, unbox) in [
            ("q(40q)", Unbox::Int),
            ("d(12d)", Unbox::Float),
            ("q(9p)", Unbox::Pointer),
        ] {
            let signature = signature(text);
            let plan = plan(&signature, abi).expect("a plan");
            let call = ObjectCall {
                args: vec![unbox; signature.args().len()],
                ret: Boxing::Int(0),
            };
            let deliveries = vec![Delivery::Slot; signature.args().len()];
            let what = format!("{text} on objects under {abi}");
            let emit_call = || emit::call_objects(&plan, &call, &model, &shared);
            assert!(assert_fails(&what, OutOfMemory, emit_call) > 0);
            let emit_entry = || emit::callback_entry_objects(&plan, &model, &deliveries, 0x1000);
            assert!(assert_fails(&what, OutOfMemory, emit_entry) > 0);
            let code = emit_call().expect("memory").expect("an emitter");
            assert_told(&what, &code);
        }
    }
}

#[test]
fn code_on_structures_says_that_there_is_no_memory() {
    for abi in [Abi::SysV64, Abi::Win64, Abi::Aapcs64(Dialect::Linux)] {
        let signature = signature("{qq}(9{qq}{40q})");
        let plan = plan(&signature, abi).expect("a plan");
        let call = ObjectCall {
            args: vec![Unbox::Bytes; signature.args().len()],
            ret: Boxing::Bytes,
        };
        let (model, shared) = (model(abi), SharedOffsets::default());
        let emit_call = || emit::call_objects(&plan, &call, &model, &shared);
        let what = format!("structures on objects under {abi}");
        assert!(assert_fails(&what, OutOfMemory, emit_call) > 0);
    }
}

#[test]
fn types_say_that_there_is_no_memory() {
    let makes: [(&str, Make); 3] = [
        ("structure", Struct::new),
        ("packed", |types| Struct::with_layout(types, 24, 1)),
        ("union", Struct::union),
    ];
    for (what, make) in makes {
        let types = || vec![Type::I8, Type::F64, Type::I32];
        let make = || {
            // The list is its owner's matter.
            let failing = FAILING.replace(Failing::Never);
            let types = types();
            FAILING.set(failing);
            make(types)
        };
        assert!(assert_fails(what, StructError::OutOfMemory, make) > 0);
    }
    let block = Struct::new(vec![Type::I8]).expect("a structure");
    let refused = made(Failing::After(0), move || Type::try_from(block));
    assert_eq!(refused, Err(OutOfMemory));
}
