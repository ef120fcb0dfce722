//! Closes libraries and callbacks while other threads use them.

use crate::peer;
use crate::storm::{Exposed, Storm};
use crate::turn::Turn;
use farcall::{Callback, Error, Function, Library, Value};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// A use of a thing: false once it is closed.
type Use = Arc<dyn Fn() -> bool + Send + Sync>;

/// Threads that each use the thing that they are given until it is closed.
struct Users {
    work: Vec<mpsc::Sender<Use>>,
    done: mpsc::Receiver<()>,
    busy: Arc<AtomicUsize>,
}

impl Users {
    fn new(count: usize) -> Users {
        let (tell, done) = mpsc::channel();
        let busy = Arc::new(AtomicUsize::new(0));
        let work = (0..count)
            .map(|_| {
                let (sender, receiver) = mpsc::channel::<Use>();
                let (tell, busy) = (tell.clone(), busy.clone());
                thread::spawn(move || {
                    let _exposed = Exposed::new();
                    for uses in receiver {
                        busy.fetch_add(1, Ordering::Relaxed);
                        while uses() {}
                        drop(uses);
                        if tell.send(()).is_err() {
                            break;
                        }
                    }
                });
                sender
            })
            .collect();
        Users { work, done, busy }
    }

    /// Lets all threads use a thing, closes it at some moment, and waits for the threads.
    fn round(&self, turn: &mut Turn, uses: Use, close: impl FnOnce()) {
        self.busy.store(0, Ordering::Relaxed);
        for work in &self.work {
            work.send(uses.clone()).expect("a user is there");
        }
        drop(uses);
        let wanted = turn.draw(self.work.len() as u64 + 1) as usize;
        while self.busy.load(Ordering::Relaxed) < wanted {
            std::hint::spin_loop();
        }
        turn.dawdle(3000);
        close();
        for _ in &self.work {
            self.done.recv().expect("a user is there");
        }
    }
}

/// The number of threads that use a thing.
const USERS: usize = 2;

fn close(turn: &mut Turn, find: fn(&Library) -> Use) -> u64 {
    let users = Users::new(USERS);
    let mut rounds = 0;
    while turn.goes_on() {
        let library = peer::open();
        let uses = find(&library);
        users.round(turn, uses, || library.close());
        rounds += 1;
    }
    rounds
}

fn call(library: &Library) -> Use {
    let seven = library.func("i", "soak_seven", "").expect("a function");
    // SAFETY: declared as it is.
    Arc::new(move || match unsafe { seven.call_slots(&[]) } {
        Ok(result) => {
            assert_eq!(result, 7);
            true
        }
        Err(Error::Closed { .. }) => false,
        Err(other) => panic!("{other}"),
    })
}

fn variable(library: &Library) -> Use {
    let number = library.var("i", "soak_number").expect("a variable");
    // SAFETY: declared as it is, and never written.
    Arc::new(move || match unsafe { number.get() } {
        Ok(value) => {
            assert_eq!(value, Value::Int(11));
            true
        }
        Err(Error::Closed { .. }) => false,
        Err(other) => panic!("{other}"),
    })
}

/// Closes a library while threads call it.
pub fn calls(turn: &mut Turn) -> u64 {
    close(turn, call)
}

/// The same in a storm.
pub fn calls_in_a_storm(turn: &mut Turn) -> u64 {
    let _storm = Storm::begin(turn);
    close(turn, call)
}

/// Closes a library while threads read its variable.
pub fn variables(turn: &mut Turn) -> u64 {
    close(turn, variable)
}

/// The same in a storm.
pub fn variables_in_a_storm(turn: &mut Turn) -> u64 {
    let _storm = Storm::begin(turn);
    close(turn, variable)
}

/// A closure's captures, which are marked when they are dropped.
struct Owned(AtomicUsize, Arc<AtomicUsize>);

const WHOLE: usize = 0x600d;

impl Drop for Owned {
    fn drop(&mut self) {
        assert_eq!(
            self.0.swap(0xdead, Ordering::Relaxed),
            WHOLE,
            "dropped once"
        );
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// Drops a callback while threads of C enter it.
pub fn callbacks(turn: &mut Turn) -> u64 {
    silence_stderr();
    let users = Users::new(USERS);
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut rounds = 0;
    while turn.goes_on() {
        let owned = Owned(AtomicUsize::new(WHOLE), dropped.clone());
        let callback = Callback::with_slots("i", "i", move |slots, result| {
            assert_eq!(owned.0.load(Ordering::Relaxed), WHOLE, "run after its end");
            *result = slots[0];
        })
        .expect("a callback");
        // SAFETY: it is of this signature.
        let entered = unsafe {
            std::mem::transmute::<*const c_void, extern "C" fn(i32) -> i32>(callback.code())
        };
        users.round(turn, Arc::new(move || entered(5) == 5), || drop(callback));
        rounds += 1;
        let dropped = dropped.load(Ordering::Relaxed) as u64;
        assert_eq!(dropped, rounds, "closures dropped when all have left");
    }
    rounds
}

/// The same in a storm.
pub fn callbacks_in_a_storm(turn: &mut Turn) -> u64 {
    let _storm = Storm::begin(turn);
    callbacks(turn)
}

/// Silences standard error: reports of closed callbacks are not tested here.
pub fn silence_stderr() {
    // SAFETY: a descriptor of our own replaces another.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY);
        libc::dup2(null, 2);
    }
}

/// Pages that the process has in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.expect("a number")
}

/// Makes and drops callbacks while other threads stay in C for good, one of them in a callback; memory does not grow.
pub fn come_and_go(turn: &mut Turn) -> u64 {
    const WARM: u64 = 3000;
    const SLACK: usize = 1024;
    static IS_INSIDE: AtomicBool = AtomicBool::new(false);
    for _ in 0..2 {
        let pause = Function::at(libc::pause as *const c_void, "i", "").expect("a function");
        thread::spawn(move || {
            loop {
                // SAFETY: declared as it is.
                let _ = unsafe { pause.call_slots(&[]) };
            }
        });
    }
    thread::spawn(|| {
        let stays = Callback::with_slots("i", "i", |_, _| {
            IS_INSIDE.store(true, Ordering::Release);
            loop {
                thread::park();
            }
        })
        .expect("a callback");
        let function = Function::at(stays.code(), "i", "i").expect("a function");
        // SAFETY: the function is the callback.
        let _ = unsafe { function.call_slots(&[0]) };
    });
    while !IS_INSIDE.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (mut rounds, mut before) = (0, 0);
    while turn.goes_on() {
        let owned = Owned(AtomicUsize::new(WHOLE), dropped.clone());
        let ballast = vec![1_u8; 4096];
        let callback = Callback::with_slots("i", "i", move |slots, result| {
            *result = slots[0] + owned.0.load(Ordering::Relaxed) as u64 + u64::from(ballast[17]);
        })
        .expect("a callback");
        if rounds % 3 != 0 {
            let function = Function::at(callback.code(), "i", "i").expect("a function");
            // SAFETY: the function is the callback.
            let result = unsafe { function.call_slots(&[rounds & 0xffff]) };
            assert_eq!(result.ok(), Some((rounds & 0xffff) + WHOLE as u64 + 1));
        }
        drop(callback);
        rounds += 1;
        assert_eq!(dropped.load(Ordering::Relaxed) as u64, rounds);
        if rounds == WARM {
            before = resident();
        }
        if rounds > WARM && rounds % 10_000 == 0 {
            let now = resident();
            assert!(now < before + SLACK, "{before} pages became {now}");
        }
    }
    rounds
}
