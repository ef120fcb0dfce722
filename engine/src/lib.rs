//! The run side of farcall, without a public interface: executable memory, thunks, plans that are followed without code, and what keeps all
//! of that alive.
//!
//! ```text
//! Signature ──plan──► Compiled ──serve──► code, published in an arena       compiled.rs, policy.rs, arena.rs
//!                         │         └────► its plan, followed                interp/
//!                         └──► Callback: a thunk, its record, its entry      callback.rs, thunk/, record.rs
//! ```
//!
//! The Rust crate, libffi's C interface and MicroPython's module build their own interfaces on this. It promises nothing to anybody else.

#[macro_use]
mod asm;
#[macro_use]
pub mod interp;

mod arena;
mod behind;
mod cache;
mod callback;
mod compiled;
pub mod epoch;
mod error;
mod gate;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "the profiler that this is for is Linux's")
)]
mod label;
mod levels;
mod library;
mod lock;
mod objects;
mod policy;
mod record;
pub mod slot;
mod sys;
mod thread;
mod thunk;
mod trampoline;

pub use arena::{Published, generates_code, publish};
pub use behind::Behind;
pub use cache::{Cache, LIMIT, Unused};
pub use callback::Callback;
pub use compiled::{Compiled, Direction, Endpoint, Served, SlotsCall, compile, compile_unshared};
pub use error::{Error, Result};
pub use gate::Gate;
pub use levels::Cached;
pub use library::Library;
pub use lock::{Guarded, exclusively};
pub use objects::{Conversion, Describe, describe_objects, describe_objects_by, set_object_model};
pub use policy::{Wish, uses_without_code, wish};
pub use record::{Handler, ObjectHandler};
pub use sys::{
    host_abi, host_long_double, may_be_in_signal_handler, path_of, sync_icache, write_to_stderr,
};
pub use thunk::{Seat, expect_closed, pool, report_closed};
pub use trampoline::Trampoline;
