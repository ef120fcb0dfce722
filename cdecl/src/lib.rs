//! Readers for C signatures: type codes with one letter per type, and C declarations.
//!
//! The crate turns text into a [`farcall_arch::Signature`]; an error names the place in the text. The crate makes no system calls,
//! calls no C functions, and does not access raw memory.
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
