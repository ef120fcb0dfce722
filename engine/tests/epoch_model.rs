//! All interleavings of threads that use a thing with one that closes it. The steps are the engine's own; what they are done with is the
//! model's, where a fence through all threads is one on both sides.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "../src/epoch/protocol.rs"]
mod protocol;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::sync::{Arc, Mutex};
use loom::thread;
use protocol::{Link, Linked, List, User, World};

const THING: usize = 8;

/// What is to be done, which is to count.
struct Work(Box<Link<Work>>);

impl Linked for Work {
    fn link(&mut self) -> &mut Link<Work> {
        &mut self.0
    }
}

/// Threads with a frame each, and the thing that they use.
struct Model<const USERS: usize> {
    frames: [AtomicUsize; USERS],
    list: Mutex<List<Work>>,
    is_open: AtomicBool,
    /// How often the thing has been taken away. The model's memory reports who looks while somebody writes.
    taken: UnsafeCell<usize>,
}

impl<const USERS: usize> User for Model<USERS> {
    fn light_fence(&self) {
        fence(Ordering::SeqCst);
    }
}

impl<const USERS: usize> World for Model<USERS> {
    type Work = Work;

    fn heavy_fence(&self) -> bool {
        fence(Ordering::SeqCst);
        true
    }

    fn is_anyone_inside(&self, thing: usize) -> bool {
        let is_it = |frame: &AtomicUsize| frame.load(Ordering::Acquire) == thing;
        self.frames.iter().any(is_it)
    }

    fn with_list<R>(&self, work: impl FnOnce(&mut List<Work>) -> R) -> R {
        work(&mut self.list.lock().expect("no panic"))
    }
}

impl<const USERS: usize> Model<USERS> {
    fn new() -> Model<USERS> {
        Model {
            frames: std::array::from_fn(|_| AtomicUsize::new(0)),
            list: Mutex::new(List::new()),
            is_open: AtomicBool::new(true),
            taken: UnsafeCell::new(0),
        }
    }

    /// What a call does.
    fn uses(&self, frame: &AtomicUsize) {
        protocol::announce(self, || frame.store(THING, Ordering::Relaxed));
        if self.is_open.load(Ordering::Acquire) {
            self.taken.with(|taken| {
                // SAFETY: the model ends the test if somebody writes meanwhile.
                assert_eq!(unsafe { *taken }, 0, "used behind its end");
            });
        }
        protocol::take_back(self, || frame.store(0, Ordering::Release));
        if !self.is_open.load(Ordering::Acquire) {
            let mut over = protocol::settle(self, |thing| thing == THING);
            while over.pop().is_some() {
                self.take();
            }
        }
    }

    fn closes(&self) {
        self.is_open.store(false, Ordering::Release);
        if protocol::retire(self, THING, Work(Box::new(Link::new()))).is_some() {
            self.take();
        }
    }

    fn take(&self) {
        // SAFETY: the model ends the test if somebody looks or writes meanwhile.
        self.taken.with_mut(|taken| unsafe { *taken += 1 });
    }
}

/// Tries all interleavings in which threads are interrupted no more often than `interruptions`, where that is bounded.
fn try_all<const USERS: usize>(interruptions: Option<usize>) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = interruptions;
    builder.check(|| {
        let model = Arc::new(Model::<USERS>::new());
        let users: Vec<_> = (0..USERS)
            .map(|user| {
                let model = model.clone();
                thread::spawn(move || model.uses(&model.frames[user]))
            })
            .collect();
        model.closes();
        for user in users {
            user.join().expect("no use behind the end");
        }
        model.taken.with(|taken| {
            // SAFETY: all other threads have ended.
            assert_eq!(unsafe { *taken }, 1, "taken away once");
        });
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
