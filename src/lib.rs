//! Call C functions by signature strings, and be called by C.
//!
//! A signature is one letter a type: `"i"` and `"ddp"` stand for `int f(double, double, void *)`. It is compiled, once, into
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

mod activity;
mod callback;
mod code;
mod compile;
mod error;
mod func;
mod generic;
mod known;
mod library;
mod object;
mod runtime;
mod sig;
mod sys;
mod thunk;
mod value;
mod var;

pub use callback::{Callback, RawCallback};
pub use code::generates_code;
pub use compile::Trampoline;
pub use error::{Error, Result};
pub use func::Function;
pub use library::Library;
pub use sig::{Codes, Kind, Position, Role, TypeCode, VARIADIC};
pub use thunk::Handler;
pub use value::Value;
pub use var::Variable;

/// What bindings to an interpreter build on: the engine without the closures and values of the Rust API.
pub mod embed {
    pub use crate::activity::{Activity, register};
    pub use crate::code::{Published, Wish, announce, publish, wish};
    pub use crate::compile::{Compiled, compile};
    pub use crate::known::{Known, known};
    pub use crate::object::{
        ObjectCode, compile_object_callback, compile_objects, set_object_model,
    };
    pub use crate::runtime::exclusively;
    pub use crate::thunk::ObjectHandler;
    pub use crate::value::{float_to_slot, integer_to_slot, load, store};
    pub use crate::var::variable_code;
    pub use farcall_arch::endpoint::{
        CatchModel, KeptWord, MAX_SAVED, ObjectModel, PointerField, ThreadPointer,
    };

    /// Calls and callbacks without code made for them: what follows a plan's moves one by one.
    pub mod generic {
        pub use crate::generic::machine::farcall_generic_forward as forward;
        pub use crate::generic::{
            Arguments, Entered, Gathered, Image, ResultArea, call, entry, thunks,
        };
    }
}

/// The README's examples, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
