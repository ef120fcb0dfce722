//! Forks while something is told once.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod model;

use farcall_engine::set_object_model;
use std::thread;

fn tell() {
    // SAFETY: nothing is called by what this says.
    unsafe { set_object_model(model::of_no_interpreter()) }.expect("memory");
}

/// Does `work` in a child; whether it ended well. One that hangs is ended by the alarm.
fn in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does `work`, and ends.
    unsafe {
        match libc::fork() {
            0 => {
                libc::alarm(300);
                libc::_exit(i32::from(!work()))
            }
            child => {
                let mut status = 1;
                libc::waitpid(child, &mut status, 0) == child && status == 0
            }
        }
    }
}

#[test]
fn child_that_was_forked_while_a_thread_told_of_an_interpreter_can_tell_of_it() {
    for delay in 0..600 {
        let fine = in_child(|| {
            thread::scope(|scope| {
                scope.spawn(tell);
                for _ in 0..delay * 40 {
                    std::hint::spin_loop();
                }
                in_child(|| {
                    tell();
                    true
                })
            })
        });
        assert!(fine, "delay {delay}");
    }
}
