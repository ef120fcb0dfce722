//! Loads C objects into slots, and stores slots to C objects.

use farcall_arch::{Scalar, Type};
use std::ffi::c_void;

/// Reads a C object into a slot. Its address need not be aligned.
///
/// An integer fills the slot, extended by its sign; a `float` lies in the low four bytes. A type that is no scalar reads as 0.
///
/// # Safety
/// * `address` points to an object of the type that may be read.
pub unsafe fn load(ty: &Type, address: *const c_void) -> u64 {
    let Type::Scalar(scalar) = ty else {
        return 0;
    };
    // SAFETY: `address` points to an object of the type that may be read, by the contract of this function; each arm reads as many
    // bytes as the type has.
    unsafe {
        match scalar {
            Scalar::I8 => address.cast::<i8>().read_unaligned() as u64,
            Scalar::U8 => address.cast::<u8>().read_unaligned().into(),
            Scalar::I16 => address.cast::<i16>().read_unaligned() as u64,
            Scalar::U16 => address.cast::<u16>().read_unaligned().into(),
            Scalar::I32 => address.cast::<i32>().read_unaligned() as u64,
            Scalar::U32 | Scalar::F32 => address.cast::<u32>().read_unaligned().into(),
            Scalar::I64 | Scalar::U64 | Scalar::F64 => address.cast::<u64>().read_unaligned(),
        }
    }
}

/// Writes the low bytes of a slot, as many as the type has, to a C object. Its address need not be aligned.
///
/// # Safety
/// * `address` points to an object of the type that may be written. The type is a scalar.
pub unsafe fn store(ty: &Type, address: *mut c_void, slot: u64) {
    let bytes = slot.to_le_bytes();
    // SAFETY: `address` points to an object of the type that may be written, by the contract of this function; no scalar has more bytes
    // than a slot.
    unsafe {
        address
            .cast::<u8>()
            .copy_from(bytes.as_ptr(), ty.size() as usize)
    };
}
