//! The closures of the crate called libffi, from the library built from `benches/libffi-rs`. That is linked with a libffi of its own, which
//! does not clash with others there.

use anyhow::Result;
use libloading::{Library, Symbol};
use std::ffi::c_void;
use std::path::Path;

/// The library.
pub struct Closures {
    add2: unsafe extern "C" fn() -> *const c_void,
    churn: unsafe extern "C" fn(u64),
    _library: Library,
}

impl Closures {
    /// Opens it.
    pub fn open(path: &Path) -> Result<Closures> {
        // SAFETY: the library has no initialisers, and its symbols have the types that benches/libffi-rs states.
        unsafe {
            let library = Library::new(path)?;
            let add2: Symbol<unsafe extern "C" fn() -> *const c_void> =
                library.get(b"libffi_crate_add2")?;
            let churn: Symbol<unsafe extern "C" fn(u64)> = library.get(b"libffi_crate_churn")?;
            Ok(Closures {
                add2: *add2,
                churn: *churn,
                _library: library,
            })
        }
    }

    /// A closure that adds two ints.
    pub fn add2(&self) -> *const c_void {
        // SAFETY: it may be called at any time.
        unsafe { (self.add2)() }
    }

    /// Makes closures and drops them.
    pub fn churn(&self, count: u64) {
        // SAFETY: as above.
        unsafe { (self.churn)(count) }
    }
}
