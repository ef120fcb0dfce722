//! Signatures by their letters: what was read once is not read again.

use crate::error::Result;
use farcall_cdecl::{Codes, Role};
use farcall_engine::{self as engine, Cache, Cached, Compiled, epoch};
use farcall_memory::Shared;
use farcall_memory::try_to_vec;

/// A signature that has been read.
#[derive(Clone)]
pub(crate) struct Known {
    pub codes: Shared<Codes>,
    pub compiled: Shared<Compiled>,
}

/// By the role, the result's letter and the arguments'. Nobody but the cache holds one for longer than it takes to clone it, so all of
/// them are forgotten when there are too many; what functions and callbacks have of them stays.
static KNOWN: Cached<Cache<Vec<u8>, Known>> = Cached::new(Cache::new());

/// Keys of short argument lists lie on the stack.
const INLINE: usize = 34;

/// The signature with these letters.
///
/// # Errors
/// Those of a bad signature.
pub(crate) fn known(ret: &str, args: &str, role: Role) -> Result<Known> {
    let [letter] = *ret.as_bytes() else {
        // No letter, or several: an error.
        return read(ret, args, role);
    };
    let len = args.len() + 2;
    if len > INLINE {
        return read(ret, args, role);
    }
    let mut key = [0; INLINE];
    key[0] = role as u8;
    key[1] = letter;
    key[2..len].copy_from_slice(args.as_bytes());
    let key = &key[..len];
    let find = |cache: &mut Cache<Vec<u8>, Known>| cache.get(key);
    if let Some(Some(known)) = KNOWN.with(find) {
        return Ok(Known::clone(&known));
    }
    let made = read(ret, args, role)?;
    // What cannot be remembered is read again.
    let (Ok(key), Ok(known)) = (try_to_vec(key), Shared::try_new(made.clone())) else {
        return Ok(made);
    };
    let add = |cache: &mut Cache<_, _>| cache.add(key, known);
    if let Some((_, unused)) = KNOWN.with(add)
        && !unused.is_empty()
    {
        epoch::forget(unused);
    }
    Ok(made)
}

fn read(ret: &str, args: &str, role: Role) -> Result<Known> {
    let codes = Codes::parse(ret, args, role)?;
    codes.expect_no_structs("a value of one slot")?;
    let compiled = engine::compile(codes.signature()?, None)?;
    Ok(Known {
        codes: Shared::try_new(codes)?,
        compiled,
    })
}
