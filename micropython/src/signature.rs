//! Signatures as C sees them.

use crate::report::{Failure, Report, Status, guard};
use crate::text;
use farcall::embed::{self, Compiled, Known, ObjectCode};
use farcall::{Kind, Position, Role, TypeCode};
use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A signature, parsed and compiled, and shared by all that is written the same. C reads the fields up to `nargs`.
/// ORDER farcall_signature
#[derive(Debug)]
#[repr(C)]
pub struct Signature {
    call: AtomicPtr<c_void>,
    object_call: *const c_void,
    codes: *const c_char,
    kinds: *const u8,
    nargs: usize,
    // What the pointers above point into, and what keeps the code alive.
    _letters: CString,
    _kinds: Box<[u8]>,
    object_code: Option<Arc<ObjectCode>>,
    compiled: Arc<Compiled>,
    /// What this is kept with, counted once for each that has been handed to C.
    known: *const Known,
}

// SAFETY: the pointers are to memory of its own that does not change, to code, and to what it is kept with.
unsafe impl Send for Signature {}
// SAFETY: as above.
unsafe impl Sync for Signature {}

impl Signature {
    fn new(known: &Arc<Known>, role: Role) -> Result<Signature, Failure> {
        let codes = &known.codes;
        let object_code = match role {
            Role::Function => embed::compile_objects(codes)?,
            Role::Callback => embed::compile_object_callback(codes)?,
        };
        let letters = format!("{}{}", codes.ret.letter(), codes.args_text());
        let letters =
            CString::new(letters).map_err(|_| Failure::value("expected type codes, got a NUL"))?;
        let all = std::iter::once(&codes.ret).chain(&codes.args);
        let kinds: Box<[u8]> = all.map(|code| code.kind() as u8).collect();
        Ok(Signature {
            call: AtomicPtr::default(),
            object_call: match (&object_code, role) {
                (Some(code), Role::Function) => code.start(),
                _ => std::ptr::null(),
            },
            codes: letters.as_ptr(),
            kinds: kinds.as_ptr(),
            nargs: codes.args.len(),
            _letters: letters,
            _kinds: kinds,
            object_code,
            compiled: known.compiled.clone(),
            known: Arc::as_ptr(known),
        })
    }

    /// The entry on objects, of a callback's signature that has one.
    pub(crate) fn object_entry(&self) -> Option<Arc<ObjectCode>> {
        self.object_code.clone()
    }

    pub(crate) fn compiled(&self) -> Arc<Compiled> {
        self.compiled.clone()
    }
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
    // SAFETY: the duties are the same.
    unsafe {
        new(
            Role::Function,
            (ret, ret_len),
            (args, args_len),
            out,
            report,
        )
    }
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
    // SAFETY: the duties are the same.
    unsafe {
        new(
            Role::Callback,
            (ret, ret_len),
            (args, args_len),
            out,
            report,
        )
    }
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
        let known = unsafe { embed::known(text(ret.0, ret.1)?, text(args.0, args.1)?, role)? };
        let signature: *const Signature = known.binding(|| Signature::new(&known, role))?;
        // C's reference, until farcall_signature_release().
        std::mem::forget(known);
        // SAFETY: the caller has a place for it.
        unsafe { out.write(signature) };
        Ok(())
    })
}

/// # Safety
/// * `signature` is one of [`farcall_signature_new`]'s that has not been released.
/// * `report` points to a place for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_compile(
    signature: *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: the caller vouches for the signature.
        let signature = unsafe { &*signature };
        let trampoline = signature.compiled.trampoline()?;
        signature
            .call
            .store(trampoline as *mut c_void, Ordering::Release);
        Ok(())
    })
}

/// See [`farcall::generates_code`].
#[unsafe(no_mangle)]
pub extern "C" fn farcall_generates_code() -> bool {
    farcall::generates_code()
}

/// # Safety
/// * `signature` is one of [`farcall_signature_new`]'s that has not been released; nothing uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_release(signature: *const Signature) {
    // SAFETY: new() kept a reference for it, which its caller gives up.
    unsafe { Arc::from_raw((*signature).known) }.release();
}

/// The slot of a value that is stored in a variable: a signed or unsigned number, a double's bits, or a word.
pub(crate) fn variable_slot(code: TypeCode, value: u64) -> Result<u64, Failure> {
    let position = Position::Variable;
    Ok(match code.kind() {
        Kind::Int => embed::integer_to_slot((value as i64).into(), code, position)?,
        Kind::Uint => embed::integer_to_slot(value.into(), code, position)?,
        Kind::Float => embed::float_to_slot(f64::from_bits(value), position)?,
        _ => value,
    })
}
