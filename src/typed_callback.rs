//! Callbacks with the Rust types of their arguments and result.

use crate::callback::Callback;
use crate::closure::{Body, Closing, WideHandler};
use crate::ctype::{CReturn, slots_of, zero};
use crate::error::Result;
use crate::lent::Lent;
use crate::panics;
use crate::pointer::{Closure, ClosureMut, FnPointer};
use crate::signature::Signature;
use farcall_engine::epoch::{Inside, Place, Thing};
use farcall_engine::{self as engine, Behind, Handler};
use farcall_memory::try_box;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::NonNull;

impl<P: FnPointer> Callback<P> {
    /// Makes a function pointer that calls `closure`. The closure takes up to 12 arguments, each with an explicit type that is a
    /// [`CType`](crate::CType); these types and the result's make the C signature.
    ///
    /// C may call it on any thread, and on several threads at once: so the closure must be `Fn`, `Send` and `Sync`. It must be `'static`, because C
    /// may keep the pointer for any time. [`Callback::scoped`] requires none of this.
    ///
    /// A closure that captures nothing takes no memory, and C calls it directly, like any function. Any other closure is marked as running during a
    /// call, so that the callback can be closed meanwhile. That takes longest for a signature that leaves no integer register free.
    ///
    /// # Errors
    /// [`EngineError::ExecutableMemory`](crate::EngineError::ExecutableMemory), [`Error::OutOfMemory`](crate::Error::OutOfMemory), and those
    /// of [`Signature::of`].
    ///
    /// ```
    /// use farcall::{Callback, Library};
    /// use std::ffi::c_void;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let comparisons = Arc::new(AtomicUsize::new(0));
    /// let counted = comparisons.clone();
    /// let compare = Callback::new(move |a: *const c_void, b: *const c_void| -> i32 {
    ///     counted.fetch_add(1, Ordering::Relaxed);
    ///     // SAFETY: qsort() hands on the addresses of two elements.
    ///     let (a, b) = unsafe { (*a.cast::<u16>(), *b.cast::<u16>()) };
    ///     a.cmp(&b) as i32
    /// })?;
    ///
    /// type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> i32;
    /// let mut numbers = [3_u16, 1, 2];
    /// // SAFETY: qsort() is declared as it is, and sorts an array of that many elements of that size.
    /// unsafe {
    ///     let qsort = Library::this()?
    ///         .function("void qsort(void *, size_t, size_t, int (*)(const void *, const void *))")?
    ///         .typed::<(*mut c_void, usize, usize, Option<Compare>), ()>()?;
    ///     qsort.call((numbers.as_mut_ptr().cast(), 3, 2, Some(compare.as_ptr())))?;
    /// }
    /// assert_eq!(numbers, [1, 2, 3]);
    /// assert!(comparisons.load(Ordering::Relaxed) >= 2);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn new<C>(closure: C) -> Result<Callback<P>>
    where
        C: Closure<P> + Send + Sync + 'static,
    {
        let signature = Signature::of::<P>()?;
        if size_of::<C>() > 0 || std::mem::needs_drop::<C>() {
            if let Some(behind) = signature.inner().compiled.behind() {
                return owning_behind(signature, behind, closure);
            }
            let pointer = PhantomData::<fn() -> P>;
            return Callback::of_body(signature, Typed { closure, pointer });
        }
        // A closure without content needs no storage. It exists and is never dropped, so it can be called.
        std::mem::forget(closure);
        let entry = C::entry().address().cast_mut().cast();
        // SAFETY: no function is at address 0.
        let entry = unsafe { NonNull::new_unchecked(entry) };
        let compiled = signature.inner().compiled.clone();
        // SAFETY: the entry is a function of the signature, which Rust has compiled for C. It catches every panic, and runs a closure that is Send
        // and Sync, and is never dropped.
        let raw = unsafe { engine::Callback::bare(compiled, entry)? };
        Ok(Callback::opened(raw, None, signature))
    }

    /// Makes a function pointer like [`Callback::new`] that is valid for the rest of the process. It is never closed, so a call does not have to mark
    /// the closure as running.
    ///
    /// # Errors
    /// Those of [`Callback::new`].
    ///
    /// ```
    /// use farcall::Callback;
    ///
    /// let names = vec!["zero", "one", "two"];
    /// let length = Callback::leak(move |index: usize| names.get(index).map_or(0, |name| name.len()))?;
    /// // SAFETY: the function is the callback above.
    /// assert_eq!(unsafe { length(0) + length(1) + length(3) }, 7);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn leak<C>(closure: C) -> Result<P>
    where
        C: Closure<P> + Send + Sync + 'static,
    {
        let signature = Signature::of::<P>()?;
        let closure = try_box(closure)?;
        let context = (&raw const *closure).cast_mut().cast();
        let compiled = &signature.inner().compiled;
        let raw = if let Some(behind) = compiled.behind() {
            let function = C::behind_for_good();
            // SAFETY: the function takes the signature's arguments and a closure of this type, at any time, on any thread: it is Send and
            // Sync, and stays.
            unsafe {
                engine::Callback::behind_context(compiled.clone(), behind, function, context)?
            }
        } else {
            // SAFETY: the handler takes this context, at any time, on any thread: it is Send and Sync, and stays.
            unsafe { lead_to(&signature, run_kept::<C, P>, run_wide_kept::<C, P>, context)? }
        };
        Box::leak(closure);
        let code = raw.code();
        std::mem::forget(raw);
        // SAFETY: it is made with this signature, and stays.
        Ok(unsafe { P::at(code) })
    }

    /// Lends `closure` to C while `user` runs. `user` gets the function pointer. The closure may be an `FnMut` and may borrow.
    ///
    /// A panic of the closure resumes when this method returns, unless it has already resumed from a [`Function::call`](crate::Function::call) within
    /// `user`.
    ///
    /// # Errors
    /// Those of [`Callback::new`]. `user` is not called then.
    ///
    /// # Panics
    /// If the closure panicked. Calling the closure while it runs, or after it has panicked, is such a panic, too.
    ///
    /// # Calling the pointer
    /// A caller must meet these rules, and whatever the closure requires of its arguments:
    /// * All calls begin and end while `user` runs. If C keeps the pointer, it does not call it afterwards.
    /// * All calls are on this thread.
    /// * No call is left by a jump, such as `longjmp`.
    ///
    /// ```
    /// use farcall::{Callback, Library};
    /// use std::ffi::c_void;
    ///
    /// let mut comparisons = 0;
    /// let mut compare = |a: *const c_void, b: *const c_void| -> i32 {
    ///     comparisons += 1;
    ///     // SAFETY: qsort() hands on the addresses of two elements.
    ///     let (a, b) = unsafe { (*a.cast::<u16>(), *b.cast::<u16>()) };
    ///     a.cmp(&b) as i32
    /// };
    /// let mut numbers = [3_u16, 1, 2];
    /// Callback::scoped(&mut compare, |compare| {
    ///     // SAFETY: qsort() is declared as it is, and sorts an array of that many elements of that size.
    ///     unsafe {
    ///         Library::this()?
    ///             .function("void qsort(void *, size_t, size_t, int (*)(const void *, const void *))")?
    ///             .typed::<(*mut c_void, usize, usize, Option<_>), ()>()?
    ///             .call((numbers.as_mut_ptr().cast(), 3, 2, Some(compare)))
    ///     }
    /// })??;
    /// assert_eq!(numbers, [1, 2, 3]);
    /// assert!(comparisons >= 2);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn scoped<C, T>(closure: &mut C, user: impl FnOnce(P) -> T) -> Result<T>
    where
        C: ClosureMut<P>,
    {
        let lent = Lent::new(closure);
        let signature = Signature::of::<P>()?;
        let context = (&raw const lent).cast_mut().cast();
        let compiled = &signature.inner().compiled;
        // SAFETY: the function or the handler takes this context, which is lent until the callback is closed below. Calls of the pointer end
        // before that: that is part of its contract.
        let raw = unsafe {
            match compiled.behind() {
                Some(behind) => {
                    let function = C::behind_lent();
                    engine::Callback::behind_context(compiled.clone(), behind, function, context)?
                }
                None => lead_to(&signature, run_lent::<C, P>, run_wide_lent::<C, P>, context)?,
            }
        };
        let place = Place::uninit();
        let mut scope = Scope {
            inside: Some(Inside::enter(Thing::FUNCTION, &place)),
        };
        // SAFETY: the callback is made with this signature, and open.
        let result = user(unsafe { P::at(raw.code()) });
        let note = scope.leave();
        drop(raw);
        if !note.is_null() {
            // SAFETY: the note is this scope's.
            unsafe { panics::resume(note) };
        }
        Ok(result)
    }
}

/// Makes a callback that owns its closure, and whose function gets C's arguments as they are.
fn owning_behind<P: FnPointer, C>(
    signature: Signature,
    behind: Behind,
    closure: C,
) -> Result<Callback<P>>
where
    C: Closure<P> + Send + Sync + 'static,
{
    let closing = Closing::of(closure, C::carefully())?;
    let compiled = signature.inner().compiled.clone();
    // SAFETY: the function takes the signature's arguments and a seat, and whatever closure that owns: they all have a head, and run by a
    // function of the same type. It catches every panic, and enters before it looks. The closure may be called on any thread, being Send and Sync,
    // and lives until no thread is inside, see the callback's Drop.
    let raw = unsafe { engine::Callback::behind(compiled, behind, C::behind(), closing.owned()) };
    Callback::with_closing(raw, closing, signature)
}

/// Makes a callback that calls the handler for the signature's result with `context`.
///
/// # Safety
/// * As for [`engine::Callback::new`]; `wide` is the handler for a result of more than one slot, and takes the room for the result.
unsafe fn lead_to(
    signature: &Signature,
    handler: Handler,
    wide: WideHandler,
    context: *mut c_void,
) -> Result<engine::Callback> {
    let inner = signature.inner();
    let handler = match inner.ret.slots {
        0 | 1 => handler,
        // SAFETY: the engine calls the handler of a wide result with one more argument, which a `WideHandler` takes.
        _ => unsafe { std::mem::transmute::<WideHandler, Handler>(wide) },
    };
    // SAFETY: the handler takes this context whenever the callback is called, by the contract of this function.
    Ok(unsafe { engine::Callback::new(inner.compiled.clone(), handler, context)? })
}

/// # Safety
/// * `context` points to a closure of the type `C`; `slots` are those of its arguments.
#[inline(always)]
unsafe fn run_shared<C: Closure<P>, P: FnPointer>(
    context: *const c_void,
    slots: *const u64,
) -> P::Return {
    /// A function of its own, so that the usual path saves no registers.
    #[cold]
    #[inline(never)]
    unsafe fn carefully<C: Closure<P>, P: FnPointer>(
        context: *const c_void,
        slots: *const u64,
    ) -> P::Return {
        // SAFETY: `context` points to a `C`, and the slots are those of its arguments, by the contract of `run_shared`, which
        // calls this.
        let run = || unsafe { (*context.cast::<C>()).run(slots) };
        panics::catching(run).unwrap_or_else(zero)
    }
    if panics::may_wait() {
        // SAFETY: the contract of this function is that of `carefully`.
        return unsafe { carefully::<C, P>(context, slots) };
    }
    // SAFETY: as above.
    let run = || unsafe { (*context.cast::<C>()).run(slots) };
    panics::caught(run).unwrap_or_else(zero)
}

/// # Safety
/// * As for [`run_shared`].
unsafe extern "C" fn run_kept<C: Closure<P>, P: FnPointer>(
    context: *mut c_void,
    slots: *const u64,
) -> u64 {
    // SAFETY: the contract of this function is that of `run_shared`.
    in_slot(unsafe { run_shared::<C, P>(context, slots) })
}

/// # Safety
/// * As for [`run_shared`], with room for the result.
unsafe extern "C" fn run_wide_kept<C: Closure<P>, P: FnPointer>(
    context: *mut c_void,
    slots: *const u64,
    result: *mut u64,
) {
    // SAFETY: `context` and the slots are those of `run_shared`, and `result` has room, by the contract of this function.
    unsafe {
        let value = run_shared::<C, P>(context, slots);
        result.cast::<P::Return>().write_unaligned(value);
    }
}

/// A typed closure that owns something, as the [`Body`] of a callback.
struct Typed<C, P> {
    closure: C,
    pointer: PhantomData<fn() -> P>,
}

impl<P: FnPointer, C: Closure<P> + Send + Sync + 'static> Body for Typed<C, P> {
    #[inline(always)]
    unsafe fn run(&self, slots: *const u64, result: *mut u64) {
        // SAFETY: the slots are those of the arguments, by the contract of `Body::run`, and the signature has these types.
        let value = unsafe { run_shared::<C, P>((&raw const self.closure).cast(), slots) };
        // SAFETY: there is room for a result of the signature.
        unsafe {
            match slots_of::<P::Return>() {
                0 | 1 => *result = in_slot(value),
                _ => result.cast::<P::Return>().write_unaligned(value),
            }
        }
    }
}

/// The slot of a value that fits one slot. The whole slot is written, because it is read as a whole: a read right after a partial write stalls.
#[inline(always)]
fn in_slot<R: CReturn>(value: R) -> u64 {
    let mut slot = 0;
    if slots_of::<R>() <= 1 {
        // SAFETY: the slot has room for the value, as results that need more have the wide handler.
        unsafe { (&raw mut slot).cast::<R>().write_unaligned(value) };
    }
    slot
}

/// # Safety
/// * `context` points to a [`Lent`] closure of the type `C`, which is still lent; `slots` are those of its arguments.
unsafe extern "C" fn run_lent<C: ClosureMut<P>, P: FnPointer>(
    context: *mut c_void,
    slots: *const u64,
) -> u64 {
    // SAFETY: `context` points to a `Lent`, still lent, and the slots are those of its arguments, by the contract of this function.
    unsafe {
        let lent = &*context.cast::<Lent<C>>();
        in_slot(lent.run(|closure| closure.run_mut(slots)))
    }
}

/// # Safety
/// * As for [`run_lent`], with room for the result.
unsafe extern "C" fn run_wide_lent<C: ClosureMut<P>, P: FnPointer>(
    context: *mut c_void,
    slots: *const u64,
    result: *mut u64,
) {
    // SAFETY: `context` points to a `Lent`, still lent, the slots are those of its arguments, and `result` has room, by the contract
    // of this function.
    unsafe {
        let lent = &*context.cast::<Lent<C>>();
        let value = lent.run(|closure| closure.run_mut(slots));
        result.cast::<P::Return>().write_unaligned(value);
    }
}

/// The scope whose end panics of a lent closure wait for.
struct Scope {
    inside: Option<Inside>,
}

impl Scope {
    /// The panic that waits, or null.
    fn leave(&mut self) -> *mut c_void {
        self.inside
            .take()
            .map_or(std::ptr::null_mut(), Inside::leave)
    }
}

/// Runs if the user of a lent closure panics.
impl Drop for Scope {
    fn drop(&mut self) {
        let note = self.leave();
        if !note.is_null() {
            // SAFETY: the note is this scope's, and its user's own panic goes on already.
            unsafe { panics::forget(note) };
        }
    }
}
