//! The interpreter whose objects code works on, and what all of that code shares.
//!
//! There is one interpreter in a process, and it tells once how it lays out its objects.

use crate::arena::{Made, SHARING, publish_as, publish_in};
use crate::label::Label;
use crate::lock::lock;
use crate::sys;
use farcall_arch::emit::{self, Code, SharedCode};
use farcall_arch::endpoint::{Delivery, ObjectCall, ObjectModel, SharedOffsets};
use farcall_arch::{Abi, OutOfMemory, Plan};
use farcall_memory::{try_box, try_to_vec};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// How the values of a signature become objects, and objects values. It depends on more than the signature: an interpreter has several
/// ways to treat a pointer.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Conversion {
    /// Of a function's arguments and its result.
    Call(ObjectCall),
    /// Of a callback's arguments.
    Entry(Vec<Delivery>),
}

impl Conversion {
    /// A copy.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(crate) fn try_clone(&self) -> Result<Conversion, OutOfMemory> {
        Ok(match self {
            Conversion::Call(call) => Conversion::Call(ObjectCall {
                args: try_to_vec(&call.args)?,
                ret: call.ret,
            }),
            Conversion::Entry(deliveries) => Conversion::Entry(try_to_vec(deliveries)?),
        })
    }
}

/// An interpreter's model of objects, and what makes code of it.
struct Interpreter {
    model: ObjectModel,
    /// The emitters, by their addresses: a program without an interpreter is not linked with them.
    shared: SharedEmitter,
    call: CallEmitter,
    entry: EntryEmitter,
}

type SharedEmitter = fn(Abi, &ObjectModel) -> Result<Option<SharedCode>, OutOfMemory>;
type CallEmitter =
    fn(&Plan, &ObjectCall, &ObjectModel, &SharedOffsets) -> Result<Option<Code>, OutOfMemory>;
type EntryEmitter = fn(&Plan, &ObjectModel, &[Delivery], u64) -> Result<Option<Code>, OutOfMemory>;

/// Null until it is known. Set once, and never freed.
static INTERPRETER: AtomicPtr<Interpreter> = AtomicPtr::new(ptr::null_mut());

/// Where the code begins that depends on the model alone. Null until there is some: it is made with the first function's. Set under the
/// lock, which forks wait for, and never freed.
static SHARED: AtomicPtr<SharedOffsets> = AtomicPtr::new(ptr::null_mut());

/// The [`Describe`] that tells the interpreter's model when code is first made for its objects. Null if there is none, and after it has been called.
static DESCRIBE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Calls [`set_object_model`], unless there is no model. False if there was no memory for that; it is called again then.
///
/// # Safety
/// * It is called as [`describe_objects_by`] says.
pub type Describe = unsafe extern "C" fn() -> bool;

/// Sets the function that tells the model when it is first needed: when a thread makes the first code for objects, or calls
/// [`describe_objects`]. Short scripts never need it.
///
/// # Safety
/// * `describe` may be called by any thread that calls a function of the interpreter's, at any time, with signals blocked; by several
///   at once.
pub unsafe fn describe_objects_by(describe: Describe) {
    if known_interpreter().is_none() {
        DESCRIBE.store(describe as *mut c_void, Ordering::Release);
    }
}

/// Calls the [`Describe`] now, for embedders whose code may be made by threads that the interpreter does not know.
///
/// # Errors
/// [`OutOfMemory`].
pub fn describe_objects() -> Result<(), OutOfMemory> {
    interpreter().map(|_| ())
}

fn known_interpreter() -> Option<&'static Interpreter> {
    // SAFETY: nothing but leaked boxes is stored there.
    unsafe { INTERPRETER.load(Ordering::Acquire).as_ref() }
}

fn interpreter() -> Result<Option<&'static Interpreter>, OutOfMemory> {
    let describe = DESCRIBE.load(Ordering::Acquire);
    if describe.is_null() {
        return Ok(known_interpreter());
    }
    // SAFETY: nothing but functions of this type is stored there, and they may be called here.
    if !unsafe { std::mem::transmute::<*mut c_void, Describe>(describe)() } {
        return Err(OutOfMemory);
    }
    DESCRIBE.store(ptr::null_mut(), Ordering::Release);
    Ok(known_interpreter())
}

/// Whether the system has refused memory for this code. It would refuse again, and each attempt would take addresses.
static IS_REFUSED: AtomicBool = AtomicBool::new(false);

/// Tells how the interpreter lays out its objects, once. Later calls change nothing. As long as nothing is told, every call goes through
/// slots. No code is made yet.
///
/// # Errors
/// [`OutOfMemory`]: nothing is told then.
///
/// # Safety
/// * The model is true for as long as the process lives, and each function in it has the type that its description states.
pub unsafe fn set_object_model(model: ObjectModel) -> Result<(), OutOfMemory> {
    let ours = try_box(Interpreter {
        model,
        shared: emit::shared_for_objects,
        call: emit::call_objects,
        entry: emit::callback_entry_objects,
    });
    let ours = Box::into_raw(ours?);
    let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
    let set = INTERPRETER.compare_exchange(ptr::null_mut(), ours, success, failure);
    if set.is_err() {
        // SAFETY: `ours` came from a box just now, and no other thread has seen it.
        drop(unsafe { Box::from_raw(ours) });
    }
    Ok(())
}

impl Interpreter {
    /// The offsets of the code that all functions share, made now if this is the first; `None` where there is no emitter.
    fn shared(&self) -> Result<Option<&'static SharedOffsets>, OutOfMemory> {
        // SAFETY: nothing but leaked boxes is stored there.
        let known = || unsafe { SHARED.load(Ordering::Acquire).as_ref() };
        if let Some(shared) = known() {
            return Ok(Some(shared));
        }
        let Some(made) = (self.shared)(sys::host_abi(), &self.model)? else {
            return Ok(None);
        };
        let offsets = try_box(made.offsets)?;
        let mut lock = lock();
        if known().is_none() {
            SHARING.get(&mut lock).share(made.code);
            SHARED.store(Box::into_raw(offsets), Ordering::Release);
        }
        Ok(known())
    }
}

/// The call operation of function objects; `None` where there is no model, no emitter, or no executable memory.
pub(crate) fn publish_call(plan: &Plan, call: &ObjectCall) -> Made {
    if IS_REFUSED.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let Some(interpreter) = interpreter()? else {
        return Ok(None);
    };
    let Some(shared) = interpreter.shared()? else {
        return Ok(None);
    };
    let Some(code) = (interpreter.call)(plan, call, &interpreter.model, shared)? else {
        return Ok(None);
    };
    let published = publish_in(
        &SHARING,
        &mut lock(),
        &code,
        &Label::Made("farcall call ", plan),
    )
    .ok();
    if published.is_none() {
        IS_REFUSED.store(true, Ordering::Relaxed);
    }
    Ok(published)
}

/// The entry of callbacks on objects, which leaves for `slots_entry` when an argument is out of the ordinary; `None` as for
/// [`publish_call`].
pub(crate) fn publish_entry(plan: &Plan, deliveries: &[Delivery], slots_entry: u64) -> Made {
    let Some(interpreter) = interpreter()? else {
        return Ok(None);
    };
    let code = (interpreter.entry)(plan, &interpreter.model, deliveries, slots_entry)?;
    Ok(code.and_then(|code| publish_as(&code, &Label::Made("farcall callback ", plan)).ok()))
}
