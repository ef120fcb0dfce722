//! Callbacks: function pointers for C that lead to closures.

use crate::error::{Error, Result};
use crate::signature::Signature;
use crate::slots;
use crate::value::Value;
use crate::wide_call;
use farcall_cdecl::Role;
use farcall_engine::epoch::{self, Inside, Place, Waiting, Work};
use farcall_engine::{self as engine, Handler, Seat};
use farcall_memory::try_box;
use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;

/// A closure that C can call.
///
/// Dropping it, or [`Callback::close`], closes it. What the closure owns is dropped then and there if no thread is running it, and otherwise
/// on the last thread that does, right after the closure has returned: on no other thread, and at no other time. Should that thread have
/// jumped over the closure, by `longjmp` say, it happens as the thread makes its next call, or ends. No lock of this crate is
/// held while destructors run. Where they run after the closure, a panic of one leaves its message and goes no further.
///
/// ```
/// use farcall::{Callback, Function, Value};
///
/// let add = Callback::new("i", "ii", |args| match args {
///     [Value::Int(a), Value::Int(b)] => Value::Int(a + b),
///     _ => unreachable!("the signature has two ints"),
/// })?;
/// let as_c_sees_it = Function::at(add.code(), "i", "ii")?;
/// // SAFETY: the function is the callback above.
/// let sum = unsafe { as_c_sees_it.call(&[40.into(), 2.into()])? };
/// assert_eq!(sum, Value::Int(42));
/// # Ok::<(), farcall::Error>(())
/// ```
pub struct Callback {
    /// Both, until it is dropped.
    open: Option<(engine::Callback, Box<Closing>)>,
    signature: Signature,
}

// SAFETY: the closure is Send and Sync, and this gives out no reference to it.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

type Body = dyn Fn(&[u64], &mut [u64]) + Send + Sync;

/// What a closure's thunk owns.
struct Closure {
    body: Box<Body>,
    arg_slots: usize,
    ret_slots: usize,
}

/// The closure of a callback, as what is to be done once it is closed. It is made with the callback: closing needs no memory.
struct Closing {
    waiting: Waiting,
    closure: NonNull<Closure>,
}

// SAFETY: closures are Send.
unsafe impl Send for Closing {}

impl Work for Closing {
    fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    fn run(self: Box<Self>) {
        // SAFETY: it came from a box, and the callback that it was of is closed, with no thread inside.
        drop(unsafe { Box::from_raw(self.closure.as_ptr()) });
    }
}

/// Values of short argument lists lie on the stack.
const INLINE_VALUES: usize = 16;

/// Room for a value.
#[derive(Clone, Copy)]
#[repr(C)]
struct Uninit([MaybeUninit<u128>; 2]);

const _: () = assert!(size_of::<Uninit>() == size_of::<Value>());
const _: () = assert!(align_of::<Uninit>() == align_of::<Value>());

impl Callback {
    /// A function pointer that calls `closure` with its arguments' values and returns what it returns. C may call it on any
    /// thread, and several at once.
    ///
    /// A panic in the closure does not unwind through C: C gets zero, and when the innermost [`Function::call`](crate::Function::call) in
    /// whose course it happened returns, the panic goes on. Until then C gets zero from further callbacks in the course of that call, which
    /// are not run. Where there is no such call, on a thread of C's own say, the panic's message is all that remains of it, and
    /// further callbacks run. A returned value that does not fit the result's type counts as a panic.
    ///
    /// # Errors
    /// Those of a bad signature, and [`EngineError::ExecutableMemory`](crate::EngineError::ExecutableMemory).
    pub fn new(
        ret: &str,
        args: &str,
        closure: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> Result<Callback> {
        Callback::with_values(Signature::known(ret, args, Role::Callback)?, closure)
    }

    /// The same with a prototype in C, with or without a name. See [`Signature::declared`].
    ///
    /// # Errors
    /// Those of [`Signature::declared`] and of [`Callback::of`].
    ///
    /// ```
    /// use farcall::{Callback, Library, Value};
    ///
    /// // SAFETY: the program's own libraries are initialised already.
    /// let this = unsafe { Library::this()? };
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

    /// The same with a signature that has been read already. The closure gets a structure as [`Value::Struct`], with a copy of its bytes, and returns
    /// one as such.
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
                    // SAFETY: there is room for a value, aligned as one.
                    unsafe { value.write(slots::from_slot(*slot, param)) };
                }
                // SAFETY: all of them have been written: there is a slot and a parameter for each. They own nothing that is to be dropped.
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
                    // SAFETY: theirs is a whole word.
                    *result = unsafe { slots::word(&value).assume_init() };
                }
                (_, result) => wide_call::store_result(&inner, &value, result),
            }
        })
    }

    /// The same without boxing: the closure gets the arguments' slots and fills the result's, which is zero at first.
    ///
    /// # Errors
    /// Those of [`Callback::new`]; [`Error::Mismatch`] for a result of more than one slot, for which there is [`Callback::of_slots`].
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

    /// The same with a signature that has been read already: the closure fills as many slots as the result takes, which are zero at first. Where each
    /// argument lies says [`Signature::slots`].
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
        body: impl Fn(&[u64], &mut [u64]) + Send + Sync + 'static,
    ) -> Result<Callback> {
        let inner = signature.inner();
        let closure = try_box(Closure {
            body: try_box(body)?,
            arg_slots: inner.arg_slots(),
            ret_slots: inner.ret.slots as usize,
        })?;
        let place = try_box(MaybeUninit::uninit())?;
        let closure = NonNull::from(Box::leak(closure));
        let waiting = Waiting::new();
        let closing = Box::write(place, Closing { waiting, closure });
        let handler = match inner.ret.slots {
            0 | 1 => run_closure,
            // SAFETY: the handler of a wide result is called with an argument more, as this wants it.
            _ => unsafe { std::mem::transmute::<WideHandler, Handler>(run_wide_closure) },
        };
        let compiled = inner.compiled.clone();
        // SAFETY: run_closure is the handler of all callbacks of its signature, and the other one of all those of others; they catch every panic,
        // and enter before they look. The closure may be called on any thread, being Send and Sync, and lives until no thread is inside, see Drop.
        let raw = unsafe { engine::Callback::owning(compiled, handler, closure.as_ptr().cast()) };
        if raw.is_err() {
            // SAFETY: it is the box of a moment ago, which nobody has seen.
            drop(unsafe { Box::from_raw(closure.as_ptr()) });
        }
        Ok(Callback {
            open: Some((raw?, closing)),
            signature,
        })
    }

    /// The function pointer for C. It is good until the callback is dropped or closed.
    pub fn code(&self) -> *const c_void {
        let open = self.open.as_ref();
        open.map_or(std::ptr::null(), |(raw, _)| raw.code())
    }

    /// Its signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Closes it: calls from C are reported and return zero from now on, as long as its pointer has not become
    /// another callback's. The same as dropping it. It may be closed while it runs: what it owns is dropped right after that then, on the
    /// thread that runs it.
    pub fn close(self) {}
}

/// The callback's function pointer: it must outlive every use that C makes of it.
impl From<&Callback> for Value {
    fn from(callback: &Callback) -> Value {
        callback.code().into()
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some((raw, closing)) = self.open.take() {
            raw.close(closing);
        }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({:p}, {})", self.code(), self.signature)
    }
}

/// The handler of a signature whose result takes more than one slot.
type WideHandler = unsafe extern "C" fn(*mut c_void, *const u64, *mut u64);

/// The handler of all closures whose result takes one slot at most.
unsafe extern "C" fn run_closure(context: *mut c_void, slots: *const u64) -> u64 {
    let mut result = 0;
    // SAFETY: the entry hands on what it got, and there is one slot.
    unsafe { run_if_open(context, slots, &mut result) };
    result
}

/// The handler of all other closures.
unsafe extern "C" fn run_wide_closure(context: *mut c_void, slots: *const u64, result: *mut u64) {
    // SAFETY: the entry hands on what it got, with room for the result.
    unsafe { run_if_open(context, slots, result) };
}

/// Runs what a seat owns, unless that is closed or a panic waits for its call.
///
/// # Safety
/// * `context` is the seat that the entry hands on, `slots` are the arguments'. `result` has room for the result, all zero if it is one slot.
#[inline(always)]
unsafe fn run_if_open(context: *mut c_void, slots: *const u64, result: *mut u64) {
    // SAFETY: the entry hands on the seat of its thunk, which stays for good.
    let seat = unsafe { &*context.cast::<Seat>() };
    let place = Place::uninit();
    let inside = seat.enter(&place);
    // Looked at only now: what is still owned is not dropped before this thread has left.
    match seat.owned() {
        None => engine::report_closed(),
        Some(_) if inside.has_note() => {}
        // SAFETY: what a seat with this handler owns is a closure; slots are as many as its signature has arguments, which is the thunk's.
        Some(closure) => unsafe {
            run_and_catch(closure.cast().as_ref(), slots, result, &inside);
        },
    }
    inside.leave();
    if seat.is_closed() {
        epoch::settle(seat.thing());
    }
}

/// # Safety
/// * There are as many slots as the closure's arguments and its result take.
unsafe fn run_and_catch(closure: &Closure, slots: *const u64, result: *mut u64, inside: &Inside) {
    let slots: &[u64] = match closure.arg_slots {
        0 => &[],
        // SAFETY: the caller vouches for the slots.
        count => unsafe { std::slice::from_raw_parts(slots, count) },
    };
    // SAFETY: as above; nobody else has this memory now.
    let result = unsafe { std::slice::from_raw_parts_mut(result, closure.ret_slots) };
    result.fill(0);
    let run = panic::catch_unwind(AssertUnwindSafe(|| (closure.body)(slots, result)));
    if let Err(panic) = run {
        result.fill(0);
        keep_panic(panic, inside);
    }
}

/// What a closure panicked with.
type Panic = Box<dyn Any + Send>;

/// Keeps a closure's panic for the call in whose course it happened.
#[cold]
fn keep_panic(panic: Panic, inside: &Inside) {
    let Ok(place) = try_box(MaybeUninit::uninit()) else {
        // The message is out, and there is no memory to keep the panic for the call.
        return drop_panic(panic);
    };
    let note = Box::into_raw(Box::write(place, panic));
    if let Err(nobodys) = inside.leave_note(note.cast()) {
        // SAFETY: notes come from here, and this one is nobody else's.
        drop_panic(*unsafe { Box::from_raw(nobodys.cast::<Panic>()) });
    }
}

/// What a panic carries may panic as it is dropped: the message is out, and there is nobody to tell.
fn drop_panic(panic: Panic) {
    if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(another);
    }
}

/// Lets a panic go on that was held back while C was on the stack.
///
/// # Safety
/// * `note` is what a call has found as it left, and not null.
#[cold]
pub(crate) unsafe fn resume_panic(note: *mut c_void) {
    // SAFETY: all notes come from keep_panic().
    let panic = unsafe { Box::from_raw(note.cast::<Panic>()) };
    panic::resume_unwind(*panic);
}
