//! How a C signature is written, and what it says: type codes, one letter a type.
//!
//! Text becomes a [`farcall_arch::Signature`] here, and an error names the place in the text. Nothing here asks the operating
//! system, calls a function, or looks at memory.
#![forbid(unsafe_code)]

mod beyond;
mod braces;
pub mod c;
mod code;
mod codes;
mod error;
mod kind;
mod number;

pub use beyond::BeyondFloat;
pub use braces::{Code, StructCode};
pub use code::{Narrow, TypeCode};
pub use codes::{Codes, Role, VARIADIC};
pub use error::{Error, Result};
pub use kind::{Kind, Position};
pub use number::{float_to_slot, integer_to_slot};
