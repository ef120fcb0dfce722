//! A signature with its plan and its code: planned once, and shared by all functions and callbacks that have it.
//!
//! Code has two keys: the direction, a call or an entry, and the [`Endpoint`], which is how values lie on the side that is not
//! C's. It is made when [`crate::policy`] says so.

use crate::arena::{Made, Published, publish_as};
use crate::behind::{Behind, Known};
use crate::cache::Cache;
use crate::error::Result;
use crate::interp;
use crate::label::Label;
use crate::levels::{self, Cached};
use crate::objects::{self, Conversion};
use crate::policy;
use crate::sys;
use crate::thunk::Seats;
use farcall_arch::{Abi, Plan, Shared, Signature, emit, plan};
use farcall_memory::OutOfMemory;
use farcall_memory::try_box;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// How values lie on the side of a call or an entry that is not C's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// In slots of eight bytes, one after the other.
    Slots,
    /// Wherever pointers lead, one for each value.
    Pointers,
    /// In the objects of an interpreter.
    Objects,
}

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We call C.
    Call,
    /// C calls us.
    Entry,
}

impl Direction {
    /// The word that profilers show ahead of the signature.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Direction::Call => "farcall call ",
            Direction::Entry => "farcall callback ",
        }
    }
}

const ENDPOINTS: usize = 3;
const DIRECTIONS: usize = 2;

/// The function that calls of C functions on slots go through: code made for the signature, or a function that follows its plan.
///
/// # Safety
/// Calling one calls `target`:
/// * `target` is a function of the signature, and may be called by this thread now, with these arguments.
/// * `slots` points to as many 8-byte slots as the plan has for arguments: an integer in the low bytes of its slot, a
///   `float` in the low four bytes, a `double` or a pointer in all.
/// * `result` points to the result's slots; for a `void` result it is not used. A narrow integer fills its slot, extended by its
///   sign; a `float` fills its low four bytes and leaves the others as they were.
/// * `compiled` is the signature that the address was taken from.
pub type SlotsCall = unsafe extern "C-unwind" fn(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    compiled: *const Compiled,
);

/// What serves a signature at the moment, in one direction and at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Code that was made for it, valid as long as the [`Compiled`] that it is from.
    Code(NonNull<u8>),
    /// Its plan, for the time being.
    Plan,
    /// Its plan, for good: there is no code for it, or the system refuses memory for it.
    PlanForGood,
}

/// A place for code that may be made later. Filled once, without waiting for anybody.
#[derive(Debug, Default)]
struct Place {
    /// Null until then.
    published: AtomicPtr<Published>,
    uses: AtomicU32,
}

/// The mark in a [`Place`] of code that will never be made.
fn none_for_good() -> *mut Published {
    NonNull::dangling().as_ptr()
}

impl Place {
    const fn new() -> Place {
        Place {
            published: AtomicPtr::new(ptr::null_mut()),
            uses: AtomicU32::new(0),
        }
    }

    #[inline]
    fn get(&self) -> Served {
        let published = self.published.load(Ordering::Acquire);
        if published.is_null() {
            Served::Plan
        } else if published == none_for_good() {
            Served::PlanForGood
        } else {
            // SAFETY: it came from a box, and the place keeps it for as long as it lives itself.
            Served::Code(unsafe { (*published).start() })
        }
    }

    /// Begins the count again.
    fn put_off(&self) {
        self.uses.store(0, Ordering::Relaxed);
    }

    /// Fills the place, unless another thread has been faster: its code is as good, and ours is dropped.
    ///
    /// Without memory the count begins again: later uses may find some.
    fn fill(&self, published: Made) {
        let boxed = published.and_then(|published| published.map(try_box).transpose());
        let ours = match boxed {
            Ok(None) => none_for_good(),
            Ok(Some(code)) => Box::into_raw(code),
            Err(OutOfMemory) => return self.put_off(),
        };
        let filled = self.published.compare_exchange(
            ptr::null_mut(),
            ours,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if filled.is_err() && ours != none_for_good() {
            // SAFETY: `ours` came from a box just now, and no other thread has seen it.
            drop(unsafe { Box::from_raw(ours) });
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let published = *self.published.get_mut();
        if !published.is_null() && published != none_for_good() {
            // SAFETY: it came from a box, and this is the last use of it.
            drop(unsafe { Box::from_raw(published) });
        }
    }
}

/// A signature under a convention, with its plan, and with its code as far as there is any.
#[derive(Debug)]
#[repr(C)]
pub struct Compiled {
    /// A [`SlotsCall`]. ORDER farcall_compiled
    call: AtomicPtr<c_void>,
    places: [[Place; ENDPOINTS]; DIRECTIONS],
    plan: Plan,
    /// The signature, unless this was made from a plan.
    signature: Option<Signature>,
    conversion: Option<Conversion>,
    /// The thunks of its closed callbacks.
    seats: Seats,
    behind: Known,
    /// The signature that was kept before this one, once this one has callbacks; see [`Compiled::keep`].
    kept_before: AtomicPtr<Compiled>,
}

/// The signature that was kept last. The list is for leak checkers, which look for memory that no pointer leads to.
static KEPT: AtomicPtr<Compiled> = AtomicPtr::new(ptr::null_mut());

impl Compiled {
    /// The plan for a signature; no code yet.
    ///
    /// # Errors
    /// [`crate::Error::Plan`].
    pub fn new(signature: Signature, abi: Abi, conversion: Option<Conversion>) -> Result<Compiled> {
        let mut compiled = Compiled::planned(plan(&signature, abi)?);
        compiled.signature = Some(signature);
        compiled.conversion = conversion;
        Ok(compiled)
    }

    /// The compiled form of a plan; no code yet.
    pub fn planned(plan: Plan) -> Compiled {
        Compiled {
            call: AtomicPtr::new(first_calls as SlotsCall as *mut c_void),
            places: [const { [const { Place::new() }; ENDPOINTS] }; DIRECTIONS],
            plan,
            signature: None,
            conversion: None,
            seats: Seats::default(),
            behind: Known::new(),
            kept_before: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Notes that it stays for as long as the process: callbacks of it have been made.
    pub(crate) fn keep(&'static self) {
        let end = NonNull::dangling().as_ptr();
        let (nobody, order) = (ptr::null_mut(), Ordering::AcqRel);
        let is_first = self
            .kept_before
            .compare_exchange(nobody, end, order, Ordering::Relaxed);
        if is_first.is_err() {
            return;
        }
        let push = |before: *mut Compiled| {
            let before = if before.is_null() { end } else { before };
            self.kept_before.store(before, Ordering::Release);
            Some(ptr::from_ref(self).cast_mut())
        };
        let _ = KEPT.fetch_update(order, Ordering::Acquire, push);
    }

    pub(crate) fn seats(&self) -> &Seats {
        &self.seats
    }

    /// The entry that passes a context behind the arguments; `None` if there is no register left for that, or no memory to find out.
    #[inline]
    pub fn behind(&self) -> Option<Behind> {
        Behind::of(&self.behind, self.signature()?, &self.plan)
    }

    /// The signature, unless this was made from a plan.
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// Its plan: where its values go.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The function that calls on slots go through at the moment.
    #[inline(always)]
    pub fn call(&self) -> SlotsCall {
        let call = self.call.load(Ordering::Acquire);
        // SAFETY: nothing but functions of this type is stored there.
        unsafe { std::mem::transmute::<*mut c_void, SlotsCall>(call) }
    }

    /// Counts a use, makes code where that pays by now, and says what serves it. No code is made where a signal's handler may be
    /// running.
    #[inline]
    pub fn serve(&self, direction: Direction, endpoint: Endpoint) -> Served {
        let place = self.place(direction, endpoint);
        let by_objects = endpoint == Endpoint::Objects;
        match place.get() {
            Served::Plan if policy::is_due(&place.uses, by_objects, self.plan.arg_slots) => {
                self.serve_that_is_due(direction, endpoint)
            }
            served => served,
        }
    }

    #[cold]
    fn serve_that_is_due(&self, direction: Direction, endpoint: Endpoint) -> Served {
        // Code is made with memory from the allocator, and under the lock. A handler may have interrupted either.
        match sys::may_be_in_signal_handler() {
            true => {
                // To ask takes longer than many uses.
                self.place(direction, endpoint).put_off();
                Served::Plan
            }
            // This may be the beginning of a call, which must find errno as its caller set it.
            false => {
                let cancelling = sys::hold_cancelling();
                let served = sys::keeping_errno(|| self.serve_with_code(direction, endpoint));
                sys::let_cancelling(cancelling);
                served
            }
        }
    }

    /// Makes the code that can be made, without waiting until it pays, and says what serves it.
    ///
    /// Apart from [`Compiled::serve`]: frames of calls, which exceptions cross, shall have nothing to be dropped. Signals wait: this happens in
    /// the course of a call or a callback, and a handler may jump away, out of the allocator.
    #[inline(never)]
    pub fn serve_with_code(&self, direction: Direction, endpoint: Endpoint) -> Served {
        let place = self.place(direction, endpoint);
        if place.get() != Served::Plan {
            return place.get();
        }
        let _mask = sys::block_signals();
        if place.get() == Served::Plan {
            place.fill(self.publish(direction, endpoint));
        }
        place.get()
    }

    /// What serves it, without counting that as a use.
    pub fn now(&self, direction: Direction, endpoint: Endpoint) -> Served {
        match policy::uses_without_code() {
            0 => self.serve_with_code(direction, endpoint),
            _ => self.place(direction, endpoint).get(),
        }
    }

    #[inline]
    fn place(&self, direction: Direction, endpoint: Endpoint) -> &Place {
        &self.places[direction as usize][endpoint as usize]
    }

    fn publish(&self, direction: Direction, endpoint: Endpoint) -> Made {
        let plan = &self.plan;
        if !emit::is_reasonable(plan) {
            return Ok(None);
        }
        let code = match (direction, endpoint) {
            (Direction::Call, Endpoint::Slots) => emit::call(plan),
            (Direction::Call, Endpoint::Pointers) => emit::call_pointers(plan),
            (Direction::Entry, Endpoint::Slots) => emit::callback_entry(plan),
            (Direction::Entry, Endpoint::Pointers) => emit::callback_entry_pointers(plan),
            (Direction::Call, Endpoint::Objects) => {
                let Some(Conversion::Call(call)) = &self.conversion else {
                    return Ok(None);
                };
                return objects::publish_call(plan, call);
            }
            (Direction::Entry, Endpoint::Objects) => {
                let Some(Conversion::Entry(deliveries)) = &self.conversion else {
                    return Ok(None);
                };
                let slots = match self.serve_with_code(direction, Endpoint::Slots) {
                    Served::Code(slots) => slots,
                    // There was no memory.
                    Served::Plan => return Err(OutOfMemory),
                    Served::PlanForGood => return Ok(None),
                };
                return objects::publish_entry(plan, deliveries, slots.as_ptr() as u64);
            }
        };
        Ok(publish_as(&code?, &Label::Made(direction.word(), plan)).ok())
    }
}

/// The function that calls on slots go through until there is code.
unsafe extern "C-unwind" fn first_calls(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    compiled: *const Compiled,
) {
    // SAFETY: `compiled` is the signature of the function that the call is of, which keeps it alive for the time of the call: the
    // contract of `SlotsCall`.
    let compiled_now = unsafe { &*compiled };
    let call: SlotsCall = match compiled_now.serve(Direction::Call, Endpoint::Slots) {
        // SAFETY: a trampoline on slots is a function of this type, but for the last argument, which it leaves alone.
        Served::Code(start) => unsafe { std::mem::transmute::<NonNull<u8>, SlotsCall>(start) },
        Served::PlanForGood => follow_plan,
        // SAFETY: this function has been called as a `SlotsCall` of the same signature.
        Served::Plan => return unsafe { follow_plan(target, slots, result, compiled) },
    };
    compiled_now
        .call
        .store(call as *mut c_void, Ordering::Release);
    // SAFETY: `call` is made for this very signature, and this function has been called as a `SlotsCall` of it.
    unsafe { call(target, slots, result, compiled) }
}

unsafe extern "C-unwind" fn follow_plan(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    compiled: *const Compiled,
) {
    // SAFETY: this function has been called as a `SlotsCall`, so `compiled` is alive, and the target and the slots are those of a call
    // of its plan.
    unsafe { interp::call_slots((*compiled).plan(), target, slots, result) }
}

/// The key that tells one compiled signature of this process's convention from another.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    signature: Signature,
    conversion: Option<Conversion>,
}

static CACHE: Cached<Cache<Key, Compiled>> = Cached::new(Cache::new());

/// The compiled form of a plan under this process's own convention, which is not shared through the cache: for callers that keep it under a
/// key of their own and make no callbacks of it. No signal is blocked meanwhile.
///
/// # Errors
/// [`OutOfMemory`].
pub fn compile_unshared(
    plan: Plan,
    conversion: Option<Conversion>,
) -> std::result::Result<Shared<Compiled>, OutOfMemory> {
    sys::note_signal_mask();
    Shared::try_new(Compiled {
        conversion,
        ..Compiled::planned(plan)
    })
}

/// The compiled form of a signature under this process's own convention: found by its content, or planned now.
///
/// # Errors
/// [`crate::Error::Plan`] and [`crate::Error::OutOfMemory`].
pub fn compile(signature: Signature, conversion: Option<Conversion>) -> Result<Shared<Compiled>> {
    sys::note_signal_mask();
    let key = Key {
        signature,
        conversion,
    };
    // Found without blocking signals, which takes longer than all else. A handler that interrupts this does without the cache.
    let known = levels::hold_cache().and_then(|mut held| CACHE.get(&mut held).get(&key));
    if let Some(compiled) = known {
        return Ok(compiled);
    }
    let signature = key.signature.try_clone()?;
    let conversion = key
        .conversion
        .as_ref()
        .map(Conversion::try_clone)
        .transpose()?;
    let compiled = Shared::try_new(Compiled::new(signature, sys::host_abi(), conversion)?)?;
    let mask = sys::block_signals();
    let Some(mut held) = levels::hold_cache() else {
        return Ok(compiled);
    };
    let (compiled, unused) = CACHE.get(&mut held).add(key, compiled);
    drop(held);
    drop(mask);
    // No thread has a reference to these, so none calls through them. Signatures with callbacks are never among them.
    drop(unused);
    Ok(compiled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Callback;
    use farcall_arch::Type;

    unsafe extern "C" fn noop(_: *mut c_void, _: *const u64) -> u64 {
        0
    }

    fn is_kept(wanted: *const Compiled) -> bool {
        let mut kept = KEPT.load(Ordering::Acquire).cast_const();
        while !kept.is_null() && kept != NonNull::dangling().as_ptr() {
            if kept == wanted {
                return true;
            }
            // SAFETY: kept signatures stay for as long as the process.
            kept = unsafe { (*kept).kept_before.load(Ordering::Acquire) };
        }
        false
    }

    #[test]
    fn signature_that_the_cache_has_not_is_led_to_once_it_has_callbacks() {
        let held = levels::hold_cache();
        let signature = Signature::new(Type::F32, vec![Type::I16; 7]).expect("a signature");
        let compiled = compile(signature, None).expect("a plan");
        drop(held);
        let address = compiled.as_ptr();
        assert!(!is_kept(address));
        for _ in 0..2 {
            // SAFETY: the handler takes any context.
            let made = unsafe { Callback::new(compiled.clone(), noop, ptr::null_mut()) };
            drop(made.expect("memory for thunks"));
        }
        drop(compiled);
        assert!(is_kept(address));
    }
}
