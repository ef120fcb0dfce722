//! Types made of others that there are, without a text.

use super::declarations::Declarations;
use super::error::Result;
use super::types::{FunctionType, Param, Ty, TypeId};
use farcall_memory::TryVec;

impl Declarations {
    /// The type of a function that returns `ret` and takes `params`. What is an array or a function among them is a pointer, as C has it
    /// (C11 6.7.6.3p7, p8).
    ///
    /// # Errors
    /// [`super::Error::OutOfMemory`].
    pub fn function_of(
        &mut self,
        ret: TypeId,
        params: &[TypeId],
        is_variadic: bool,
    ) -> Result<TypeId> {
        self.whole(|c| {
            let start = c.params.len() as u32;
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
                c.params.try_push(Param { name: None, ty })?;
            }
            let index = c.function_types.len() as u32;
            c.function_types.try_push(FunctionType {
                ret,
                params: start..c.params.len() as u32,
                is_variadic,
                has_prototype: true,
            })?;
            Ok(c.add_type(Ty::Function(index))?)
        })
    }
}
