//! The C side in memory.

use crate::MAX_ARGS;
use crate::cases::Direction;
use crate::source;
use anyhow::{Context, Result};
use libloading::Library;
use std::ffi::c_void;
use std::path::Path;

/// What stands in cells that nobody wrote.
pub const POISON: u64 = 0xe0e1_e2e3_e4e5_e6e7;

/// The record that a C object keeps: `struct farcall_peer` of [`crate::source`].
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Peer {
    /// How often a C function was called.
    pub calls: u64,
    /// What it returns.
    pub give: u64,
    /// What its arguments were, widened.
    pub seen: [u64; MAX_ARGS],
}

/// A shared object of the emit stage.
#[derive(Debug)]
pub struct Object {
    peer: *mut Peer,
    /// By direction, as in [`Direction::ALL`].
    functions: [Vec<*const c_void>; 2],
    _library: Library,
}

impl Object {
    /// Loads it.
    ///
    /// # Errors
    /// When it is not there or lacks what we look for.
    pub fn load(path: &Path, count: usize, directions: &[Direction]) -> Result<Object> {
        // SAFETY: the emit stage made it; it has no initialisers.
        let library = unsafe { Library::new(path) };
        let library = library.with_context(|| format!("cannot load {path:?}"))?;
        // SAFETY: the symbol is a record of this type.
        let peer = unsafe { *library.get::<*mut Peer>(b"farcall_peer\0")? };
        let mut functions = [Vec::new(), Vec::new()];
        for (direction, functions) in Direction::ALL.iter().zip(&mut functions) {
            if directions.contains(direction) {
                let (_, table) = source::names(*direction);
                // SAFETY: the symbol is an array of `count` pointers, one for each case.
                *functions = unsafe {
                    let table = library.get::<*const *const c_void>(table.as_bytes())?;
                    std::slice::from_raw_parts(*table, count).to_vec()
                };
            }
        }
        Ok(Object {
            peer,
            functions,
            _library: library,
        })
    }

    /// The C function of the case at `place`.
    pub fn function(&self, direction: Direction, place: usize) -> *const c_void {
        let direction = Direction::ALL.iter().position(|d| *d == direction);
        self.functions[direction.unwrap_or_default()][place]
    }

    /// Clears the record, and presets what a C function returns.
    pub fn expect(&self, give: u64) {
        let fresh = Peer {
            calls: 0,
            give,
            seen: [POISON; MAX_ARGS],
        };
        // SAFETY: the record is the object's, which is loaded; no C function runs.
        unsafe { self.peer.write(fresh) };
    }

    /// The record.
    pub fn seen(&self) -> Peer {
        // SAFETY: as above.
        unsafe { (*self.peer).clone() }
    }
}
