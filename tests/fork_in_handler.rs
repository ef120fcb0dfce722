//! A signal handler makes calls and forks.
//!
//! This program has one thread, unlike the test harness. With several, glibc's `fork()` waits for the allocator, whose lock the interrupted
//! thread itself may hold.

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
    use super::common::ticks::{TICKS, tick, work_until};
    use super::common::{func, in_child};
    use farcall::{Callback, Function};
    use std::ffi::c_int;
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

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
