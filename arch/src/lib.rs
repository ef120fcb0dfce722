//! The pure half of farcall: calling conventions as data, and the machine code that follows from them.
//!
//! Data flows one way, and each step is a function of the one before it:
//!
//! ```text
//! Type, Signature ──plan()──► Plan ──emit::call(), emit::callback_entry()──► Code ──unwind::eh_frame()──► .eh_frame
//! (types, layout)             (abi: where each byte of each value goes)      (emit: bytes and their frame)
//! ```
//!
//! Nothing here asks the machine it runs on: no system call, no address, no `cfg(target)`. Every convention is planned
//! and emitted on every host, so every convention is tested on every host.
//!
//! The features `x64` and `a64`, both on by default, select the machines whose conventions and emitters are compiled. They do not follow
//! from the target. A crate that runs code on one machine only, as the engine does, names that machine; a crate that needs the types
//! alone names none.
//!
//! Enums of what may be added to are `#[non_exhaustive]`. The others are closed: whoever reads a plan, a signature's scalars or a description of a
//! frame must handle every variant, and the compiler names the places if there is ever one more. That is a breaking change.
//!
//! ```
//! use farcall_arch::abi::regs::x64::{RDI, XMM0};
//! use farcall_arch::{Abi, Place, Signature, Type, emit, plan};
//!
//! let signature = Signature::new(Type::I32, vec![Type::F64, Type::I32])?;
//! let plan = plan(&signature, Abi::SysV64)?;
//! assert!(matches!(plan.args[0].place, Place::Fp(XMM0)));
//! assert!(matches!(plan.args[1].place, Place::Int(RDI)));
//! let code = emit::call(&plan)?;
//! assert!(!code.bytes.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "x64", feature = "a64")),
    allow(
        dead_code,
        unreachable_code,
        unused_imports,
        unused_variables,
        reason = "what machines share is there as a whole, and each uses a part of it"
    )
)]

pub mod abi;
pub mod emit;
pub mod endpoint;
pub mod layout;
pub mod structs;
pub mod types;

pub use abi::{Abi, Extend, Move, Place, Plan, PlanError, Sret, plan};
pub use farcall_memory::{OutOfMemory, Shared};
pub use structs::{Member, Struct, StructError};
pub use types::{Float, Scalar, Signature, SignatureError, Type, Wide};
