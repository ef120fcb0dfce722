//! The Rust types of function pointers, and of closures that C can call through them.

use crate::arguments::{Arguments, for_each_arity};
use crate::behind::{self, Running};
use crate::closure::{self, Closure as Head};
use crate::ctype::{CReturn, CType, Named, Shape, slots_of, zero};
use crate::lent::Lent;
use crate::panics;
use crate::value::Value;
use farcall_engine::Seat;
use farcall_engine::epoch::Entered;
use std::ffi::c_void;
use std::ptr::NonNull;

/// The pointer type of a callback: an `unsafe extern "C" fn` of up to 12 arguments, or `*const c_void` if the signature is known only at run
/// time.
///
/// ```
/// use farcall::{Callback, Pointer};
///
/// fn is_same<P: Pointer>(callback: &Callback<P>, pointer: P) -> bool {
///     callback.code() == pointer.address()
/// }
/// let callback = Callback::new(|_: i32| {})?;
/// assert!(is_same(&callback, callback.as_ptr()));
/// # Ok::<(), farcall::Error>(())
/// ```
pub trait Pointer: Copy + sealed::Sealed {
    /// The function's address.
    fn address(self) -> *const c_void;

    /// # Safety
    /// * There is a function of this type at the address.
    #[doc(hidden)]
    unsafe fn at(address: *const c_void) -> Self;
}

mod sealed {
    pub trait Sealed {}
    pub trait Shared<P> {}
    pub trait Mutable<P> {}
}

impl sealed::Sealed for *const c_void {}

impl Pointer for *const c_void {
    fn address(self) -> *const c_void {
        self
    }

    unsafe fn at(address: *const c_void) -> *const c_void {
        address
    }
}

/// A function pointer whose type determines the C signature: an `unsafe extern "C" fn` of up to 12 [`CType`]s.
///
/// ```
/// fn arguments<P: farcall::FnPointer>(_: P) -> usize {
///     farcall::Signature::of::<P>().map_or(0, |signature| signature.len())
/// }
/// unsafe extern "C" fn add(a: i32, b: i32) -> i32 {
///     a + b
/// }
/// assert_eq!(arguments(add as unsafe extern "C" fn(i32, i32) -> i32), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function pointer with a known C signature",
    note = "use an `unsafe extern \"C\" fn` with at most 12 arguments, each a `CType`"
)]
pub trait FnPointer: Pointer + 'static {
    /// The types of the arguments, as a tuple.
    type Arguments: Arguments;
    /// The type of the result.
    type Return: CReturn;

    #[doc(hidden)]
    const RETURN: Named;
}

// SAFETY: the value is an address, `None` is null, and every other address that C gives for a function is a function pointer.
unsafe impl<P: FnPointer> CType for Option<P> {
    /// Any pointer. A plain name is simpler: C's syntax for function pointers would put the declared name in the middle.
    const SHAPE: Shape = Shape::Plain("void *");
}

/// Converts a function pointer to its address. The pointer must be valid for as long as C uses it.
impl<P: FnPointer> From<P> for Value {
    fn from(pointer: P) -> Value {
        pointer.address().into()
    }
}

/// A closure that C can call by a pointer of the type `P`, on any thread: an `Fn` whose arguments and result are [`CType`]s.
///
/// Rust infers `P` from the closure, whose arguments must have explicit types.
///
/// ```
/// use farcall::{Callback, Closure, FnPointer};
///
/// fn checked<P: FnPointer>(closure: impl Closure<P> + Send + Sync + 'static) -> bool {
///     Callback::new(closure).is_ok()
/// }
/// assert!(checked(|a: i32, b: f64| f64::from(a) * b));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a closure that C can call",
    note = "use an `Fn` with at most 12 arguments of explicit types; these and the result must be `CType`s"
)]
pub trait Closure<P: FnPointer>: sealed::Shared<P> {
    /// # Safety
    /// * The slots are those of the arguments.
    #[doc(hidden)]
    unsafe fn run(&self, slots: *const u64) -> P::Return;

    /// The function that runs a closure which owns nothing.
    #[doc(hidden)]
    fn entry() -> P;

    /// The function that takes the arguments and behind them the seat that owns the closure; see [`Closure::carefully`].
    #[doc(hidden)]
    fn behind() -> NonNull<u8>;

    /// The function that takes the arguments and behind them a pointer to the closure.
    #[doc(hidden)]
    fn behind_for_good() -> NonNull<u8>;

    /// The function that takes the head of a closure of this type and behind it the arguments, and heeds panics that wait. The thread is inside
    /// the closure's callback.
    #[doc(hidden)]
    fn carefully() -> *const c_void;
}

/// A closure like [`Closure`] that may change its captures: an `FnMut`.
///
/// ```
/// use farcall::{Callback, ClosureMut, FnPointer};
///
/// fn lent<P: FnPointer>(closure: &mut impl ClosureMut<P>, user: impl FnOnce(P)) -> bool {
///     Callback::scoped(closure, user).is_ok()
/// }
/// let mut sum = 0;
/// // SAFETY: this is the closure, and nobody else calls it.
/// assert!(lent(&mut |n: i32| sum += n, |pointer| unsafe { pointer(7) }));
/// assert_eq!(sum, 7);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a closure that C can call",
    note = "use an `FnMut` with at most 12 arguments of explicit types; these and the result must be `CType`s"
)]
pub trait ClosureMut<P: FnPointer>: sealed::Mutable<P> {
    /// # Safety
    /// * The slots are those of the arguments.
    #[doc(hidden)]
    unsafe fn run_mut(&mut self, slots: *const u64) -> P::Return;

    /// The function that takes the arguments and behind them a pointer to the closure as it is lent.
    #[doc(hidden)]
    fn behind_lent() -> NonNull<u8>;
}

/// The address of a function.
fn function(address: *const c_void) -> NonNull<u8> {
    // SAFETY: no function is at address 0.
    unsafe { NonNull::new_unchecked(address.cast_mut().cast()) }
}

/// Calls a closure with arguments from consecutive slots.
macro_rules! from_slots {
    ($closure:expr, $slots:expr, $($T:ident $t:ident),*) => {{
        let mut _next = 0;
        $(
            // SAFETY: the macro is used where the contract promises the slots of all these types.
            let $t = unsafe { $slots.add(_next).cast::<$T>().read_unaligned() };
            _next += slots_of::<$T>();
        )*
        $closure($($t),*)
    }};
}

macro_rules! arity {
    ($($T:ident $t:ident),*) => {
        impl<R: CReturn, $($T: CType),*> sealed::Sealed for unsafe extern "C" fn($($T),*) -> R {}

        impl<R: CReturn, $($T: CType),*> Pointer for unsafe extern "C" fn($($T),*) -> R {
            fn address(self) -> *const c_void {
                self as *const c_void
            }

            unsafe fn at(address: *const c_void) -> Self {
                // SAFETY: `address` is that of a function of this type, by the contract of the trait's method.
                unsafe { std::mem::transmute::<*const c_void, Self>(address) }
            }
        }

        impl<R: CReturn, $($T: CType),*> FnPointer for unsafe extern "C" fn($($T),*) -> R {
            type Arguments = ($($T,)*);
            type Return = R;

            const RETURN: Named = Named::of::<R>();
        }

        impl<F, R: CReturn, $($T: CType),*> sealed::Shared<unsafe extern "C" fn($($T),*) -> R> for F
        where
            F: Fn($($T),*) -> R,
        {
        }

        impl<F, R: CReturn, $($T: CType),*> Closure<unsafe extern "C" fn($($T),*) -> R> for F
        where
            F: Fn($($T),*) -> R,
        {
            #[inline(always)]
            unsafe fn run(&self, _slots: *const u64) -> R {
                from_slots!(self, _slots, $($T $t),*)
            }

            fn entry() -> unsafe extern "C" fn($($T),*) -> R {
                unsafe extern "C" fn enter<F: Fn($($T),*) -> R, R: CReturn, $($T: CType),*>($($t: $T),*) -> R {
                    // SAFETY: the closure owns nothing and has no size, and one existed that was never dropped.
                    let closure = unsafe { NonNull::<F>::dangling().as_ref() };
                    if panics::may_wait() {
                        return carefully::<F, R, $($T),*>($($t),*);
                    }
                    panics::caught(|| closure($($t),*)).unwrap_or_else(zero)
                }
                #[cold]
                #[inline(never)]
                #[allow(clippy::too_many_arguments, reason = "they are C's")]
                fn carefully<F: Fn($($T),*) -> R, R: CReturn, $($T: CType),*>($($t: $T),*) -> R {
                    // SAFETY: as above.
                    let closure = unsafe { NonNull::<F>::dangling().as_ref() };
                    panics::catching(|| closure($($t),*)).unwrap_or_else(zero)
                }
                enter::<F, R, $($T),*>
            }

            fn behind() -> NonNull<u8> {
                #[allow(clippy::too_many_arguments, reason = "they are C's")]
                unsafe extern "C" fn enter<F: Fn($($T),*) -> R, R: CReturn, $($T: CType),*>($($t: $T,)* seat: *const Seat) -> R {
                    let run = <F as Closure<unsafe extern "C" fn($($T),*) -> R>>::carefully();
                    // SAFETY: the entry passes the seat of its thunk, which is never freed. `run` is the function of closures of this type.
                    let (running, closure) = match unsafe { Running::enter::<F>(&*seat, run) } {
                        Ok(found) => found,
                        // SAFETY: as above.
                        Err(entered) => return unsafe { slowly::<R, $($T),*>($($t,)* seat, entered) },
                    };
                    let result = panics::caught(|| closure($($t),*)).unwrap_or_else(zero);
                    running.leave(result)
                }
                // As C's, it never unwinds: so that jumping there can be the last thing.
                #[cold]
                #[inline(never)]
                #[allow(clippy::too_many_arguments, reason = "they are C's")]
                unsafe extern "C" fn slowly<R: CReturn, $($T: CType),*>($($t: $T,)* seat: *const Seat, entered: Option<Entered>) -> R {
                    // SAFETY: the seat is that of a thunk, which is never freed.
                    behind::slowly(unsafe { &*seat }, entered, |closure, run| {
                        type Run<R, $($T),*> = unsafe extern "C" fn(NonNull<Head>, $($T),*) -> R;
                        // SAFETY: all closures of such a seat are run by functions of this type: `carefully` below, with the types of the signature.
                        unsafe { std::mem::transmute::<*const c_void, Run<R, $($T),*>>(run)(closure, $($t),*) }
                    })
                }
                let enter: unsafe extern "C" fn($($T,)* *const Seat) -> R = enter::<F, R, $($T),*>;
                function(enter as *const c_void)
            }

            fn behind_for_good() -> NonNull<u8> {
                #[allow(clippy::too_many_arguments, reason = "they are C's")]
                unsafe extern "C" fn enter<F: Fn($($T),*) -> R, R: CReturn, $($T: CType),*>($($t: $T,)* closure: *const F) -> R {
                    // SAFETY: the closure is there for good, and Sync.
                    let closure = unsafe { &*closure };
                    if panics::may_wait() {
                        return carefully($($t,)* closure);
                    }
                    panics::caught(|| closure($($t),*)).unwrap_or_else(zero)
                }
                #[cold]
                #[inline(never)]
                #[allow(clippy::too_many_arguments, reason = "they are C's")]
                extern "C" fn carefully<F: Fn($($T),*) -> R, R: CReturn, $($T: CType),*>($($t: $T,)* closure: &F) -> R {
                    panics::catching(|| closure($($t),*)).unwrap_or_else(zero)
                }
                let enter: unsafe extern "C" fn($($T,)* *const F) -> R = enter::<F, R, $($T),*>;
                function(enter as *const c_void)
            }

            fn carefully() -> *const c_void {
                // A function of its own: its address tells the closure's type.
                #[cold]
                #[inline(never)]
                #[allow(clippy::too_many_arguments, reason = "they are C's")]
                unsafe extern "C" fn carefully<F: Fn($($T),*) -> R, R: CReturn, $($T: CType),*>(closure: NonNull<Head>, $($t: $T),*) -> R {
                    // SAFETY: it is the head of a closure of this type, which is there while the thread is inside its callback.
                    let closure = unsafe { closure::body::<F>(closure) };
                    panics::catching(|| closure($($t),*)).unwrap_or_else(zero)
                }
                let carefully: unsafe extern "C" fn(NonNull<Head>, $($T),*) -> R = carefully::<F, R, $($T),*>;
                carefully as *const c_void
            }
        }

        impl<F, R: CReturn, $($T: CType),*> sealed::Mutable<unsafe extern "C" fn($($T),*) -> R> for F
        where
            F: FnMut($($T),*) -> R,
        {
        }

        impl<F, R: CReturn, $($T: CType),*> ClosureMut<unsafe extern "C" fn($($T),*) -> R> for F
        where
            F: FnMut($($T),*) -> R,
        {
            #[inline(always)]
            unsafe fn run_mut(&mut self, _slots: *const u64) -> R {
                from_slots!(self, _slots, $($T $t),*)
            }

            fn behind_lent() -> NonNull<u8> {
                #[allow(clippy::too_many_arguments, reason = "they are C's")]
                unsafe extern "C" fn enter<F: FnMut($($T),*) -> R, R: CReturn, $($T: CType),*>($($t: $T,)* lent: *const Lent<'_, F>) -> R {
                    // SAFETY: the closure is lent as long as C may call, on this thread.
                    unsafe { &*lent }.run(|closure| closure($($t),*))
                }
                let enter: unsafe extern "C" fn($($T,)* *const Lent<'_, F>) -> R = enter::<F, R, $($T),*>;
                function(enter as *const c_void)
            }
        }
    };
}

for_each_arity!(arity);
