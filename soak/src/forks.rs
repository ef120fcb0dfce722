//! Forks while other threads are in the midst of work.

use crate::closing::silence_stderr;
use crate::leaving::panic_once;
use crate::peer;
use crate::signatures::use_one;
use crate::turn::Turn;
use farcall::{Callback, Function, Library};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Seconds that a child may take.
const PATIENCE: u32 = 300;

/// Does `work` in a child, and waits for it.
fn in_child(work: impl FnOnce()) {
    // SAFETY: the child does what is safe in one: its allocator is whole, and it ends by _exit().
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: neither has preconditions.
            unsafe {
                libc::alarm(PATIENCE);
                work();
                libc::_exit(0)
            }
        }
        child => {
            assert!(child > 0, "no fork");
            let mut status = 0;
            // SAFETY: the status is this function's own.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "the child's status; 14 is a hang");
        }
    }
}

/// Does `work` on several threads without end while this one forks. The children do it, too.
fn beside(turn: &mut Turn, threads: usize, work: fn(&mut Turn)) -> u64 {
    let is_over = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..threads)
        .map(|_| {
            let (is_over, mut turn) = (is_over.clone(), turn.fork());
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    work(&mut turn);
                }
            })
        })
        .collect();
    let mut rounds = 0;
    while turn.goes_on() {
        turn.dawdle(20_000);
        let mut inner = turn.fork();
        in_child(|| {
            for _ in 0..3 {
                work(&mut inner);
            }
        });
        rounds += 1;
    }
    is_over.store(true, Ordering::Relaxed);
    for other in others {
        other.join().expect("no panic");
    }
    rounds
}

/// Forks while other threads make signatures.
pub fn signatures(turn: &mut Turn) -> u64 {
    beside(turn, 2, use_one)
}

/// Forks while closures panic on other threads.
pub fn panics(turn: &mut Turn) -> u64 {
    beside(turn, 2, |turn| panic_once(turn.draw(1000)))
}

/// Forks while other threads look up functions of the same library.
pub fn library(turn: &mut Turn) -> u64 {
    static LIBRARY: std::sync::OnceLock<Library> = std::sync::OnceLock::new();
    // Opened before the forks, which do not wait for this.
    LIBRARY.get_or_init(peer::open);
    beside(turn, 2, |_| {
        let library = LIBRARY.get().expect("opened above");
        let seven = library.func("i", "soak_seven", "").expect("a function");
        // SAFETY: declared as it is.
        assert_eq!(unsafe { seven.call_slots(&[]) }.ok(), Some(7));
    })
}

/// Forks while other threads call a callback that is closed, which each call reports.
pub fn closed(turn: &mut Turn) -> u64 {
    silence_stderr();
    beside(turn, 2, |_| {
        let closed = Callback::with_slots("i", "", |_, result| *result = 1).expect("a callback");
        let function = Function::at(closed.code(), "i", "").expect("a function");
        drop(closed);
        for _ in 0..20 {
            // SAFETY: the function is of this signature.
            let result = unsafe { function.call_slots(&[]) };
            assert!(matches!(result, Ok(0 | 1)));
        }
    })
}

/// Forks during the very first use, each time in a fresh process.
pub fn first_use(turn: &mut Turn) -> u64 {
    let mut rounds = 0;
    while turn.goes_on() {
        let mut inner = turn.fork();
        in_child(|| {
            let go = Arc::new(AtomicBool::new(false));
            let first = {
                let go = go.clone();
                thread::spawn(move || {
                    while !go.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                    use_first();
                })
            };
            go.store(true, Ordering::Relaxed);
            inner.dawdle(8000);
            in_child(use_first);
            first.join().expect("no panic");
        });
        rounds += 1;
    }
    rounds
}

fn use_first() {
    let abs = Function::at(libc::abs as *const c_void, "i", "i").expect("a function");
    for n in 0..12_u64 {
        // SAFETY: declared as it is.
        let result = unsafe { abs.call_slots(&[n.wrapping_neg()]) };
        assert_eq!(result.ok(), Some(n));
        let callback = Callback::with_slots("i", "i", move |slots, result| *result = slots[0] + n);
        let callback = callback.expect("a callback");
        let function = Function::at(callback.code(), "i", "i").expect("a function");
        // SAFETY: the function is the callback.
        assert_eq!(unsafe { function.call_slots(&[1]) }.ok(), Some(n + 1));
    }
}
