//! A signal handler may do everything that other code may.

#![cfg(target_os = "linux")]

mod common;

use common::in_child;
use common::ticks::{TICKS, tick, work_until};
use farcall::{Callback, Function, Value};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

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
        let callback = Callback::with_codes("i", "i", |args| args[0].clone()).expect("a callback");
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
