//! What a function pointer's callbacks have in common, for as long as the process: a thread may be on its way in when one of them is closed.

use crate::report::Failure;
use crate::signature::{Signature, farcall_signature_keep};
use farcall_cdecl::Role;
use farcall_engine as engine;
use farcall_memory::{Shared, TryVec};
use std::ptr;

/// All that there are. No two are the same to C and convert values the same way, so there are as many as scripts have shapes of callbacks.
static LASTING: engine::Guarded<Vec<Shared<Signature>>> = engine::Guarded::new(Vec::new());

/// A signature that stays, is the same to C, and converts values the same way. It holds no namespace, so what is looked up in one is not
/// known to it. NULL where there is no memory.
///
/// # Safety
/// * `signature` is a callback's, and has not been released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_lasting(
    signature: *const Signature,
) -> *const Signature {
    // SAFETY: `signature` has not been released, by the contract of this function.
    let own = unsafe { &*signature };
    if own.parts().is_none() {
        // Of codes alone there is one for all that are written the same.
        // SAFETY: as above.
        unsafe { farcall_signature_keep(signature) };
        return signature;
    }
    of_types(own).map_or(ptr::null(), |lasting| lasting.as_ptr())
}

fn of_types(own: &Signature) -> Result<Shared<Signature>, Failure> {
    let find = |known: &mut Vec<Shared<Signature>>| {
        let found = known.iter().find(|known| known.converts_as(own));
        found.cloned()
    };
    if let Some(known) = LASTING.with(find) {
        return Ok(known);
    }
    let parts = own.parts().map(|parts| parts.without_names());
    let parts = parts.ok_or_else(|| Failure::value("a callback of codes"))??;
    let new = Shared::try_new(Signature::declared(parts, Role::Callback, None)?)?;
    LASTING.with(|known| {
        // Another thread may have come first.
        if let Some(known) = find(known) {
            return Ok(known);
        }
        known.try_push(new.clone())?;
        Ok(new)
    })
}

impl Signature {
    /// Whether a signature of C types is the same to C, and its values are converted the same way.
    fn converts_as(&self, other: &Signature) -> bool {
        let (Some(parts), Some(others)) = (self.parts(), other.parts()) else {
            return false;
        };
        let is_same_to_c = self.compiled().as_ptr() == other.compiled().as_ptr();
        let mut values = parts.values.iter().zip(&others.values);
        is_same_to_c
            && parts.values.len() == others.values.len()
            && values.all(|(value, other)| value.converts_as(other))
    }
}
