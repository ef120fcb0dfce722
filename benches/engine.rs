//! The engine beside what it competes with: a call through a function pointer that the compiler knows the type of.

use divan::{Bencher, black_box};
use farcall::{Callback, Function, Value};
use std::sync::atomic::{AtomicUsize, Ordering};

fn main() {
    divan::main();
}

extern "C" fn add2(a: i32, b: i32) -> i32 {
    a.wrapping_add(b)
}

extern "C" fn sum8(a: i32, b: f64, c: i64, d: f32, e: i32, f: f64, g: i64, h: i32) -> f64 {
    f64::from(a + e + h) + b + f + f64::from(d) + (c + g) as f64
}

mod call {
    use super::*;

    #[divan::bench]
    fn add2_through_a_typed_pointer(bencher: Bencher) {
        let pointer: extern "C" fn(i32, i32) -> i32 = black_box(add2);
        bencher.bench_local(|| pointer(black_box(1), black_box(2)));
    }

    #[divan::bench]
    fn add2_through_slots(bencher: Bencher) {
        let function = Function::at(add2 as *const _, "i", "ii").expect("a function");
        let slots = black_box([1, 2]);
        // SAFETY: add2 is declared as it is.
        bencher.bench_local(|| unsafe { function.call_slots(&slots) });
    }

    #[divan::bench]
    fn add2_through_values(bencher: Bencher) {
        let function = Function::at(add2 as *const _, "i", "ii").expect("a function");
        let values = black_box([Value::Int(1), Value::Int(2)]);
        // SAFETY: add2 is declared as it is.
        bencher.bench_local(|| unsafe { function.call(&values) });
    }

    #[divan::bench]
    fn sum8_through_a_typed_pointer(bencher: Bencher) {
        let pointer: extern "C" fn(i32, f64, i64, f32, i32, f64, i64, i32) -> f64 = black_box(sum8);
        bencher.bench_local(|| pointer(black_box(1), 2.0, 3, 4.0, black_box(5), 6.0, 7, 8));
    }

    #[divan::bench]
    fn sum8_through_slots(bencher: Bencher) {
        let function = Function::at(sum8 as *const _, "d", "idqfidqi").expect("a function");
        let slots = black_box([0; 8]);
        // SAFETY: sum8 is declared as it is.
        bencher.bench_local(|| unsafe { function.call_slots(&slots) });
    }
}

mod callback {
    use super::*;

    #[divan::bench]
    fn c_to_closure_with_slots(bencher: Bencher) {
        let callback = Callback::with_slots("i", "ii", |slots, result| {
            *result = slots[0].wrapping_add(slots[1])
        });
        let callback = callback.expect("a callback");
        // SAFETY: the callback has this type.
        let pointer = unsafe {
            std::mem::transmute::<*const std::ffi::c_void, extern "C" fn(i32, i32) -> i32>(
                callback.code(),
            )
        };
        bencher.bench_local(|| pointer(black_box(1), black_box(2)));
    }

    #[divan::bench]
    fn made_and_freed() {
        drop(black_box(Callback::with_slots("i", "ii", |_, _| {})));
    }
}

mod compile {
    use super::*;

    #[divan::bench]
    fn signature_seen_before(bencher: Bencher) {
        let first = Function::at(add2 as *const _, "i", "ii").expect("a function");
        bencher.bench_local(|| Function::at(first.address(), "i", "ii"));
    }

    #[divan::bench(sample_size = 1, sample_count = 1000)]
    fn signature_seen_for_the_first_time(bencher: Bencher) {
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
