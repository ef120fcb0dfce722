//! The raw interface: all arguments in one block of memory, each in words of its own; and its variant for Java.

use crate::cif::{Cif, Status};
use crate::closure::{self, Closure};
use crate::record::Handler;
use crate::run;
use crate::types::{FfiType, code};
use farcall_engine::interp::with_scratch;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;

/// Bytes of a word (`ffi_raw`).
const WORD: usize = 8;

/// The most arguments, or words of a block, that lie on the stack.
const INLINE: usize = 64;

/// A word of a block.
pub type Raw = u64;

/// The function that a raw closure calls: `fun(cif, result, block, user_data)`.
pub type RawHandler = unsafe extern "C-unwind" fn(
    cif: *mut Cif,
    result: *mut c_void,
    block: *mut Raw,
    user_data: *mut c_void,
);

/// How arguments lie in a block.
#[derive(Clone, Copy)]
enum Packing {
    /// In as many words as they fill; aggregates by their address.
    Raw,
    /// In one word, or in two if they have 64 bits and are no pointers.
    Java,
}

impl Packing {
    /// Whether the block holds the value's address.
    fn is_by_address(self, ty: &FfiType) -> bool {
        match self {
            Packing::Raw => matches!(ty.code, code::STRUCT | code::VECTOR | code::COMPLEX),
            Packing::Java => false,
        }
    }

    /// The number of words that an argument takes.
    fn words(self, ty: &FfiType) -> usize {
        match self {
            Packing::Raw if self.is_by_address(ty) => 1,
            Packing::Raw => ty.size.div_ceil(WORD),
            Packing::Java => match ty.code {
                code::UINT64 | code::SINT64 | code::DOUBLE => 2,
                _ => 1,
            },
        }
    }

    /// The bytes that [`ffi_raw_size`] counts for an argument. For a complex number it counts the whole, though the block holds only its
    /// address: programs may rely on the room.
    fn bytes(self, ty: &FfiType) -> usize {
        match (self, ty.code) {
            (Packing::Raw, code::COMPLEX) => ty.size.next_multiple_of(WORD),
            _ => self.words(ty) * WORD,
        }
    }
}

/// The types of a cif.
///
/// # Safety
/// * The cif has been prepared, and its types still exist.
unsafe fn types<'a>(cif: *const Cif) -> impl Iterator<Item = &'a FfiType> {
    // SAFETY: the cif has been prepared, so each of its arguments points to a type, and these still exist, by the contract of this
    // function.
    unsafe { (*cif).args().iter().map(|ty| &**ty) }
}

/// # Safety
/// * As for [`types`].
unsafe fn block_size(cif: *const Cif, packing: Packing) -> usize {
    // SAFETY: the contract of this function is that of `types`.
    unsafe { types(cif) }.map(|ty| packing.bytes(ty)).sum()
}

/// # Safety
/// * As for [`types`]; `block` holds an argument of each type, and `values` has room for as many pointers.
unsafe fn block_to_values(
    cif: *const Cif,
    mut block: *mut Raw,
    values: *mut *mut c_void,
    packing: Packing,
) {
    // SAFETY: `block` holds an argument of each type, and `values` has room for a pointer to each, by the contract of this function.
    unsafe {
        for (index, ty) in types(cif).enumerate() {
            let value = if packing.is_by_address(ty) {
                block.cast::<*mut c_void>().read()
            } else {
                block.cast()
            };
            values.add(index).write(value);
            block = block.add(packing.words(ty));
        }
    }
}

/// # Safety
/// * As for [`types`]; `values` points to a value of each type, and `block` has room for them.
unsafe fn values_to_block(
    cif: *const Cif,
    values: *const *mut c_void,
    mut block: *mut Raw,
    packing: Packing,
) {
    // SAFETY: `values` points to a value of each type, and `block` has room for all of them, by the contract of this function.
    unsafe {
        for (index, ty) in types(cif).enumerate() {
            let value = *values.add(index);
            match ty.code {
                _ if packing.is_by_address(ty) => block.write(value as u64),
                code::UINT8 => block.write(value.cast::<u8>().read().into()),
                code::SINT8 => block.write(i64::from(value.cast::<i8>().read()) as u64),
                code::UINT16 => block.write(value.cast::<u16>().read().into()),
                code::SINT16 => block.write(i64::from(value.cast::<i16>().read()) as u64),
                code::UINT32 => block.write(value.cast::<u32>().read().into()),
                code::SINT32 | code::INT => {
                    block.write(i64::from(value.cast::<i32>().read()) as u64);
                }
                _ => ptr::copy_nonoverlapping(
                    value.cast::<u8>(),
                    block.cast::<u8>(),
                    ty.size.min(packing.words(ty) * WORD),
                ),
            }
            block = block.add(packing.words(ty));
        }
    }
}

/// # Safety
/// * Those of [`run::ffi_call`], the values being those in the block.
unsafe fn call(
    cif: *const Cif,
    target: *const c_void,
    result: *mut c_void,
    block: *mut Raw,
    packing: Packing,
) {
    // SAFETY: the cif has been prepared and the block holds a value of each type, by the contract of this function; the pointers made
    // here lead to those values.
    unsafe {
        let count = (*cif).nargs as usize;
        with_scratch::<_, _, INLINE>(count, ptr::null_mut(), |values| {
            block_to_values(cif, block, values.as_mut_ptr(), packing);
            run::ffi_call(cif, target, result, values.as_mut_ptr());
        });
    }
}

/// `ffi_raw_closure` and `ffi_java_raw_closure`.
#[derive(Debug)]
#[repr(C)]
pub struct RawClosure {
    closure: Closure,
    fun: Option<RawHandler>,
    user_data: *mut c_void,
}

const _: () = assert!(offset_of!(RawClosure, fun) == size_of::<Closure>());

/// The function of all raw closures: `user_data` is the closure.
///
/// # Safety
/// * It is called by a raw closure.
unsafe fn enter(
    cif: *mut Cif,
    result: *mut c_void,
    values: *mut *mut c_void,
    user_data: *mut c_void,
    packing: Packing,
) {
    // SAFETY: the closure was prepared with itself as its data.
    unsafe {
        let closure = user_data.cast::<RawClosure>();
        let words = block_size(cif, packing).div_ceil(WORD);
        with_scratch::<Raw, _, INLINE>(words, 0, |block| {
            values_to_block(cif, values, block.as_mut_ptr(), packing);
            if let Some(fun) = (*closure).fun {
                fun(cif, result, block.as_mut_ptr(), (*closure).user_data);
            }
        });
    }
}

unsafe extern "C-unwind" fn enter_raw(
    cif: *mut Cif,
    result: *mut c_void,
    values: *mut *mut c_void,
    user_data: *mut c_void,
) {
    // SAFETY: it is the function of raw closures only.
    unsafe { enter(cif, result, values, user_data, Packing::Raw) }
}

unsafe extern "C-unwind" fn enter_java(
    cif: *mut Cif,
    result: *mut c_void,
    values: *mut *mut c_void,
    user_data: *mut c_void,
) {
    // SAFETY: as above.
    unsafe { enter(cif, result, values, user_data, Packing::Java) }
}

/// # Safety
/// * Those of [`closure::ffi_prep_closure_loc`].
unsafe fn prepare(
    closure: *mut RawClosure,
    cif: *mut Cif,
    fun: Option<RawHandler>,
    user_data: *mut c_void,
    code: *mut c_void,
    enter: Handler,
) -> Status {
    // SAFETY: the contract of this function is that of `ffi_prep_closure_loc`; a raw closure begins with an ordinary one.
    unsafe {
        let status =
            closure::ffi_prep_closure_loc(closure.cast(), cif, enter, closure.cast(), code);
        if status == Status::Ok {
            (*closure).fun = fun;
            (*closure).user_data = user_data;
        }
        status
    }
}

/// Exports the functions for one packing.
macro_rules! exported {
    (
        $packing:expr, $enter:ident:
        $size:ident $to_block:ident $to_values:ident $call:ident $prep_loc:ident $prep:ident
    ) => {
        /// The size of a block for all arguments, in bytes.
        ///
        /// # Safety
        /// * The cif has been prepared, and its types still exist.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $size(cif: *const Cif) -> usize {
            // SAFETY: the exported function's contract is that of `block_size`: a prepared cif whose types exist.
            unsafe { block_size(cif, $packing) }
        }

        /// Puts values into a block.
        ///
        /// # Safety
        /// * The cif has been prepared, and its types still exist.
        /// * `values` points to a value for each argument, and `block` has room for all.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $to_block(
            cif: *const Cif,
            values: *const *mut c_void,
            block: *mut Raw,
        ) {
            // SAFETY: the exported function's contract is that of `values_to_block`: a value of each type, and a block with room for
            // them.
            unsafe { values_to_block(cif, values, block, $packing) }
        }

        /// Points to the values in a block.
        ///
        /// # Safety
        /// * The cif has been prepared, and its types still exist.
        /// * `block` holds all arguments, and `values` has room for as many pointers.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $to_values(
            cif: *const Cif,
            block: *mut Raw,
            values: *mut *mut c_void,
        ) {
            // SAFETY: the exported function's contract is that of `block_to_values`: a block with an argument of each type, and room
            // for the pointers.
            unsafe { block_to_values(cif, block, values, $packing) }
        }

        /// Calls `target` with the values in a block.
        ///
        /// # Safety
        /// * Those of [`run::ffi_call`], the values being those in the block.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $call(
            cif: *const Cif,
            target: *const c_void,
            result: *mut c_void,
            block: *mut Raw,
        ) {
            // SAFETY: the exported function's contract is that of `call`: a call of the cif's signature, with its values in the block.
            unsafe { call(cif, target, result, block, $packing) }
        }

        /// Makes the function pointer of a closure call `fun` with a block.
        ///
        /// # Safety
        /// * Those of [`closure::ffi_prep_closure_loc`].
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $prep_loc(
            closure: *mut RawClosure,
            cif: *mut Cif,
            fun: Option<RawHandler>,
            user_data: *mut c_void,
            code: *mut c_void,
        ) -> Status {
            // SAFETY: the exported function's contract is that of `prepare`.
            unsafe { prepare(closure, cif, fun, user_data, code, $enter) }
        }

        /// The same for a closure whose memory can be executed where it is.
        ///
        /// # Safety
        /// * Those of [`closure::ffi_prep_closure_loc`].
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $prep(
            closure: *mut RawClosure,
            cif: *mut Cif,
            fun: Option<RawHandler>,
            user_data: *mut c_void,
        ) -> Status {
            // SAFETY: the exported function's contract is that of `prepare`, the memory being executable where it is written.
            unsafe { prepare(closure, cif, fun, user_data, closure.cast(), $enter) }
        }
    };
}

exported! {
    Packing::Raw, enter_raw:
    ffi_raw_size ffi_ptrarray_to_raw ffi_raw_to_ptrarray ffi_raw_call
    ffi_prep_raw_closure_loc ffi_prep_raw_closure
}
exported! {
    Packing::Java, enter_java:
    ffi_java_raw_size ffi_java_ptrarray_to_raw ffi_java_raw_to_ptrarray ffi_java_raw_call
    ffi_prep_java_raw_closure_loc ffi_prep_java_raw_closure
}
