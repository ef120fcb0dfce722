//! A signal handler that calls and forks.
//!
//! The program has one thread, which the test harness does not: where there are more, glibc's `fork()` waits for the allocator, whose lock the
//! very thread may hold that the handler has interrupted.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::test();
}

#[cfg(target_os = "linux")]
#[path = "common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
mod linux {
    use super::common::{func, in_child};
    use farcall::{Callback, Function};
    use std::ffi::c_int;
    use std::sync::OnceLock;
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

    pub fn test() {
        static FLIP: OnceLock<Function> = OnceLock::new();
        FLIP.get_or_init(|| func("i", "flip_i", "i"));
        for n in 0..10 {
            let fine = in_child(|| {
                let handler = Callback::with_slots("v", "i", |_, _| {
                    // SAFETY: the child calls, and ends. The call is declared as it is.
                    unsafe {
                        let flips = || FLIP.get().map(|flip| flip.call_slots(&[1]));
                        let is_right =
                            || matches!(flips(), Some(Ok(result)) if result as i32 == -2);
                        assert!(is_right());
                        match libc::fork() {
                            0 => libc::_exit(c_int::from(!is_right())),
                            child => {
                                let mut status = 0;
                                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                                assert_eq!(status, 0);
                            }
                        }
                    }
                    TICKS.fetch_add(1, Ordering::Relaxed);
                })
                .expect("a callback");
                tick(&handler, n * 91 % 900);
                work_until(5);
                true
            });
            assert!(fine, "process {n}");
        }
        println!("test signal_handler_calls_and_forks ... ok");
        println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    }
}
