//! Callbacks: function pointers for C that lead to closures.

use crate::error::Result;
use crate::known::{Known, known};
use crate::value::{self, Value};
use farcall_cdecl::{Codes, Position, Role};
use farcall_engine::epoch::{self, Inside, Place, Waiting, Work};
use farcall_engine::{self as engine, Seat};
use farcall_memory::Shared;
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
    codes: Shared<Codes>,
}

// SAFETY: the closure is Send and Sync, and this gives out no reference to it.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

type Body = dyn Fn(&[u64], &mut u64) + Send + Sync;

/// What a closure's thunk owns.
struct Closure {
    body: Box<Body>,
    arg_count: usize,
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
        let known = known(ret, args, Role::Callback)?;
        let inner = known.codes.clone();
        Callback::from_known(known, move |slots, result| {
            let run = |args: &mut [Value]| {
                for (arg, (slot, code)) in args.iter_mut().zip(slots.iter().zip(&inner.args)) {
                    *arg = value::from_slot(*slot, *code);
                }
                closure(args)
            };
            let value =
                engine::interp::with_scratch::<_, _, INLINE_VALUES>(slots.len(), Value::Void, run);
            if inner.ret.letter() != 'v' {
                *result = value::to_whole_slot(value, inner.ret, Position::Result)
                    .unwrap_or_else(|error| panic!("value returned by a callback: {error}"));
            }
        })
    }

    /// The same without boxing: the closure gets the arguments' slots and fills the result's, which is zero at first.
    ///
    /// # Errors
    /// Those of [`Callback::new`].
    pub fn with_slots(
        ret: &str,
        args: &str,
        closure: impl Fn(&[u64], &mut u64) + Send + Sync + 'static,
    ) -> Result<Callback> {
        Callback::from_known(known(ret, args, Role::Callback)?, closure)
    }

    fn from_known(
        known: Known,
        body: impl Fn(&[u64], &mut u64) + Send + Sync + 'static,
    ) -> Result<Callback> {
        let Known { codes, compiled } = known;
        let closure = try_box(Closure {
            body: try_box(body)?,
            arg_count: codes.args.len(),
        })?;
        let place = try_box(MaybeUninit::uninit())?;
        let closure = NonNull::from(Box::leak(closure));
        let waiting = Waiting::new();
        let closing = Box::write(place, Closing { waiting, closure });
        // SAFETY: run_closure is the handler of all callbacks; it catches every panic, and enters before it looks. The closure may be called
        // on any thread, being Send and Sync, and lives until no thread is inside, see Drop.
        let raw =
            unsafe { engine::Callback::owning(compiled, run_closure, closure.as_ptr().cast()) };
        if raw.is_err() {
            // SAFETY: it is the box of a moment ago, which nobody has seen.
            drop(unsafe { Box::from_raw(closure.as_ptr()) });
        }
        Ok(Callback {
            open: Some((raw?, closing)),
            codes,
        })
    }

    /// The function pointer for C. It is good until the callback is dropped or closed.
    pub fn code(&self) -> *const c_void {
        let open = self.open.as_ref();
        open.map_or(std::ptr::null(), |(raw, _)| raw.code())
    }

    /// Closes it: calls from C are reported and return zero from now on, as long as its pointer has not become
    /// another callback's. The same as dropping it. It may be closed while it runs: what it owns is dropped right after that then, on the
    /// thread that runs it.
    pub fn close(self) {}
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
        write!(f, "Callback({:p}, {})", self.code(), self.codes)
    }
}

/// The handler of all closures.
unsafe extern "C" fn run_closure(context: *mut c_void, slots: *const u64) -> u64 {
    // SAFETY: the entry hands on the seat of its thunk, which stays for good.
    let seat = unsafe { &*context.cast::<Seat>() };
    let place = Place::uninit();
    let inside = seat.enter(&place);
    // Looked at only now: what is still owned is not dropped before this thread has left.
    let result = match seat.owned() {
        None => {
            engine::report_closed();
            0
        }
        Some(_) if inside.has_note() => 0,
        // SAFETY: what a seat with this handler owns is a closure; slots are as many as its signature has arguments, which is the thunk's.
        Some(closure) => unsafe { run_and_catch(closure.cast().as_ref(), slots, &inside) },
    };
    inside.leave();
    if seat.is_closed() {
        epoch::settle(seat.thing());
    }
    result
}

/// # Safety
/// * There is a slot for each of the closure's arguments.
unsafe fn run_and_catch(closure: &Closure, slots: *const u64, inside: &Inside) -> u64 {
    let slots: &[u64] = match closure.arg_count {
        0 => &[],
        // SAFETY: the caller vouches for the slots.
        count => unsafe { std::slice::from_raw_parts(slots, count) },
    };
    let run = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut result = 0;
        (closure.body)(slots, &mut result);
        result
    }));
    run.unwrap_or_else(|panic| {
        keep_panic(panic, inside);
        0
    })
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
