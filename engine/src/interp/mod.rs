//! Calls and callbacks without generated code: a plan's moves, followed one by one.
//!
//! This serves signatures that are not worth code yet, and systems that refuse executable memory. The machine code for it is
//! part of the program ([`machine`]). On the side that is not C's, values lie in slots ([`call_slots`]), or behind pointers, as libffi has
//! them.

mod bytes;
mod enter;
mod follow;
#[macro_use]
pub mod machine;
mod registers;
mod scratch;
mod slots;

pub use enter::{Entered, Gathered, ResultArea};
pub use follow::{Arguments, Item, Ret, Shapes, Told, call, call_told};
pub use machine::Image;
pub use scratch::with_scratch;
pub use slots::call_slots;
pub(crate) use slots::enter_slots;
