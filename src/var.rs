//! C variables.

use crate::error::{Error, Result};
use crate::library::Shared;
use crate::sig::{Kind, Position, TypeCode};
use crate::value::{self, Value};
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

/// A variable of a library.
#[derive(Clone)]
pub struct Variable {
    address: *mut c_void,
    code: TypeCode,
    name: String,
    library: Option<Arc<Shared>>,
}

// SAFETY: `address` is a number until an access, and accesses are unsafe: their callers answer for races.
unsafe impl Send for Variable {}
// SAFETY: as above.
unsafe impl Sync for Variable {}

/// The code of a variable's type.
///
/// # Errors
/// Those of a bad code, and [`Error::MisplacedCode`] for `v`.
pub fn variable_code(code: &str) -> Result<TypeCode> {
    let position = Position::Variable;
    let code = TypeCode::parse(code, position)?;
    if code.kind() == Kind::Void {
        return Err(Error::MisplacedCode {
            position,
            code: 'v',
            role: "a variable",
        });
    }
    Ok(code)
}

impl Variable {
    /// The variable at `address`, of the type `code`.
    ///
    /// # Errors
    /// [`Error::Null`], and those of a bad code.
    pub fn at(address: *mut c_void, code: &str) -> Result<Variable> {
        Variable::new(address, code, format!("variable at {address:p}"), None)
    }

    pub(crate) fn new(
        address: *mut c_void,
        code: &str,
        name: String,
        library: Option<Arc<Shared>>,
    ) -> Result<Variable> {
        if address.is_null() {
            return Err(Error::Null { what: "variable" });
        }
        Ok(Variable {
            address,
            code: variable_code(code)?,
            name,
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
        self.check_open()?;
        // SAFETY: the caller vouches for the variable.
        Ok(value::from_slot(
            unsafe { value::load(self.code, self.address) },
            self.code,
        ))
    }

    /// Changes its value. An integer must be within the range of the type.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::OutOfRange`], [`Error::WrongKind`]: the variable is as before then.
    ///
    /// # Safety
    /// * There is a variable of this type at the address, it may be written, and nobody else accesses it now.
    /// * A pointer stored in it stays good for as long as C may use it.
    pub unsafe fn set(&self, value: Value) -> Result<()> {
        self.check_open()?;
        let slot = value::to_slot(value, self.code, Position::Variable)?;
        // SAFETY: the caller vouches for the variable.
        unsafe { value::store(self.code, self.address, slot) };
        Ok(())
    }

    fn check_open(&self) -> Result<()> {
        match &self.library {
            Some(library) if !library.is_open() => Err(Error::Closed {
                what: self.name.clone(),
            }),
            _ => Ok(()),
        }
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
            self.name,
            self.address,
            self.code.letter()
        )
    }
}
