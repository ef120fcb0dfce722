//! Function pointers for C that lead to handlers.

use crate::compiled::{Compiled, Direction, Endpoint, Served};
use crate::epoch::{self, Inside};
use crate::error::Result;
use crate::interp::{self, Image};
use crate::lock::lock;
use crate::record::{Handler, ObjectHandler, Record};
use crate::thunk::{self, Thunk};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

/// A function pointer that calls a handler.
///
/// Dropping it closes it: a later call from C is reported and returns zero, as long as the pointer has not
/// become another callback's. It may be dropped while it runs.
#[derive(Debug)]
pub struct Callback {
    thunk: Thunk,
    compiled: Option<Arc<Compiled>>,
}

impl Callback {
    /// A function pointer of the compiled signature that calls `object_handler` with `context` where the signature has code
    /// for that and the moment allows it, and else `handler`. Making it reads the signature and no more: the first calls follow the plan.
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * Until the callback is dropped, either handler may be called with `context` whenever and on whatever thread C
    ///   calls the pointer.
    /// * `handler` neither unwinds nor leaves by a jump. `object_handler` may leave by raising an exception of the interpreter's.
    pub unsafe fn new(
        compiled: Arc<Compiled>,
        handler: Handler,
        object_handler: Option<ObjectHandler>,
        context: *mut c_void,
    ) -> Result<Callback> {
        let record = Record {
            entry: first_entry(&compiled, object_handler),
            context,
            handler,
            object_handler,
            compiled: Arc::as_ptr(&compiled).cast(),
        };
        Ok(Callback {
            thunk: thunk::open(&mut lock(), record)?,
            compiled: Some(compiled),
        })
    }

    /// The function pointer.
    pub fn code(&self) -> *const c_void {
        self.thunk.code().as_ptr().cast()
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        thunk::close(&mut lock(), self.thunk);
        // The entry may be running, in this thread or another, and must outlast that. It does in the cache, unless the
        // cache has forgotten it, so that it goes with this reference.
        let last = |compiled: &Arc<Compiled>| Arc::strong_count(compiled) == 1;
        if let Some(compiled) = self.compiled.take().filter(last) {
            epoch::retire(Box::new(compiled));
        }
    }
}

/// The endpoint that a callback's code is for.
fn endpoint(object_handler: Option<ObjectHandler>) -> Endpoint {
    match object_handler {
        Some(_) => Endpoint::Objects,
        None => Endpoint::Slots,
    }
}

/// What a callback enters by that has not been called yet: code, if its signature has some.
fn first_entry(compiled: &Compiled, object_handler: Option<ObjectHandler>) -> NonNull<u8> {
    let mut served = compiled.now(Direction::Entry, endpoint(object_handler));
    if served == Served::PlanForGood {
        served = compiled.now(Direction::Entry, Endpoint::Slots);
    }
    match served {
        Served::Code(entry) => entry,
        Served::Plan | Served::PlanForGood => plan_entry(),
    }
}

/// What callbacks enter by that follow their plan.
fn plan_entry() -> NonNull<u8> {
    let entry: unsafe extern "C" fn() = farcall_interp_slots;
    // SAFETY: no function is at address 0.
    unsafe { NonNull::new_unchecked(entry as *mut u8) }
}

unsafe extern "C" {
    fn farcall_interp_slots();
}

crate::interp_entry!("farcall_interp_slots", enter);

/// A handler as it may behave: one that C calls through code made for it may be left by unwinding.
type Unwinding = unsafe extern "C-unwind" fn(context: *mut c_void, slots: *const u64) -> u64;

/// The handler of a callback whose result takes more slots than one.
type Wide = unsafe extern "C-unwind" fn(context: *mut c_void, slots: *const u64, result: *mut u128);

/// # Safety
/// * `record` is that of a callback.
/// * `image` and `stack` are the registers and the stack arguments it was called with.
unsafe extern "C-unwind" fn enter(record: *mut Record, image: &mut Image, stack: *mut u8) {
    let inside = Inside::enter();
    // SAFETY: the caller vouches for the record. What it names is retired while this thread is counted as inside.
    let (handler, context, compiled) = unsafe {
        install_code(record);
        let Record {
            handler,
            context,
            compiled,
            ..
        } = *record;
        (handler, context, &*compiled.cast::<Compiled>())
    };
    let plan = compiled.plan();
    // SAFETY: the caller vouches for the registers. A handler is such a function, but that it may be left by unwinding if who made the
    // callback permits that; one of a wide result takes one argument more.
    unsafe {
        interp::enter_slots(plan, image, stack, |slots, result| {
            if plan.ret_slots <= 1 {
                let handler = std::mem::transmute::<Handler, Unwinding>(handler);
                result[0] = handler(context, slots.as_ptr()).into();
            } else {
                let handler = std::mem::transmute::<Handler, Wide>(handler);
                handler(context, slots.as_ptr(), result.as_mut_ptr());
            }
        });
    }
    inside.leave();
}

/// Counts a callback that follows its plan, and has the next ones enter by code if there is some by now.
///
/// Apart from [`enter`], whose frame exceptions cross, and which therefore has nothing to be dropped.
///
/// # Safety
/// * `record` is that of a callback whose signature is not taken away now.
#[inline(never)]
unsafe fn install_code(record: *mut Record) {
    // SAFETY: the caller vouches for the record.
    let (compiled, object_handler) = unsafe { ((*record).compiled, (*record).object_handler) };
    // SAFETY: the caller vouches for the signature.
    let signature = unsafe { &*compiled.cast::<Compiled>() };
    let mut served = signature.serve(Direction::Entry, endpoint(object_handler));
    if served == Served::PlanForGood && object_handler.is_some() {
        served = signature.serve(Direction::Entry, Endpoint::Slots);
    }
    let Served::Code(entry) = served else { return };
    let mut lock = lock();
    // SAFETY: records are changed under the lock. This one may be another callback's by now, even of another signature.
    unsafe {
        if (*record).compiled == compiled
            && (*record).object_handler.is_some() == object_handler.is_some()
        {
            thunk::enter_by(&mut lock, record, plan_entry(), entry);
        }
    }
}
