//! Signatures made from Rust types, and their comparison with other signatures.

use crate::ctype::{Named, Prototype};
use crate::error::{CodeError, OutOfMemory, Result};
use crate::signature::{Inner, Signature};
use farcall_cdecl::Position;
use farcall_engine::{self as engine, Cache, Cached, Compiled, epoch};
use farcall_memory::{Shared, try_collect, try_format};
use std::any::TypeId;

/// The known signatures. The key is a Rust type that determines the signature, so the program bounds their number.
static KNOWN: Cached<Cache<TypeId, Inner>> = Cached::new(Cache::new());

/// The signature with these types. `T` is the key for the cache: a type that determines them.
pub(crate) fn signature<T: 'static>(ret: &Named, args: &[Named]) -> Result<Signature> {
    let id = TypeId::of::<T>();
    let find = |cache: &mut Cache<TypeId, Inner>| cache.get(&id);
    if let Some(Some(known)) = KNOWN.with(find) {
        return Ok(Signature::of_inner(known));
    }
    let text = try_format(format_args!("{}", Prototype { ret, args }))?;
    let signature = Signature::declared(&text)?;
    // A signature that cannot be remembered is read again next time.
    let add = |cache: &mut Cache<_, _>| cache.add(id, signature.inner().clone());
    if let Some((_, unused)) = KNOWN.with(add)
        && !unused.is_empty()
    {
        epoch::forget(unused);
    }
    Ok(signature)
}

impl Inner {
    /// The first argument, or the result, whose type differs in `rust`, a signature from Rust types. Arguments after a `...` are not compared.
    pub fn first_unlike(&self, rust: &Inner) -> Option<Position> {
        let signatures = (self.compiled.signature(), rust.compiled.signature());
        let (Some(own), Some(other)) = signatures else {
            return Some(Position::Result);
        };
        let params = self.params.iter().zip(&rust.params);
        let mut types = params.zip(own.args().iter().zip(other.args()));
        let unlike = types.position(|((param, rust), (ty, rust_ty))| {
            !param.treatment.is_like(rust.treatment) || ty != rust_ty
        });
        let is_like = self.ret.treatment.is_like(rust.ret.treatment) && own.ret() == other.ret();
        let argument = unlike.map(Position::Argument);
        argument.or((!is_like).then_some(Position::Result))
    }

    /// Compiles the signature of a call with the types of `rust` after the `...`.
    pub fn with_types_of(&self, rust: &Inner) -> Result<Shared<Compiled>> {
        let own = self.compiled.signature().ok_or(OutOfMemory)?;
        let other = rust.compiled.signature().ok_or(OutOfMemory)?;
        let types = try_collect(other.args().iter().cloned())?;
        let fixed = self.params.len();
        let signature = farcall_arch::Signature::variadic(own.ret().clone(), types, fixed);
        Ok(engine::compile(signature.map_err(CodeError::from)?, None)?)
    }

    /// The compiled signature, if it was given in codes with a `.` for a `...`.
    pub fn compiled_if_variadic(&self) -> Option<Shared<Compiled>> {
        let fixed = self.compiled.signature()?.fixed();
        fixed.map(|_| self.compiled.clone())
    }
}
