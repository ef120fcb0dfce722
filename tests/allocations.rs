//! Calls and callbacks allocate nothing once a signature is known.

use farcall::{Callback, Function, StructBytes, Value};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_void;

/// The system's allocator, which counts this thread's allocations.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count_one() {
    // A thread that is ending has no count any more.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the contract is that of `GlobalAlloc`, which the system's allocator has too: the layout is no empty one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: the contract is that of `GlobalAlloc`: the memory is from this allocator, with this layout.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of allocations that `work` makes.
fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// A number of calls after which there is code.
const MANY: usize = 2000;

/// Checks calls before there is code and after. The first call is left out, as it may make the thread known, and so is the one that makes code.
fn check_calls(what: &str, mut call: impl FnMut()) {
    call();
    let by_plan = allocations(|| (0..8).for_each(|_| call()));
    assert_eq!(by_plan, 0, "{what}, following the plan");
    (0..MANY).for_each(|_| call());
    let by_code = allocations(|| (0..MANY).for_each(|_| call()));
    assert_eq!(by_code, 0, "{what}, once there is code");
}

extern "C" fn add2(a: i32, b: i32) -> i32 {
    a + b
}

extern "C" fn mixed8(a: i32, _: f64, _: i64, _: f32, _: i32, _: f64, _: i64, h: i32) -> f64 {
    f64::from(a + h)
}

fn function(address: *const c_void, ret: &str, args: &str) -> Function {
    Function::at(address, ret, args).expect("a function")
}

#[test]
fn calls_allocate_nothing() {
    let two = function(add2 as *const _, "i", "ii");
    check_calls("call_slots", || {
        // SAFETY: the function is declared as it is.
        let sum = unsafe { two.call_slots(&[40, 2]) };
        assert_eq!(sum.expect("a call"), 42);
    });
    let eight = function(mixed8 as *const _, "d", "idqfidqi");
    let values: [Value; 8] = [
        1.into(),
        2.0.into(),
        3_i64.into(),
        4.0_f32.into(),
        5.into(),
        6.0.into(),
        7_i64.into(),
        8.into(),
    ];
    check_calls("call", || {
        // SAFETY: as above.
        let sum = unsafe { eight.call(&values) };
        assert_eq!(sum.expect("a call"), Value::Double(9.0));
    });
}

#[test]
fn callbacks_allocate_nothing_per_call() {
    let pair = Callback::with_codes("i", "ii", |args| args[1].clone()).expect("a callback");
    // SAFETY: the callback is of this type.
    let pair_of_ints = unsafe {
        std::mem::transmute::<*const c_void, extern "C" fn(i32, i32) -> i32>(pair.code())
    };
    check_calls("Callback::with_codes with 2 arguments", || {
        assert_eq!(pair_of_ints(1, 2), 2);
    });
    let args = "q".repeat(16);
    let many = Callback::with_codes("q", &args, |args| args[15].clone()).expect("a callback");
    let of_many = function(many.code(), "q", &args);
    let slots: Vec<u64> = (0..16).collect();
    check_calls("Callback::with_codes with 16 arguments", || {
        // SAFETY: the function is the callback.
        let last = unsafe { of_many.call_slots(&slots) };
        assert_eq!(last.expect("a call"), 15);
    });
    let in_slots = Callback::with_slots("q", &args, |slots, result| *result = slots[15]);
    let in_slots = in_slots.expect("a callback");
    let of_slots = function(in_slots.code(), "q", &args);
    check_calls("Callback::with_slots", || {
        // SAFETY: as above.
        let last = unsafe { of_slots.call_slots(&slots) };
        assert_eq!(last.expect("a call"), 15);
    });
}

#[test]
fn function_of_a_known_signature_allocates_nothing() {
    let first = function(add2 as *const _, "i", "hhhh");
    let again = allocations(|| drop(function(first.address(), "i", "hhhh")));
    assert_eq!(again, 0);
    let declared = || Function::declared(first.address(), "int (short, short, short, short)");
    let _first = declared().expect("a function");
    let again = allocations(|| drop(declared().expect("a function")));
    assert_eq!(again, 0);
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Pair {
    a: i64,
    b: f64,
}

extern "C" fn sum(pair: Pair, more: i32) -> f64 {
    pair.a as f64 + pair.b + f64::from(more)
}

#[test]
fn calls_with_structures_allocate_nothing() {
    let sum = Function::declared(
        sum as *const _,
        "double (struct { long long a; double b; }, int)",
    )
    .expect("a function");
    let pair = StructBytes::of(&Pair { a: 1, b: 0.5 }).expect("memory");
    let args = [pair.into(), 2.into()];
    check_calls("call with a structure", || {
        // SAFETY: the function is declared as it is.
        let result = unsafe { sum.call(&args) };
        assert_eq!(result.expect("a call"), Value::Double(3.5));
    });
}
