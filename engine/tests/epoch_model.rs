//! All interleavings of threads that use a thing with one that closes it. The steps are the engine's own; what they are done with is the
//! model's, where a fence through all threads is one on both sides.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "../src/epoch/protocol.rs"]
mod protocol;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::sync::{Arc, Mutex};
use loom::thread;
use protocol::{User, Waiting, World};

const THING: usize = 8;

/// Threads with a frame each, and the thing that they use.
struct Model<const USERS: usize> {
    frames: [AtomicUsize; USERS],
    list: Mutex<Vec<Waiting<()>>>,
    is_open: AtomicBool,
    /// 0 until a coroutine has left its thread; 2 if it found the thing open, and else 1.
    moved: AtomicUsize,
    /// How many threads are registered.
    known: AtomicUsize,
    /// How often the thing has been taken away. The model's memory reports who looks while somebody writes.
    taken: UnsafeCell<usize>,
}

impl<const USERS: usize> User for Model<USERS> {
    fn light_fence(&self) {
        fence(Ordering::SeqCst);
    }
}

impl<const USERS: usize> World for Model<USERS> {
    type Work = ();

    fn heavy_fence(&self) -> bool {
        fence(Ordering::SeqCst);
        // As the engine's does, to learn whether the others' fence can be saved. Theirs cannot be left out here.
        let _ = self.known.load(Ordering::SeqCst);
        true
    }

    fn is_anyone_inside(&self, thing: usize) -> bool {
        let is_it = |frame: &AtomicUsize| frame.load(Ordering::Acquire) == thing;
        self.frames.iter().any(is_it)
    }

    fn with_list<R>(&self, work: impl FnOnce(&mut Vec<Waiting<()>>) -> R) -> R {
        work(&mut self.list.lock().expect("no panic"))
    }
}

impl<const USERS: usize> Model<USERS> {
    fn new() -> Model<USERS> {
        Model {
            frames: std::array::from_fn(|_| AtomicUsize::new(0)),
            list: Mutex::new(Vec::new()),
            is_open: AtomicBool::new(true),
            moved: AtomicUsize::new(0),
            known: AtomicUsize::new(0),
            taken: UnsafeCell::new(0),
        }
    }

    /// What a call does.
    fn uses(&self, frame: usize) {
        self.uses_with(frame, |_| ());
    }

    /// What a call does, with a signal's handler ahead of each of its steps.
    fn uses_with(&self, frame: usize, handler: impl Fn(usize)) {
        handler(0);
        let is_open = self.enters(frame, || handler(1));
        handler(2);
        self.looks(is_open);
        handler(3);
        self.leaves(frame, || handler(4));
    }

    /// Announces the thing; whether it is open after that.
    fn enters(&self, frame: usize, handler: impl FnOnce()) -> bool {
        let frame = &self.frames[frame];
        protocol::announce(self, || frame.store(THING, Ordering::Relaxed));
        handler();
        self.is_open.load(Ordering::Acquire)
    }

    fn looks(&self, is_open: bool) {
        if is_open {
            self.taken.with(|taken| {
                // SAFETY: the model ends the test if somebody writes meanwhile.
                assert_eq!(unsafe { *taken }, 0, "used behind its end");
            });
        }
    }

    fn leaves(&self, frame: usize, handler: impl FnOnce()) {
        let frame = &self.frames[frame];
        protocol::take_back(self, || frame.store(0, Ordering::Release));
        handler();
        if !self.is_open.load(Ordering::Acquire) {
            self.settles();
        }
    }

    /// Takes back the frame of a call that was jumped over, which the thread notices later: it cannot know of which thing it was.
    fn sweeps(&self, frame: usize) {
        self.frames[frame].store(0, Ordering::Release);
        self.settles();
    }

    fn settles(&self) {
        protocol::settle(self, |_| true)
            .into_iter()
            .for_each(|()| self.take());
    }

    fn closes(&self) {
        self.is_open.store(false, Ordering::Release);
        if protocol::retire(self, THING, ()).is_some() {
            self.take();
        }
    }

    fn take(&self) {
        // SAFETY: the model ends the test if somebody looks or writes meanwhile.
        self.taken.with_mut(|taken| unsafe { *taken += 1 });
    }
}

/// What one thread does.
type Body<const FRAMES: usize> = Box<dyn FnOnce(&Model<FRAMES>) + Send>;

/// Tries all interleavings of these threads and one that closes the thing, in which threads are interrupted no more often than
/// `interruptions`, where that is bounded.
fn try_threads<const FRAMES: usize>(
    interruptions: Option<usize>,
    bodies: impl Fn() -> Vec<Body<FRAMES>> + Send + Sync + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = interruptions;
    builder.check(move || {
        let model = Arc::new(Model::<FRAMES>::new());
        let start = |body: Body<FRAMES>| {
            let model = model.clone();
            thread::spawn(move || body(&model))
        };
        let threads: Vec<_> = bodies().into_iter().map(start).collect();
        model.closes();
        for thread in threads {
            thread.join().expect("no use behind the end");
        }
        model.taken.with(|taken| {
            // SAFETY: all other threads have ended.
            assert_eq!(unsafe { *taken }, 1, "taken away once");
        });
    });
}

/// The same with threads that call once each.
fn try_all<const USERS: usize>(interruptions: Option<usize>) {
    try_threads::<USERS>(interruptions, || {
        let body =
            |frame| -> Body<USERS> { Box::new(move |model: &Model<USERS>| model.uses(frame)) };
        (0..USERS).map(body).collect()
    });
}

#[test]
fn thing_goes_once_and_never_under_its_user() {
    try_all::<1>(None);
}

#[test]
fn thing_goes_once_and_never_under_either_of_two_users() {
    // Without a bound it passes as well, in minutes.
    try_all::<2>(Some(3));
}

/// A handler that calls finds the next frame free, whatever it has interrupted.
#[test]
fn thing_stays_for_a_signal_handler_between_any_two_steps_of_a_call() {
    for step in 0..5 {
        try_threads::<2>(Some(3), move || {
            let body = move |model: &Model<2>| {
                model.uses_with(0, |at| {
                    if at == step {
                        model.uses(1);
                    }
                });
            };
            vec![Box::new(body) as Body<2>]
        });
    }
}

#[test]
fn thing_goes_once_after_a_call_was_jumped_over() {
    try_threads::<2>(Some(3), || {
        let jumps = |model: &Model<2>| {
            let is_open = model.enters(0, || ());
            model.looks(is_open);
            model.sweeps(0);
        };
        let other = |model: &Model<2>| model.uses(1);
        vec![Box::new(jumps) as Body<2>, Box::new(other)]
    });
}

/// Further out the call is jumped over, and further in there is another of the same thing.
#[test]
fn thing_goes_once_after_a_handler_jumped_out_of_two_calls() {
    try_threads::<2>(None, || {
        let jumps = |model: &Model<2>| {
            let is_open = model.enters(0, || ());
            model.looks(is_open);
            let is_open = model.enters(1, || ());
            model.looks(is_open);
            model.sweeps(1);
            model.sweeps(0);
        };
        vec![Box::new(jumps) as Body<2>]
    });
}

#[test]
fn thing_stays_for_a_coroutine_that_leaves_on_another_thread() {
    try_threads::<2>(Some(3), || {
        let moves = |model: &Model<2>| {
            let is_open = model.enters(0, || ());
            model.looks(is_open);
            // The thread goes on, and uses the thing for itself.
            model
                .moved
                .store(1 + usize::from(is_open), Ordering::Release);
            model.uses(1);
        };
        let goes_on = |model: &Model<2>| {
            let mut moved = model.moved.load(Ordering::Acquire);
            while moved == 0 {
                thread::yield_now();
                moved = model.moved.load(Ordering::Acquire);
            }
            model.looks(moved == 2);
            model.leaves(0, || ());
        };
        vec![Box::new(moves) as Body<2>, Box::new(goes_on)]
    });
}

/// Where no thread is known, whoever closes has none pass a fence: a thread counts itself, and passes one of its own, before it looks.
#[test]
fn thing_stays_for_a_thread_that_nobody_knew() {
    try_threads::<1>(None, || {
        let first = |model: &Model<1>| {
            model.known.fetch_add(1, Ordering::SeqCst);
            model.uses(0);
        };
        vec![Box::new(first) as Body<1>]
    });
}
