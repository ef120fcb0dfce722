//! Callbacks: function pointers for C that lead to closures.

use crate::closure::{self, Body, Closing, OnSlots};
use crate::error::{Error, Result};
use crate::pointer::Pointer;
use crate::signature::Signature;
use crate::slots;
use crate::value::Value;
use crate::wide_call;
use farcall_cdecl::Role;
use farcall_engine as engine;
use farcall_engine::epoch::Work;
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// A closure that C can call.
///
/// [`Callback::new`] takes a closure with Rust types; `P` is then the type of the function pointer. [`Callback::scoped`] lends a closure, which
/// may be an `FnMut`, to C for a while. If the types are known only at run time, closures work on [`Value`]s ([`Callback::with_codes`],
/// [`Callback::declared`], [`Callback::of`]) or on slots ([`Callback::with_slots`], [`Callback::of_slots`]).
///
/// Dropping a callback closes it, and so does [`Callback::close`]. If no thread is running the closure, the closure is dropped at once.
/// Otherwise, the last thread that runs it drops it, right after the closure has returned. If that thread has jumped over the closure, for
/// example by `longjmp`, the thread drops it when it makes its next call, or when it ends. Destructors run without any lock of this crate. If
/// a destructor that runs after the closure panics, the panic's message is printed and the panic stops there.
///
/// # Panics in closures
/// A panic in the closure does not unwind through C. C gets zero, and the panic resumes when the innermost enclosing
/// [`Function::call`](crate::Function::call) or [`Callback::scoped`] returns. Until then, further callbacks within that call are not run, and
/// C gets zero from them. If no call encloses the closure, for example on a thread that C started, the panic's message is printed, the panic
/// stops there, and further callbacks run. A returned [`Value`] that does not fit the result's type counts as a panic.
///
/// ```
/// use farcall::Callback;
/// use std::ffi::{CStr, c_char};
///
/// let scaled = Callback::new(|by: i32, text: *const c_char| -> f64 {
///     // SAFETY: C calls this with a string.
///     let text = unsafe { CStr::from_ptr(text) };
///     f64::from(by) * text.to_bytes().len() as f64
/// })?;
/// let for_c: unsafe extern "C" fn(i32, *const c_char) -> f64 = scaled.as_ptr();
/// // SAFETY: the function is the callback above, and the argument a string.
/// assert_eq!(unsafe { for_c(2, c"seven".as_ptr()) }, 10.0);
/// # Ok::<(), farcall::Error>(())
/// ```
pub struct Callback<P = *const c_void> {
    /// The code for C, and the task that drops the closure, if the closure owns anything. `None` once the callback is dropped.
    open: Option<(engine::Callback, Option<Box<Closing>>)>,
    signature: Signature,
    pointer: PhantomData<P>,
}

// SAFETY: the closure is Send and Sync, and this gives out no reference to it.
unsafe impl<P> Send for Callback<P> {}
// SAFETY: as above.
unsafe impl<P> Sync for Callback<P> {}

/// The most values of an argument list that are kept on the stack.
const INLINE_VALUES: usize = 16;

/// Room for a value.
#[derive(Clone, Copy)]
#[repr(C)]
struct Uninit([MaybeUninit<u128>; 2]);

const _: () = assert!(size_of::<Uninit>() == size_of::<Value>());
const _: () = assert!(align_of::<Uninit>() == align_of::<Value>());

impl Callback {
    /// Makes a callback with type codes. The closure gets C's arguments as values, and returns C's result. C may call it on any thread, and on
    /// several threads at once.
    ///
    /// # Errors
    /// Those of [`Signature::codes`], and [`EngineError::ExecutableMemory`](crate::EngineError::ExecutableMemory).
    ///
    /// ```
    /// use farcall::{Callback, Function, Value};
    ///
    /// let add = Callback::with_codes("i", "ii", |args| match args {
    ///     [Value::Int(a), Value::Int(b)] => Value::Int(a + b),
    ///     _ => unreachable!("the signature has two ints"),
    /// })?;
    /// let as_c_sees_it = Function::at(add.code(), "i", "ii")?;
    /// // SAFETY: the function is the callback above.
    /// let sum = unsafe { as_c_sees_it.call(&[40.into(), 2.into()])? };
    /// assert_eq!(sum, Value::Int(42));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn with_codes(
        ret: &str,
        args: &str,
        closure: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> Result<Callback> {
        Callback::with_values(Signature::known(ret, args, Role::Callback)?, closure)
    }

    /// Makes a callback with a C prototype, with or without a name. See [`Signature::declared`].
    ///
    /// # Errors
    /// Those of [`Signature::declared`] and of [`Callback::of`].
    ///
    /// ```
    /// use farcall::{Callback, Library, Value};
    ///
    /// let this = Library::this()?;
    /// let qsort = this.function(
    ///     "void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))",
    /// )?;
    /// let compare = Callback::declared("int (const void *, const void *)", |args| {
    ///     let [Value::Pointer(a), Value::Pointer(b)] = args else {
    ///         unreachable!("the prototype has two pointers");
    ///     };
    ///     // SAFETY: qsort() hands on the addresses of two elements.
    ///     let (a, b) = unsafe { (*a.cast::<u16>(), *b.cast::<u16>()) };
    ///     Value::Int(a.cmp(&b) as i64)
    /// })?;
    /// let mut numbers = [3_u16, 1, 2];
    /// let args = [
    ///     numbers.as_mut_ptr().into(),
    ///     numbers.len().into(),
    ///     size_of::<u16>().into(),
    ///     (&compare).into(),
    /// ];
    /// // SAFETY: qsort() is declared as it is, and sorts an array of that many elements of that size.
    /// unsafe { qsort.call(&args)? };
    /// assert_eq!(numbers, [1, 2, 3]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn declared(
        declaration: &str,
        closure: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> Result<Callback> {
        Callback::of(&Signature::declared(declaration)?, closure)
    }

    /// Makes a callback with an existing signature. The closure gets and returns structures as [`Value::Struct`], with a copy of their bytes.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a variadic signature, and [`EngineError::ExecutableMemory`](crate::EngineError::ExecutableMemory).
    ///
    /// ```
    /// use farcall::{Callback, Function, Signature, StructBytes, Value};
    ///
    /// #[repr(C)]
    /// #[derive(Clone, Copy, Debug, PartialEq)]
    /// struct Point {
    ///     x: i32,
    ///     y: i32,
    /// }
    ///
    /// let signature = Signature::codes("{ii}", "{ii}")?;
    /// let mirror = Callback::of(&signature, |args| {
    ///     let [Value::Struct(point)] = args else {
    ///         unreachable!("the signature has one structure");
    ///     };
    ///     // SAFETY: these are the bytes of two ints.
    ///     let Point { x, y } = unsafe { point.read().expect("as large as a Point") };
    ///     StructBytes::of(&Point { x: y, y: x }).expect("memory").into()
    /// })?;
    /// let as_c_sees_it = Function::of(mirror.code(), &signature)?;
    /// let point = StructBytes::of(&Point { x: 1, y: 2 })?;
    /// // SAFETY: the function is the callback above, and what it returns are the bytes of two ints.
    /// let mirrored: Point = unsafe {
    ///     let result = as_c_sees_it.call(&[point.into()])?;
    ///     StructBytes::try_from(result)?.read()?
    /// };
    /// assert_eq!(mirrored, Point { x: 2, y: 1 });
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn of(
        signature: &Signature,
        closure: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> Result<Callback> {
        let signature = signature.for_callback()?;
        if signature.inner().is_plain {
            return Callback::with_values(signature, closure);
        }
        let inner = signature.inner().clone();
        Callback::from_signature(signature, move |slots, result| {
            wide_call::run(&inner, slots, result, &closure);
        })
    }

    /// A callback of a plain signature.
    fn with_values(
        signature: Signature,
        closure: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> Result<Callback> {
        let inner = signature.inner().clone();
        if !inner.is_plain {
            return Callback::of(&signature, closure);
        }
        Callback::from_signature(signature, move |slots, result| {
            let run = |args: &mut [Uninit]| {
                for (arg, (slot, param)) in args.iter_mut().zip(slots.iter().zip(&inner.params)) {
                    let value = arg.0.as_mut_ptr().cast::<Value>();
                    // SAFETY: an `Uninit` has the size and the alignment of a `Value`.
                    unsafe { value.write(slots::from_slot(*slot, param)) };
                }
                // SAFETY: all values have been written: there is a slot and a parameter for each. None of them owns anything that must be dropped.
                let args = unsafe {
                    std::slice::from_raw_parts(args.as_ptr().cast::<Value>(), args.len())
                };
                closure(args)
            };
            let empty = Uninit([MaybeUninit::uninit(); 2]);
            let value =
                engine::interp::with_scratch::<_, _, INLINE_VALUES>(slots.len(), empty, run);
            match (&value, result) {
                (
                    Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Pointer(_),
                    [result],
                ) if slots::is_fitting(&value, &inner.ret) => {
                    // SAFETY: the value is of a kind that fills a whole word.
                    *result = unsafe { slots::word(&value).assume_init() };
                }
                (_, result) => wide_call::store_result(&inner, &value, result),
            }
        })
    }

    /// Makes a callback whose closure works on slots of 8 bytes: it gets the slots of the arguments and fills the result's slot, which is zero at
    /// first.
    ///
    /// # Errors
    /// Those of [`Callback::with_codes`]; [`Error::Mismatch`] for a result of more than one slot, which needs [`Callback::of_slots`].
    ///
    /// ```
    /// use farcall::{Callback, Function};
    ///
    /// let add = Callback::with_slots("q", "qq", |slots, result| *result = slots[0] + slots[1])?;
    /// let as_c_sees_it = Function::at(add.code(), "q", "qq")?;
    /// // SAFETY: the function is the callback above.
    /// assert_eq!(unsafe { as_c_sees_it.call_slots(&[40, 2])? }, 42);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn with_slots(
        ret: &str,
        args: &str,
        closure: impl Fn(&[u64], &mut u64) + Send + Sync + 'static,
    ) -> Result<Callback> {
        let signature = Signature::known(ret, args, Role::Callback)?;
        let slots = signature.inner().ret.slots;
        if slots > 1 {
            let (what, wanted) = (format_args!("result"), format_args!("one of one slot"));
            return Err(Error::mismatch(
                what,
                wanted,
                format_args!("one of {slots}"),
            ));
        }
        Callback::from_signature(signature, move |slots, result| match result {
            [result, ..] => closure(slots, result),
            [] => closure(slots, &mut 0),
        })
    }

    /// Makes a callback on slots with an existing signature. The closure fills all slots of the result, which are zero at first.
    /// [`Signature::slots`] tells in which slots an argument lies.
    ///
    /// # Errors
    /// Those of [`Callback::of`].
    ///
    /// ```
    /// use farcall::{Callback, Function, Signature};
    ///
    /// let signature = Signature::declared("struct { long long quot, rem; } (long long, long long)")?;
    /// let divide = Callback::of_slots(&signature, |slots, result| {
    ///     result[0] = slots[0] / slots[1];
    ///     result[1] = slots[0] % slots[1];
    /// })?;
    /// let as_c_sees_it = Function::of(divide.code(), &signature)?;
    /// // SAFETY: the function is the callback above.
    /// let result = unsafe { as_c_sees_it.call(&[17.into(), 5.into()])? };
    /// assert_eq!(result.to_string(), "structure of 16 bytes");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn of_slots(
        signature: &Signature,
        closure: impl Fn(&[u64], &mut [u64]) + Send + Sync + 'static,
    ) -> Result<Callback> {
        Callback::from_signature(signature.for_callback()?, closure)
    }

    fn from_signature(
        signature: Signature,
        run: impl Fn(&[u64], &mut [u64]) + Send + Sync + 'static,
    ) -> Result<Callback> {
        let inner = signature.inner();
        let body = OnSlots {
            run,
            arg_slots: inner.arg_slots(),
            ret_slots: inner.ret.slots as usize,
        };
        Callback::of_body(signature, body)
    }
}

impl<P> Callback<P> {
    /// Makes a callback that owns its closure.
    pub(crate) fn of_body(signature: Signature, body: impl Body) -> Result<Callback<P>> {
        let closing = Closing::new(body)?;
        let inner = signature.inner();
        let handler = closure::handler(inner.ret.slots);
        // SAFETY: the handler takes any seat that owns a closure, and all callbacks of a signature have the same; it catches every panic, and
        // enters before it looks. The closure may be called on any thread, being Send and Sync, and lives until no thread is inside, see Drop.
        let raw =
            unsafe { engine::Callback::owning(inner.compiled.clone(), handler, closing.owned()) };
        Callback::with_closing(raw, closing, signature)
    }

    /// Makes a callback that owns its closure, if there was memory for the thunk.
    pub(crate) fn with_closing(
        raw: engine::Result<engine::Callback>,
        closing: Box<Closing>,
        signature: Signature,
    ) -> Result<Callback<P>> {
        match raw {
            Ok(raw) => Ok(Callback::opened(raw, Some(closing), signature)),
            Err(error) => {
                // C never got a pointer to the closure.
                closing.run();
                Err(error.into())
            }
        }
    }

    pub(crate) fn opened(
        raw: engine::Callback,
        closing: Option<Box<Closing>>,
        signature: Signature,
    ) -> Callback<P> {
        Callback {
            open: Some((raw, closing)),
            signature,
            pointer: PhantomData,
        }
    }

    /// The function pointer for C. It is valid until the callback is dropped or closed.
    ///
    /// ```
    /// use farcall::Callback;
    ///
    /// let callback = Callback::with_codes("v", "", |_| farcall::Value::Void)?;
    /// assert!(!callback.code().is_null());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn code(&self) -> *const c_void {
        let open = self.open.as_ref();
        open.map_or(std::ptr::null(), |(raw, _)| raw.code())
    }

    /// The function pointer for C as a typed Rust function pointer. Calling it is `unsafe`: the pointer is valid only until the callback is
    /// dropped or closed, and the arguments must be what the closure expects.
    ///
    /// ```
    /// use farcall::Callback;
    ///
    /// let add = Callback::new(|a: i32, b: i32| a + b)?;
    /// let pointer: unsafe extern "C" fn(i32, i32) -> i32 = add.as_ptr();
    /// // SAFETY: the callback is still there, and takes any two ints.
    /// assert_eq!(unsafe { pointer(40, 2) }, 42);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn as_ptr(&self) -> P
    where
        P: Pointer,
    {
        // SAFETY: a callback is made with the signature that its type says, and is open.
        unsafe { P::at(self.code()) }
    }

    /// The callback's signature.
    ///
    /// ```
    /// let callback = farcall::Callback::new(|n: i64| n)?;
    /// assert_eq!(callback.signature().len(), 1);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Closes the callback, like dropping it. Later calls from C are reported and return zero, until the function pointer is reused for
    /// another callback. A callback may be closed while it runs: the thread that runs the closure then drops it right after.
    ///
    /// ```
    /// use farcall::Callback;
    /// use std::sync::Arc;
    ///
    /// let owned = Arc::new(1);
    /// let inner = owned.clone();
    /// let callback = Callback::new(move |n: i32| n + *inner)?;
    /// callback.close();
    /// assert_eq!(Arc::strong_count(&owned), 1);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn close(self) {}
}

/// Converts a callback to its function pointer. The callback must outlive every use that C makes of the pointer.
impl<P> From<&Callback<P>> for Value {
    fn from(callback: &Callback<P>) -> Value {
        callback.code().into()
    }
}

impl<P> Drop for Callback<P> {
    fn drop(&mut self) {
        match self.open.take() {
            Some((raw, Some(closing))) => raw.close(closing),
            // A closure that owns nothing may go on running.
            Some((raw, None)) => drop(raw),
            None => {}
        }
    }
}

impl<P> fmt::Debug for Callback<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({:p}, {})", self.code(), self.signature)
    }
}
