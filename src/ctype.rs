//! Rust types that C has, too: numbers, pointers, and structures of them.

use crate::wide::Complex;
use std::fmt;
use std::ptr::NonNull;

/// A Rust type that C has, too, so that its values pass to and from C as they are.
///
/// | Rust | C |
/// | --- | --- |
/// | `i8`, `u8` to `i64`, `u64` | `int8_t`, `uint8_t` to `int64_t`, `uint64_t`, and whatever else has that size and sign |
/// | `isize`, `usize` | `intptr_t`, `uintptr_t`, `ptrdiff_t`, `size_t` |
/// | `i128`, `u128` | `__int128`, `unsigned __int128` |
/// | `f32`, `f64` | `float`, `double` |
/// | `bool` | `_Bool` |
/// | `*const T`, `*mut T`, `Option<NonNull<T>>` | pointers to data |
/// | `Option<unsafe extern "C" fn(…) -> …>` | pointers to functions |
/// | [`Complex`] | `double _Complex` |
/// | structures with `#[derive(CType)]` | structures by value |
///
/// The names of [`std::ffi`] (`c_int`, `c_long`, `c_char`) stand for some of these. A `long double` has no Rust type: calls with
/// [`Value`](crate::Value)s know it.
///
/// With the feature `derive`, which is not on by default as it takes a parser of Rust, a structure with `#[repr(C)]` derives it:
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
/// * A value lies in memory as C's value of the type that `SHAPE` tells, with the same size and alignment.
/// * Every content of its bytes that C can give is a value, and so are zeros.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type that C has, too",
    note = "structures have it by `#[repr(C)]` and `#[derive(CType)]` of the feature `derive`",
    note = "a C string is a `*const c_char`, a function pointer an `Option<unsafe extern \"C\" fn(…)>`"
)]
pub unsafe trait CType: Copy + 'static {
    /// What it is in C.
    #[doc(hidden)]
    const SHAPE: Shape;
}

/// What a function can return: a [`CType`], or nothing.
///
/// ```
/// fn size_of_result<R: farcall::CReturn>(_: unsafe extern "C" fn() -> R) -> usize {
///     size_of::<R>()
/// }
/// unsafe extern "C" fn none() {}
/// assert_eq!(size_of_result(none), 0);
/// ```
#[diagnostic::on_unimplemented(message = "no C function returns `{Self}`")]
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

/// How C writes a type. What derives [`CType`] makes these; nobody else has to know them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// By a name.
    Plain(&'static str),
    /// By its members, of a structure.
    Struct(&'static [Member]),
}

/// A member of a structure.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The type; of an array, the elements'.
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
            // SAFETY: the two types are the same on every platform that there is code for. All contents are values, but for those of a `bool`
            // that C does not give either.
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

// SAFETY: it is an address, and any is one.
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

/// A type's shape, and what Rust calls it.
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

/// How many slots a value takes.
pub(crate) const fn slots_of<T>() -> usize {
    size_of::<T>().div_ceil(8)
}

/// C's declaration of a function of such types.
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
