//! The Rust half of MicroPython's `ffi` module: farcall's engine, with the C interface that `ffi/farcall.h` declares.
//!
//! Functions report errors and never raise exceptions. MicroPython's non-local exits never cross a Rust frame, because this crate
//! does not call MicroPython. The types that C declares too are tagged ORDER farcall_*, here and in the header.

mod declared;
mod declared_variable;
mod fault;
mod kinds;
mod lasting;
mod lookup;
mod model;
mod prototype;
mod report;
mod scope;
mod shown;
mod signature;
mod text;
mod value;
mod written;

use farcall_cdecl::TypeCode;
use farcall_engine::epoch::{self, Mark};
use farcall_engine::{Callback, Handler, Library, ObjectHandler, slot};
use farcall_memory::{TryVec, try_box, try_with_capacity};
use report::{Report, Status, guard};
use signature::Signature;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;
use text::{c_path, c_text, text};

/// Converts a C `char`, which is signed on some systems.
fn letter(code: c_char) -> char {
    let [byte] = code.to_ne_bytes();
    char::from(byte)
}

/// # Safety
/// * `callback` is a signature of `farcall_signature_new()` that has not been released.
/// * As for [`Callback::lasting`].
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_callback_new(
    signature: *const Signature,
    handler: Handler,
    object_handler: Option<ObjectHandler>,
    context_size: usize,
    out: *mut *mut Callback,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `signature` has not been released, by the contract of this function.
        let signature = unsafe { &*signature };
        let make = || {
            // A context takes only a few words and is never freed.
            let words = context_size.div_ceil(size_of::<u64>());
            let mut context: Vec<u64> = try_with_capacity(words)?;
            context.try_extend(std::iter::repeat_n(0, words))?;
            Ok(NonNull::from(context.leak()).cast())
        };
        let compiled = signature.compiled();
        // SAFETY: the handlers may be called with the callback's context for as long as C may call it, by the contract of this
        // function.
        let callback = unsafe { Callback::lasting(compiled, handler, object_handler, make)? };
        let callback = try_box(callback)?;
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { out.write(Box::into_raw(callback)) };
        Ok(())
    })
}

/// # Safety
/// * `callback` is one of [`farcall_callback_new`] that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_callback_code(callback: *const Callback) -> *const c_void {
    // SAFETY: `callback` has not been freed, by the contract of this function.
    unsafe { (*callback).code() }
}

/// # Safety
/// * `callback` is one of [`farcall_callback_new`] that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_callback_context(callback: *const Callback) -> *mut c_void {
    // SAFETY: `callback` has not been freed, by the contract of this function.
    let context = unsafe { (*callback).context() };
    context.map_or(std::ptr::null_mut(), NonNull::as_ptr)
}

/// See [`farcall_engine::report_closed`].
#[unsafe(no_mangle)]
pub extern "C" fn farcall_report_closed() {
    farcall_engine::report_closed();
}

/// # Safety
/// * `callback` is one of [`farcall_callback_new`] that has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_callback_free(callback: *mut Callback) {
    // SAFETY: farcall_callback_new() boxed it, and it is freed once, by the contract of this function.
    drop(unsafe { Box::from_raw(callback) });
}

/// See [`farcall_engine::expect_closed`].
#[unsafe(no_mangle)]
pub extern "C" fn farcall_callbacks_end() {
    farcall_engine::expect_closed();
}

/// # Safety
/// * `path` is NULL or a NUL-terminated string.
/// * The library is sound to load and to unload.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_library_open(
    path: *const c_char,
    flags: c_int,
    out: *mut *mut Library,
    report: *mut Report,
) -> Status {
    guard(report, || {
        let path = match path.is_null() {
            true => None,
            // SAFETY: `path` is not NULL here, so it is a NUL-terminated string, by the contract of this function.
            false => Some(unsafe { c_path(path)? }),
        };
        // SAFETY: the library is sound to load and to unload, by the contract of this function.
        let library = unsafe { Library::open(path, (flags != 0).then_some(flags))? };
        let library = try_box(library)?;
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { out.write(Box::into_raw(library)) };
        Ok(())
    })
}

/// # Safety
/// * `library` is one of [`farcall_library_open`] that has not been closed.
/// * `name` is a NUL-terminated string.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_library_symbol(
    library: *const Library,
    name: *const c_char,
    out: *mut *mut c_void,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `library` has not been closed, and `name` is a NUL-terminated string, by the contract of this function.
        let address = unsafe { (*library).symbol_of_open(c_text(name)?)? };
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { out.write(address) };
        Ok(())
    })
}

/// # Safety
/// * `library` is one of [`farcall_library_open`] that has not been closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_library_handle(library: *const Library) -> *mut c_void {
    // SAFETY: `library` has not been closed, by the contract of this function.
    unsafe { (*library).handle() }
}

/// # Safety
/// * `library` is one of [`farcall_library_open`] that has not been closed.
/// * Nothing calls into the library after this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_library_close(library: *mut Library) {
    // SAFETY: farcall_library_open() boxed it, and it is closed once, by the contract of this function.
    unsafe { Box::from_raw(library) }.close_when_idle();
}

/// # Safety
/// * `thread` is a variable of the calling thread's own, and of no other; nothing but that thread writes to it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_thread_register(thread: *mut Mark) {
    if let Some(thread) = NonNull::new(thread) {
        // SAFETY: `thread` is a variable of the calling thread's own, by the contract of this function: C's thread-local variables
        // exist until the thread has ended.
        unsafe { epoch::register(thread) };
    }
}

/// # Safety
/// * `code` points to `len` bytes.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_variable_kind(
    code: *const c_char,
    len: usize,
    out: *mut c_int,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `code` points to `len` bytes, by the contract of this function.
        let code = TypeCode::of_variable(unsafe { text(code, len)? })?;
        // SAFETY: `out` points to a place for the result, by the contract of this function; farcall_kind is an enum of C's, as wide as
        // an int.
        unsafe { out.write(code.kind() as c_int) };
        Ok(())
    })
}

/// # Safety
/// * `code` has passed [`farcall_variable_kind`].
/// * `address` points to a variable of that type that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_variable_load(code: c_char, address: *const c_void) -> u64 {
    // SAFETY: `address` points to a variable of the type that may be read, by the contract of this function.
    TypeCode::new(letter(code)).map_or(0, |code| unsafe { slot::load(&code.ty(), address) })
}

/// # Safety
/// * `code` has passed [`farcall_variable_kind`].
/// * `address` points to a variable of that type that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_variable_store(code: c_char, address: *mut c_void, word: u64) {
    if let Some(code) = TypeCode::new(letter(code)) {
        // SAFETY: `address` points to a variable of the type that may be written, by the contract of this function.
        unsafe { slot::store(&code.ty(), address, word) };
    }
}
