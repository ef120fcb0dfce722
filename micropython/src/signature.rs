//! The signatures that C uses.

use crate::declared::{self, Declared};
use crate::kinds::{self, all, of_argument, of_handler, of_parameter, of_result};
use crate::report::{Failure, Report, Status, guard};
use crate::scope::Scope;
use crate::text::text;
use crate::value::Value;
use crate::written::{LONGEST, Text};
use farcall_arch::abi::{self, Plan};
use farcall_arch::endpoint::ObjectCall;
use farcall_cdecl::{Codes, Role};
use farcall_engine::{
    self as engine, Cache, Cached, Compiled, Conversion, Direction, Endpoint, Served,
};
use farcall_memory::Shared;
use farcall_memory::{OutOfMemory, TryVec, try_with_capacity};
use std::borrow::Borrow;
use std::ffi::{c_char, c_void};
use std::hash::{Hash, Hasher};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// The function through which C calls on slots: an [`engine::SlotsCall`] that also gets the signature.
type Call = unsafe extern "C-unwind" fn(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    signature: *const Signature,
);

/// A signature with its plan. All uses of the same text share it. C reads the fields up to `nargs`.
/// ORDER farcall_signature
#[derive(Debug)]
#[repr(C)]
pub struct Signature {
    /// A [`Call`].
    call: AtomicPtr<c_void>,
    /// The call operation of function objects, once it is compiled.
    object_call: AtomicPtr<c_void>,
    codes: *const c_char,
    kinds: *const u8,
    /// The number of arguments; [`BY_VALUES`] for a function of C types.
    nargs: usize,
    /// The result and the arguments, if any of them is a C type or a struct; otherwise null, and the fields below are empty.
    values: *const Value,
    /// The namespace of the types; null if there is none.
    scope: *const Scope,
    value_count: u32,
    arg_slots: u32,
    ret_slots: u32,
    is_variadic: bool,
    has_objects: bool,
    // The key of the cache, followed by the data that the pointers above point to, and the owner of the code.
    bytes: Vec<u8>,
    text_len: usize,
    compiled: Shared<Compiled>,
    is_kept: AtomicBool,
    declared: Option<Declared>,
}

/// A count that no call reaches, so that one test finds both a wrong count and C types. ORDER farcall_signature
const BY_VALUES: usize = usize::MAX;

// SAFETY: the pointers lead to the signature's own memory, which does not change, and to code.
unsafe impl Send for Signature {}
// SAFETY: as above.
unsafe impl Sync for Signature {}

impl Signature {
    /// Reads a signature of letters; `None` if there are structs among them. A signature that is remembered by its text is not also looked up
    /// by its content, except for callbacks, which must find their thunks again.
    fn of_letters(text: &Text, is_remembered: bool) -> Result<Option<Shared<Signature>>, Failure> {
        let role = text.role;
        let codes = Codes::parse(text.ret, text.args, role)?;
        if codes.expect_no_structs("a value of one slot").is_err() {
            return Ok(None);
        }
        let compiled = match (role, is_remembered) {
            (Role::Function, true) => {
                engine::compile_unshared(planned(&codes)?, conversion(&codes, role)?)?
            }
            _ => engine::compile(codes.signature()?, conversion(&codes, role)?)?,
        };
        // The text itself has the codes.
        let kinds = text.len() + 1;
        let mut bytes = try_with_capacity(kinds + 1 + codes.args.len())?;
        text.write_to(&mut bytes)?;
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
        let mut signature = Signature::of(bytes, 1..kinds, codes.args.len(), compiled);
        signature.text_len = text.len();
        Ok(Some(Shared::try_new(signature)?))
    }

    /// Reads a signature of codes with structs.
    #[inline(never)]
    fn with_structs(text: &Text) -> Result<Shared<Signature>, Failure> {
        let codes = Codes::parse(text.ret, text.args, text.role)?;
        let declared = declared::of_codes(&codes, text.role)?;
        let signature = Signature::declared(declared, text.role, Some(text))?;
        Ok(Shared::try_new(signature)?)
    }

    /// Makes a signature. At `codes`, `bytes` has the codes with a NUL, followed by the kinds of the values.
    fn of(
        bytes: Vec<u8>,
        codes: Range<usize>,
        nargs: usize,
        compiled: Shared<Compiled>,
    ) -> Signature {
        let object_call = AtomicPtr::new(ptr::null_mut());
        if let Served::Code(start) = compiled.now(Direction::Call, Endpoint::Objects) {
            object_call.store(start.as_ptr().cast(), Ordering::Relaxed);
        }
        Signature {
            call: AtomicPtr::new(first_calls as Call as *mut c_void),
            object_call,
            codes: bytes[codes.start..].as_ptr().cast(),
            kinds: bytes[codes.end..].as_ptr(),
            nargs,
            values: ptr::null(),
            scope: ptr::null(),
            value_count: 0,
            arg_slots: 0,
            ret_slots: 0,
            is_variadic: false,
            has_objects: bytes[codes].contains(&b'O'),
            bytes,
            text_len: 0,
            compiled,
            is_kept: AtomicBool::new(false),
            declared: None,
        }
    }

    /// Makes a signature of C types, or with structs. `text` is its key for the cache, if it may be remembered.
    pub(crate) fn declared(
        declared: Declared,
        role: Role,
        text: Option<&Text>,
    ) -> Result<Signature, Failure> {
        let values = &declared.values;
        let nargs = values.len() - 1;
        let conversion = match role {
            Role::Function => declared.object_call()?.map(Conversion::Call),
            Role::Callback => declared.deliveries()?.map(Conversion::Entry),
        };
        let compiled = engine::compile(declared.signature()?, conversion)?;
        let plan = compiled.plan();
        let (arg_slots, ret_slots) = (plan.arg_slots, plan.ret_slots);
        let text_len = text.map_or(0, Text::len);
        let codes = text_len..text_len + declared.codes().len();
        let mut bytes = try_with_capacity(codes.end + values.len())?;
        if let Some(text) = text {
            text.write_to(&mut bytes)?;
        }
        bytes.try_extend_from_slice(declared.codes())?;
        bytes.try_extend(values.iter().map(|value| value.kind))?;
        let nargs_told = match role {
            Role::Function => BY_VALUES,
            Role::Callback => nargs,
        };
        let mut signature = Signature::of(bytes, codes, nargs_told, compiled);
        signature.text_len = text_len;
        signature.values = values.as_ptr();
        signature.scope = declared.scope().map_or(ptr::null(), Shared::as_ptr);
        signature.value_count = nargs as u32;
        (signature.arg_slots, signature.ret_slots) = (arg_slots, ret_slots);
        signature.is_variadic = declared.is_variadic();
        signature.declared = Some(declared);
        Ok(signature)
    }

    /// Its key for the cache; empty for a signature that is not remembered.
    fn text(&self) -> &[u8] {
        &self.bytes[..self.text_len]
    }

    /// Its declaration, if it has C types or structs.
    pub(crate) fn parts(&self) -> Option<&Declared> {
        self.declared.as_ref()
    }

    pub(crate) fn compiled(&self) -> Shared<Compiled> {
        self.compiled.clone()
    }

    /// Counts a call on slots, and compiles code for later calls once that pays.
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
        // Calls that still come here have unusual arguments, or use objects without conversion.
        let call = match compiled.serve(Direction::Call, Endpoint::Slots) {
            // SAFETY: a trampoline on slots has this function type, except for the last argument, which it ignores.
            Served::Code(start) => unsafe { std::mem::transmute::<NonNull<u8>, Call>(start) },
            Served::PlanForGood => follow_plan,
            Served::Plan => return,
        };
        self.call.store(call as *mut c_void, Ordering::Release);
    }
}

/// The function through which C calls until there is code.
unsafe extern "C-unwind" fn first_calls(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    signature: *const Signature,
) {
    // SAFETY: C calls this for a function object, which keeps its signature alive, with the slots of a call of it.
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
    // SAFETY: C calls this for a function object, which keeps its signature alive, with the slots of a call of it.
    unsafe { engine::interp::call_slots((*signature).compiled.plan(), target, slots, result) }
}

/// Makes the plan of a signature. The errors are the engine's.
fn planned(codes: &Codes) -> Result<Plan, engine::Error> {
    let fixed = codes.fixed.map(|fixed| fixed as u32);
    let (ret, mut args) = (codes.ret_shape(), codes.arg_shapes());
    Ok(abi::collect(engine::host_abi(), fixed, ret, &mut args)?)
}

/// The conversions between values and objects, if code can do them. It cannot if a value is an object itself: a C function with such arguments
/// belongs to the interpreter, and may raise through its caller.
fn conversion(codes: &Codes, role: Role) -> Result<Option<Conversion>, OutOfMemory> {
    let args = codes.args.iter();
    Ok(match role {
        Role::Function => {
            let Some(ret) = kinds::boxing(of_result(codes.ret)) else {
                return Ok(None);
            };
            // A letter's kind has no range to check.
            let args = all(args.map(|arg| kinds::unbox(arg.kind() as u8, false)))?;
            args.map(|args| Conversion::Call(ObjectCall { args, ret }))
        }
        Role::Callback => {
            let deliveries = args.map(|&arg| kinds::delivery(of_argument(arg) as u8));
            all(deliveries)?.map(Conversion::Entry)
        }
    })
}

/// The key of a remembered signature: [`Signature::text`], in the signature's own memory.
#[derive(Debug)]
struct Key(NonNull<[u8]>);

// SAFETY: the bytes do not change.
unsafe impl Send for Key {}

impl Key {
    /// # Safety
    /// * The signature outlives the key.
    unsafe fn of(signature: &Signature) -> Key {
        Key(NonNull::from(signature.text()))
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        // SAFETY: the signature that owns the bytes outlives the key, by the contract of `Key::of`.
        unsafe { self.0.as_ref() }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        let (ours, others): (&[u8], &[u8]) = (self.borrow(), other.borrow());
        ours == others
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let text: &[u8] = self.borrow();
        text.hash(state);
    }
}

/// Signatures by their text.
static SEEN: Cached<Cache<Key, Signature>> = Cached::new(Cache::new());

/// Reads a signature, unless it has been read before.
fn known(ret: &str, args: &str, role: Role) -> Result<Shared<Signature>, Failure> {
    let text = Text::new(ret, args, role);
    let mut buffer = [0; LONGEST];
    let written = text.written_in(&mut buffer);
    if let Some(text) = written
        && let Some(Some(known)) = SEEN.with(|seen| seen.get(text))
    {
        return Ok(known);
    }
    let is_remembered = written.is_some();
    let signature = match Signature::of_letters(&text, is_remembered)? {
        Some(signature) => signature,
        None => Signature::with_structs(&text)?,
    };
    if !is_remembered {
        return Ok(signature);
    }
    // SAFETY: the cache holds the signature with the key, and drops both together.
    let key = unsafe { Key::of(&signature) };
    let add = |seen: &mut Cache<_, _>| seen.add(key, signature.clone());
    // A signature that cannot be remembered is read again next time.
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
        // SAFETY: each text points to its bytes, by the contract of the functions that call this.
        let signature = unsafe { known(text(ret.0, ret.1)?, text(args.0, args.1)?, role)? };
        // C's reference, until farcall_signature_release().
        // SAFETY: `out` points to a place for the result, by the contract of the functions that call this.
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
    // SAFETY: new() gave C a reference, which is not given up here.
    let signature = ManuallyDrop::new(unsafe { Shared::from_raw(signature) });
    if !signature.is_kept.swap(true, Ordering::Relaxed) {
        let _ = Shared::clone(&signature).into_raw();
    }
}

/// # Safety
/// * `signature` is one of [`farcall_signature_new`]'s that has not been released; nothing uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_release(signature: *const Signature) {
    // SAFETY: new() gave C a reference, which the caller gives up here.
    let signature = unsafe { Shared::from_raw(signature) };
    // Even if this is the last reference, a thread may still be inside the code.
    if signature.is_sole() {
        engine::epoch::forget(signature);
    }
}
