//! Signatures by Rust types, and how others compare with them.

use crate::ctype::{Named, Prototype};
use crate::error::{CodeError, OutOfMemory, Result};
use crate::signature::{Inner, Signature};
use farcall_cdecl::Position;
use farcall_engine::{self as engine, Cache, Cached, Compiled, epoch};
use farcall_memory::{Shared, try_collect, try_format};
use std::any::TypeId;

/// By a type that says all of it. There are as many as the program has of these.
static KNOWN: Cached<Cache<TypeId, Inner>> = Cached::new(Cache::new());

/// The signature of these types, which `T` says.
pub(crate) fn signature<T: 'static>(ret: &Named, args: &[Named]) -> Result<Signature> {
    let id = TypeId::of::<T>();
    let find = |cache: &mut Cache<TypeId, Inner>| cache.get(&id);
    if let Some(Some(known)) = KNOWN.with(find) {
        return Ok(Signature::of_inner(known));
    }
    let text = try_format(format_args!("{}", Prototype { ret, args }))?;
    let signature = Signature::declared(&text)?;
    // What cannot be remembered is read again.
    let add = |cache: &mut Cache<_, _>| cache.add(id, signature.inner().clone());
    if let Some((_, unused)) = KNOWN.with(add)
        && !unused.is_empty()
    {
        epoch::forget(unused);
    }
    Ok(signature)
}

impl Inner {
    /// The first value whose type is another one in `rust`, which is read from Rust's types. Of a variadic function the further ones there are
    /// taken as they are.
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

    /// What is compiled for a call with the types of `rust` behind the `...`.
    pub fn with_types_of(&self, rust: &Inner) -> Result<Shared<Compiled>> {
        let own = self.compiled.signature().ok_or(OutOfMemory)?;
        let other = rust.compiled.signature().ok_or(OutOfMemory)?;
        let types = try_collect(other.args().iter().cloned())?;
        let fixed = self.params.len();
        let signature = farcall_arch::Signature::variadic(own.ret().clone(), types, fixed);
        Ok(engine::compile(signature.map_err(CodeError::from)?, None)?)
    }

    /// What is compiled, if codes say that some of the arguments stand for a `...`.
    pub fn compiled_if_variadic(&self) -> Option<Shared<Compiled>> {
        let fixed = self.compiled.signature()?.fixed();
        fixed.map(|_| self.compiled.clone())
    }
}
