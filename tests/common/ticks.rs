//! A callback that is a signal handler, and work for it to interrupt.

use farcall::{Callback, Function};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of times that the handler has run.
pub static TICKS: AtomicUsize = AtomicUsize::new(0);

/// Makes a callback run as a signal handler about every millisecond of this process's time, for the first time after `micros`.
pub fn tick(handler: &Callback, micros: i64) {
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
        libc::alarm(300);
        libc::signal(libc::SIGPROF, handler.code() as libc::sighandler_t);
        assert_eq!(
            libc::setitimer(libc::ITIMER_PROF, &timer, std::ptr::null_mut()),
            0
        );
    }
}

/// Makes callbacks and functions until the handler has run `ticks` times.
pub fn work_until(ticks: usize) {
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
