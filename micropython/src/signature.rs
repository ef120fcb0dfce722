//! Signatures as C sees them.

use crate::declared::{self, Declared};
use crate::kinds::{all, of_argument, of_handler, of_parameter, of_result};
use crate::report::{Failure, Report, Status, guard};
use crate::scope::Scope;
use crate::text::text;
use crate::value::Value;
use farcall_arch::endpoint::{Boxing, Delivery, ObjectCall, Unbox};
use farcall_cdecl::{Codes, Kind, Role};
use farcall_engine::{
    self as engine, Cache, Cached, Compiled, Conversion, Direction, Endpoint, Served,
};
use farcall_memory::Shared;
use farcall_memory::{OutOfMemory, TryVec, try_to_vec, try_with_capacity};
use std::ffi::{c_char, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// What C calls a function on slots by: an [`engine::SlotsCall`] that is told of the signature.
type Call = unsafe extern "C-unwind" fn(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    signature: *const Signature,
);

/// A signature, read and planned, and shared by all that is written the same. C reads the fields up to `nargs`.
/// ORDER farcall_signature
#[derive(Debug)]
#[repr(C)]
pub struct Signature {
    /// A [`Call`].
    call: AtomicPtr<c_void>,
    /// The call operation of function objects, once there is one.
    object_call: AtomicPtr<c_void>,
    codes: *const c_char,
    kinds: *const u8,
    /// Of a function of C types [`BY_VALUES`].
    nargs: usize,
    /// The result, then the arguments, where one is of a C type or a struct; null otherwise, and then the rest is nothing.
    values: *const Value,
    /// What the types are from; null if there are none.
    scope: *const Scope,
    value_count: u32,
    arg_slots: u32,
    ret_slots: u32,
    is_variadic: bool,
    has_objects: bool,
    // What the pointers above point into, and what keeps the code alive.
    _bytes: Vec<u8>,
    compiled: Shared<Compiled>,
    is_kept: AtomicBool,
    declared: Option<Declared>,
}

/// No call has as many arguments: so one test finds both a wrong count and C types. ORDER farcall_signature
const BY_VALUES: usize = usize::MAX;

// SAFETY: the pointers are to memory of its own that does not change, and to code.
unsafe impl Send for Signature {}
// SAFETY: as above.
unsafe impl Sync for Signature {}

impl Signature {
    /// What is remembered by its text is not looked for by its content as well, unless callbacks are to find their thunks again.
    fn new(
        ret: &str,
        args: &str,
        role: Role,
        is_known_by_text: bool,
    ) -> Result<Signature, Failure> {
        let codes = Codes::parse(ret, args, role)?;
        if codes.expect_no_structs("a value of one slot").is_err() {
            return Signature::declared(declared::of_codes(&codes, role)?, role);
        }
        let conversion = match role {
            Role::Function => object_call(&codes)?.map(Conversion::Call),
            Role::Callback => deliveries(&codes)?.map(Conversion::Entry),
        };
        let signature = codes.signature()?;
        let compiled = match (role, is_known_by_text) {
            (Role::Function, true) => engine::compile_unshared(signature, conversion)?,
            _ => engine::compile(signature, conversion)?,
        };
        let args_text = codes.args_text()?;
        let kinds = args_text.len() + 2;
        let mut bytes = try_with_capacity(kinds + 1 + codes.args.len())?;
        bytes.try_push(codes.ret.letter() as u8)?;
        bytes.try_extend_from_slice(args_text.as_bytes())?;
        bytes.try_push(0)?;
        let args = codes.args.iter();
        match role {
            Role::Function => {
                bytes.try_push(of_result(codes.ret))?;
                bytes.try_extend(args.map(|&arg| of_parameter(arg)))?;
            }
            Role::Callback => {
                bytes.try_push(of_handler(codes.ret))?;
                bytes.try_extend(args.map(|&arg| of_argument(arg) as u8))?;
            }
        }
        Ok(Signature::of(bytes, kinds, codes.args.len(), compiled))
    }

    /// `bytes` are the codes with their NUL and, from `kinds` on, the kinds of values.
    fn of(bytes: Vec<u8>, kinds: usize, nargs: usize, compiled: Shared<Compiled>) -> Signature {
        let object_call = AtomicPtr::new(ptr::null_mut());
        if let Served::Code(start) = compiled.now(Direction::Call, Endpoint::Objects) {
            object_call.store(start.as_ptr().cast(), Ordering::Relaxed);
        }
        Signature {
            call: AtomicPtr::new(first_calls as Call as *mut c_void),
            object_call,
            codes: bytes.as_ptr().cast(),
            kinds: bytes[kinds..].as_ptr(),
            nargs,
            values: ptr::null(),
            scope: ptr::null(),
            value_count: 0,
            arg_slots: 0,
            ret_slots: 0,
            is_variadic: false,
            has_objects: bytes[..kinds].contains(&b'O'),
            _bytes: bytes,
            compiled,
            is_kept: AtomicBool::new(false),
            declared: None,
        }
    }

    /// One of C types, or with structs.
    pub(crate) fn declared(declared: Declared, role: Role) -> Result<Signature, Failure> {
        let values = &declared.values;
        let nargs = values.len() - 1;
        let conversion = match role {
            Role::Function => declared.object_call()?.map(Conversion::Call),
            Role::Callback => declared.deliveries()?.map(Conversion::Entry),
        };
        let compiled = engine::compile(declared.signature()?, conversion)?;
        let plan = compiled.plan();
        let (arg_slots, ret_slots) = (plan.arg_slots, plan.ret_slots);
        let mut bytes = try_with_capacity(values.len() + 2)?;
        bytes.try_extend_from_slice(declared.codes())?;
        bytes.try_extend(values.iter().map(|value| value.kind))?;
        let nargs_told = match role {
            Role::Function => BY_VALUES,
            Role::Callback => nargs,
        };
        let mut signature = Signature::of(bytes, 2, nargs_told, compiled);
        signature.values = values.as_ptr();
        signature.scope = declared.scope().map_or(ptr::null(), Shared::as_ptr);
        signature.value_count = nargs as u32;
        (signature.arg_slots, signature.ret_slots) = (arg_slots, ret_slots);
        signature.is_variadic = declared.is_variadic();
        signature.declared = Some(declared);
        Ok(signature)
    }

    /// What it was made of, if that is C types or structs.
    pub(crate) fn parts(&self) -> Option<&Declared> {
        self.declared.as_ref()
    }

    pub(crate) fn compiled(&self) -> Shared<Compiled> {
        self.compiled.clone()
    }

    /// Counts a call on slots, and leaves code for the calls to come where that pays by now.
    fn count_call(&self) {
        let compiled = &*self.compiled;
        match compiled.serve(Direction::Call, Endpoint::Objects) {
            Served::Code(start) => {
                self.object_call
                    .store(start.as_ptr().cast(), Ordering::Release);
            }
            Served::Plan => return,
            Served::PlanForGood => {}
        }
        // Calls that come here in spite of that have something out of the ordinary about them, or objects as they are.
        let call = match compiled.serve(Direction::Call, Endpoint::Slots) {
            // SAFETY: a trampoline on slots is a function of this type, but for the last argument, which it leaves alone.
            Served::Code(start) => unsafe { std::mem::transmute::<NonNull<u8>, Call>(start) },
            Served::PlanForGood => follow_plan,
            Served::Plan => return,
        };
        self.call.store(call as *mut c_void, Ordering::Release);
    }
}

/// What C calls functions by until there is code.
unsafe extern "C-unwind" fn first_calls(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    signature: *const Signature,
) {
    // SAFETY: C vouches for the signature and the call.
    unsafe {
        (*signature).count_call();
        follow_plan(target, slots, result, signature);
    }
}

unsafe extern "C-unwind" fn follow_plan(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    signature: *const Signature,
) {
    // SAFETY: C vouches for the signature and the call.
    unsafe { engine::interp::call_slots((*signature).compiled.plan(), target, slots, result) }
}

/// How each argument of a callback gets to the handler. ORDER farcall_delivery
fn deliveries(codes: &Codes) -> Result<Option<Vec<Delivery>>, OutOfMemory> {
    let delivery = |kind| match kind {
        Kind::Int | Kind::Pointer | Kind::Str | Kind::Object | Kind::Callback => {
            Some(Delivery::Signed)
        }
        Kind::Uint => Some(Delivery::Unsigned),
        Kind::Float | Kind::Double | Kind::Bytes => Some(Delivery::Slot),
        Kind::Void | Kind::Struct => None,
    };
    all(codes.args.iter().map(|&code| delivery(of_argument(code))))
}

/// How a signature's values are converted, unless one of them is an object as it is: a C function that takes those is the interpreter's
/// own, and may raise through its caller.
fn object_call(codes: &Codes) -> Result<Option<ObjectCall>, OutOfMemory> {
    let unbox = |kind| match kind {
        Kind::Int | Kind::Uint => Some(Unbox::Int),
        Kind::Float | Kind::Double => Some(Unbox::Float),
        Kind::Pointer | Kind::Str | Kind::Bytes => Some(Unbox::Pointer),
        Kind::Callback => Some(Unbox::Function),
        Kind::Void | Kind::Object | Kind::Struct => None,
    };
    let kind = codes.ret.kind();
    let ret = match kind {
        Kind::Void => Boxing::None,
        Kind::Int | Kind::Pointer => Boxing::Int(kind as u8),
        Kind::Callback => Boxing::Int(Kind::Pointer as u8),
        Kind::Uint => Boxing::Uint(kind as u8),
        Kind::Float | Kind::Double => Boxing::Float,
        Kind::Str | Kind::Bytes => Boxing::Object(kind as u8),
        Kind::Object | Kind::Struct => return Ok(None),
    };
    let args = codes.args.iter().map(|code| unbox(code.kind()));
    Ok(all(args)?.map(|args| ObjectCall { args, ret }))
}

/// The bytes of the longest text that is remembered. What is longer is read each time.
const LONGEST: usize = 64;

/// A role and the text of a signature, put together.
struct Text {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Text {
    /// None for what is too long. A result's code is one byte, so no two signatures have the same text.
    fn new(ret: &str, args: &str, role: Role) -> Option<Text> {
        let len = 2 + args.len();
        let mut bytes = [0; LONGEST];
        let &[ret] = ret.as_bytes() else { return None };
        bytes.get_mut(2..len)?.copy_from_slice(args.as_bytes());
        bytes[0] = role as u8;
        bytes[1] = ret;
        Some(Text { bytes, len })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Signatures by their text.
static SEEN: Cached<Cache<Vec<u8>, Signature>> = Cached::new(Cache::new());

/// Reads a signature, unless it has been read before.
fn known(ret: &str, args: &str, role: Role) -> Result<Shared<Signature>, Failure> {
    let text = Text::new(ret, args, role);
    if let Some(text) = &text
        && let Some(Some(known)) = SEEN.with(|seen| seen.get(text.as_bytes()))
    {
        return Ok(known);
    }
    let signature = Signature::new(ret, args, role, text.is_some())?;
    let signature = Shared::try_new(signature)?;
    let Some(text) = text else {
        return Ok(signature);
    };
    // What cannot be remembered is read again.
    let Ok(key) = try_to_vec(text.as_bytes()) else {
        return Ok(signature);
    };
    let add = |seen: &mut Cache<_, _>| seen.add(key, signature.clone());
    let Some((signature, unused)) = SEEN.with(add) else {
        return Ok(signature);
    };
    if !unused.is_empty() {
        engine::epoch::forget(unused);
    }
    Ok(signature)
}

/// # Safety
/// * `ret` and `args` point to as many bytes as their lengths say.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_new(
    ret: *const c_char,
    ret_len: usize,
    args: *const c_char,
    args_len: usize,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    let (ret, args) = ((ret, ret_len), (args, args_len));
    // SAFETY: the duties are the same.
    unsafe { new(Role::Function, ret, args, out, report) }
}

/// # Safety
/// * As for [`farcall_signature_new`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_callback_signature_new(
    ret: *const c_char,
    ret_len: usize,
    args: *const c_char,
    args_len: usize,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    let (ret, args) = ((ret, ret_len), (args, args_len));
    // SAFETY: the duties are the same.
    unsafe { new(Role::Callback, ret, args, out, report) }
}

unsafe fn new(
    role: Role,
    ret: (*const c_char, usize),
    args: (*const c_char, usize),
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: the caller vouches for the bytes.
        let signature = unsafe { known(text(ret.0, ret.1)?, text(args.0, args.1)?, role)? };
        // C's reference, until farcall_signature_release().
        // SAFETY: the caller has a place for it.
        unsafe { out.write(signature.into_raw()) };
        Ok(())
    })
}

/// See [`farcall_engine::generates_code`].
#[unsafe(no_mangle)]
pub extern "C" fn farcall_generates_code() -> bool {
    engine::generates_code()
}

/// # Safety
/// * `signature` is one of [`farcall_signature_new`]'s that has not been released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_keep(signature: *const Signature) {
    // SAFETY: new() kept a reference for C, which is not given up here.
    let signature = ManuallyDrop::new(unsafe { Shared::from_raw(signature) });
    if !signature.is_kept.swap(true, Ordering::Relaxed) {
        let _ = Shared::clone(&signature).into_raw();
    }
}

/// # Safety
/// * `signature` is one of [`farcall_signature_new`]'s that has not been released; nothing uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_release(signature: *const Signature) {
    // SAFETY: new() kept a reference for it, which its caller gives up.
    let signature = unsafe { Shared::from_raw(signature) };
    // Where that is the last of it, a thread may be inside the code still.
    if signature.is_sole() {
        engine::epoch::forget(signature);
    }
}
