//! Sends signals without end to threads that register for it. The handler makes a call, and makes and drops a callback.

use crate::turn::Turn;
use farcall::{Callback, Function};
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

static THREADS: Mutex<Vec<libc::pthread_t>> = Mutex::new(Vec::new());
static ABS: OnceLock<Function> = OnceLock::new();
static IS_WRONG: AtomicBool = AtomicBool::new(false);
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handle(_: c_int) {
    // SAFETY: errno is the thread's own; what is called is of the signatures given.
    unsafe {
        let errno = *libc::__errno_location();
        let n = HANDLED.fetch_add(1, Ordering::Relaxed) as u64 & 0xffff;
        let called = ABS.get().map(|abs| abs.call_slots(&[n.wrapping_neg()]));
        let is_right = matches!(called, Some(Ok(result)) if result as i32 == n as i32);
        let made = Callback::with_slots("i", "i", move |slots, result| *result = slots[0] + n);
        let entered = made.and_then(|made| Function::at(made.code(), "i", "i")?.call_slots(&[1]));
        let is_entered = matches!(entered, Ok(result) if result as i32 == n as i32 + 1);
        if !is_right || !is_entered {
            IS_WRONG.store(true, Ordering::Relaxed);
        }
        *libc::__errno_location() = errno;
    }
}

/// A storm, which lasts until it is dropped.
pub struct Storm {
    is_over: &'static AtomicBool,
    sender: Option<std::thread::JoinHandle<()>>,
}

impl Storm {
    /// Begins a storm.
    pub fn begin(turn: &mut Turn) -> Storm {
        static IS_OVER: AtomicBool = AtomicBool::new(false);
        ABS.get_or_init(|| Function::at(libc::abs as *const c_void, "i", "i").expect("a function"));
        // SAFETY: the handler does nothing that a handler must not, the allocator being one for handlers.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
        }
        let mut turn = turn.fork();
        let sender = std::thread::spawn(move || {
            while !IS_OVER.load(Ordering::Relaxed) {
                for thread in &*THREADS.lock().unwrap_or_else(PoisonError::into_inner) {
                    // SAFETY: threads on the list are running.
                    unsafe { libc::pthread_kill(*thread, libc::SIGUSR1) };
                }
                std::thread::sleep(std::time::Duration::from_micros(20 + turn.draw(200)));
            }
        });
        Storm {
            is_over: &IS_OVER,
            sender: Some(sender),
        }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(sender) = self.sender.take() {
            sender.join().expect("it ends");
        }
        assert!(
            !IS_WRONG.load(Ordering::Relaxed),
            "a handler got a wrong value"
        );
        println!("signals {}", HANDLED.load(Ordering::Relaxed));
    }
}

/// A thread that gets signals, until this is dropped.
pub struct Exposed(libc::pthread_t);

impl Exposed {
    /// Exposes this thread.
    pub fn new() -> Exposed {
        // SAFETY: this has no preconditions.
        let me = unsafe { libc::pthread_self() };
        lock(|threads| threads.push(me));
        Exposed(me)
    }
}

impl Drop for Exposed {
    fn drop(&mut self) {
        lock(|threads| threads.retain(|thread| *thread != self.0));
    }
}

fn lock(work: impl FnOnce(&mut Vec<libc::pthread_t>)) {
    work(&mut THREADS.lock().unwrap_or_else(PoisonError::into_inner));
}
