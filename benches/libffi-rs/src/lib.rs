//! The closures of the crate called libffi, as C functions that `benches/peers` calls.

use libffi::high::Closure2;
use std::ffi::c_void;
use std::hint::black_box;

/// The function pointer of a closure that adds two ints, and a third that it owns. It stays for good.
#[unsafe(no_mangle)]
pub extern "C" fn libffi_crate_add2() -> *const c_void {
    let third = black_box(0);
    let add = move |one: i32, other: i32| one.wrapping_add(other).wrapping_add(third);
    let closure = Box::leak(Box::new(Closure2::new(Box::leak(Box::new(add)))));
    let pointer = std::ptr::from_ref(closure.code_ptr()).cast::<*const c_void>();
    // SAFETY: it is the function pointer, in a transparent structure.
    unsafe { *pointer }
}

/// Makes so many closures like that one, and drops them.
#[unsafe(no_mangle)]
pub extern "C" fn libffi_crate_churn(count: u64) {
    for _ in 0..count {
        let third = black_box(0);
        let add = move |one: i32, other: i32| one.wrapping_add(other).wrapping_add(third);
        black_box(Closure2::new(&add).code_ptr());
    }
}
