//! Call C functions by signature strings, and be called by C.
//!
//! A signature is one letter a type: `"i"` and `"ddp"` stand for `int f(double, double, void *)`. Once it is in use, it is compiled into
//! a small piece of machine code; a call is then a few loads and one `call` instruction.
//!
//! ```
//! use farcall::{Library, Value};
//!
//! // SAFETY: the C library is initialised already, and pow() is as declared here.
//! let power = unsafe {
//!     let libm = Library::open(Some("libm.so.6"))?;
//!     libm.func("d", "pow", "dd")?.call(&[2.0.into(), 10.0.into()])?
//! };
//! assert_eq!(power, Value::Double(1024.0));
//! # Ok::<(), farcall::Error>(())
//! ```
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
//!
//! A `.` among the arguments stands for the `...` of a variadic function's prototype: `printf("%d %g", 1, 2.0)` is called by
//! `"i"` and `"s.id"`. Behind it C passes no `float` and no integer narrower than `int`, and neither does this.
//!
//! Machine code never lies in memory that is writable and executable at once, and where the system permits none, all of this works
//! without ([`generates_code`]); a fork leaves both processes whole; calls take no lock.
//! `docs/ARCHITECTURE.md` tells how.

mod callback;
mod declarations;
mod error;
mod func;
mod library;
mod scope;
mod signature;
mod slots;
mod value;
mod var;
mod wide;

pub use callback::Callback;
pub use declarations::{Constant, Declarations, Member, Type, TypeKind};
pub use error::{CodeError, DeclarationError, EngineError, Error, OutOfMemory, Result, Unpassable};
pub use farcall_cdecl::{BeyondFloat, Codes, Kind, Position, Role, TypeCode, VARIADIC};
pub use farcall_engine::generates_code;
pub use func::Function;
pub use library::Library;
pub use signature::Signature;
pub use value::Value;
pub use var::Variable;
pub use wide::{Complex, LongDouble, StructBytes};

/// The README's examples, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
