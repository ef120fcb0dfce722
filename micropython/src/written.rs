//! The text of signatures in scripts, which is also their key in the cache.

use farcall_cdecl::Role;
use farcall_memory::{OutOfMemory, TryVec};

/// The length in bytes of the longest text that is remembered. Longer texts are read each time.
pub const LONGEST: usize = 64;

/// The role and the codes of a signature, as consecutive bytes.
#[derive(Clone, Copy, Debug)]
pub struct Text<'t> {
    pub role: Role,
    pub ret: &'t str,
    pub args: &'t str,
}

impl<'t> Text<'t> {
    /// The text of a signature. C's `(void)` becomes an empty list of arguments.
    pub fn new(ret: &'t str, args: &'t str, role: Role) -> Text<'t> {
        let args = if args == "v" { "" } else { args };
        Text { role, ret, args }
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        1 + self.ret.len() + self.args.len()
    }

    /// Appends the bytes.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn write_to(&self, bytes: &mut Vec<u8>) -> Result<(), OutOfMemory> {
        bytes.try_push(self.role as u8)?;
        bytes.try_extend_from_slice(self.ret.as_bytes())?;
        bytes.try_extend_from_slice(self.args.as_bytes())
    }

    /// The bytes, if the signature may be remembered: with a result code of one byte, no two signatures have the same bytes.
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
