//! Variables of C types.

use crate::declared::reading;
use crate::report::{Failure, Report, Status, guard};
use crate::scope::Scope;
use crate::shown::Fixed;
use crate::text::text;
use crate::value::{Value, Way, unpassable};
use farcall_cdecl::Position;
use farcall_cdecl::c::{Declarations, Ty, TypeId};
use farcall_memory::Shared;
use std::ffi::c_char;
use std::fmt::Write;

/// The type of a variable's value, for reads and for writes. ORDER farcall_variable
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Variable {
    gives: Value,
    takes: Value,
}

impl Variable {
    fn new(c: &Declarations, ty: TypeId) -> Result<Variable, Failure> {
        if let Ty::Array { .. } = c.resolved(ty) {
            return Variable::array(c, ty);
        }
        let passed = c
            .passed(ty)
            .map_err(|error| unpassable(c, ty, &Position::Variable, error))?;
        if passed == farcall_arch::Type::Void {
            return Err(Failure::value("variable: void is no type for a variable"));
        }
        Ok(Variable {
            gives: Value::of_type(c, ty, &passed, Way::Result),
            takes: Value::of_type(c, ty, &passed, Way::Parameter),
        })
    }

    /// An array variable. Without a length its size is 0.
    fn array(c: &Declarations, ty: TypeId) -> Result<Variable, Failure> {
        let size = c.layout(ty).map_or(0, |layout| layout.size);
        let size = u32::try_from(size).map_err(|_| {
            Failure::value_of(&format_args!("variable: {} is too large", c.show(ty)))
        })?;
        let value = Value::of_array(size, ty);
        Ok(Variable {
            gives: value,
            takes: value,
        })
    }
}

/// The variable that a text declares or, without a text, a numbered variable of a namespace.
///
/// # Safety
/// * `scope` is NULL, or a namespace that has not been released.
/// * `start` is NULL or points to `len` bytes; in the former case `scope` is not NULL.
/// * `owner` and `out` point to places for the results, `name` to `room` bytes, one at least, `report` to a place for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_variable_new(
    scope: *const Scope,
    start: *const c_char,
    len: usize,
    index: u32,
    owner: *mut *const Scope,
    out: *mut Variable,
    name: *mut c_char,
    room: usize,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `name` points to `room` bytes, one at least, by the contract of this function.
        let mut to = unsafe { Fixed::new(name, room) };
        let known = match start.is_null() {
            true => None,
            // SAFETY: `start` is not NULL here, so it points to `len` bytes, by the contract of this function.
            false => Some(unsafe { text(start, len)? }),
        };
        let read = |scope: &Shared<Scope>| {
            let variable = scope.with(|c| {
                let (name, ty) = match known {
                    Some(text) => c.prototype(text)?,
                    None => match c.variable_numbered(index) {
                        Some(variable) => (Some(variable.name), variable.ty),
                        None => return Err(Failure::value("no such variable")),
                    },
                };
                let variable = Variable::new(c, ty)?;
                if let Some(name) = name {
                    // A name that does not fit will not be found in a library.
                    let _ = to.write_str(c.name(name));
                }
                Ok(variable)
            })?;
            Ok((scope.clone(), variable))
        };
        // SAFETY: `scope` is NULL or a namespace that has not been released, by the contract of this function.
        let (scope, variable) = unsafe { reading(scope, known, read)? };
        // SAFETY: `owner` and `out` point to places for the results, by the contract of this function.
        unsafe {
            out.write(variable);
            owner.write(scope.into_raw());
        }
        Ok(())
    })
}
