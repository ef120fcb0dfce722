//! Threads and calls that do not end where they began: thread-local destructors, jumps, coroutines, panics.

use crate::peer;
use crate::turn::Turn;
use farcall::{Callback, Function};
use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Makes a callback and calls it through a function.
fn call_back(n: u64) {
    let callback = Callback::with_slots("i", "i", move |slots, result| *result = slots[0] + n);
    let callback = callback.expect("a callback");
    let function = Function::at(callback.code(), "i", "i").expect("a function");
    // SAFETY: the function is the callback.
    let result = unsafe { function.call_slots(&[1]) };
    assert_eq!(result.ok(), Some(n + 1));
}

static ENDED: AtomicUsize = AtomicUsize::new(0);

struct AtEnd(u64);

impl Drop for AtEnd {
    fn drop(&mut self) {
        call_back(self.0);
        ENDED.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local! {
    static AT_END: Cell<Option<AtEnd>> = const { Cell::new(None) };
}

/// A destructor of a pthread key, which asks to be run again.
extern "C" fn key_ends(value: *mut c_void) {
    let times = value.addr();
    call_back(times as u64);
    ENDED.fetch_add(1, Ordering::Relaxed);
    if times > 1 {
        set_key(times - 1);
    }
}

fn set_key(times: usize) {
    static KEY: std::sync::OnceLock<libc::pthread_key_t> = std::sync::OnceLock::new();
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the key's place is this function's own.
        let result = unsafe { libc::pthread_key_create(&mut key, Some(key_ends)) };
        assert_eq!(result, 0);
        key
    });
    // SAFETY: the key is there for good; its values are numbers.
    unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(times)) };
}

/// Runs threads whose destructors of thread-local values make calls and callbacks.
pub fn thread_ends(turn: &mut Turn) -> u64 {
    let mut rounds = 0;
    let mut wanted = 0;
    while turn.goes_on() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (n, first, times) = (turn.draw(1000), turn.draw(2), 1 + turn.draw(3) as usize);
                wanted += times + 1;
                thread::spawn(move || {
                    if first == 0 {
                        call_back(n);
                    }
                    AT_END.set(Some(AtEnd(n)));
                    set_key(times);
                    call_back(n);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(
            ENDED.load(Ordering::Relaxed),
            wanted,
            "destructors that have run"
        );
        rounds += 4;
    }
    rounds
}

/// Lets C jump out of callbacks, over the calls around them; their captures must be dropped with them.
pub fn jumps(turn: &mut Turn) -> u64 {
    let catch = peer::func("i", "soak_catch", "p");
    let jump = peer::address("soak_jump");
    let jump = Function::at(jump, "v", "i").expect("a function");
    turn.on_threads(2, move |turn| {
        jump_once(&catch, &jump, 1 + turn.draw(1000));
        1
    })
}

fn jump_once(catch: &Function, jump: &Function, n: u64) {
    let owned = Arc::new(());
    let (inner, jump) = (owned.clone(), jump.clone());
    let leaves = Callback::with_slots("v", "", move |_, _| {
        let _ = &inner;
        // SAFETY: it jumps to where soak_catch() is, over frames that have nothing to be dropped.
        let _ = unsafe { jump.call_slots(&[n]) };
    })
    .expect("a callback");
    // SAFETY: declared as it is; the callback is of the type that it wants.
    let result = unsafe { catch.call_slots(&[leaves.code() as u64]) };
    assert_eq!(result.ok(), Some(n));
    drop(leaves);
    assert_eq!(Arc::strong_count(&owned), 1, "dropped with its callback");
}

/// An address that may be sent.
#[derive(Clone, Copy)]
struct Address(u64);

/// Runs coroutines that leave a call and a callback on another thread than the one on which they entered.
pub fn coroutines(turn: &mut Turn) -> u64 {
    let (start, free) = (
        peer::func("p", "soak_coroutine", "p"),
        peer::func("v", "soak_coroutine_free", "p"),
    );
    let resume = peer::func("i", "soak_resume", "p");
    let suspend = peer::func("v", "soak_suspend", "");
    let (work, todo) = mpsc::channel::<Address>();
    let (tell, done) = mpsc::channel();
    let other = {
        let resume = resume.clone();
        thread::spawn(move || {
            for Address(coroutine) in todo {
                // SAFETY: the coroutine is one, and suspended.
                let ended = unsafe { resume.call_slots(&[coroutine]) };
                tell.send(ended.ok()).expect("somebody waits");
            }
        })
    };
    let mut rounds = 0;
    while turn.goes_on() {
        let owned = Arc::new(AtomicUsize::new(0));
        let (inner, suspend) = (owned.clone(), suspend.clone());
        let body = Callback::with_slots("v", "", move |_, _| {
            for _ in 0..3 {
                inner.fetch_add(1, Ordering::Relaxed);
                // SAFETY: declared as it is; this runs in a coroutine.
                let _ = unsafe { suspend.call_slots(&[]) };
            }
        })
        .expect("a callback");
        // SAFETY: declared as they are, with the coroutine of a moment ago.
        unsafe {
            let coroutine = start
                .call_slots(&[body.code() as u64])
                .expect("a coroutine");
            let mut body = Some(body);
            for step in 0..4 {
                let here = turn.draw(2) == 0;
                let ended = if here {
                    resume.call_slots(&[coroutine]).ok()
                } else {
                    work.send(Address(coroutine))
                        .expect("the other thread is there");
                    done.recv().expect("it answers")
                };
                assert_eq!(ended, Some(u64::from(step == 3)), "step {step}");
                if step == 1 && turn.draw(2) == 0 {
                    drop(body.take());
                    assert_eq!(Arc::strong_count(&owned), 2, "suspended inside");
                }
            }
            free.call_slots(&[coroutine]).expect("it is freed");
        }
        assert_eq!(owned.load(Ordering::Relaxed), 3);
        assert_eq!(Arc::strong_count(&owned), 1, "left, and dropped");
        rounds += 1;
    }
    drop(work);
    other.join().expect("no panic");
    rounds
}

/// The payload of the closures' panics.
#[derive(Debug)]
pub struct Meant(u64);

/// Whether a panic is one of these scenarios' own.
pub fn is_meant(info: &PanicHookInfo<'_>) -> bool {
    info.payload().is::<Meant>()
}

/// Lets a closure panic; the call around it must go on panicking.
pub fn panic_once(n: u64) {
    let panics = Callback::with_slots("i", "", move |_, _| panic::panic_any(Meant(n)));
    let panics = panics.expect("a callback");
    let function = Function::at(panics.code(), "i", "").expect("a function");
    // SAFETY: the function is the callback.
    let call = AssertUnwindSafe(|| unsafe { function.call_slots(&[]) });
    let payload = panic::catch_unwind(call).expect_err("it panics");
    let meant = payload.downcast::<Meant>().expect("what it panicked with");
    assert_eq!(meant.0, n);
}

/// Panics in closures on several threads.
pub fn panics(turn: &mut Turn) -> u64 {
    turn.on_threads(3, |turn| {
        panic_once(turn.draw(1000));
        call_back(turn.draw(1000));
        1
    })
}
