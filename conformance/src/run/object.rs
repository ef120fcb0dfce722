//! The C side in memory.

use super::foreign::{self, Foreign};
use super::peer::Peer;
use crate::cases::{self, Direction, Suite};
use crate::source;
use crate::target::Form;
use anyhow::{Context, Result};
use libloading::Library;
use std::any::Any;
use std::ffi::c_void;
use std::path::Path;

/// The loaded code of some cases, which the emit stage made.
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
    /// When it is not there or lacks a symbol.
    pub fn load(dir: &Path, suite: &Suite, object: &cases::Object) -> Result<Object> {
        let path = dir.join(&object.file);
        let loaded = match suite.target.form {
            Form::Shared => Object::shared(&path, object.count, &suite.directions),
            Form::Foreign => Object::foreign(&path, suite, object),
        };
        loaded.with_context(|| format!("cannot load {path:?}"))
    }

    /// Loads a shared object, whose tables list its functions.
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

    /// Loads an object file, whose functions are found by their names.
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

    /// The record. No C function runs while it is borrowed.
    #[allow(clippy::mut_from_ref, reason = "the record is the object's, not ours")]
    pub fn peer(&self) -> &mut Peer {
        // SAFETY: the record is the object's, which is loaded; no C function runs.
        unsafe { &mut *self.peer }
    }
}
