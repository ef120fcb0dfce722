//! Call C functions by signatures known at run time, and be called by C.
//!
//! A signature is C text, or one letter a type. Once it is in use, it is compiled into
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
//! }
//! # Ok::<(), farcall::Error>(())
//! ```
//!
//! # Signatures in C
//!
//! [`Library::function`], [`Library::variable`], [`Function::declared`] and [`Callback::declared`] take one declaration. What a whole header
//! declares goes to [`Declarations`], which knows its types with their layouts, its functions, variables and constants;
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
//! | C type | value | an argument takes |
//! | --- | --- | --- |
//! | `void` | [`Value::Void`] | |
//! | integers of up to 64 bits with a sign, and `enum` | [`Value::Int`] | every integer in range |
//! | those without a sign | [`Value::Uint`] | every integer in range |
//! | `_Bool` | [`Value::Uint`], 0 or 1 | 0 and 1 |
//! | `__int128` and its unsigned form | [`Value::Int128`], [`Value::Uint128`] | every integer in range |
//! | `float` | [`Value::Float`] | also a `double`, rounded to the nearest |
//! | `double` | [`Value::Double`] | also a `float` |
//! | `long double`, `_Float128` | [`Value::LongDouble`] | also a `double` and a `float` |
//! | `float _Complex`, `double _Complex` | [`Value::Complex`] | also a `double` and a `float` |
//! | pointers | [`Value::Pointer`] | also a [`Value::Uint`] |
//! | structures, unions | [`Value::Struct`] | exactly as many bytes |
//!
//! What an argument does not take is an error that names the function, the parameter and its type, and nothing is called. Where a prototype has
//! a `...`, values are passed by their kinds: integers with 64 bits, numbers with a fraction as `double`.
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
//! | `B` `H` `I` `L` `Q` | their unsigned forms | [`Value::Uint`] |
//! | `f` `d` | `float`, `double` | [`Value::Float`], [`Value::Double`] |
//! | `p` `P` `s` `S` | `void *`, `const void *`, `const char *` | [`Value::Pointer`] |
//! | `C` | a function pointer, as a function's argument or a callback's result | [`Value::Pointer`] |
//! | `O` | a word that means something to an interpreter | [`Value::Pointer`] |
//! | `{id}` | a structure by value, here of an `int` and a `double`; `{3h}` has three `short`s | [`Value::Struct`] |
//!
//! A `.` among the arguments stands for the `...` of a variadic function's prototype: `printf("%d %g", 1, 2.0)` is called by
//! `"i"` and `"s.id"`. Behind it C passes no `float` and no integer narrower than `int`, and neither does this.
//!
//! Machine code never lies in memory that is writable and executable at once, and where the system permits none, all of this works
//! without ([`generates_code`]); a fork leaves both processes whole; calls take no lock.
//! `docs/ARCHITECTURE.md` tells how.
#![deny(missing_docs)]

mod arguments;
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

/// What derived code names. None of it is a promise to anybody.
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
