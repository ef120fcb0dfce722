//! What a signal handler may do: all that other code may.

#![cfg(target_os = "linux")]

mod common;

use common::in_child;
use farcall::{Callback, Function, Value};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};

static TICKS: AtomicUsize = AtomicUsize::new(0);

/// Has a callback run as a signal handler about every millisecond of this process's time, for the first time after some `micros`.
fn tick(handler: &Callback, micros: i64) {
    let interval = |micros| libc::timeval {
        tv_sec: 0,
        tv_usec: micros,
    };
    let timer = libc::itimerval {
        it_interval: interval(1000),
        it_value: interval(1 + micros),
    };
    // SAFETY: the callback has a handler's signature, and lives until the process ends. One that hangs is ended by the alarm.
    unsafe {
        libc::alarm(20);
        libc::signal(libc::SIGPROF, handler.code() as libc::sighandler_t);
        assert_eq!(
            libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()),
            0
        );
    }
}

/// Makes callbacks and functions until the handler has run so often.
fn work_until(ticks: usize) {
    let mut n = 0;
    while TICKS.load(Ordering::Relaxed) < ticks {
        let callback = Callback::with_slots("i", "i", |slots, result| *result = slots[0] + 1);
        let callback = callback.expect("a callback");
        let function = Function::at(callback.code(), "i", "i").expect("a function");
        // SAFETY: the function is the callback.
        let result = unsafe { function.call_slots(&[n]) };
        assert_eq!(result.expect("an int") as i32, n as i32 + 1);
        n = (n + 1) % 1000;
    }
}

#[test]
fn callback_is_a_signal_handler_while_callbacks_come_and_go() {
    for n in 0..40 {
        let fine = in_child(|| {
            let handler = Callback::with_slots("v", "i", |_, _| {
                TICKS.fetch_add(1, Ordering::Relaxed);
            })
            .expect("a callback");
            tick(&handler, n * 37 % 900);
            work_until(3);
            true
        });
        assert!(fine, "process {n}");
    }
}

#[test]
fn closed_callback_returns_zero_where_nobody_can_be_told() {
    let fine = in_child(|| {
        let callback = Callback::new("i", "i", |args| args[0]).expect("a callback");
        let code = callback.code();
        drop(callback);
        let full = std::fs::File::create("/dev/full").expect("Linux has it");
        // SAFETY: the child's standard error is its own. The function is of this signature.
        unsafe {
            assert_eq!(libc::dup2(full.as_raw_fd(), 2), 2);
            let closed = Function::at(code, "i", "i").expect("a function");
            matches!(closed.call(&[Value::Int(5)]), Ok(Value::Int(0)))
        }
    });
    assert!(fine);
}
