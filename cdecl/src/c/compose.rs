//! Types made from existing types, without text.

use super::declarations::Declarations;
use super::error::Result;
use super::types::{Param, Ty, TypeId};
use farcall_memory::{TryVec, try_with_capacity};

impl Declarations {
    /// The type of a function that returns `ret` and takes `params`. Parameters of array and function types are adjusted to pointers
    /// (C11 6.7.6.3p7, p8).
    ///
    /// # Errors
    /// [`super::Error::OutOfMemory`].
    pub fn function_returning(
        &mut self,
        ret: TypeId,
        params: &[TypeId],
        is_variadic: bool,
    ) -> Result<TypeId> {
        self.whole(|c| {
            let mut taken = try_with_capacity(params.len())?;
            for ty in params {
                let ty = match c.resolved(*ty) {
                    Ty::Array { of, of_const, .. } => c.add_type(Ty::Pointer {
                        to: of,
                        to_const: of_const,
                    })?,
                    Ty::Function(_) => c.add_type(Ty::Pointer {
                        to: *ty,
                        to_const: false,
                    })?,
                    _ => *ty,
                };
                taken.try_push(Param { name: None, ty })?;
            }
            let place = c.types.add_function(ret, &taken, is_variadic, true)?;
            Ok(c.add_type(Ty::Function(place))?)
        })
    }
}
