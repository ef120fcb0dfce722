//! Closures: function pointers with data.
//!
//! A closure's last four words are its `Record`: the code to enter by, and what that needs. A function pointer is a
//! thunk, which knows the record's place and jumps to the entry named there. So preparing a closure makes no code; it may be prepared
//! again, and calls use the words that a program reads or writes there.
//!
//! The thunks are part of this library ([`farcall_engine::pool`]), and each has a cell of memory at a fixed distance, which is
//! what [`ffi_closure_alloc`] gives out. A closure larger than a cell lies elsewhere, and its cell only leads there.

use crate::cif::{Cif, Status};
use crate::code;
use crate::entry::{self, plan_entry};
use crate::record::{Handler, Record};
use crate::shape;
use farcall_arch::emit::thunk;
use farcall_engine as engine;
use farcall_engine::interp::machine::HAS_STATIC_CHAIN;
use farcall_engine::pool::{self, CELL, Pair, RECORD};
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

/// `FFI_TRAMPOLINE_SIZE`.
#[cfg(target_arch = "x86_64")]
const TRAMPOLINE: usize = 32;
#[cfg(target_arch = "aarch64")]
const TRAMPOLINE: usize = 24;

/// The thunk that is written to a closure in executable memory. It finds its record at the closure's end.
#[cfg(target_arch = "x86_64")]
const IN_PLACE: [u8; thunk::x64::SIZE] = thunk::x64::thunk(RECORD as i32);
/// The thunk that is written to a closure in executable memory. It finds its record at the closure's end.
#[cfg(target_arch = "aarch64")]
const IN_PLACE: [u8; thunk::a64::SIZE] = thunk::a64::thunk(RECORD as u32);

/// `ffi_closure`: libffi's fields, whose first words are ours to use.
#[derive(Debug)]
#[repr(C)]
pub struct Closure {
    code: [u8; TRAMPOLINE - 8],
    /// The record, which leads to the closure's function.
    pub record: Record,
}

const _: () = {
    assert!(size_of::<Closure>() == TRAMPOLINE + 24);
    assert!(size_of::<Closure>() <= CELL);
    assert!(offset_of!(Closure, record) == RECORD);
    assert!(IN_PLACE.len() <= RECORD);
};

/// The header of a closure that is larger than a cell.
#[repr(C, align(16))]
struct Header {
    pair: Pair,
    /// The size of this header and the closure, in bytes.
    size: usize,
}

fn layout_of(size: usize) -> Option<std::alloc::Layout> {
    std::alloc::Layout::from_size_align(size, align_of::<Header>()).ok()
}

/// Gives memory for a closure of `size` bytes, and in `*code` the function pointer that leads to it. Null if there is none.
///
/// # Safety
/// * `code` is null or points to memory for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_closure_alloc(size: usize, code: *mut *const c_void) -> *mut c_void {
    if code.is_null() {
        return ptr::null_mut();
    }
    let Some(pair) = pool::take() else {
        return ptr::null_mut();
    };
    let memory = if size <= CELL {
        pair.cell.as_ptr()
    } else {
        // SAFETY: the pair has just been taken.
        unsafe { allocate_large(size, pair) }
    };
    if memory.is_null() {
        pool::put_back(pair);
        return ptr::null_mut();
    }
    // SAFETY: `code` is not null here, so it points to memory for an address, by the contract of this function.
    unsafe { *code = pair.thunk.as_ptr().cast() };
    memory.cast()
}

/// Memory for a closure, to which the cell of `pair` leads; null if there is none.
///
/// # Safety
/// * The pair is the caller's.
unsafe fn allocate_large(size: usize, pair: Pair) -> *mut u8 {
    let Some(layout) = size.checked_add(size_of::<Header>()).and_then(layout_of) else {
        return ptr::null_mut();
    };
    // SAFETY: the size is not zero.
    let start = unsafe { std::alloc::alloc(layout) };
    if start.is_null() {
        return start;
    }
    // SAFETY: the memory is new, and large enough for a header and a closure. The pair is the caller's, so nobody else writes to its
    // cell, whose record gets the closure in the place of a cif.
    unsafe {
        start.cast::<Header>().write(Header {
            pair,
            size: layout.size(),
        });
        let closure = start.add(size_of::<Header>());
        let record = pair.record().as_ptr().cast::<*const c_void>();
        record.write(pool::forward());
        record.add(1).write(closure.add(RECORD).cast());
        closure
    }
}

/// Takes back what [`ffi_closure_alloc`] gave.
///
/// # Safety
/// * `closure` is null or from there; nobody calls its function pointer any more, and it was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_closure_free(closure: *mut c_void) {
    let Some(closure) = NonNull::new(closure.cast::<u8>()) else {
        return;
    };
    if pool::put_back_cell(closure) {
        return;
    }
    // SAFETY: `closure` is from `ffi_closure_alloc` and in no cell, so it was allocated behind a header.
    unsafe {
        let start = closure.as_ptr().sub(size_of::<Header>());
        let Header { pair, size } = start.cast::<Header>().read();
        if let Some(layout) = layout_of(size) {
            std::alloc::dealloc(start, layout);
        }
        pool::put_back(pair);
    }
}

/// Makes the function pointer of a closure call `fun`.
///
/// # Safety
/// * `closure` is from [`ffi_closure_alloc`], with `code` the pointer that came with it; or it is any memory, and `code` the address
///   at which it can be executed.
/// * The cif has been prepared, and exists for as long as the function pointer may be called, as do its types.
/// * `fun` may be called with `user_data` whenever the function pointer is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_prep_closure_loc(
    closure: *mut Closure,
    cif: *mut Cif,
    fun: Handler,
    user_data: *mut c_void,
    code: *mut c_void,
) -> Status {
    // SAFETY: the cif has been prepared, by the contract of this function.
    let entry = match unsafe { entry_of(&*cif, || entry::is_cell(closure.cast())) } {
        Ok(entry) => entry,
        Err(status) => return status,
    };
    let record = Record {
        entry,
        cif,
        fun,
        user_data,
    };
    // SAFETY: `closure` is memory for a closure, of the library's or of the program's own, by the contract of this function. Nobody
    // calls a closure that is just being prepared.
    unsafe {
        (&raw mut (*closure).record).write(record);
        if is_worth_code(closure) {
            make_callable_in_place(closure, code);
        }
    }
    Status::Ok
}

/// Whether to write code to a closure. A program's own memory may be executed, at this address or wherever else it is mapped. In a cell the
/// code is never used; where writing it costs nothing, that is not checked.
fn is_worth_code(closure: *mut Closure) -> bool {
    cfg!(target_arch = "x86_64") || !entry::is_cell(closure.cast())
}

/// Writes code to a closure that leads to its own record.
///
/// # Safety
/// * The closure's memory can be written, and can be executed at `code`, if anywhere.
unsafe fn make_callable_in_place(closure: *mut Closure, _code: *const c_void) {
    // SAFETY: the closure's memory can be written, by the contract of this function, and has room for a thunk where libffi has its
    // trampoline.
    unsafe {
        let code = (&raw mut (*closure).code).cast::<u8>();
        code.copy_from_nonoverlapping(IN_PLACE.as_ptr(), IN_PLACE.len());
        engine::sync_icache(std::slice::from_raw_parts(code, IN_PLACE.len()));
        #[cfg(target_arch = "aarch64")]
        engine::sync_icache(std::slice::from_raw_parts(_code.cast(), IN_PLACE.len()));
    }
}

/// As [`ffi_prep_closure_loc`], for a closure whose memory can be executed where it is.
///
/// # Safety
/// * Those of [`ffi_prep_closure_loc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_prep_closure(
    closure: *mut Closure,
    cif: *mut Cif,
    fun: Handler,
    user_data: *mut c_void,
) -> Status {
    // SAFETY: the contract of this function is that of `ffi_prep_closure_loc`, the memory being executable where it is written.
    unsafe { ffi_prep_closure_loc(closure, cif, fun, user_data, closure.cast()) }
}

/// The code that closures with a cif enter by, which `may_change` later.
///
/// # Safety
/// * The cif has been prepared.
unsafe fn entry_of(cif: &Cif, may_change: impl FnOnce() -> bool) -> Result<*const c_void, Status> {
    if shape::convention(cif.abi).is_none() {
        return Err(Status::BadAbi);
    }
    let follows_plan = plan_entry(cif.abi);
    // SAFETY: the cif has been prepared, by the contract of this function; so its types exist.
    Ok(match unsafe { cif.entry() }? {
        Some(entry) => code::closure_entry(entry, follows_plan, may_change),
        None => follows_plan,
    })
}

/// `ffi_go_closure`: the first words of a `Record`.
#[derive(Debug)]
#[repr(C)]
pub struct GoClosure {
    tramp: *const c_void,
    cif: *mut Cif,
    fun: Handler,
}

/// Prepares a Go closure: code that is called with the closure in the register of the static chain.
///
/// # Safety
/// * `closure` points to memory for one.
/// * Those of [`ffi_prep_closure_loc`] about the cif and `fun`, which gets the closure itself as its last argument.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_prep_go_closure(
    closure: *mut GoClosure,
    cif: *mut Cif,
    fun: Handler,
) -> Status {
    // SAFETY: `cif` points to a prepared cif, by the contract of this function.
    let tramp = match unsafe { (*cif).abi } {
        number if shape::convention(number).is_none() => return Status::BadAbi,
        // Where the system owns the register of the static chain, no register can lead to the closure.
        _ if !HAS_STATIC_CHAIN => return Status::BadAbi,
        #[cfg(all(target_arch = "x86_64", unix))]
        shape::abi::WIN64 | shape::abi::GNUW64 => {
            entry::farcall_libffi_win64_go_closure as *const c_void
        }
        _ => entry::farcall_libffi_go_closure as *const c_void,
    };
    // SAFETY: `closure` points to memory for one, by the contract of this function.
    unsafe { closure.write(GoClosure { tramp, cif, fun }) };
    Status::Ok
}

/// `sizeof (ffi_closure)`.
#[unsafe(no_mangle)]
pub extern "C" fn ffi_get_closure_size() -> usize {
    size_of::<Closure>()
}
