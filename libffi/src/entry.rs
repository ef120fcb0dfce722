//! Enters closures that follow their plan, and changes them over to code.

use crate::cif::Cif;
use crate::code;
use crate::intern::{self, Entry};
use crate::record::{Handler, Record};
#[cfg(all(target_arch = "x86_64", unix))]
use crate::shape;
use crate::types::AbiNumber;
use farcall_arch::Move;
use farcall_arch::abi::Planner;
use farcall_engine::interp::{
    Entered, Gathered, Image, Item, ResultArea, Shapes, Told, with_scratch,
};
use farcall_engine::pool::{self, RECORD};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// The entry of closures that follow their plan, for the convention with this number.
pub fn plan_entry(number: AbiNumber) -> *const c_void {
    match number {
        #[cfg(all(target_arch = "x86_64", unix))]
        shape::abi::WIN64 | shape::abi::GNUW64 => farcall_libffi_win64_closure as *const c_void,
        _ => farcall_libffi_closure as *const c_void,
    }
}

/// Whether a closure is memory that this library gave out.
pub fn is_cell(closure: *mut c_void) -> bool {
    NonNull::new(closure.cast::<u8>()).is_some_and(pool::is_cell)
}

/// Changes a closure that has followed its plan over to code, if there is some by now.
///
/// # Safety
/// * `record` is that of a closure which is just being called, with this cif.
#[inline(never)]
unsafe fn install_code(record: *mut Record, entry: &Entry, cif: *mut Cif) {
    // SAFETY: a cif of a closure that is called exists.
    let follows_plan = plan_entry(unsafe { (*cif).abi });
    let Some(code) = code::closure_entry_now(entry, follows_plan) else {
        return;
    };
    // Other memory than ours may be read-only where it is executed.
    if !is_cell(record.wrapping_byte_sub(RECORD).cast()) {
        return;
    }
    // SAFETY: the record is that of a closure that is being called, so it is alive, and nobody prepares or frees it. Thunks read this
    // one word as a whole, so it is exchanged as a whole.
    unsafe {
        let place = AtomicPtr::from_ptr((&raw mut (*record).entry).cast::<*mut c_void>());
        let old = follows_plan.cast_mut();
        // Otherwise another thread has done so.
        let _ = place.compare_exchange(old, code.cast_mut(), Ordering::Release, Ordering::Relaxed);
    }
}

unsafe extern "C" {
    /// The entry of all closures.
    fn farcall_libffi_closure();
    /// The same for Go closures.
    pub fn farcall_libffi_go_closure();
}
#[cfg(all(target_arch = "x86_64", unix))]
unsafe extern "C" {
    /// The entry of closures that are called as Microsoft's convention wants it.
    fn farcall_libffi_win64_closure();
    /// The same for Go closures.
    pub fn farcall_libffi_win64_go_closure();
}

farcall_engine::interp_entry!("farcall_libffi_closure", enter);
farcall_engine::interp_entry!("farcall_libffi_go_closure", enter_go, chain);
#[cfg(all(target_arch = "x86_64", unix))]
farcall_engine::interp_entry!("farcall_libffi_win64_closure", enter, win64);
#[cfg(all(target_arch = "x86_64", unix))]
farcall_engine::interp_entry!("farcall_libffi_win64_go_closure", enter_go, win64);

/// The function that the closures' entry calls: collects the arguments, runs the closure's function, sets the result's registers.
///
/// # Safety
/// * `record` is the record of a closure that was prepared for the signature it was called with.
/// * `image` and `stack` are that call's registers and stack arguments.
unsafe extern "C-unwind" fn enter(record: *mut Record, image: &mut Image, stack: *mut u8) {
    // SAFETY: the record is a prepared closure's, by the contract of this function; preparing it took a prepared cif that lives as long
    // as the closure may be called.
    unsafe {
        let Record {
            cif,
            fun,
            user_data,
            ..
        } = *record;
        if let Some(entry) = intern::entry((*cif).token) {
            install_code(record, entry, cif);
            run(&entry.told(), cif, fun, user_data, image, stack);
        } else {
            run_by_types(cif, fun, user_data, image, stack);
        }
    }
}

/// The same for a Go closure, which has no user data: the closure itself is passed.
///
/// # Safety
/// * As for [`enter`].
unsafe extern "C-unwind" fn enter_go(record: *const Record, image: &mut Image, stack: *mut u8) {
    // SAFETY: the record begins a Go closure that was prepared, by the contract of this function, with a cif that lives as long as it
    // may be called.
    unsafe {
        let cif = (*record).cif;
        let (fun, user_data) = ((*record).fun, record.cast_mut().cast());
        if let Some(entry) = intern::entry((*cif).token) {
            run(&entry.told(), cif, fun, user_data, image, stack);
        } else {
            run_by_types(cif, fun, user_data, image, stack);
        }
    }
}

/// Runs a closure whose signature is not remembered.
///
/// # Safety
/// * As for [`enter`], for a closure of this cif.
#[cold]
#[inline(never)]
unsafe fn run_by_types(
    cif: *mut Cif,
    fun: Handler,
    user_data: *mut c_void,
    image: &mut Image,
    stack: *mut u8,
) {
    // SAFETY: the contract of this function is that of `run`. Preparing the closure took a prepared cif that lives as long as the closure may
    // be called.
    unsafe {
        if let Ok(told) = (*cif).told() {
            run(&told, cif, fun, user_data, image, stack);
        }
    }
}

/// The most arguments whose pointers lie on the stack.
const INLINE: usize = 24;

/// # Safety
/// * As for [`enter`].
#[inline(always)]
unsafe fn run(
    told: &Told<impl Shapes>,
    cif: *mut Cif,
    fun: Handler,
    user_data: *mut c_void,
    image: &mut Image,
    stack: *mut u8,
) {
    told.planned(|planner, ret, sret| {
        // SAFETY: `image` and `stack` hold the call's registers and stack arguments, by the contract of this function, where the moves of
        // its signature look for them.
        let entered = unsafe { Entered::new(ret, sret, image, stack) };
        // SAFETY: the contract of this function is that of `run_entered`.
        unsafe { run_entered(&told.shapes, planner, entered, cif, fun, user_data) };
    });
}

/// # Safety
/// * As for [`enter`].
#[inline(always)]
unsafe fn run_entered(
    shapes: &impl Shapes,
    mut planner: Planner,
    mut entered: Entered<'_>,
    cif: *mut Cif,
    fun: Handler,
    user_data: *mut c_void,
) {
    let mut gathered = Gathered::default();
    // SAFETY: a cif of a closure that is called exists.
    let count = unsafe { (*cif).nargs } as usize;
    with_scratch::<_, _, INLINE>(count, ptr::null_mut(), |pointers| {
        shapes.each(|value, item| match item {
            Item::Scalar(scalar) => {
                let mv = planner.place_scalar(value, scalar);
                if let Some(pointer) = pointers.get_mut(value as usize) {
                    *pointer = entered.scalar(&mv);
                }
            }
            Item::Other(shape) => {
                let mut note = |mv: Move| {
                    if let Some(pointer) = pointers.get_mut(mv.value as usize) {
                        *pointer = entered.argument(&mut gathered, &mv);
                    }
                };
                // The caller has made sure that the signature has a plan.
                let _ = planner.place(value, shape, &mut note);
            }
        });
        let mut own: ResultArea = Default::default();
        let result = entered.sret().unwrap_or(own.as_mut_ptr().cast());
        // SAFETY: `fun` may be called with `user_data`, by the contract of the function that prepared the closure; the pointers lead to
        // values of the cif's types, and `result` has room for its result.
        unsafe {
            fun(cif, result, pointers.as_mut_ptr(), user_data);
            entered.return_result(result);
        }
    });
}
