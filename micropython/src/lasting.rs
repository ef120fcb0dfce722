//! Signatures that are shared by the callbacks of a function pointer and are never freed: a thread may be entering a callback as it is closed.

use crate::report::Failure;
use crate::signature::{Signature, farcall_signature_keep};
use farcall_cdecl::Role;
use farcall_engine as engine;
use farcall_memory::{Shared, TryVec};
use std::ptr;

/// All lasting signatures. No two of them have the same C types and the same conversions, so the kinds of callbacks in scripts bound their number.
static LASTING: engine::Guarded<Vec<Shared<Signature>>> = engine::Guarded::new(Vec::new());

/// A lasting signature with the same C types and the same conversions. It holds no namespace, so it has no data that is looked up in one. NULL if
/// there is no memory.
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
        // Codes with the same text already share one signature.
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
        // Another thread may have added it meanwhile.
        if let Some(known) = find(known) {
            return Ok(known);
        }
        known.try_push(new.clone())?;
        Ok(new)
    })
}

impl Signature {
    /// Whether another signature of C types has the same C types and the same conversions.
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
