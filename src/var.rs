//! C variables.

use crate::error::{Error, Result};
use crate::value::{self, Value};
use farcall_cdecl::{Position, TypeCode};
use farcall_engine::epoch::{self, Inside, Place};
use farcall_engine::{self as engine, slot};
use farcall_memory::Shared;
use farcall_memory::{try_format, try_string};
use std::ffi::c_void;
use std::fmt;

/// A variable of a library.
#[derive(Clone)]
pub struct Variable {
    address: *mut c_void,
    code: TypeCode,
    name: Option<Shared<String>>,
    library: Option<Shared<engine::Library>>,
}

// SAFETY: `address` is a number until an access, and accesses are unsafe: their callers answer for races.
unsafe impl Send for Variable {}
// SAFETY: as above.
unsafe impl Sync for Variable {}

impl Variable {
    /// The variable at `address`, of the type `code`.
    ///
    /// # Errors
    /// [`Error::Null`], and those of a bad code.
    pub fn at(address: *mut c_void, code: &str) -> Result<Variable> {
        Variable::new(address, code, None, None)
    }

    pub(crate) fn new(
        address: *mut c_void,
        code: &str,
        name: Option<&str>,
        library: Option<Shared<engine::Library>>,
    ) -> Result<Variable> {
        if address.is_null() {
            return Err(Error::Null { what: "variable" });
        }
        Ok(Variable {
            address,
            code: TypeCode::of_variable(code)?,
            name: name
                .map(|name| Shared::try_new(try_string(name)?))
                .transpose()?,
            library,
        })
    }

    /// Its value.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// # Safety
    /// * There is a variable of this type at the address, and nobody writes it now.
    pub unsafe fn get(&self) -> Result<Value> {
        self.while_open(|| {
            // SAFETY: the caller vouches for the variable.
            let slot = unsafe { slot::load(&self.code.ty(), self.address) };
            value::from_slot(slot, self.code)
        })
    }

    /// Changes its value. An integer must be within the range of the type.
    ///
    /// # Errors
    /// [`Error::Closed`], [`CodeError`](crate::CodeError) for a value that its type does not take: the variable is as before then.
    ///
    /// # Safety
    /// * There is a variable of this type at the address, it may be written, and nobody else accesses it now.
    /// * A pointer stored in it stays good for as long as C may use it.
    pub unsafe fn set(&self, value: Value) -> Result<()> {
        let slot = value::to_slot(value, self.code, Position::Variable)?;
        self.while_open(|| {
            // SAFETY: the caller vouches for the variable.
            unsafe { slot::store(&self.code.ty(), self.address, slot) };
        })
    }

    /// Does `work` while the library cannot be unloaded.
    fn while_open<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let Some(library) = &self.library else {
            return Ok(work());
        };
        let place = Place::uninit();
        let inside = Inside::enter(library.thing(), &place);
        let done = library.is_open().then(work);
        inside.leave();
        if !library.is_open() {
            // The last that leaves unloads it.
            epoch::settle(library.thing());
        }
        done.ok_or_else(|| self.refused())
    }

    #[cold]
    fn refused(&self) -> Error {
        let name = self.name.as_deref();
        let what = match name {
            Some(name) => try_string(name),
            None => try_format(format_args!("variable at {:p}", self.address)),
        };
        what.map_or_else(Error::from, |what| Error::Closed { what })
    }

    /// Where the variable lies.
    pub fn address(&self) -> *mut c_void {
        self.address
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Variable({} at {:p}, {})",
            self.name.as_ref().map_or("", |name| name),
            self.address,
            self.code.letter()
        )
    }
}
