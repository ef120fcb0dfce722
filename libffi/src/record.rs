//! The record of a closure, which its function pointer reads.

use crate::cif::Cif;
use std::ffi::c_void;

/// The function that a closure calls: `fun(cif, result, arguments, user_data)`.
pub type Handler = unsafe extern "C-unwind" fn(
    cif: *mut Cif,
    result: *mut c_void,
    values: *mut *mut c_void,
    user_data: *mut c_void,
);

/// The words that a thunk reads. A Go closure begins with all but the last of them.
#[derive(Debug)]
#[repr(C)]
pub struct Record {
    /// The code to jump to, which finds this record in its register.
    pub entry: *const c_void,
    /// The signature.
    pub cif: *mut Cif,
    /// The function that is called in the end.
    pub fun: Handler,
    /// Its last argument.
    pub user_data: *mut c_void,
}
