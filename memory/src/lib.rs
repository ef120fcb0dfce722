//! Ways to allocate that report when memory runs out. The standard library's own end the program.
//!
//! ```
//! use farcall_memory::{OutOfMemory, TryVec, try_collect, try_format};
//!
//! let mut squares = try_collect((1..4).map(|n| n * n))?;
//! squares.try_push(16)?;
//! assert_eq!(squares, [1, 4, 9, 16]);
//! assert_eq!(try_format(format_args!("{} of them", squares.len()))?, "4 of them");
//! # Ok::<(), OutOfMemory>(())
//! ```

mod boxed;
mod error;
mod shared;
mod vec;

pub use boxed::try_box;
pub use error::OutOfMemory;
pub use shared::Shared;
pub use vec::*;
