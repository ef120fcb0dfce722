//! The C side in memory.

use super::foreign::{self, Foreign};
use crate::MAX_ARGS;
use crate::cases::{self, Direction, Suite};
use crate::source;
use crate::target::Form;
use crate::wide::source::{GIVE, SEEN};
use anyhow::{Context, Result};
use libloading::Library;
use std::any::Any;
use std::ffi::c_void;
use std::path::Path;

/// What stands in cells that nobody wrote.
pub const POISON: u64 = 0xe0e1_e2e3_e4e5_e6e7;

/// The record that a C object keeps: `struct farcall_peer` of [`crate::source`].
#[repr(C)]
#[derive(Debug)]
pub struct Peer {
    /// How often a C function was called.
    pub calls: u64,
    /// What it returns.
    pub give: u64,
    /// What its arguments were, widened.
    pub seen: [u64; MAX_ARGS],
    wide_give: [u8; GIVE],
    wide_seen: [u8; SEEN],
}

/// What the emit stage made of some cases.
pub struct Object {
    peer: *mut Peer,
    /// By direction, as in [`Direction::ALL`].
    functions: [Vec<*const c_void>; 2],
    _keeper: Box<dyn Any>,
}

impl Object {
    /// Loads it.
    ///
    /// # Errors
    /// When it is not there or lacks what we look for.
    pub fn load(dir: &Path, suite: &Suite, object: &cases::Object) -> Result<Object> {
        let path = dir.join(&object.file);
        let loaded = match suite.target.form {
            Form::Shared => Object::shared(&path, object.count, &suite.directions),
            Form::Foreign => Object::foreign(&path, suite, object),
        };
        loaded.with_context(|| format!("cannot load {path:?}"))
    }

    /// A shared object's functions are listed in its tables.
    fn shared(path: &Path, count: usize, directions: &[Direction]) -> Result<Object> {
        // SAFETY: the emit stage made it; it has no initialisers.
        let library = unsafe { Library::new(path)? };
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
            _keeper: Box::new(library),
        })
    }

    /// An object file's functions go by their names.
    fn foreign(path: &Path, suite: &Suite, object: &cases::Object) -> Result<Object> {
        let code = Foreign::load(path)?;
        let cases = &suite.cases[object.first..object.first + object.count];
        let mut functions = [Vec::new(), Vec::new()];
        for (direction, functions) in Direction::ALL.iter().zip(&mut functions) {
            if suite.directions.contains(direction) {
                let (name, _) = source::names(*direction);
                let names = cases.iter().map(|case| format!("{name}_{}", case.index));
                *functions = names
                    .map(|name| code.function(&name))
                    .collect::<Result<_>>()?;
            }
        }
        Ok(Object {
            peer: foreign::peer()?,
            functions,
            _keeper: Box::new(code),
        })
    }

    /// The C function of the case at `place`.
    pub fn function(&self, direction: Direction, place: usize) -> *const c_void {
        let direction = Direction::ALL.iter().position(|d| *d == direction);
        self.functions[direction.unwrap_or_default()][place]
    }

    /// Clears the record, and presets what a C function returns.
    pub fn expect(&self, give: u64) {
        // SAFETY: the record is the object's, which is loaded; no C function runs.
        unsafe {
            (*self.peer).calls = 0;
            (*self.peer).give = give;
            (*self.peer).seen = [POISON; MAX_ARGS];
        }
    }

    /// The same for wide values: what a C function returns by its bytes.
    pub fn expect_bytes(&self, give: &[u8]) {
        // SAFETY: as above.
        let peer = unsafe { &mut *self.peer };
        peer.calls = 0;
        peer.wide_give[..give.len()].copy_from_slice(give);
        peer.wide_seen.fill(0xe7);
    }

    /// How often a C function was called, and the bytes of what it saw.
    pub fn seen_bytes(&self) -> (u64, &[u8]) {
        // SAFETY: as above.
        let peer = unsafe { &*self.peer };
        (peer.calls, &peer.wide_seen)
    }

    /// How often a C function was called, and what it saw. No more is copied: a callee may have left the direction flag set,
    /// which long copies do not survive.
    pub fn seen(&self) -> Seen {
        // SAFETY: as above.
        let peer = unsafe { &*self.peer };
        Seen {
            calls: peer.calls,
            seen: peer.seen,
        }
    }
}

/// What a C function noted.
pub struct Seen {
    /// How often it was called.
    pub calls: u64,
    /// Its arguments.
    pub seen: [u64; MAX_ARGS],
}
