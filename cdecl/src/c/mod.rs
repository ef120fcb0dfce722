//! A parser for C declarations, as in preprocessed headers.
//!
//! [`Declarations::read`] adds the declarations of a text: types with the layouts of the target's compiler, functions,
//! variables and constants. It knows C11 and the GNU C syntax that headers use. Time and memory are linear in the text.
//!
//! ```
//! use farcall_cdecl::c::{Declarations, Platform};
//!
//! let mut c = Declarations::new(Platform::LINUX_X86_64)?;
//! c.read("typedef struct { int quot, rem; } div_t; div_t div(int, int);")?;
//! let div = c.function("div").unwrap();
//! assert_eq!(c.show(div.ret).to_string(), "div_t");
//! assert_eq!(c.layout(div.ret).unwrap().size, 8);
//! # Ok::<(), farcall_cdecl::c::Error>(())
//! ```

mod attributes;
mod compose;
mod constant;
mod constants;
mod constraints;
mod decimal;
mod declarations;
mod declarator;
mod define;
mod derived;
mod directive;
mod enumeration;
mod error;
mod expression;
mod external;
mod found;
mod layout;
mod lower;
mod memory;
mod names;
mod packed;
mod parser;
mod placement;
mod platform;
mod record;
mod rollback;
mod room;
mod show;
mod sort;
mod specifiers;
mod steps;
mod table;
mod token;
mod types;

pub use constant::Constant;
pub use declarations::{Declarations, Function, Variable};
pub use error::{Error, Result};
pub use layout::Layout;
pub use lower::Unpassable;
pub use names::NameId;
pub use packed::Params;
pub use platform::{BitFields, Platform, System};
pub use show::Shown;
pub use types::{Basic, Enum, Field, FunctionType, Param, Record, Ty, TypeId};

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
