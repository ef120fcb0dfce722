//! A closure with Rust types is dropped when its callback is closed and no thread is inside it, however C passes it its captures: behind its own
//! arguments, in a register, or, where none is left, through slots.

mod common;

use common::peer;
use common::tell::{Tell, tell};
use farcall::{Callback, Closure, FnPointer};
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

fn owning<P: FnPointer>(closure: impl Closure<P> + Send + Sync + 'static) -> Callback<P> {
    Callback::new(closure).expect("a callback")
}

type One = unsafe extern "C" fn(i32) -> i32;

/// More integers than any convention has registers for.
type Nine = unsafe extern "C" fn(i32, i32, i32, i32, i32, i32, i32, i32, i32) -> i32;

/// Runs `body` as a closure of each sort, of which it may close the callback, and hands the function that calls it to `user`.
fn of_each_sort(
    make: impl Fn() -> Box<dyn Fn(i32) -> i32 + Send + Sync>,
    user: impl Fn(&dyn Fn(i32) -> i32, Box<dyn FnOnce() + Send>),
) {
    let run = make();
    let in_register: Callback<One> = owning(move |n: i32| run(n));
    let pointer = in_register.as_ptr();
    // SAFETY: it is the callback, or was closed a moment ago.
    let call = |n| unsafe { pointer(n) };
    user(&call, Box::new(move || in_register.close()));
    let run = make();
    let in_slots: Callback<Nine> = owning(
        move |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, n: i32| run(n),
    );
    let pointer = in_slots.as_ptr();
    // SAFETY: as above.
    let call = |n| unsafe { pointer(0, 0, 0, 0, 0, 0, 0, 0, n) };
    user(&call, Box::new(move || in_slots.close()));
}

#[test]
fn closure_closed_by_itself_is_dropped_on_its_thread_as_it_has_returned() {
    type Close = Mutex<Option<Box<dyn FnOnce() + Send>>>;
    let slot: Arc<Close> = Arc::default();
    let (sender, dropped) = mpsc::channel();
    let make = || -> Box<dyn Fn(i32) -> i32 + Send + Sync> {
        let (inner, told) = (slot.clone(), Tell(sender.clone()));
        Box::new(move |n| {
            let _ = &told;
            if let Some(close) = inner.lock().expect("no panic").take() {
                close();
            }
            n + 1
        })
    };
    of_each_sort(make, |call, close| {
        *slot.lock().expect("no panic") = Some(close);
        assert_eq!(call(5), 6);
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
        assert_eq!(call(5), 0);
    });
}

#[test]
fn closure_closed_while_another_thread_runs_it_is_dropped_there() {
    let (told, dropped) = tell();
    let (go_on, waits) = mpsc::channel::<()>();
    let (is_inside, inside) = mpsc::channel();
    let waits = Mutex::new(waits);
    let callback = owning(move |n: i32| {
        let _ = &told;
        is_inside
            .send(thread::current().id())
            .expect("somebody waits");
        let _ = waits.lock().expect("no panic").recv();
        n
    });
    let pointer = callback.as_ptr();
    // SAFETY: it is the callback, which is closed after C has entered it.
    let runner = thread::spawn(move || unsafe { pointer(7) });
    let there = inside.recv().expect("it gets there");
    drop(callback);
    let outcome = dropped.recv_timeout(Duration::from_millis(20));
    assert_eq!(outcome, Err(RecvTimeoutError::Timeout));
    drop(go_on);
    assert_eq!(dropped.recv(), Ok(there));
    assert_eq!(runner.join().expect("it ends"), 7);
}

#[test]
fn closure_that_is_never_called_is_dropped_as_it_is_closed() {
    let (told, dropped) = tell();
    let callback = owning(move |n: i32| {
        let _ = &told;
        n
    });
    drop(callback);
    assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
}

/// A thread may be on its way into a callback as that is closed, and another, of the same signature but with a closure of another type, gets
/// the pointer. Each call finds a whole closure, and runs it by its own code, or finds none.
#[test]
fn call_on_its_way_into_a_closed_callback_runs_whichever_closure_has_the_pointer() {
    static POINTER: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    static BAD: AtomicUsize = AtomicUsize::new(0);
    type Twice = unsafe extern "C" fn(i16, f64, i16) -> i32;
    let call = || {
        while !IS_OVER.load(Ordering::Relaxed) {
            let pointer = POINTER.load(Ordering::Acquire);
            if pointer.is_null() {
                continue;
            }
            // SAFETY: it was made a callback of this type, and is never made one of another.
            let got = unsafe { std::mem::transmute::<*mut (), Twice>(pointer)(3, 0.5, 4) };
            if ![0, 7, 12].contains(&got) {
                BAD.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let callers = [thread::spawn(call), thread::spawn(call)];
    for round in 0..3000 {
        let callback: Callback<Twice> = if round % 2 == 0 {
            let zero = Box::new(black_box(0));
            owning(move |a: i16, _: f64, b: i16| i32::from(a) + i32::from(b) + *zero)
        } else {
            let one = [black_box(1); 9];
            owning(move |a: i16, _: f64, b: i16| {
                let all: i32 = one.iter().sum();
                i32::from(a) * i32::from(b) * all / 9
            })
        };
        POINTER.store(callback.as_ptr() as *mut (), Ordering::Release);
        for _ in 0..round % 64 {
            std::hint::spin_loop();
        }
        drop(callback);
    }
    IS_OVER.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.join().expect("C does not fail");
    }
    assert_eq!(BAD.load(Ordering::Relaxed), 0);
}

#[test]
fn closure_that_was_jumped_over_is_dropped_as_it_is_closed() {
    extern "C" fn enter() {
        // SAFETY: it is the callback below; nothing in the frames that are jumped over has a destructor.
        unsafe {
            std::mem::transmute::<*mut (), unsafe extern "C" fn(i32)>(IT.load(Ordering::Relaxed))(1)
        }
    }
    static IT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
    let (told, dropped) = tell();
    let address = |name| peer().addr(name).expect("a function").addr();
    let escape = address("escape");
    let callback = owning(move |_: i32| {
        let _ = &told;
        // SAFETY: declared as it is.
        unsafe { std::mem::transmute::<usize, extern "C" fn()>(escape)() }
    });
    IT.store(callback.as_ptr() as *mut (), Ordering::Relaxed);
    // SAFETY: declared as it is.
    let with_way_out = unsafe {
        std::mem::transmute::<usize, extern "C" fn(extern "C" fn()) -> i32>(address("with_way_out"))
    };
    for _ in 0..100 {
        assert_eq!(with_way_out(enter), 1);
    }
    drop(callback);
    assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
}

#[test]
fn closure_that_calls_itself_often_is_entered_each_time() {
    static IT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
    let one = black_box(1);
    let callback = owning(move |n: i32| -> i32 {
        let pointer = IT.load(Ordering::Relaxed);
        match n {
            0 => 0,
            // SAFETY: it is this callback.
            _ => one + unsafe { std::mem::transmute::<*mut (), One>(pointer)(n - 1) },
        }
    });
    IT.store(callback.as_ptr() as *mut (), Ordering::Relaxed);
    // More than there are frames in a block, or in two.
    for depth in [1, 13, 14, 15, 16, 60, 13, 300] {
        // SAFETY: it is the callback.
        assert_eq!(unsafe { (callback.as_ptr())(depth) }, depth);
    }
}

#[test]
fn closures_run_after_a_panic_that_a_call_has_passed_on() {
    let limit = black_box(10);
    let callback = owning(move |n: i32| {
        assert!(n < limit, "too large");
        n + limit
    });
    let call = |n: i32| {
        let call_i = common::func("i", "call_i", "Ci");
        let call_i = call_i
            .typed::<(Option<One>, i32), i32>()
            .expect("its types");
        // SAFETY: declared as it is.
        unsafe { call_i.call((Some(callback.as_ptr()), n)) }.expect("an open library")
    };
    for _ in 0..3 {
        assert_eq!(call(1), 11);
        let run = panic::catch_unwind(AssertUnwindSafe(|| call(11)));
        assert!(run.is_err());
        assert_eq!(call(2), 12);
        // SAFETY: it is the callback.
        assert_eq!(unsafe { (callback.as_ptr())(3) }, 13);
    }
}

#[test]
fn closures_that_stay_find_their_captures_with_any_number_of_arguments() {
    let by = black_box(3);
    let one = Callback::leak(move |n: i32| n * by).expect("a callback");
    let nine = Callback::leak(
        move |a: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, b: i32| (a - b) * by,
    );
    let nine = nine.expect("a callback");
    let floats = Callback::leak(move |a: f64, b: f32| a * f64::from(b) * f64::from(by));
    // SAFETY: they are the callbacks.
    unsafe {
        assert_eq!(one(-4), -12);
        assert_eq!(nine(9, 0, 0, 0, 0, 0, 0, 0, 1), 24);
        assert_eq!(floats.expect("a callback")(0.5, 4.0), 6.0);
    }
}

#[test]
fn closures_that_are_lent_find_their_captures_with_any_number_of_arguments() {
    let mut all = Vec::new();
    let mut one = |n: i32| {
        all.push(n);
        all.len()
    };
    for wanted in 1..3 {
        // SAFETY: it is the closure, which is lent meanwhile.
        let got = Callback::scoped(&mut one, |pointer| unsafe { pointer(7) });
        assert_eq!(got.expect("a callback"), wanted);
    }
    let mut nine = |a: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, b: i32| {
        all.extend([a, b]);
    };
    // SAFETY: as above.
    let got = Callback::scoped(&mut nine, |pointer| unsafe {
        pointer(8, 0, 0, 0, 0, 0, 0, 0, 9);
    });
    got.expect("a callback");
    assert_eq!(all, [7, 7, 8, 9]);
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    if common::policy::is_set() {
        return;
    }
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}
