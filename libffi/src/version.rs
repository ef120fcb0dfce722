//! The version of libffi whose place this library takes.

use crate::shape::abi;
use crate::types::AbiNumber;
use std::ffi::{c_char, c_ulong};

/// The version of libffi's interface that this library implements.
#[unsafe(no_mangle)]
pub extern "C" fn ffi_get_version() -> *const c_char {
    c"3.8.0".as_ptr()
}

/// The same as a number: 10000 times the first part, 100 times the second, the third.
#[unsafe(no_mangle)]
pub extern "C" fn ffi_get_version_number() -> c_ulong {
    30800
}

/// `FFI_DEFAULT_ABI`.
#[unsafe(no_mangle)]
pub extern "C" fn ffi_get_default_abi() -> AbiNumber {
    abi::DEFAULT
}
