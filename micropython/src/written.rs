//! Signatures as scripts write them, and as they are remembered.

use farcall_cdecl::Role;
use farcall_memory::{OutOfMemory, TryVec};

/// The bytes of the longest text that is remembered. What is longer is read each time.
pub const LONGEST: usize = 64;

/// A role and the codes of a signature: as bytes, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Text<'t> {
    pub role: Role,
    pub ret: &'t str,
    pub args: &'t str,
}

impl<'t> Text<'t> {
    /// C's `(void)` and no arguments are the same.
    pub fn new(ret: &'t str, args: &'t str, role: Role) -> Text<'t> {
        let args = if args == "v" { "" } else { args };
        Text { role, ret, args }
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        1 + self.ret.len() + self.args.len()
    }

    /// Appends its bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn write_to(&self, bytes: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        bytes.try_push(self.role as u8)?;
        bytes.try_extend_from_slice(self.ret.as_bytes())?;
        bytes.try_extend_from_slice(self.args.as_bytes())
    }

    /// Its bytes, for what may be remembered: where a result's code is one byte, no two signatures have the same.
    pub fn written_in<'b>(&self, buffer: &'b mut [u8; LONGEST]) -> Option<&'b [u8]> {
        let &[ret] = self.ret.as_bytes() else {
            return None;
        };
        [buffer[0], buffer[1]] = [self.role as u8, ret];
        buffer
            .get_mut(2..self.len())?
            .copy_from_slice(self.args.as_bytes());
        buffer.get(..self.len())
    }
}
