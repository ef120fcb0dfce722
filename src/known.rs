//! Signature strings that have been seen: what they spell, and the code for it, found without reading them again.

use crate::activity;
use crate::compile::{Compiled, compile};
use crate::error::Result;
use crate::runtime;
use crate::sig::{Codes, Role};
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// What a result code and a string of argument codes come to.
#[derive(Debug)]
pub struct Known {
    /// What they spell.
    pub codes: Codes,
    /// The code for it.
    pub compiled: Arc<Compiled>,
    binding: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Known {
    /// What a binding keeps beside it, made by `make` when it is first asked for.
    ///
    /// # Errors
    /// Those of `make`; nothing is kept then.
    ///
    /// # Panics
    /// If something of another type is kept: there is one binding in a process.
    pub fn binding<T: Any + Send + Sync, E>(
        &self,
        make: impl FnOnce() -> std::result::Result<T, E>,
    ) -> std::result::Result<&T, E> {
        let kept = match self.binding.get() {
            Some(kept) => kept,
            None => {
                let made = Box::new(make()?);
                self.binding.get_or_init(|| made)
            }
        };
        Ok(kept.downcast_ref().expect("one type of things is kept"))
    }

    /// Drops it. Where that is the last of it, a thread may be inside the code still.
    pub fn release(self: Arc<Known>) {
        if Arc::strong_count(&self) == 1 {
            activity::forget(vec![self]);
        }
    }
}

/// The bytes of the longest text that is remembered. What is longer is read each time.
const LONGEST: usize = 64;

/// A role and the text of a signature, put together.
struct Text {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Text {
    /// None for what is too long. A result's code is one byte, so no two signatures have the same text.
    fn new(ret: &str, args: &str, role: Role) -> Option<Text> {
        let len = 2 + args.len();
        let mut bytes = [0; LONGEST];
        let &[ret] = ret.as_bytes() else { return None };
        bytes.get_mut(2..len)?.copy_from_slice(args.as_bytes());
        bytes[0] = role as u8;
        bytes[1] = ret;
        Some(Text { bytes, len })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Reads a signature, unless it has been read before.
///
/// # Errors
/// Those of a bad signature.
pub fn known(ret: &str, args: &str, role: Role) -> Result<Arc<Known>> {
    let text = Text::new(ret, args, role);
    let seen = text
        .as_ref()
        .and_then(|text| runtime::lock().texts.get(text.as_bytes()));
    if let Some(known) = seen {
        return Ok(known);
    }
    let codes = Codes::parse(ret, args, role)?;
    let compiled = compile(codes.signature()?);
    let known = Arc::new(Known {
        codes,
        compiled,
        binding: OnceLock::new(),
    });
    let Some(text) = text else { return Ok(known) };
    let (known, unused) = runtime::lock().texts.add(text.as_bytes().into(), known);
    activity::forget(unused);
    Ok(known)
}
