//! Closures as callbacks own them, and the handlers that run them.

use crate::panics;
use farcall_engine::epoch::{self, Place, Waiting, Work};
use farcall_engine::{self as engine, Handler, Seat};
use farcall_memory::{OutOfMemory, try_box};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// What runs when C calls: it takes its arguments from slots, and leaves its result in slots.
pub(crate) trait Body: Send + Sync + 'static {
    /// # Safety
    /// * `slots` are the arguments', as the signature has them. `result` has room for the result, all zero if it is one slot.
    unsafe fn run(&self, slots: *const u64, result: *mut u64);
}

/// A body, as a thunk owns it: behind the ways to run and to drop it.
#[repr(C)]
pub(crate) struct Closure {
    run: unsafe fn(NonNull<Closure>, slots: *const u64, result: *mut u64),
    drop: unsafe fn(NonNull<Closure>),
}

#[repr(C)]
struct Whole<B> {
    closure: Closure,
    body: B,
}

/// # Safety
/// * As for [`Body::run`]; `closure` is of such a body.
unsafe fn run<B: Body>(closure: NonNull<Closure>, slots: *const u64, result: *mut u64) {
    // SAFETY: `closure` is of a body of this type, by the contract of this function.
    let whole = unsafe { closure.cast::<Whole<B>>().as_ref() };
    // SAFETY: `slots` and `result` are those of the call, by the contract of this function.
    unsafe { whole.body.run(slots, result) };
}

/// # Safety
/// * `closure` is of such a body, and nobody uses it any more.
unsafe fn dispose<B: Body>(closure: NonNull<Closure>) {
    // SAFETY: it came from a box of this type, and nobody uses it any more, by the contract of this function.
    drop(unsafe { Box::from_raw(closure.cast::<Whole<B>>().as_ptr()) });
}

/// The closure of a callback, as what is to be done once it is closed. It is made with the callback: closing needs no memory.
pub(crate) struct Closing {
    waiting: Waiting,
    closure: NonNull<Closure>,
}

// SAFETY: bodies are Send.
unsafe impl Send for Closing {}

impl Work for Closing {
    fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    fn run(self: Box<Self>) {
        // SAFETY: the callback that it was of is closed, with no thread inside.
        unsafe { (self.closure.as_ref().drop)(self.closure) };
    }
}

impl Closing {
    pub fn new(body: impl Body) -> Result<Box<Closing>, OutOfMemory> {
        /// Has the way to drop a body known from its type alone.
        fn whole<B: Body>(body: B) -> Whole<B> {
            let closure = Closure {
                run: run::<B>,
                drop: dispose::<B>,
            };
            Whole { closure, body }
        }
        let place = try_box(MaybeUninit::uninit())?;
        let closure = Box::leak(try_box(whole(body))?);
        let closing = Closing {
            waiting: Waiting::new(),
            closure: NonNull::from(closure).cast(),
        };
        Ok(Box::write(place, closing))
    }

    /// What the thunk is to own.
    pub fn owned(&self) -> *mut c_void {
        self.closure.as_ptr().cast()
    }
}

/// The handler of all closures whose result takes so many slots. It may be called with any seat that owns a [`Closure`].
pub(crate) fn handler(ret_slots: u32) -> Handler {
    match ret_slots {
        0 | 1 => run_closure,
        // SAFETY: the handler of a wide result is called with an argument more, as this wants it.
        _ => unsafe { std::mem::transmute::<WideHandler, Handler>(run_wide_closure) },
    }
}

/// The handler of a signature whose result takes more than one slot.
pub(crate) type WideHandler = unsafe extern "C" fn(*mut c_void, *const u64, *mut u64);

/// The handler of all closures whose result takes one slot at most.
unsafe extern "C" fn run_closure(context: *mut c_void, slots: *const u64) -> u64 {
    let mut result = 0;
    // SAFETY: the entry hands on what it got, and there is one slot.
    unsafe { run_if_open(context, slots, &mut result) };
    result
}

/// The handler of all other closures.
unsafe extern "C" fn run_wide_closure(context: *mut c_void, slots: *const u64, result: *mut u64) {
    // SAFETY: the entry hands on what it got, with room for the result.
    unsafe { run_if_open(context, slots, result) };
}

/// Runs what a seat owns, unless that is closed.
///
/// # Safety
/// * `context` is the seat that the entry hands on, `slots` are the arguments'. `result` has room for the result, all zero if it is one slot.
#[inline(always)]
unsafe fn run_if_open(context: *mut c_void, slots: *const u64, result: *mut u64) {
    // SAFETY: the entry hands on the seat of its thunk, which stays for good.
    let seat = unsafe { &*context.cast::<Seat>() };
    let place = Place::uninit();
    let inside = seat.enter(&place);
    // Looked at only now: what is still owned is not dropped before this thread has left.
    match seat.owned() {
        None => engine::report_closed(),
        // SAFETY: what a seat with this handler owns is a closure; the slots are those of its signature, which is the thunk's.
        Some(closure) => unsafe {
            let closure = closure.cast::<Closure>();
            (closure.as_ref().run)(closure, slots, result);
        },
    }
    inside.leave();
    if seat.is_closed() {
        epoch::settle(seat.thing());
    }
}

/// A closure over slots.
pub(crate) struct OnSlots<F> {
    pub run: F,
    pub arg_slots: usize,
    pub ret_slots: usize,
}

impl<F: Fn(&[u64], &mut [u64]) + Send + Sync + 'static> Body for OnSlots<F> {
    unsafe fn run(&self, slots: *const u64, result: *mut u64) {
        let slots: &[u64] = match self.arg_slots {
            0 => &[],
            // SAFETY: there are as many slots as the signature's arguments take, by the contract of `Body::run`.
            count => unsafe { std::slice::from_raw_parts(slots, count) },
        };
        // SAFETY: as above; nobody else has this memory now.
        let result = unsafe { std::slice::from_raw_parts_mut(result, self.ret_slots) };
        if result.len() > 1 {
            result.fill(0);
        }
        if panics::catching(|| (self.run)(slots, result)).is_none() {
            result.fill(0);
        }
    }
}
