//! Callbacks: function pointers for C that lead to closures.

use crate::error::Result;
use crate::known::{Known, known};
use crate::value::{self, Value};
use farcall_cdecl::{Codes, Position, Role};
use farcall_engine::epoch::{self, Inside};
use farcall_engine::{self as engine};
use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

/// A closure that C can call.
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
    raw: Option<engine::Callback>,
    closure: Option<Box<Closure>>,
    codes: Arc<Codes>,
}

type Body = dyn Fn(&[u64], &mut u64) + Send + Sync;

/// What a closure's thunk carries as its context.
struct Closure {
    body: Box<Body>,
    arg_count: usize,
}

/// Values of short argument lists lie on the stack.
const INLINE_VALUES: usize = 16;

impl Callback {
    /// A function pointer that calls `closure` with its arguments' values and returns what it returns. C may call it on any
    /// thread, and several at once.
    ///
    /// A panic in the closure does not unwind through C: C gets zero, further callbacks on that thread are not run,
    /// and when the [`Function::call`](crate::Function::call) in whose course it happened returns, the panic goes on. Where there is no such call, on a thread of C's own,
    /// the panic's message is all that remains of it. A returned value that does not fit the result's type counts as a panic.
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
                *result = value::fitting(value, inner.ret).unwrap_or_else(|| {
                    value::to_slot(value, inner.ret, Position::Result)
                        .unwrap_or_else(|error| panic!("value returned by a callback: {error}"))
                });
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
        let closure = Box::new(Closure {
            body: Box::new(body),
            arg_count: codes.args.len(),
        });
        let context = (&raw const *closure).cast_mut().cast();
        // SAFETY: the closure may be called on any thread, being Send and Sync; it lives until no thread can be inside any more, see
        // Drop; and run_closure catches every panic.
        let raw = unsafe { engine::Callback::new(compiled, run_closure, None, context)? };
        Ok(Callback {
            raw: Some(raw),
            closure: Some(closure),
            codes,
        })
    }

    /// The function pointer for C. It is good until the callback is dropped or closed.
    pub fn code(&self) -> *const c_void {
        self.raw
            .as_ref()
            .map_or(std::ptr::null(), engine::Callback::code)
    }

    /// Closes it: calls from C are reported and return zero from now on, as long as its pointer has not become
    /// another callback's. The same as dropping it. It may be closed while it runs.
    pub fn close(self) {}
}

impl Drop for Callback {
    fn drop(&mut self) {
        drop(self.raw.take());
        if let Some(closure) = self.closure.take() {
            epoch::retire(Box::new(closure));
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
    let inside = Inside::enter();
    let result = if panic_is_pending() {
        0
    } else {
        // SAFETY: the entry hands on the closure that the callback was made with, which exists as the callback was not closed
        // before this call, or is retired while the call is counted.
        let closure = unsafe { &*context.cast::<Closure>() };
        // SAFETY: slots are as many as the signature has arguments.
        unsafe { run_and_catch(closure, slots, inside.is_nested()) }
    };
    inside.leave();
    result
}

/// # Safety
/// * There is a slot for each of the closure's arguments.
unsafe fn run_and_catch(closure: &Closure, slots: *const u64, is_nested: bool) -> u64 {
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
        // A thread that is ending has no place for it any more.
        if is_nested && PANIC.try_with(|it| *it.borrow_mut() = Some(panic)).is_ok() {
            epoch::leave_word();
        }
        0
    })
}

thread_local! {
    /// A closure's panic on its way to the call in whose course it happened.
    static PANIC: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

fn panic_is_pending() -> bool {
    PANIC
        .try_with(|pending| pending.borrow().is_some())
        .unwrap_or(false)
}

/// Lets a panic go on that was held back while C was on the stack.
#[cold]
pub(crate) fn resume_panic() {
    let pending = PANIC.try_with(|pending| pending.borrow_mut().take());
    if let Some(panic) = pending.unwrap_or(None) {
        panic::resume_unwind(panic);
    }
}
