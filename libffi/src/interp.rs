//! Calls and closures without code made for them, as libffi has their arguments: behind pointers.
//!
//! This is how signatures are called that have no code, because the system refuses executable memory, because there are too many, or
//! because the convention is not this process's own. A plan's moves are followed by [`farcall_engine::interp`].

use crate::cif::Cif;
use crate::closure::{Handler, Record};
use crate::intern::{Detail, Entry};
use farcall_arch::Move;
use farcall_engine::interp::{self, Arguments, Entered, Gathered, Image, ResultArea};
use std::ffi::c_void;
use std::ptr;

/// Calls `target`; see [`crate::intern::Call`].
///
/// # Safety
/// * Those of [`crate::intern::Call`].
pub unsafe extern "C-unwind" fn call(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    // SAFETY: the caller vouches for the call.
    unsafe { call_with(entry.detail(), target, values, result, ptr::null()) }
}

/// Calls `target`, with a Go closure in its register.
///
/// # Safety
/// * As for [`crate::intern::Call`], the signature being `detail`'s.
pub unsafe fn call_with(
    detail: &Detail,
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    chain: *const c_void,
) {
    let positions = &detail.positions;
    let pointers = Pointers { values, positions };
    // SAFETY: the caller vouches for the call.
    unsafe { interp::call(detail.plan(), target, pointers, result, chain) }
}

/// The arguments of a call, each behind a pointer.
struct Pointers<'a> {
    values: *mut *mut c_void,
    positions: &'a [u32],
}

impl Arguments for Pointers<'_> {
    #[inline(always)]
    unsafe fn bytes(&self, mv: &Move) -> *const u8 {
        let position = self.positions[mv.value as usize] as usize;
        // SAFETY: there is a pointer for each argument, to a value of its type.
        unsafe {
            let value = (*self.values.add(position)).cast::<u8>();
            value.add(mv.offset as usize)
        }
    }
}

unsafe extern "C" {
    /// The entry of all closures.
    pub fn farcall_libffi_closure();
    /// The same for Go closures.
    pub fn farcall_libffi_go_closure();
}
#[cfg(all(target_arch = "x86_64", unix))]
unsafe extern "C" {
    /// The entry of closures that are called as Microsoft's convention wants it.
    pub fn farcall_libffi_win64_closure();
    /// The same for Go closures.
    pub fn farcall_libffi_win64_go_closure();
}

interp::entry!("farcall_libffi_closure", enter);
interp::entry!("farcall_libffi_go_closure", enter_go, chain);
#[cfg(all(target_arch = "x86_64", unix))]
interp::entry!("farcall_libffi_win64_closure", enter, win64);
#[cfg(all(target_arch = "x86_64", unix))]
interp::entry!("farcall_libffi_win64_go_closure", enter_go, win64);

/// What the closures' entry calls: collects the arguments, runs the closure's function, leaves the result's registers.
///
/// # Safety
/// * `record` is the record of a closure that was prepared for the signature it was called with.
/// * `image` and `stack` are that call's registers and stack arguments.
unsafe extern "C-unwind" fn enter(record: *const Record, image: &mut Image, stack: *mut u8) {
    // SAFETY: the caller vouches for the closure.
    unsafe { enter_with(record, (*record).user_data, image, stack) }
}

/// The same for a Go closure, which ends before the user data: it is its own.
///
/// # Safety
/// * As for [`enter`].
unsafe extern "C-unwind" fn enter_go(record: *const Record, image: &mut Image, stack: *mut u8) {
    // SAFETY: the caller vouches for the closure.
    unsafe { enter_with(record, record.cast_mut().cast(), image, stack) }
}

/// # Safety
/// * As for [`enter`].
unsafe fn enter_with(
    record: *const Record,
    user_data: *mut c_void,
    image: &mut Image,
    stack: *mut u8,
) {
    // SAFETY: the caller vouches for the closure, and whoever made it for its cif.
    unsafe {
        let cif = (*record).cif;
        if let Some(found) = (*cif).resolve() {
            found.lend(|detail| run(detail, cif, (*record).fun, user_data, image, stack));
        }
    }
}

/// The most arguments whose pointers lie on the stack.
const INLINE: usize = 64;

/// # Safety
/// * As for [`enter`].
unsafe fn run(
    detail: &Detail,
    cif: *mut Cif,
    fun: Handler,
    user_data: *mut c_void,
    image: &mut Image,
    stack: *mut u8,
) {
    // SAFETY: the caller vouches for the registers and the stack arguments.
    let mut entered = unsafe { Entered::new(detail.plan(), image, stack) };
    let mut gathered = Gathered::default();
    interp::with_scratch::<_, _, INLINE>(detail.count, ptr::null_mut(), |pointers| {
        entered.point_to_arguments(&mut gathered, |argument, value| {
            pointers[detail.positions[argument] as usize] = value;
        });
        let mut own: ResultArea = Default::default();
        let result = entered.sret().unwrap_or(own.as_mut_ptr().cast());
        // SAFETY: the closure's maker vouches for its function; arguments and result are as the signature has them.
        unsafe {
            fun(cif, result, pointers.as_mut_ptr(), user_data);
            entered.return_result(result);
        }
    });
}
