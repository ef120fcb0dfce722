//! Signature strings that have been seen: what they spell, and the code for it, found without reading them again.

use crate::activity;
use crate::compile::{Compiled, compile};
use crate::error::Result;
use crate::runtime;
use crate::sig::{Codes, Role};
use std::sync::Arc;

/// What a result code and a string of argument codes come to.
#[derive(Debug)]
pub(crate) struct Known {
    pub codes: Codes,
    pub compiled: Arc<Compiled>,
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
pub(crate) fn known(ret: &str, args: &str, role: Role) -> Result<Arc<Known>> {
    let text = Text::new(ret, args, role);
    let seen = text
        .as_ref()
        .and_then(|text| runtime::lock().texts.get(text.as_bytes()));
    if let Some(known) = seen {
        return Ok(known);
    }
    let codes = Codes::parse(ret, args, role)?;
    let compiled = compile(codes.signature()?);
    let known = Arc::new(Known { codes, compiled });
    let Some(text) = text else { return Ok(known) };
    let (known, unused) = runtime::lock().texts.add(text.as_bytes().into(), known);
    activity::forget(unused);
    Ok(known)
}
