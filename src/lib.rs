//! Call C functions whose signatures are known only at run time, and let C call Rust closures.
//!
//! A signature is a C declaration, or one letter per type. When a signature has been used some times, it is compiled into
//! a small piece of machine code; a call is then a few loads and one `call` instruction.
//!
//! ```
//! use farcall::{Library, Value};
//!
//! // SAFETY: the C library is initialised already, and both functions are as declared here.
//! unsafe {
//!     let libm = Library::open("libm.so.6")?;
//!     let hypot = libm.function("double hypot(double x, double y)")?;
//!     assert_eq!(hypot.call(&[3.0.into(), 4.0.into()])?, Value::Double(5.0));
//!
//!     let power = libm.func("d", "pow", "dd")?;
//!     assert_eq!(power.call(&[2.0.into(), 10.0.into()])?, Value::Double(1024.0));
//!
//!     let typed = hypot.typed::<(f64, f64), f64>()?;
//!     assert_eq!(typed.call((3.0, 4.0))?, 5.0);
//! }
//! # Ok::<(), farcall::Error>(())
//! ```
//!
//! # Rust's types
//!
//! If a program knows the types at compile time, it can use Rust types. [`Function::typed`] compares them with a signature once; its calls
//! need no [`Value`]s. [`Callback::new`] takes a closure and derives the C signature from the closure's types. [`Callback::scoped`] lends a
//! closure to C for a while, and [`Callback::leak`] makes a function pointer that is never freed. [`CType`] lists the types that can be used;
//! structures derive it with the feature `derive`.
//!
//! ```
//! use farcall::{Callback, Library};
//! use std::ffi::c_void;
//!
//! let mut comparisons = 0;
//! let mut descending = |a: *const c_void, b: *const c_void| -> i32 {
//!     comparisons += 1;
//!     // SAFETY: qsort() hands on the addresses of two elements.
//!     let (a, b) = unsafe { (*a.cast::<i32>(), *b.cast::<i32>()) };
//!     b.cmp(&a) as i32
//! };
//! let mut numbers = [4, 42, 7];
//! // SAFETY: the program's own libraries are initialised already, and qsort() is as declared here.
//! let qsort = unsafe { Library::this()?.function("void qsort(void *, size_t, size_t, int (*)(const void *, const void *))")? };
//! let qsort = qsort.typed::<(*mut c_void, usize, usize, Option<_>), ()>()?;
//! Callback::scoped(&mut descending, |compare| {
//!     // SAFETY: there are three elements of four bytes.
//!     unsafe { qsort.call((numbers.as_mut_ptr().cast(), 3, 4, Some(compare))) }
//! })??;
//! assert_eq!(numbers, [42, 7, 4]);
//! assert!(comparisons >= 2);
//! # Ok::<(), farcall::Error>(())
//! ```
//!
//! # Signatures in C
//!
//! [`Library::function`], [`Library::variable`], [`Function::declared`] and [`Callback::declared`] take one declaration. [`Declarations`] reads
//! a whole header: its types with their layouts, its functions, variables and constants.
//! [`Library::function_in`] finds a declared function in a library.
//!
//! ```
//! use farcall::{Declarations, Library, StructBytes};
//!
//! #[repr(C)]
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! struct Division {
//!     quot: i32,
//!     rem: i32,
//! }
//!
//! let c = Declarations::parse(
//!     "typedef struct { int quot, rem; } div_t;
//!      div_t div(int numer, int denom);",
//! )?;
//! assert_eq!(c.ty("div_t")?.size(), Some(size_of::<Division>() as u64));
//!
//! // SAFETY: the C library is initialised already, and the declarations are its own. The result's bytes are two ints.
//! let division: Division = unsafe {
//!     let div = Library::this()?.function_in(&c, "div")?;
//!     let result = div.call(&[17.into(), 5.into()])?;
//!     StructBytes::try_from(result)?.read()?
//! };
//! assert_eq!(division, Division { quot: 3, rem: 2 });
//! # Ok::<(), farcall::Error>(())
//! ```
//!
//! | C type | value | accepted as an argument |
//! | --- | --- | --- |
//! | `void` | [`Value::Void`] | |
//! | signed integers of up to 64 bits, and `enum` | [`Value::Int`] | every integer in range |
//! | unsigned integers of up to 64 bits | [`Value::Uint`] | every integer in range |
//! | `_Bool` | [`Value::Uint`], 0 or 1 | 0 and 1 |
//! | `__int128`, `unsigned __int128` | [`Value::Int128`], [`Value::Uint128`] | every integer in range |
//! | `float` | [`Value::Float`] | also a `double`, rounded to the nearest |
//! | `double` | [`Value::Double`] | also a `float` |
//! | `long double`, `_Float128` | [`Value::LongDouble`] | also a `double` and a `float` |
//! | `float _Complex`, `double _Complex` | [`Value::Complex`] | also a `double` and a `float` |
//! | pointers | [`Value::Pointer`] | also a [`Value::Uint`] |
//! | structures, unions | [`Value::Struct`] | exactly as many bytes |
//!
//! Any other argument is an error that names the function, the parameter and its type; the function is not called then. After the `...` of a
//! prototype, values are passed by their kinds: integers with 64 bits, floating-point numbers as `double`.
//!
//! ```
//! # #[cfg(unix)] {
//! use farcall::{Library, Value};
//!
//! let mut text = [0_u8; 16];
//! // SAFETY: the C library is initialised already, and the function is its own. It writes at most as many bytes as there are.
//! unsafe {
//!     let snprintf = Library::this()?.function("int snprintf(char *to, size_t size, const char *format, ...)")?;
//!     let to = [text.as_mut_ptr().into(), text.len().into(), c"%lld, %g".into()];
//!     let more = [Value::Int(7), Value::Double(0.5)];
//!     assert_eq!(snprintf.call(&[&to[..], &more].concat())?, Value::Int(6));
//! }
//! assert_eq!(&text[..7], b"7, 0.5\0");
//! # }
//! # Ok::<(), farcall::Error>(())
//! ```
//!
//! # Signatures in letters
//!
//! `"i"` and `"ddp"` stand for `int f(double, double, void *)`.
//!
//! | code | C type | value |
//! | --- | --- | --- |
//! | `v` | `void` | [`Value::Void`], as a result |
//! | `b` `h` `i` `l` `q` | `signed char`, `short`, `int`, `long`, `long long` | [`Value::Int`] |
//! | `B` `H` `I` `L` `Q` | the same types, unsigned | [`Value::Uint`] |
//! | `f` `d` | `float`, `double` | [`Value::Float`], [`Value::Double`] |
//! | `p` `P` `s` `S` | `void *`, `const void *`, `const char *` | [`Value::Pointer`] |
//! | `C` | a function pointer, as a function's argument or a callback's result | [`Value::Pointer`] |
//! | `O` | a word whose meaning an interpreter defines | [`Value::Pointer`] |
//! | `{id}` | a structure by value, here an `int` and a `double`; `{3h}` has three `short`s | [`Value::Struct`] |
//!
//! A `.` among the arguments stands for the `...` of a variadic function's prototype: the codes `"i"` and `"s.id"` call
//! `printf("%d %g", 1, 2.0)`. As in C, no `float` and no integer narrower than `int` can follow it.
//!
//! # Memory, forks and threads
//!
//! Machine code never lies in memory that is writable and executable at once. Where the system permits no executable memory, everything works
//! without generated code (see [`generates_code`]). After a fork, both processes can go on using the crate. Calls take no lock.
//! `docs/ARCHITECTURE.md` explains how.
#![deny(missing_docs)]

mod arguments;
mod behind;
mod builder;
mod callback;
mod closure;
mod constant;
mod ctype;
mod declarations;
mod error;
mod facts;
mod func;
mod kind;
mod lent;
mod library;
mod panics;
mod pointer;
mod rust_types;
mod scope;
mod signature;
mod slots;
mod typed;
mod typed_callback;
mod value;
mod var;
mod wide;
mod wide_call;

pub use arguments::Arguments;
pub use builder::SignatureBuilder;
pub use callback::Callback;
pub use constant::Constant;
pub use ctype::{CReturn, CType};
pub use declarations::{Declarations, Member, Type};
pub use error::{CodeError, DeclarationError, EngineError, Error, OutOfMemory, Result, Unpassable};
pub use farcall_cdecl::{BeyondFloat, Codes, Kind, Position, Role, TypeCode, VARIADIC};
pub use farcall_engine::generates_code;
pub use func::Function;
pub use kind::TypeKind;
pub use library::Library;
pub use pointer::{Closure, ClosureMut, FnPointer, Pointer};
pub use signature::Signature;
pub use typed::TypedFunction;
pub use value::Value;
pub use var::Variable;
pub use wide::{Complex, LongDouble, StructBytes};

#[cfg(feature = "derive")]
pub use farcall_derive::CType;

/// Items that derived code uses. They are not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::ctype::{Member, Shape};
}

/// The README's examples, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The book's page about the crate.
#[cfg(doctest)]
#[doc = include_str!("../docs/rust.md")]
struct Book;
