//! Tests of the whole process: no page is writable and executable; threads.

mod common;

use common::memory::assert_nothing_is_writable_and_executable;
use common::{answer, signature};
use farcall::{Callback, Function, Value};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn no_mapping_is_ever_writable_and_executable() {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_nothing_is_writable_and_executable();
            }
        });
        let counted = common::func("i", "counted", "").address();
        let callbacks: Vec<Callback> = (0..600)
            .map(|n| {
                Function::at(counted, "i", &signature(n)).expect("a function");
                Callback::with_codes("v", &signature(n), |_| Value::Void).expect("a callback")
            })
            .collect();
        assert_nothing_is_writable_and_executable();
        drop(callbacks);
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("no such mapping");
    });
}

#[test]
fn calls_go_on_while_code_is_added_to_the_pages_they_run_in() {
    let done = AtomicBool::new(false);
    let start = Barrier::new(3);
    let flip = common::func("i", "flip_i", "i");
    let callback = Callback::with_codes("i", "i", |args| args[0].clone()).expect("a callback");
    let call_times = common::func("i", "call_times", "Ci");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                while !done.load(Ordering::Relaxed) {
                    // SAFETY: both are declared as they are.
                    unsafe {
                        assert_eq!(flip.call(&[Value::Int(1)]).expect("an int"), Value::Int(-2));
                        let sum = call_times.call(&[callback.code().into(), Value::Int(4)]);
                        assert_eq!(sum.expect("a sum"), Value::Int(6));
                    }
                }
            });
        }
        start.wait();
        for n in 0..1000 {
            Function::at(flip.address(), "v", &format!("p{}", signature(n))).expect("a function");
            if n % 10 == 0 {
                drop(
                    Callback::with_codes("q", &format!("p{}", signature(n)), |_| Value::Int(0))
                        .expect("a callback"),
                );
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn hundred_thousand_callbacks_live_at_once() {
    let callbacks: Vec<_> = (0..100_000)
        .map(|n| Callback::with_slots("i", "i", move |_, result| *result = n).expect("a callback"))
        .collect();
    for n in [0, 255, 256, 4095, 50_000, 99_999] {
        assert_eq!(answer(&callbacks[n as usize]), n);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}

#[test]
fn program_is_told_whether_code_is_made() {
    #[cfg(target_os = "linux")]
    let is_policy = common::policy::is_set();
    #[cfg(not(target_os = "linux"))]
    let is_policy = false;
    let is_forbidden = std::env::var("FARCALL_CODE").as_deref() == Ok("never");
    assert_eq!(farcall::generates_code(), !is_policy && !is_forbidden);
}
