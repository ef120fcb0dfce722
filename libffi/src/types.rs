//! `ffi_type`: how programs describe C types, and the descriptions that the library itself exports.

use farcall_arch::Float;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;

/// `ffi_abi`. Programs choose it, so it may be any number.
pub type AbiNumber = u32;

/// The number that stands in a cif for the entry of its signature; 0 for none.
pub type Token = u64;

/// The values of [`FfiType::code`], which are libffi's.
#[allow(missing_docs, reason = "named as in ffi.h")]
pub mod code {
    pub const VOID: u16 = 0;
    pub const INT: u16 = 1;
    pub const FLOAT: u16 = 2;
    pub const DOUBLE: u16 = 3;
    pub const LONGDOUBLE: u16 = 4;
    pub const UINT8: u16 = 5;
    pub const SINT8: u16 = 6;
    pub const UINT16: u16 = 7;
    pub const SINT16: u16 = 8;
    pub const UINT32: u16 = 9;
    pub const SINT32: u16 = 10;
    pub const UINT64: u16 = 11;
    pub const SINT64: u16 = 12;
    pub const STRUCT: u16 = 13;
    pub const POINTER: u16 = 14;
    pub const COMPLEX: u16 = 15;
    pub const UINT128: u16 = 16;
    pub const SINT128: u16 = 17;
    pub const VECTOR: u16 = 18;
}

/// `ffi_type`. Programs make their own, on stacks and in static memory, and the library completes structs in place.
#[derive(Debug)]
#[repr(C)]
pub struct FfiType {
    /// Bytes; 0 in a struct or vector that the library has not seen yet.
    pub size: usize,
    /// Bytes.
    pub alignment: u16,
    /// One of [`code`].
    pub code: u16,
    /// The parts of a struct, complex number or vector, ended by a null pointer.
    pub elements: *mut *mut FfiType,
}

/// A type that the library exports. Programs may read it at any time, and may write to it at their own risk.
#[derive(Debug)]
#[repr(transparent)]
pub struct Exported(UnsafeCell<FfiType>);

// SAFETY: the library never writes to one, as none has size 0. A program that writes to one has the duty not to race.
unsafe impl Sync for Exported {}

/// The elements of a complex type.
#[derive(Debug)]
#[repr(transparent)]
struct Elements([*mut FfiType; 2]);

// SAFETY: the addresses are only read, and lead to types that are Sync.
unsafe impl Sync for Elements {}

const fn of(size: usize, alignment: u16, code: u16, elements: *const Elements) -> Exported {
    Exported(UnsafeCell::new(FfiType {
        size,
        alignment,
        code,
        elements: elements.cast_mut().cast(),
    }))
}

const fn scalar(size: usize, code: u16) -> Exported {
    of(size, size as u16, code, ptr::null())
}

/// `sizeof(long double)`: x87's 80 bits are padded to 16 bytes by all C compilers here, and AArch64's are 128.
const LONG_DOUBLE: usize = match farcall_engine::host_long_double() {
    Float::F64 => 8,
    _ => 16,
};

macro_rules! exported {
    ($($name:ident = $value:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            #[allow(non_upper_case_globals, reason = "the name is libffi's")]
            #[doc = concat!("`", stringify!($name), "` of ffi.h.")]
            pub static $name: Exported = $value;
        )*
    };
}

exported! {
    // The size is not that of any C compiler. It must not be 0, which stands for a struct that is to be completed.
    ffi_type_void = scalar(1, code::VOID);
    ffi_type_uint8 = scalar(1, code::UINT8);
    ffi_type_sint8 = scalar(1, code::SINT8);
    ffi_type_uint16 = scalar(2, code::UINT16);
    ffi_type_sint16 = scalar(2, code::SINT16);
    ffi_type_uint32 = scalar(4, code::UINT32);
    ffi_type_sint32 = scalar(4, code::SINT32);
    ffi_type_uint64 = scalar(8, code::UINT64);
    ffi_type_sint64 = scalar(8, code::SINT64);
    ffi_type_float = scalar(4, code::FLOAT);
    ffi_type_double = scalar(8, code::DOUBLE);
    ffi_type_pointer = scalar(8, code::POINTER);
    ffi_type_longdouble = scalar(LONG_DOUBLE, code::LONGDOUBLE);
    ffi_type_uint128 = scalar(16, code::UINT128);
    ffi_type_sint128 = scalar(16, code::SINT128);
    ffi_type_complex_float = of(8, 4, code::COMPLEX, &COMPLEX_FLOAT);
    ffi_type_complex_double = of(16, 8, code::COMPLEX, &COMPLEX_DOUBLE);
    ffi_type_complex_longdouble = of(2 * LONG_DOUBLE, LONG_DOUBLE as u16, code::COMPLEX, &COMPLEX_LONG_DOUBLE);
}

static COMPLEX_FLOAT: Elements = Elements([ffi_type_float.0.get(), ptr::null_mut()]);
static COMPLEX_DOUBLE: Elements = Elements([ffi_type_double.0.get(), ptr::null_mut()]);
static COMPLEX_LONG_DOUBLE: Elements = Elements([ffi_type_longdouble.0.get(), ptr::null_mut()]);

const _: () = {
    assert!(size_of::<FfiType>() == 24);
    assert!(size_of::<*mut c_void>() == 8);
};

/// The error for a struct or vector without a size and an alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadType;

/// The depth to which structs may nest. The limit detects a description that contains itself.
const MAX_DEPTH: u32 = 1 << 12;

/// Fills in size and alignment of `ty` if it has none yet, and of all that is in it.
///
/// # Errors
/// [`BadType`] for what is no struct or vector, or an empty one.
///
/// # Safety
/// * `ty` is null or points to a type, as do its elements; nobody reads or writes them meanwhile.
pub unsafe fn complete(ty: *mut FfiType) -> Result<(), BadType> {
    // SAFETY: the contract of this function is that of `complete_nested`.
    unsafe { complete_nested(ty, MAX_DEPTH) }
}

/// # Safety
/// * As for [`complete`].
unsafe fn complete_nested(ty: *mut FfiType, depth: u32) -> Result<(), BadType> {
    if ty.is_null() {
        return Err(BadType);
    }
    // SAFETY: `ty` points to a type that nobody else uses, as do its elements, by the contract of this function.
    unsafe {
        if (*ty).size != 0 {
            return Ok(());
        }
        lay_out(ty, ptr::null_mut(), depth)
    }
}

/// Computes size and alignment of an aggregate, whatever it says of itself, and stores its elements' offsets unless
/// `offsets` is null.
///
/// # Errors
/// [`BadType`] for what is no struct or vector, or an empty one.
///
/// # Safety
/// * As for [`complete`]; `offsets` is null or has room for as many as the type has elements.
pub unsafe fn lay_out_with_offsets(ty: *mut FfiType, offsets: *mut usize) -> Result<(), BadType> {
    // SAFETY: the contract of this function is that of `lay_out`; its callers pass a type, which is not null.
    unsafe { lay_out(ty, offsets, MAX_DEPTH) }
}

/// # Safety
/// * As for [`lay_out_with_offsets`]; `ty` is not null.
unsafe fn lay_out(ty: *mut FfiType, mut offsets: *mut usize, depth: u32) -> Result<(), BadType> {
    // SAFETY: `ty` points to a type, by the contract of this function.
    if unsafe { (*ty).code } == code::VECTOR {
        // SAFETY: likewise.
        return unsafe { lay_out_vector(ty) };
    }
    if depth == 0 {
        return Err(BadType);
    }
    let (mut size, mut alignment) = (0usize, 0u16);
    // SAFETY: `ty` points to a type with its elements, by the contract of this function.
    for element in unsafe { elements(ty)? } {
        // SAFETY: likewise.
        let element = unsafe {
            complete_nested(element, depth - 1)?;
            &*element
        };
        size = aligned(size, element.alignment);
        if !offsets.is_null() {
            // SAFETY: `offsets` is not null here, so it has room for an offset an element, by the contract of this function.
            unsafe {
                offsets.write(size);
                offsets = offsets.add(1);
            }
        }
        size = size.wrapping_add(element.size);
        alignment = alignment.max(element.alignment);
    }
    size = aligned(size, alignment);
    // SAFETY: nobody else reads or writes the type meanwhile, by the contract of this function.
    unsafe {
        (*ty).size = size;
        (*ty).alignment = alignment;
    }
    if size == 0 { Err(BadType) } else { Ok(()) }
}

/// The next multiple of an alignment, as libffi's `FFI_ALIGN` computes it: the results are the same for alignments that are no power of
/// two, and for sums that overflow.
fn aligned(size: usize, alignment: u16) -> usize {
    let mask = usize::from(alignment).wrapping_sub(1);
    (size.wrapping_sub(1) | mask).wrapping_add(1)
}

/// A vector has as many lanes of one type as it has elements; its size is rounded up to a power of two, as clang's
/// extended vectors are, and its alignment is that, but 16 at most.
///
/// # Safety
/// * As for [`lay_out`].
unsafe fn lay_out_vector(ty: *mut FfiType) -> Result<(), BadType> {
    // SAFETY: `ty` points to a type with its elements, by the contract of this function.
    let mut lanes = unsafe { elements(ty)? };
    // SAFETY: likewise.
    let first = unsafe { &*lanes.next().ok_or(BadType)? };
    if !is_lane(first.code) || first.size == 0 {
        return Err(BadType);
    }
    let mut count = 1usize;
    for lane in lanes {
        // SAFETY: likewise.
        let lane = unsafe { &*lane };
        if (lane.code, lane.size) != (first.code, first.size) {
            return Err(BadType);
        }
        count += 1;
    }
    let bytes = first.size.checked_mul(count).ok_or(BadType)?;
    let size = bytes.checked_next_power_of_two().ok_or(BadType)?;
    // SAFETY: likewise.
    unsafe {
        (*ty).size = size;
        (*ty).alignment = size.min(16) as u16;
    }
    Ok(())
}

fn is_lane(ty: u16) -> bool {
    matches!(ty, code::FLOAT | code::DOUBLE | code::UINT8..=code::SINT64)
}

/// The elements of a type.
///
/// # Errors
/// [`BadType`] for a type without a list of them.
///
/// # Safety
/// * `ty` points to a type; its list, if it has one, ends with a null pointer, and stays as it is while the iterator is used.
pub unsafe fn elements(ty: *const FfiType) -> Result<impl Iterator<Item = *mut FfiType>, BadType> {
    // SAFETY: `ty` points to a type, by the contract of this function.
    let mut next = unsafe { (*ty).elements };
    if next.is_null() {
        return Err(BadType);
    }
    Ok(std::iter::from_fn(move || {
        // SAFETY: the list ends with a null pointer, and is not read beyond.
        let element = unsafe { *next };
        if element.is_null() {
            return None;
        }
        // SAFETY: behind an element there is another, or the end.
        next = unsafe { next.add(1) };
        Some(element)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aggregate(code: u16, elements: &mut [*mut FfiType]) -> FfiType {
        FfiType {
            size: 0,
            alignment: 0,
            code,
            elements: elements.as_mut_ptr(),
        }
    }

    #[test]
    fn struct_with_padding_is_laid_out_as_c_does() {
        #[repr(C)]
        struct InC(u8, f64, u16);
        let mut list = [
            ffi_type_uint8.0.get(),
            ffi_type_double.0.get(),
            ffi_type_uint16.0.get(),
            ptr::null_mut(),
        ];
        let mut ty = aggregate(code::STRUCT, &mut list);
        let mut offsets = [0; 3];
        // SAFETY: all of it is right above.
        let done = unsafe { lay_out_with_offsets(&mut ty, offsets.as_mut_ptr()) };
        assert_eq!(done, Ok(()));
        assert_eq!(offsets, [0, 8, 16]);
        assert_eq!(
            (ty.size, usize::from(ty.alignment)),
            (size_of::<InC>(), align_of::<InC>())
        );
        assert_eq!(offsets[2], std::mem::offset_of!(InC, 2));
    }

    #[test]
    fn vector_of_three_floats_takes_four() {
        let mut list = [ffi_type_float.0.get(); 4];
        list[3] = ptr::null_mut();
        let mut ty = aggregate(code::VECTOR, &mut list);
        // SAFETY: all of it is right above.
        assert_eq!(unsafe { complete(&mut ty) }, Ok(()));
        assert_eq!((ty.size, ty.alignment), (16, 16));
    }

    #[test]
    fn struct_that_contains_itself_is_refused() {
        let mut ty = aggregate(code::STRUCT, &mut []);
        let mut list = [&raw mut ty, ptr::null_mut()];
        ty.elements = list.as_mut_ptr();
        // SAFETY: all of it is right above.
        assert_eq!(unsafe { complete(&raw mut ty) }, Err(BadType));
    }

    #[test]
    fn empty_struct_is_refused() {
        let mut list = [ptr::null_mut()];
        let mut ty = aggregate(code::STRUCT, &mut list);
        // SAFETY: all of it is right above.
        assert_eq!(unsafe { complete(&mut ty) }, Err(BadType));
    }
}
