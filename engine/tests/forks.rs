//! Forks while something is told once.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use farcall_arch::endpoint::{ObjectModel, ThreadPointer};
use farcall_engine::set_object_model;
use std::thread;

/// An interpreter that never was. No code that is made of it runs.
fn model() -> ObjectModel {
    ObjectModel {
        none: 6,
        truth: [14, 30],
        float_type: 0x1000,
        float_value: 8,
        buffers: Vec::new(),
        functions: Vec::new(),
        function_target: 16,
        function_library: 32,
        library_open: 8,
        thread_pointer: ThreadPointer::Fs,
        innermost: -64,
        call: 0x2000,
        raise: 0x3000,
        new_float: 0x4000,
        new_object: 0x5000,
        find_bytes: 0,
        new_of_bytes: 0,
        errno: None,
        catch: None,
    }
}

fn tell() {
    // SAFETY: nothing is called by what this says.
    unsafe { set_object_model(model()) }.expect("memory");
}

/// Does `work` in a child; whether it ended well within ten seconds.
fn in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does `work`, and ends.
    unsafe {
        match libc::fork() {
            0 => {
                libc::alarm(10);
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
