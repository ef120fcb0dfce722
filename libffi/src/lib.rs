//! libffi's C interface on farcall: programs built with libffi load this library in its place, unchanged.
//!
//! ```text
//! ffi_type ──complete──► size, alignment     types.rs
//!    │
//!    └──key──► entry of the signature        key.rs, intern.rs
//!                 │      its plan, its code  shape.rs
//!   ffi_cif ◄─────┘ token                    cif.rs
//!      │
//!      ├── ffi_call, call plans              run.rs      code made for the signature (code.rs), or else
//!      └── closures                          closure.rs  the plan, step by step (interp.rs, entry.rs)
//! ```
//!
//! `farcall-arch` alone decides where values go. This crate has libffi's data: its structs, its numbers, its rules about memory that
//! programs own. `README.md` tells how it is packaged.

pub mod cif;
pub mod closure;
mod code;
mod entry;
mod fault;
mod intern;
mod interp;
mod key;
pub mod raw;
mod record;
pub mod run;
mod scalar;
mod shape;
pub mod types;
mod version;
