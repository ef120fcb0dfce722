//! Callbacks with Rust types, called by functions that a C compiler made.

mod common;

use common::declared::function as declared;
use common::{func, peer};
use farcall::{Arguments, CReturn, CType, Callback, Closure, FnPointer, Function, Signature};
use std::ffi::c_void;
use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[repr(C)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct Mixed {
    a: i8,
    b: f64,
}

#[repr(C)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct Large {
    v: [i64; 5],
}

#[repr(C)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct Pair<T: CType> {
    first: T,
    second: T,
}

/// A callback whose closure has captures.
fn owning<P: FnPointer + 'static>(closure: impl Closure<P> + Send + Sync + 'static) -> Callback<P> {
    Callback::new(closure).expect("a callback")
}

/// Makes a function of peer.c call a function pointer, so often that later calls have code.
fn called<A, R>(function: &Function, args: A) -> R
where
    A: Arguments,
    R: CReturn + PartialEq + Debug,
{
    let function = function.typed::<A, R>().expect("its own types");
    // SAFETY: the functions of peer.c that are called by this call the pointer, which is a callback's.
    let call = || unsafe { function.call(args) }.expect("an open library");
    let first = call();
    for _ in 0..600 {
        assert_eq!(call(), first);
    }
    first
}

#[test]
fn every_scalar_comes_from_c_and_goes_back() {
    fn check<T>(code: &str, given: T, returned: T)
    where
        T: CType + PartialEq + Debug + Send + Sync + 'static,
    {
        let function = func(code, &format!("call_{code}"), &format!("C{code}"));
        let seen = Arc::new(AtomicUsize::new(0));
        let inner = seen.clone();
        let callback = owning(move |value: T| {
            assert_eq!(value, given);
            inner.fetch_add(1, Ordering::Relaxed);
            returned
        });
        let got: T = called(&function, (Some(callback.as_ptr()), given));
        assert_eq!(
            (got, seen.load(Ordering::Relaxed)),
            (returned, 601),
            "{code}"
        );
        let mut times = 0;
        let mut lent = |value: T| {
            assert_eq!(value, given);
            times += 1;
            returned
        };
        let got: T = Callback::scoped(&mut lent, |pointer| {
            called(&function, (Some(pointer), given))
        })
        .expect("a callback");
        assert_eq!((got, times), (returned, 601), "{code}");
    }
    check("i", -7_i32, i32::MIN);
    check("b", -128_i8, 127);
    check("b", 127_i8, -1);
    check("H", 65535_u16, 40000);
    check("f", 0.1_f32, -3.5);
    check("d", -0.0_f64, 1e-300);
}

#[test]
fn closures_without_content_are_entered_by_c_itself() {
    let flip = Callback::new(|value: i8| !value).expect("a callback");
    assert_eq!(
        called::<_, i8>(&func("b", "call_b", "Cb"), (Some(flip.as_ptr()), 5_i8)),
        -6
    );
    let not = Callback::new(|value: bool| !value).expect("a callback");
    assert!(called::<_, bool>(
        &declared("call_not"),
        (Some(not.as_ptr()), false)
    ));
    let same = Callback::new(|pointer: *mut c_void| pointer).expect("a callback");
    let address = 0x1234 as *mut c_void;
    let got: *mut c_void = called(&func("p", "call_p", "Cp"), (Some(same.as_ptr()), address));
    assert_eq!(got, address);
    let narrow = Callback::new(|a: i8, b: u16| i64::from(a) * 100_000 + i64::from(b));
    let narrow = narrow.expect("a callback");
    let dirty = (
        // It has other types than the function that peer.c declares, whose upper bits are dirt.
        Some(narrow.as_ptr()),
        0xffff_ffff_ffff_ff80_u64,
        0x1234_5678_9abc_def0_u64,
    );
    let got: i64 = called(&func("q", "call_dirty", "CQQ"), dirty);
    assert_eq!(got, -128 * 100_000 + 0xdef0);
}

#[test]
fn structures_come_and_go_by_value() {
    let by = Arc::new(2_i32);
    let factor = by.clone();
    let shift = move |mixed: Mixed, large: Large| Large {
        v: large
            .v
            .map(|v| v * i64::from(mixed.a) + (mixed.b * f64::from(*factor)) as i64),
    };
    let owned = owning(shift);
    let empty = owning(|mixed: Mixed, large: Large| Large {
        v: large
            .v
            .map(|v| v * i64::from(mixed.a) + (mixed.b * 2.0) as i64),
    });
    let call = declared("call_large");
    for pointer in [owned.as_ptr(), empty.as_ptr()] {
        let got: Large = called(&call, (Some(pointer), 10_i64));
        assert_eq!(
            got,
            Large {
                v: [72, 8, 15, 22, 29]
            }
        );
    }
    let mut times = 0;
    let mut scale = |mixed: Mixed, by: i32| {
        times += 1;
        Mixed {
            a: mixed.a * by as i8,
            b: mixed.b * f64::from(by),
        }
    };
    let call = declared("call_mixed");
    let mixed = Mixed { a: -5, b: 0.25 };
    let got = Callback::scoped(&mut scale, |pointer| {
        called::<_, Mixed>(&call, (Some(pointer), mixed))
    });
    assert_eq!(got.expect("a callback"), Mixed { a: -15, b: 0.75 });
    assert_eq!(times, 601);
    let swap = owning(move |pair: Pair<i64>| Pair {
        first: pair.second + i64::from(*by),
        second: pair.first,
    });
    let pair = Pair {
        first: 1,
        second: 2,
    };
    // SAFETY: the function is the callback.
    let swapped = unsafe { (swap.as_ptr())(pair) };
    assert_eq!(
        swapped,
        Pair {
            first: 4,
            second: 1
        }
    );
}

#[test]
fn twelve_arguments_reach_a_closure_each_in_its_place() {
    let weights: Vec<i32> = (1..=12).collect();
    let weigh = owning(
        move |a: i8,
              b: f64,
              c: u16,
              d: f32,
              e: i64,
              f: f64,
              g: bool,
              h: Mixed,
              i: u128,
              j: f64,
              k: i32,
              l: *const u8| {
            let values = [
                f64::from(a),
                b,
                f64::from(c),
                f64::from(d),
                e as f64,
                f,
                f64::from(g),
                f64::from(h.a) + h.b,
                i as f64,
                j,
                f64::from(k),
                l.addr() as f64,
            ];
            let weighed = values.iter().zip(&weights);
            weighed
                .map(|(value, weight)| value * f64::from(*weight))
                .sum::<f64>()
        },
    );
    let weigh = weigh.as_ptr();
    let wanted: i32 = (1..=12).map(|n| if n == 7 { 7 } else { n * n }).sum();
    for _ in 0..600 {
        let eighth = Mixed { a: 7, b: 1.0 };
        let twelfth = 12 as *const u8;
        // SAFETY: the function is the callback, which reads no memory.
        let sum = unsafe { weigh(1, 2.0, 3, 4.0, 5, 6.0, true, eighth, 9, 10.0, 11, twelfth) };
        assert_eq!(sum, f64::from(wanted));
    }
}

/// The message of a panic.
fn message(run: impl FnOnce()) -> String {
    let panic = panic::catch_unwind(AssertUnwindSafe(run)).expect_err("a panic");
    match panic.downcast::<&str>() {
        Ok(text) => (*text).to_owned(),
        Err(other) => *other.downcast::<String>().expect("a text"),
    }
}

#[test]
fn panic_gives_c_zero_stops_further_callbacks_and_goes_on_at_the_call() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    fn third(runs: &AtomicUsize, n: i32) -> i32 {
        runs.fetch_add(1, Ordering::Relaxed);
        assert!(n != 3, "at three");
        n
    }
    let call_times = func("i", "call_times", "Ci");
    let call_times = call_times
        .typed::<(Option<unsafe extern "C" fn(i32) -> i32>, i32), i32>()
        .expect("its own types");
    let empty = owning(|n: i32| third(&RUNS, n));
    // SAFETY: it calls the callback so often.
    let call = |pointer| unsafe { drop(call_times.call((Some(pointer), 10))) };
    assert_eq!(message(|| call(empty.as_ptr())), "at three");
    assert_eq!(RUNS.load(Ordering::Relaxed), 4);

    let runs = Arc::new(AtomicUsize::new(0));
    let inner = runs.clone();
    let owned = owning(move |n: i32| third(&inner, n));
    assert_eq!(message(|| call(owned.as_ptr())), "at three");
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    // It is over then.
    // SAFETY: it is the callback.
    assert_eq!(unsafe { (owned.as_ptr())(1) }, 1);

    let runs = AtomicUsize::new(0);
    let mut lent = |n: i32| third(&runs, n);
    let scoped = || drop(Callback::scoped(&mut lent, call));
    assert_eq!(message(scoped), "at three");
    assert_eq!(runs.load(Ordering::Relaxed), 4);
}

#[test]
fn panic_of_a_lent_closure_goes_on_where_it_was_lent() {
    let mut lent = |n: i32| -> f64 { panic!("not {n}") };
    let mut after = 0.5;
    let scoped = || {
        // SAFETY: this is the closure.
        let _ = Callback::scoped(&mut lent, |pointer| after = unsafe { pointer(7) });
    };
    assert_eq!(message(scoped), "not 7");
    assert_eq!(after, 0.0);
}

#[test]
fn lent_closure_that_is_called_while_it_runs_panics() {
    static POINTER: std::sync::OnceLock<unsafe extern "C" fn(i32) -> i32> =
        std::sync::OnceLock::new();
    let mut depth = 0;
    let mut lent = |n: i32| -> i32 {
        depth += n;
        let me = POINTER.get().expect("set");
        // SAFETY: it is lent, and on this thread.
        unsafe { me(n) }
    };
    let scoped = || {
        let call = |pointer: unsafe extern "C" fn(i32) -> i32| {
            // SAFETY: this is the closure.
            unsafe { POINTER.get_or_init(|| pointer)(1) }
        };
        drop(Callback::scoped(&mut lent, call));
    };
    assert!(message(scoped).contains("called again while it ran"));
    assert_eq!(depth, 1);
}

#[test]
fn user_of_a_lent_closure_may_panic() {
    let mut lent = |n: i32| n;
    let scoped = || {
        let _ = Callback::scoped(&mut lent, |_| panic!("the user"));
    };
    assert_eq!(message(scoped), "the user");
    // No trace of it is left.
    // SAFETY: this is the closure.
    let got = Callback::scoped(&mut lent, |pointer| unsafe { pointer(3) });
    assert_eq!(got.expect("a callback"), 3);
}

#[test]
fn what_a_closure_owns_is_dropped_once_when_it_is_closed() {
    let owned = Arc::new(());
    for closes in [false, true] {
        let inner = owned.clone();
        let callback = owning(move |n: i32| n + Arc::strong_count(&inner) as i32);
        // SAFETY: it is the callback.
        assert_eq!(unsafe { (callback.as_ptr())(1) }, 3);
        match closes {
            true => callback.close(),
            false => drop(callback),
        }
        assert_eq!(Arc::strong_count(&owned), 1);
    }
    struct Noisy;
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    impl Drop for Noisy {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let noisy = Noisy;
    let callback = owning(move || {
        let _ = &noisy;
    });
    // SAFETY: it is the callback.
    unsafe { (callback.as_ptr())() };
    assert_eq!(DROPS.load(Ordering::Relaxed), 0);
    drop(callback);
    assert_eq!(DROPS.load(Ordering::Relaxed), 1);
}

#[test]
fn closed_callbacks_of_either_sort_are_reported_and_give_zero() {
    let seven = 7;
    let pointers = {
        let empty = owning(|n: u16| n);
        let owned = owning(move |n: u16| n + seven);
        [empty.as_ptr(), owned.as_ptr()]
    };
    for pointer in pointers {
        // SAFETY: what was closed a moment ago is reported.
        assert_eq!(unsafe { pointer(9) }, 0);
    }
}

#[test]
fn threads_call_one_closure_at_once() {
    let sum = Arc::new(AtomicUsize::new(0));
    let inner = sum.clone();
    let add = owning(move |n: usize| {
        inner.fetch_add(n, Ordering::Relaxed);
    });
    let pointer = add.as_ptr();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            // SAFETY: it is the callback, which outlives the threads.
            scope.spawn(move || (0..1000).for_each(|_| unsafe { pointer(1) }));
        }
    });
    assert_eq!(sum.load(Ordering::Relaxed), 4000);
    let _keep = peer();
}

#[test]
fn signature_is_that_of_the_types() {
    let callback = Callback::new(|_: i32, _: *const u8, _: Pair<f32>| 0.5_f64).expect("a callback");
    assert_eq!(
        callback.signature().to_string(),
        "double(int, const void *, struct {...})"
    );
    let none = Signature::of::<unsafe extern "C" fn()>().expect("a signature");
    assert_eq!(none.to_string(), "void(void)");
    let pointers =
        Signature::of::<unsafe extern "C" fn(Option<unsafe extern "C" fn()>) -> *mut u8>();
    assert_eq!(pointers.expect("a signature").len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    if common::policy::is_set() {
        return;
    }
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}
