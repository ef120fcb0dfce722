//! The library in C that scenarios call: `soak/c/peer.c`, compiled by `cargo xtask soak`.

use farcall::{Function, Library};
use std::ffi::c_void;

/// The library's path.
pub fn path() -> String {
    std::env::var("FARCALL_SOAK_PEER").expect("FARCALL_SOAK_PEER names the library")
}

/// The library, opened.
pub fn open() -> Library {
    // SAFETY: it has no initialisers.
    unsafe { Library::open(path()) }.expect("the library opens")
}

/// One of its functions.
pub fn func(ret: &str, name: &str, args: &str) -> Function {
    open()
        .func(ret, name, args)
        .expect("a function of the library")
}

/// The address of one of its functions, which stays loaded from now on.
pub fn address(name: &str) -> *const c_void {
    let library = Box::leak(Box::new(open()));
    library.func("v", name, "").expect("a function").address()
}
