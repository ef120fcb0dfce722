//! Closures that callbacks own, and the handlers that run them.

use crate::panics;
use farcall_engine::epoch::{self, Place, Waiting, Work};
use farcall_engine::{self as engine, Handler, Seat};
use farcall_memory::{OutOfMemory, try_box};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// The code that runs when C calls. It takes its arguments from slots and writes its result to slots.
pub(crate) trait Body: Send + Sync + 'static {
    /// # Safety
    /// * `slots` are the slots of the signature's arguments. `result` has room for the result, and is zero if it is one slot.
    unsafe fn run(&self, slots: *const u64, result: *mut u64);
}

/// The head of a body that a thunk owns: the functions that run and drop it.
#[repr(C)]
pub(crate) struct Closure {
    /// A [`Run`], or a function that takes C's arguments behind the head; see [`crate::behind`]. All closures that one seat may own have the
    /// same kind.
    pub run: *const c_void,
    drop: unsafe fn(NonNull<Closure>),
}

/// The function that runs a [`Body`].
type Run = unsafe fn(NonNull<Closure>, slots: *const u64, result: *mut u64);

#[repr(C)]
struct Whole<B> {
    closure: Closure,
    body: B,
}

/// What is behind the head of a closure.
///
/// # Safety
/// * `closure` is the head of a body of the type `B`, which is there for as long as the result is used.
#[inline(always)]
pub(crate) unsafe fn body<'a, B>(closure: NonNull<Closure>) -> &'a B {
    // SAFETY: the head is the first field of a `Whole` of this type, by the contract of this function.
    unsafe { &(*closure.cast::<Whole<B>>().as_ptr()).body }
}

/// # Safety
/// * As for [`Body::run`]; `closure` is the head of a body of the type `B`.
unsafe fn run<B: Body>(closure: NonNull<Closure>, slots: *const u64, result: *mut u64) {
    // SAFETY: `closure` is of a body of this type; `slots` and `result` are those of the call, by the contract of this function.
    unsafe { body::<B>(closure).run(slots, result) };
}

/// # Safety
/// * `closure` is the head of a body of the type `B`, and nothing uses it any more.
unsafe fn dispose<B>(closure: NonNull<Closure>) {
    // SAFETY: it came from a box of this type, and nothing uses it any more, by the contract of this function.
    drop(unsafe { Box::from_raw(closure.cast::<Whole<B>>().as_ptr()) });
}

/// The task that drops the closure of a callback once the callback is closed. It is made with the callback, so closing needs no memory.
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
        // SAFETY: the callback that owned the closure is closed, and no thread is inside.
        unsafe { (self.closure.as_ref().drop)(self.closure) };
    }
}

impl Closing {
    pub fn new<B: Body>(body: B) -> Result<Box<Closing>, OutOfMemory> {
        Closing::of(body, run::<B> as Run as *const c_void)
    }

    /// For a body that is run by this function, in whatever way.
    pub fn of<B: Send + 'static>(body: B, run: *const c_void) -> Result<Box<Closing>, OutOfMemory> {
        let place = try_box(MaybeUninit::uninit())?;
        let head = Closure {
            run,
            drop: dispose::<B>,
        };
        let whole = Whole {
            closure: head,
            body,
        };
        let closure = Box::leak(try_box(whole)?);
        let closing = Closing {
            waiting: Waiting::new(),
            closure: NonNull::from(closure).cast(),
        };
        Ok(Box::write(place, closing))
    }

    /// The pointer that the thunk owns.
    pub fn owned(&self) -> *mut c_void {
        self.closure.as_ptr().cast()
    }
}

/// The handler of all closures whose result takes `ret_slots` slots. It may be called with any seat that owns a [`Closure`].
pub(crate) fn handler(ret_slots: u32) -> Handler {
    match ret_slots {
        0 | 1 => run_closure,
        // SAFETY: the engine calls the handler of a wide result with one more argument, which a `WideHandler` takes.
        _ => unsafe { std::mem::transmute::<WideHandler, Handler>(run_wide_closure) },
    }
}

/// The handler of a signature whose result takes more than one slot.
pub(crate) type WideHandler = unsafe extern "C" fn(*mut c_void, *const u64, *mut u64);

/// The handler of all closures whose result takes at most one slot.
unsafe extern "C" fn run_closure(context: *mut c_void, slots: *const u64) -> u64 {
    let mut result = 0;
    // SAFETY: the entry passes its own seat and slots, and there is one slot for the result.
    unsafe { run_if_open(context, slots, &mut result) };
    result
}

/// The handler of all other closures.
unsafe extern "C" fn run_wide_closure(context: *mut c_void, slots: *const u64, result: *mut u64) {
    // SAFETY: the entry passes its own seat and slots, with room for the result.
    unsafe { run_if_open(context, slots, result) };
}

/// Runs the closure that a seat owns, unless it is closed.
///
/// # Safety
/// * `context` is the entry's seat, and `slots` are the slots of the arguments. `result` has room for the result, and is zero if it is one slot.
#[inline(always)]
unsafe fn run_if_open(context: *mut c_void, slots: *const u64, result: *mut u64) {
    // SAFETY: the entry passes the seat of its thunk, which is never freed.
    let seat = unsafe { &*context.cast::<Seat>() };
    let place = Place::uninit();
    let inside = seat.enter(&place);
    // The check comes after the entry: a closure that is still owned is not dropped before this thread has left.
    match seat.owned() {
        None => engine::report_closed(),
        // SAFETY: a seat with this handler owns a closure that a `Run` runs; the slots are those of its signature, which is the thunk's.
        Some(closure) => unsafe {
            let closure = closure.cast::<Closure>();
            let run = std::mem::transmute::<*const c_void, Run>(closure.as_ref().run);
            run(closure, slots, result);
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
        // SAFETY: as above; nothing else uses this memory now.
        let result = unsafe { std::slice::from_raw_parts_mut(result, self.ret_slots) };
        if result.len() > 1 {
            result.fill(0);
        }
        if panics::catching(|| (self.run)(slots, result)).is_none() {
            result.fill(0);
        }
    }
}
