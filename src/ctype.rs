//! Rust types with a C counterpart: numbers, pointers, and structures of them.

use crate::wide::Complex;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A Rust type with a C counterpart of the same layout. Its values pass to and from C unchanged.
///
/// | Rust | C |
/// | --- | --- |
/// | `i8`, `u8` to `i64`, `u64` | `int8_t`, `uint8_t` to `int64_t`, `uint64_t`, and all integer types of the same size and sign |
/// | `isize`, `usize` | `intptr_t`, `uintptr_t`, `ptrdiff_t`, `size_t` |
/// | `i128`, `u128` | `__int128`, `unsigned __int128` |
/// | `f32`, `f64` | `float`, `double` |
/// | `bool` | `_Bool` |
/// | `*const T`, `*mut T`, `Option<NonNull<T>>` | pointers to data |
/// | `Option<unsafe extern "C" fn(…) -> …>` | pointers to functions |
/// | [`Complex`] | `double _Complex` |
/// | structures with `#[derive(CType)]` | structures by value |
///
/// The names in [`std::ffi`] (`c_int`, `c_long`, `c_char`) are aliases for some of these. There is no Rust type for `long double`: use calls
/// with [`Value`](crate::Value)s.
///
/// With the feature `derive`, a structure with `#[repr(C)]` can derive this trait. The feature is off by default, because it needs a parser for
/// Rust.
///
/// ```
/// use farcall::{CType, Callback};
///
/// #[repr(C)]
/// #[derive(CType, Clone, Copy)]
/// struct Point {
///     x: f64,
///     y: f64,
///     tags: [u8; 4],
/// }
///
/// let length = Callback::new(|point: Point| -> f64 { point.x.hypot(point.y) })?;
/// let as_c_sees_it = length.as_ptr();
/// let point = Point { x: 3.0, y: 4.0, tags: [0; 4] };
/// // SAFETY: the function is the callback above.
/// assert_eq!(unsafe { as_c_sees_it(point) }, 5.0);
/// # Ok::<(), farcall::Error>(())
/// ```
///
/// # Safety
/// * A value has the layout of the C type that `SHAPE` describes, with the same size and alignment.
/// * All bytes that C can give are a valid value, and so are zeros.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no C counterpart",
    note = "a structure needs `#[repr(C)]` and `#[derive(CType)]`, which the feature `derive` provides",
    note = "a C string is a `*const c_char`, a function pointer an `Option<unsafe extern \"C\" fn(…)>`"
)]
pub unsafe trait CType: Copy + 'static {
    /// The C type.
    #[doc(hidden)]
    const SHAPE: Shape;
}

/// A type that a C function can return: a [`CType`], or `()` for `void`.
///
/// ```
/// fn size_of_result<R: farcall::CReturn>(_: unsafe extern "C" fn() -> R) -> usize {
///     size_of::<R>()
/// }
/// unsafe extern "C" fn none() {}
/// assert_eq!(size_of_result(none), 0);
/// ```
#[diagnostic::on_unimplemented(message = "a C function cannot return `{Self}`")]
pub trait CReturn: Copy + 'static + sealed::Sealed {
    #[doc(hidden)]
    const SHAPE: Shape;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl<T: super::CType> Sealed for T {}
}

impl CReturn for () {
    const SHAPE: Shape = Shape::Plain("void");
}

impl<T: CType> CReturn for T {
    const SHAPE: Shape = T::SHAPE;
}

/// The C spelling of a type. Only code that derives [`CType`] makes these.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A named type.
    Plain(&'static str),
    /// A structure with its members.
    Struct(&'static [Member]),
}

/// A member of a structure.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The member's type; for an array, the type of its elements.
    pub shape: Shape,
    /// The lengths of an array, the outermost first.
    pub lengths: &'static [usize],
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Plain(name) => f.write_str(name),
            Shape::Struct(members) => {
                f.write_str("struct { ")?;
                for (index, member) in members.iter().enumerate() {
                    write!(f, "{} m{index}", member.shape)?;
                    for length in member.lengths {
                        write!(f, "[{length}]")?;
                    }
                    f.write_str("; ")?;
                }
                f.write_str("}")
            }
        }
    }
}

macro_rules! plain {
    ($($rust:ty: $c:literal;)+) => {
        $(
            // SAFETY: the two types have the same layout on every supported platform. All bytes are valid values, except for a `bool`, where C gives
            // only valid ones, too.
            unsafe impl CType for $rust {
                const SHAPE: Shape = Shape::Plain($c);
            }
        )+
    };
}

plain! {
    i8: "int8_t";
    u8: "uint8_t";
    i16: "int16_t";
    u16: "uint16_t";
    i32: "int32_t";
    u32: "uint32_t";
    i64: "int64_t";
    u64: "uint64_t";
    isize: "ptrdiff_t";
    usize: "size_t";
    i128: "__int128";
    u128: "unsigned __int128";
    f32: "float";
    f64: "double";
    bool: "_Bool";
    Complex: "double _Complex";
}

// SAFETY: the value is an address, and every address is valid.
unsafe impl<T: 'static> CType for *const T {
    const SHAPE: Shape = Shape::Plain("const void *");
}

// SAFETY: as above.
unsafe impl<T: 'static> CType for *mut T {
    const SHAPE: Shape = Shape::Plain("void *");
}

// SAFETY: as above; null is `None`.
unsafe impl<T: 'static> CType for Option<NonNull<T>> {
    const SHAPE: Shape = Shape::Plain("void *");
}

/// A type's shape, with its Rust name.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Named {
    pub shape: Shape,
    pub name: fn() -> &'static str,
}

impl Named {
    pub const fn of<T: CReturn>() -> Named {
        Named {
            shape: T::SHAPE,
            name: std::any::type_name::<T>,
        }
    }
}

/// The number of slots that a value takes.
pub(crate) const fn slots_of<T>() -> usize {
    size_of::<T>().div_ceil(8)
}

/// The result that C gets from a closure that has panicked.
pub(crate) fn zero<R: CReturn>() -> R {
    // SAFETY: zeros are a valid value of every `CType`, by the trait's contract, and of `()`.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The C declaration of a function with these types.
pub(crate) struct Prototype<'a> {
    pub ret: &'a Named,
    pub args: &'a [Named],
}

impl fmt::Display for Prototype<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.ret.shape)?;
        for (index, arg) in self.args.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", arg.shape)?;
        }
        f.write_str(if self.args.is_empty() { "void)" } else { ")" })
    }
}
