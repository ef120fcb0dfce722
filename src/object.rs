//! Call operations of an interpreter's own function objects: machine code that takes and gives objects.
//!
//! Unlike slots trampolines these depend on the letters of a signature, which say how objects become C values, and on the
//! interpreter's layout of objects. There is one interpreter in a process, and its model is told once.

use crate::activity;
use crate::code::{Arena, Owner, Published, publish};
use crate::compile::{Cache, Compiled, Served, compile, host_plan};
use crate::error::Result;
use crate::runtime;
use crate::sig::{Codes, Kind};
use crate::sys;
use farcall_arch::emit;
use farcall_arch::endpoint::{Boxing, Delivery, ObjectCall, ObjectModel, SharedOffsets, Unbox};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

/// Everything compiled for objects.
#[derive(Default)]
pub(crate) struct Objects {
    /// Where call operations are, each within reach of the code that they share. There once there is an interpreter, until the system
    /// refuses memory for it.
    pub arena: Option<Arena>,
    calls: Cache<Codes, ObjectCode>,
    callbacks: Cache<Codes, ObjectCode>,
}

/// An interpreter's model of objects, and where the code begins that depends on it alone.
struct Interpreter {
    model: ObjectModel,
    shared: SharedOffsets,
}

static INTERPRETER: OnceLock<Option<Interpreter>> = OnceLock::new();

/// The machine code of a call operation, or of an entry of callbacks.
#[derive(Debug)]
pub struct ObjectCode {
    code: Published,
    /// What an entry leaves for when an argument is out of the ordinary.
    _slots: Option<Arc<Compiled>>,
}

impl ObjectCode {
    /// A function of the interpreter's type for call operations, valid for as long as `self`.
    pub fn start(&self) -> *const c_void {
        self.code.start().as_ptr().cast()
    }

    pub(crate) fn entry(&self) -> NonNull<u8> {
        self.code.start()
    }
}

/// Tells how the interpreter lays out its objects, once, ahead of all calls of [`compile_objects`]. Later calls change nothing.
///
/// # Safety
/// * The model is true for as long as the process lives, and each function in it has the type that its description states.
pub unsafe fn set_object_model(model: ObjectModel) {
    INTERPRETER.get_or_init(|| {
        let shared = emit::shared_for_objects(sys::host_abi(), &model)?;
        runtime::lock().objects.arena = Some(Arena::with_shared(Owner::Objects, shared.code));
        Some(Interpreter {
            model,
            shared: shared.offsets,
        })
    });
}

/// The call operation of function objects with these codes; `None` where there is no model, no emitter, no executable memory, or a code
/// that always needs the interpreter's help. Such calls go through slots.
///
/// # Errors
/// Those of a bad signature.
pub fn compile_objects(codes: &Codes) -> Result<Option<Arc<ObjectCode>>> {
    let Some(Some(interpreter)) = INTERPRETER.get() else {
        return Ok(None);
    };
    if let Some(known) = runtime::lock().objects.calls.get(codes) {
        return Ok(Some(known));
    }
    let Some(call) = object_call(codes) else {
        return Ok(None);
    };
    let plan = host_plan(&codes.signature()?)?;
    let emitted = emit::call_objects(&plan, &call, &interpreter.model, &interpreter.shared);
    let mut runtime = runtime::lock();
    let (Some(code), Some(arena)) = (emitted, runtime.objects.arena.as_mut()) else {
        return Ok(None);
    };
    let Ok(code) = arena.publish(&code) else {
        // What is refused now is refused later, and trying again would take addresses each time.
        runtime.objects.arena = None;
        return Ok(None);
    };
    drop(runtime);
    let ours = Arc::new(ObjectCode { code, _slots: None });
    let (code, unused) = runtime::lock().objects.calls.add(codes.clone(), ours);
    activity::forget(unused);
    Ok(Some(code))
}

/// The entry of callbacks with these codes; `None` where there is no model, no emitter, no executable memory, or a code
/// that passes an object as it is. Such callbacks go through slots.
///
/// # Errors
/// Those of a bad signature.
pub fn compile_object_callback(codes: &Codes) -> Result<Option<Arc<ObjectCode>>> {
    let Some(Some(interpreter)) = INTERPRETER.get() else {
        return Ok(None);
    };
    if let Some(known) = runtime::lock().objects.callbacks.get(codes) {
        return Ok(Some(known));
    }
    let Some(deliveries) = deliveries(codes) else {
        return Ok(None);
    };
    let compiled = compile(codes.signature()?);
    let Served::Code(slots_entry) = compiled.entry()? else {
        return Ok(None);
    };
    let slots_entry = slots_entry.start().as_ptr() as u64;
    let plan = host_plan(compiled.signature())?;
    let code = emit::callback_entry_objects(&plan, &interpreter.model, &deliveries, slots_entry);
    let Some(code) = code.and_then(|code| publish(&code).ok()) else {
        return Ok(None);
    };
    let ours = Arc::new(ObjectCode {
        code,
        _slots: Some(compiled),
    });
    let (code, unused) = runtime::lock().objects.callbacks.add(codes.clone(), ours);
    activity::forget(unused);
    Ok(Some(code))
}

/// How each argument of a callback gets to the handler, unless one is an object as it is.
fn deliveries(codes: &Codes) -> Option<Vec<Delivery>> {
    let delivery = |kind| match kind {
        Kind::Int => Some(Delivery::Signed),
        Kind::Uint | Kind::Pointer => Some(Delivery::Unsigned),
        Kind::Float | Kind::Double | Kind::Str | Kind::Bytes => Some(Delivery::Slot),
        Kind::Void | Kind::Object | Kind::Callback => None,
    };
    let args = codes.args.iter().map(|code| delivery(code.kind()));
    args.collect()
}

/// How a signature's values are converted, unless one of them is an object as it is: a C function that takes those is the interpreter's
/// own, and may raise through its caller.
fn object_call(codes: &Codes) -> Option<ObjectCall> {
    let unbox = |kind| match kind {
        Kind::Int | Kind::Uint => Some(Unbox::Int),
        Kind::Float | Kind::Double => Some(Unbox::Float),
        Kind::Pointer | Kind::Str | Kind::Bytes => Some(Unbox::Pointer),
        Kind::Callback => Some(Unbox::Function),
        Kind::Void | Kind::Object => None,
    };
    let kind = codes.ret.kind();
    let ret = match kind {
        Kind::Void => Boxing::None,
        Kind::Int => Boxing::Int(kind as u8),
        Kind::Uint | Kind::Pointer => Boxing::Uint(kind as u8),
        Kind::Float | Kind::Double => Boxing::Float,
        Kind::Str | Kind::Bytes => Boxing::Object(kind as u8),
        Kind::Callback | Kind::Object => return None,
    };
    let args = codes.args.iter().map(|code| unbox(code.kind()));
    Some(ObjectCall {
        args: args.collect::<Option<_>>()?,
        ret,
    })
}
