//! Function pointers for C that lead to handlers.

use crate::behind::Behind;
use crate::compiled::{Compiled, Direction, Endpoint, Served};
use crate::epoch::{self, Work};
use crate::error::Result;
use crate::interp::{self, Image};
use crate::record::{Handler, ObjectHandler, Record};
use crate::thunk::{self, Kind, Owner, Seat};
use farcall_memory::{OutOfMemory, Shared};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

/// A function pointer that calls a handler.
///
/// Dropping it closes it: a later call from C is reported and returns zero, as long as the pointer has not
/// become another callback's of the same signature. It may be dropped while it runs. Its signature stays for as long as the process: a
/// thread may be anywhere in its code.
#[derive(Debug)]
pub struct Callback {
    seat: &'static Seat,
    has_owner: bool,
}

impl Callback {
    /// A function pointer of the compiled signature that calls `handler` with `context`. Making it reads the signature and no more: the
    /// first calls follow the plan.
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * Until the callback is dropped, and for as long as a thread that came in before that has not reached it, `handler` may be
    ///   called with `context` whenever and on whatever thread C calls the pointer. It neither unwinds nor leaves by a jump.
    pub unsafe fn new(
        compiled: Shared<Compiled>,
        handler: Handler,
        context: *mut c_void,
    ) -> Result<Callback> {
        let seat = take(&compiled, Kind::Slots)?;
        seat.open(first_entry(&compiled, None), handler, None, context);
        Ok(Callback {
            seat,
            has_owner: false,
        })
    }

    /// A function pointer that calls `object_handler` where the signature has code for that and the moment allows it, and else `handler`.
    /// Both get a context that belongs to the pointer for good; `make` makes it for the pointer's first callback. So a thread that comes in
    /// late finds the same context, whatever was closed meanwhile; see [`Callback::context`].
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`], and what `make` returns.
    ///
    /// # Safety
    /// * Either handler may be called with that context from now on, on any thread, whether or not the callback is closed. All callbacks that
    ///   are made by this know what to do with it.
    /// * `handler` neither unwinds nor leaves by a jump. `object_handler` may leave by raising an exception of the interpreter's.
    pub unsafe fn lasting(
        compiled: Shared<Compiled>,
        handler: Handler,
        object_handler: Option<ObjectHandler>,
        make: impl FnOnce() -> std::result::Result<NonNull<c_void>, OutOfMemory>,
    ) -> Result<Callback> {
        let kind = match object_handler {
            Some(_) => Kind::Objects,
            None => Kind::Lasting,
        };
        let seat = take(&compiled, kind)?;
        let context = match seat.context() {
            Some(context) => context,
            None => make().inspect_err(|_| seat.put_back())?,
        };
        let entry = first_entry(&compiled, object_handler);
        seat.open(entry, handler, object_handler, context.as_ptr());
        Ok(Callback {
            seat,
            has_owner: false,
        })
    }

    /// A function pointer that calls `handler` with its [`Seat`] as the context, from which the handler gets `owned`, unless that has been
    /// closed.
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * `handler` may be called with the seat at any time, on any thread. It neither unwinds nor leaves by a jump. It enters the seat
    ///   before it looks at what is owned, and uses that no longer than until it leaves. All callbacks of one signature that are made by
    ///   this have the same handler.
    /// * `owned` is not null, and stays valid until the work given to [`Callback::close`] is done.
    pub unsafe fn owning(
        compiled: Shared<Compiled>,
        handler: Handler,
        owned: *mut c_void,
    ) -> Result<Callback> {
        let seat = take(&compiled, Kind::Owned)?;
        seat.open(first_entry(&compiled, None), handler, None, owned);
        Ok(Callback {
            seat,
            has_owner: true,
        })
    }

    /// A function pointer that calls `function` with C's arguments as they are, and with its [`Seat`] behind them; see [`Callback::owning`].
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * `behind` is the compiled signature's.
    /// * `function` is a function of the signature with a pointer as one more argument. It does with the seat what a handler of
    ///   [`Callback::owning`] does. All callbacks of one signature that are made by this have functions that deal with whatever any of them owns.
    /// * `owned` is as for [`Callback::owning`].
    pub unsafe fn behind(
        compiled: Shared<Compiled>,
        behind: Behind,
        function: NonNull<u8>,
        owned: *mut c_void,
    ) -> Result<Callback> {
        let seat = take(&compiled, Kind::Behind)?;
        seat.open(behind.entry, as_handler(function), None, owned);
        Ok(Callback {
            seat,
            has_owner: true,
        })
    }

    /// A function pointer that calls `function` with C's arguments as they are, and with `context` behind them.
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * `behind` is the compiled signature's.
    /// * `function` is a function of the signature with a pointer as one more argument, for which `context` is valid. C may call it whenever and on
    ///   whatever thread it calls the pointer. No thread is on its way there when the callback is dropped, if ever it is.
    pub unsafe fn behind_context(
        compiled: Shared<Compiled>,
        behind: Behind,
        function: NonNull<u8>,
        context: *mut c_void,
    ) -> Result<Callback> {
        // A thread that comes late to this thunk's last callback has read the entry already, and needs no more of the record.
        let seat = take(&compiled, Kind::Bare)?;
        seat.open(behind.entry, as_handler(function), None, context);
        Ok(Callback {
            seat,
            has_owner: false,
        })
    }

    /// A function pointer that goes to `function` and nowhere else, until it is closed. Any thread may be inside `function` after that.
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * `function` is a function of the compiled signature, which C may call at any time, on any thread.
    pub unsafe fn bare(compiled: Shared<Compiled>, function: NonNull<u8>) -> Result<Callback> {
        let seat = take(&compiled, Kind::Bare)?;
        seat.open(function, no_handler, None, ptr::null_mut());
        Ok(Callback {
            seat,
            has_owner: false,
        })
    }

    /// The function pointer.
    pub fn code(&self) -> *const c_void {
        self.seat.code().as_ptr().cast()
    }

    /// The context that the handlers get, for a callback made by [`Callback::lasting`].
    pub fn context(&self) -> Option<NonNull<c_void>> {
        self.seat.context()
    }

    /// Closes it, and does `work` when no thread is inside the handler: now, or on the last thread that leaves it.
    pub fn close(self, work: Box<dyn Work>) {
        let seat = self.seat;
        std::mem::forget(self);
        if seat.shut() {
            seat.put_back();
            return work.run();
        }
        epoch::tell_when_left(seat.thing(), seat, work);
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        let seat = self.seat;
        let is_unused = seat.shut();
        match self.has_owner && !is_unused {
            // A thread may be inside, and nothing tells when it leaves: the thunk is given up.
            true => {}
            // No thread is inside, or threads do not announce themselves.
            false => seat.put_back(),
        }
    }
}

/// Takes a free thunk of the signature, which stays for as long as the process if it gets a new one.
fn take(compiled: &Shared<Compiled>, kind: Kind) -> Result<&'static Seat> {
    thunk::take(compiled.seats(), kind, || {
        // SAFETY: the reference is never given back.
        let compiled = unsafe { &*compiled.clone().into_raw() };
        compiled.keep();
        Owner {
            signature: ptr::from_ref(compiled).cast(),
            seats: compiled.seats(),
        }
    })
}

/// The handler of a thunk that leads to a function directly. It is never called.
unsafe extern "C" fn no_handler(_: *mut c_void, _: *const u64) -> u64 {
    0
}

/// Stands in the handler's place in a record whose entry passes on what it got.
fn as_handler(function: NonNull<u8>) -> Handler {
    // SAFETY: both are addresses of functions. Nothing calls it as a handler: no entry but that of `Behind` is ever in its record.
    unsafe { std::mem::transmute::<NonNull<u8>, Handler>(function) }
}

/// The endpoint that a callback's code is for.
fn endpoint(object_handler: Option<ObjectHandler>) -> Endpoint {
    match object_handler {
        Some(_) => Endpoint::Objects,
        None => Endpoint::Slots,
    }
}

/// The entry of a callback that has not been called yet: code, if its signature has some.
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

/// The entry of callbacks that follow their plan.
fn plan_entry() -> NonNull<u8> {
    let entry: unsafe extern "C" fn() = farcall_interp_slots;
    // SAFETY: no function is at address 0.
    unsafe { NonNull::new_unchecked(entry as *mut u8) }
}

unsafe extern "C" {
    fn farcall_interp_slots();
}

interp_entry!("farcall_interp_slots", enter);

/// A handler as it may behave: one that C calls through code made for it may be left by unwinding.
type Unwinding = unsafe extern "C-unwind" fn(context: *mut c_void, slots: *const u64) -> u64;

/// The handler of a callback whose result takes more slots than one.
type Wide = unsafe extern "C-unwind" fn(context: *mut c_void, slots: *const u64, result: *mut u128);

/// # Safety
/// * `record` is that of a callback.
/// * `image` and `stack` are the registers and the stack arguments it was called with.
unsafe extern "C-unwind" fn enter(record: *mut Record, image: &mut Image, stack: *mut u8) {
    // SAFETY: the record is a callback's, by the contract of this function, and the thunk that leads here is alive; its signature stays
    // as long as the process.
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
    // SAFETY: `image` and `stack` are those of the call, by the contract of this function. The record's handler is a `Handler` of this
    // signature, which may be left by unwinding if the contract of the callback's constructor permits that; one of a wide result takes one argument
    // more.
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
}

/// Counts a callback that follows its plan, and has the next ones enter by code if there is some by now.
///
/// Apart from [`enter`], whose frame exceptions cross, and which therefore has nothing to be dropped.
///
/// # Safety
/// * `record` is that of a callback.
#[inline(never)]
unsafe fn install_code(record: *mut Record) {
    // SAFETY: the record is a callback's, by the contract of this function.
    let (compiled, object_handler) = unsafe { ((*record).compiled, (*record).object_handler) };
    // SAFETY: a callback's record names its signature, which stays as long as the process.
    let signature = unsafe { &*compiled.cast::<Compiled>() };
    let mut served = signature.serve(Direction::Entry, endpoint(object_handler));
    if served == Served::PlanForGood && object_handler.is_some() {
        served = signature.serve(Direction::Entry, Endpoint::Slots);
    }
    let Served::Code(entry) = served else { return };
    // SAFETY: the record is a callback's, by the contract of this function, and its thunk is of this signature and kind for good.
    unsafe { thunk::enter_by(record, plan_entry(), entry) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::compile;
    use crate::levels::{self, LEVELS};
    use crate::thunk::REST;
    use farcall_arch::{Scalar, Signature, Type};
    use std::collections::{HashMap, HashSet};
    use std::ptr;

    unsafe extern "C" fn noop(_: *mut c_void, _: *const u64) -> u64 {
        0
    }

    #[test]
    fn closed_thunk_is_not_given_out_again_before_its_rest_is_over() {
        let signature = Signature::new(Type::Scalar(Scalar::I16), vec![Type::Scalar(Scalar::U8)])
            .expect("a signature");
        let compiled = compile(signature, None).expect("a plan");
        let open = || {
            let seat = take(&compiled, Kind::Slots).expect("memory for thunks");
            seat.open(NonNull::dangling(), noop, None, ptr::null_mut());
            seat
        };
        let close = |seat: &'static Seat| {
            seat.shut();
            seat.put_back();
        };
        // Another test may hold a level at any moment, so more than one queue has thunks of this signature.
        let mut closed_at = HashMap::new();
        for now in 0..10 * LEVELS * REST {
            let seat = open();
            if let Some(before) = closed_at.insert(seat.code(), now) {
                assert!(now - before > REST, "closed {} thunks ago", now - before);
            }
            close(seat);
        }
        assert!(
            closed_at.len() <= LEVELS * (REST + 1),
            "none rests for ever"
        );
    }

    #[test]
    fn thunk_that_is_closed_while_its_level_is_taken_is_used_again() {
        let signature = Signature::new(Type::F32, vec![Type::I8; 2]).expect("a signature");
        let compiled = compile(signature, None).expect("a plan");
        let codes: HashSet<_> = (0..10 * LEVELS * REST)
            .map(|_| {
                // SAFETY: the handler takes any context.
                let made = unsafe { Callback::new(compiled.clone(), noop, ptr::null_mut()) };
                let made = made.expect("memory for thunks");
                let code = made.code().addr();
                let level = levels::hold();
                drop(made);
                drop(level);
                code
            })
            .collect();
        // Another test may hold a level at any moment, so each has thunks of its own.
        assert!(codes.len() <= LEVELS * (REST + 1), "{}", codes.len());
    }

    #[test]
    fn thunks_that_threads_make_for_each_other_to_close_are_used_again() {
        const AT_ONCE: usize = 16;
        let signature = Signature::new(Type::F32, vec![Type::I8; 5]).expect("a signature");
        let compiled = compile(signature, None).expect("a plan");
        let (sender, receiver) = std::sync::mpsc::sync_channel::<Callback>(AT_ONCE);
        let codes: HashSet<_> = std::thread::scope(|scope| {
            scope.spawn(|| receiver.into_iter().for_each(drop));
            let made = (0..200 * REST).map(|_| {
                // SAFETY: the handler takes any context.
                let made = unsafe { Callback::new(compiled.clone(), noop, ptr::null_mut()) };
                let made = made.expect("memory for thunks");
                let code = made.code().addr();
                sender.send(made).expect("the other thread takes it");
                code
            });
            let codes = made.collect();
            drop(sender);
            codes
        });
        // One more is in the hand of either thread.
        let most = AT_ONCE + 2 + REST;
        assert!(codes.len() <= LEVELS * most, "{}", codes.len());
    }

    #[test]
    fn threads_that_hold_all_levels_make_and_close_callbacks_without_waiting_for_each_other() {
        let signature = Signature::new(Type::F64, vec![Type::I8; 3]).expect("a signature");
        let compiled = compile(signature, None).expect("a plan");
        let all_hold = std::sync::Barrier::new(LEVELS);
        let codes = std::sync::Mutex::new(Vec::new());
        // Does what a signal handler does that has interrupted its thread in the midst of this.
        let interrupted = || {
            let _level = levels::hold().expect("a level");
            all_hold.wait();
            assert!(levels::hold().is_none());
            for _ in 0..2 * REST {
                // SAFETY: the handler takes any context.
                let made = unsafe { Callback::new(compiled.clone(), noop, ptr::null_mut()) };
                let made = made.expect("memory for thunks");
                codes.lock().expect("no panic").push(made.code().addr());
            }
            all_hold.wait();
        };
        std::thread::scope(|scope| (0..LEVELS).for_each(|_| drop(scope.spawn(interrupted))));
        // The thunks given up then are used again.
        let reused = take(&compiled, Kind::Slots).expect("memory for thunks");
        let codes = codes.into_inner().expect("no panic");
        assert!(codes.contains(&reused.code().addr().get()));
    }
}
