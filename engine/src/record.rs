//! The data behind a thunk, as machine code reads it.

use farcall_arch::emit::record;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr::NonNull;

/// The function that a callback's entry calls, with the context and a slot for each argument. It returns the result's slot.
///
/// The handler of a signature whose result takes more than one slot is called with a third argument, the address for that, at a
/// multiple of 16.
pub type Handler = unsafe extern "C" fn(context: *mut c_void, slots: *const u64) -> u64;

/// The function that an entry on an interpreter's objects calls, with the context and an object for each argument, or the argument's slot
/// where an object needs memory. It returns the result's slot.
pub type ObjectHandler =
    unsafe extern "C" fn(context: *mut c_void, objects: *mut *mut c_void) -> u64;

/// The record of a callback. Its fields up to `last` are what generated code reads.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Record {
    pub entry: NonNull<u8>,
    pub context: *mut c_void,
    pub handler: Handler,
    /// Entries on objects call it; `None` where the signature has no such entry.
    pub object_handler: Option<ObjectHandler>,
    /// The callback's signature, a [`crate::Compiled`], for the entry that follows its plan.
    pub compiled: *const c_void,
}

const _: () = {
    assert!(offset_of!(Record, entry) == record::ENTRY as usize);
    assert!(offset_of!(Record, context) == record::CONTEXT as usize);
    assert!(offset_of!(Record, handler) == record::HANDLER as usize);
    assert!(offset_of!(Record, object_handler) == record::OBJECT_HANDLER as usize);
    assert!(size_of::<Record>() == record::SIZE);
};
