//! Arguments of calls as tuples of Rust types.

use crate::ctype::{CReturn, CType, Named};
use std::ffi::c_void;

/// The arguments of a function, as a tuple of up to 12 [`CType`]s: `()`, `(i32,)`, `(f64, f64)`.
///
/// ```
/// fn bytes<A: farcall::Arguments>(_: &A) -> usize {
///     size_of::<A>()
/// }
/// assert_eq!(bytes(&(1_i32, 2.0_f32)), 8);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a C function",
    note = "arguments are a tuple of at most 12 `CType`s; a single argument is `(T,)`"
)]
pub trait Arguments: Copy + 'static + sealed::Sealed {
    #[doc(hidden)]
    const TYPES: &'static [Named];

    /// # Safety
    /// * `function` takes these arguments and returns an `R`, and may be called with them now.
    #[doc(hidden)]
    unsafe fn call<R: CReturn>(self, function: *const c_void) -> R;

    /// Calls `work` with a pointer to each argument.
    #[doc(hidden)]
    fn with_pointers<T>(&self, work: impl FnOnce(&[*const c_void]) -> T) -> T;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! arity {
    ($($T:ident $t:ident),*) => {
        impl<$($T: CType),*> sealed::Sealed for ($($T,)*) {}

        impl<$($T: CType),*> Arguments for ($($T,)*) {
            const TYPES: &'static [Named] = &[$(Named::of::<$T>()),*];

            #[inline(always)]
            unsafe fn call<R: CReturn>(self, function: *const c_void) -> R {
                type Function<R, $($T),*> = unsafe extern "C-unwind" fn($($T),*) -> R;
                // SAFETY: `function` is the address of a function of these types, by the contract of this method.
                let function = unsafe { std::mem::transmute::<*const c_void, Function<R, $($T),*>>(function) };
                let ($($t,)*) = self;
                // SAFETY: the function may be called with these arguments, by the contract of this method.
                unsafe { function($($t),*) }
            }

            fn with_pointers<T>(&self, work: impl FnOnce(&[*const c_void]) -> T) -> T {
                let ($($t,)*) = self;
                work(&[$(std::ptr::from_ref($t).cast()),*])
            }
        }
    };
}

/// Invokes a macro for each number of arguments that a typed function may have, with a type parameter and a name for each of them.
macro_rules! for_each_arity {
    ($arity:ident) => {
        $arity!();
        $arity!(A a);
        $arity!(A a, B b);
        $arity!(A a, B b, C c);
        $arity!(A a, B b, C c, D d);
        $arity!(A a, B b, C c, D d, E e);
        $arity!(A a, B b, C c, D d, E e, G g);
        $arity!(A a, B b, C c, D d, E e, G g, H h);
        $arity!(A a, B b, C c, D d, E e, G g, H h, I i);
        $arity!(A a, B b, C c, D d, E e, G g, H h, I i, J j);
        $arity!(A a, B b, C c, D d, E e, G g, H h, I i, J j, K k);
        $arity!(A a, B b, C c, D d, E e, G g, H h, I i, J j, K k, L l);
        $arity!(A a, B b, C c, D d, E e, G g, H h, I i, J j, K k, L l, M m);
    };
}

pub(crate) use for_each_arity;

for_each_arity!(arity);
