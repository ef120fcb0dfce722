//! The engine by itself, each piece of work beside the bare C call: `call/<signature>/<peer>`.
//!
//! For work on the engine: quick to run, with nothing to install. `cargo xtask bench` measures it beside everything else.

use divan::{Bencher, black_box};
use farcall::{Callback, Function, Value};
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

fn main() {
    divan::main();
}

/// Calls in one sample. Left to itself divan would judge by the first call, which is the slowest, and then time calls one
/// by one.
const CALLS: u32 = 2000;

extern "C" fn none() {}

extern "C" fn add2(a: i32, b: i32) -> i32 {
    a.wrapping_add(b)
}

extern "C" fn mixed8(a: i32, _: f64, _: i64, _: f32, _: i32, _: f64, _: i64, h: i32) -> f64 {
    f64::from(a.wrapping_add(h))
}

extern "C" fn ints12(
    a: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    l: i64,
) -> i64 {
    a.wrapping_add(l)
}

/// Calls through slots: with nothing around the machine code, and with what [`Function::call_slots`] does for safety.
fn slots(bencher: Bencher, address: *const c_void, ret: &str, args: &str, checked: bool) {
    let function = Function::at(address, ret, args).expect("a function");
    let slots = black_box(vec![1; args.len()]);
    if checked {
        // SAFETY: the function is declared as it is, and any bits are good values for it.
        bencher.bench_local(|| unsafe { function.call_slots(&slots) });
        return;
    }
    let mut result = 0;
    // SAFETY: as above; there is a slot for each argument and one for the result.
    bencher.bench_local(|| unsafe { function.call_unchecked(slots.as_ptr(), &mut result) });
}

/// Calls with values that are checked against their types.
fn values(bencher: Bencher, address: *const c_void, ret: &str, args: &str, values: &[Value]) {
    let function = Function::at(address, ret, args).expect("a function");
    let values = black_box(values.to_vec());
    // SAFETY: the function is declared as it is.
    bencher.bench_local(|| unsafe { function.call(&values) });
}

/// The peers of one signature: C's own call, and farcall's ways.
macro_rules! signature {
    ($name:ident: $type:ty, $ret:literal, $args:literal, [$($value:expr),*]) => {
        mod $name {
            use super::super::*;

            const ADDRESS: *const c_void = $crate::$name as *const c_void;

            #[divan::bench(sample_size = CALLS)]
            fn c(bencher: Bencher) {
                let pointer: $type = black_box($crate::$name);
                bencher.bench_local(|| pointer($(black_box($value)),*));
            }

            #[divan::bench(sample_size = CALLS)]
            fn farcall_trampoline(bencher: Bencher) {
                slots(bencher, ADDRESS, $ret, $args, false);
            }

            #[divan::bench(sample_size = CALLS)]
            fn farcall_slots(bencher: Bencher) {
                slots(bencher, ADDRESS, $ret, $args, true);
            }

            #[divan::bench(sample_size = CALLS)]
            fn farcall_values(bencher: Bencher) {
                values(bencher, ADDRESS, $ret, $args, &[$($value.into()),*]);
            }
        }
    };
}

mod call {
    signature!(none: extern "C" fn(), "v", "", []);
    signature!(add2: extern "C" fn(i32, i32) -> i32, "i", "ii", [1_i32, 2_i32]);
    signature!(
        mixed8: extern "C" fn(i32, f64, i64, f32, i32, f64, i64, i32) -> f64,
        "d", "idqfidqi",
        [1_i32, 2.0_f64, 3_i64, 4.0_f32, 5_i32, 6.0_f64, 7_i64, 8_i32]
    );
    signature!(
        ints12: extern "C" fn(i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64) -> i64,
        "q", "qqqqqqqqqqqq",
        [1_i64, 2_i64, 3_i64, 4_i64, 5_i64, 6_i64, 7_i64, 8_i64, 9_i64, 10_i64, 11_i64, 12_i64]
    );
}

mod callback {
    use super::*;

    /// Has C's calling convention call a pointer to a function of two ints.
    fn called(bencher: Bencher, pointer: extern "C" fn(i32, i32) -> i32) {
        let pointer = black_box(pointer);
        bencher.bench_local(|| pointer(black_box(1), black_box(2)));
    }

    #[divan::bench(sample_size = CALLS)]
    fn c(bencher: Bencher) {
        called(bencher, add2);
    }

    #[divan::bench(sample_size = CALLS)]
    fn farcall_closure_with_slots(bencher: Bencher) {
        let callback = Callback::with_slots("i", "ii", |slots, result| {
            *result = slots[0].wrapping_add(slots[1])
        });
        let callback = callback.expect("a callback");
        // SAFETY: the callback has this type.
        let pointer = unsafe {
            std::mem::transmute::<*const c_void, extern "C" fn(i32, i32) -> i32>(callback.code())
        };
        called(bencher, pointer);
    }

    #[divan::bench(sample_size = CALLS)]
    fn made_and_freed(bencher: Bencher) {
        bencher.bench_local(|| drop(black_box(Callback::with_slots("i", "ii", |_, _| {}))));
    }
}

mod function {
    use super::*;

    #[divan::bench(sample_size = CALLS)]
    fn of_a_signature_seen_before(bencher: Bencher) {
        let first = Function::at(add2 as *const _, "i", "ii").expect("a function");
        bencher.bench_local(|| Function::at(first.address(), "i", "ii"));
    }

    /// Each sample is one signature, so there are fewer of them than the cache holds.
    #[divan::bench(sample_size = 1, sample_count = 1000)]
    fn of_a_new_signature(bencher: Bencher) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let fresh = || {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            (0..14)
                .map(|bit| if number >> bit & 1 == 1 { 'd' } else { 'i' })
                .collect::<String>()
        };
        bencher
            .with_inputs(fresh)
            .bench_local_values(|args| Function::at(add2 as *const _, "i", &args));
    }
}
