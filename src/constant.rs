//! The values of constants that C text defines.

use farcall_cdecl::c;
use farcall_memory::{OutOfMemory, try_to_vec};

/// The value of a constant.
///
/// ```
/// use farcall::{Constant, Declarations};
///
/// let c = Declarations::parse("#define HALF 0.5\n#define NAME \"n\"\n")?;
/// assert_eq!(c.constant("HALF")?, Some(Constant::Float(0.5)));
/// assert_eq!(c.constant("NAME")?, Some(Constant::Text(b"n".to_vec())));
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Constant {
    /// An integer, of any C type.
    Integer(i128),
    /// A floating-point number.
    Float(f64),
    /// A string, without the NUL at its end.
    Text(Vec<u8>),
}

impl Constant {
    pub(crate) fn of(constant: c::Constant) -> std::result::Result<Constant, OutOfMemory> {
        Ok(match constant {
            c::Constant::Integer(value) => Constant::Integer(value),
            c::Constant::Float(value) => Constant::Float(value),
            c::Constant::Text(bytes) => Constant::Text(try_to_vec(bytes)?),
            // There are no others.
            _ => Constant::Integer(0),
        })
    }
}
