//! Callbacks: function pointers for C that lead to closures.

use crate::activity::{self, Inside};
use crate::compile::{Compiled, Served, compile};
use crate::error::Result;
use crate::generic::slots;
use crate::object::ObjectCode;
use crate::runtime::{self, Runtime};
use crate::sig::{Codes, Position, Role};
use crate::thunk::{Handler, ObjectHandler, Record, Thunk};
use crate::value::{self, Value};
use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::Arc;

/// A function pointer that calls a handler of one's own, for those who bring their own context: interpreters.
///
/// Dropping it closes it: a later call from C is reported and returns zero, as long as the pointer has not
/// become another callback's. It may be dropped while it runs.
#[derive(Debug)]
pub struct RawCallback {
    thunk: Thunk,
    entry: Option<Entry>,
}

/// The code that a callback's thunk leads to, held for as long as the callback lives.
#[derive(Debug)]
enum Entry {
    Slots(Arc<Compiled>),
    Objects(Arc<ObjectCode>),
}

impl Entry {
    /// Whether a cache has forgotten it, so that it goes with this reference.
    fn is_last(&self) -> bool {
        match self {
            Entry::Slots(compiled) => Arc::strong_count(compiled) == 1,
            Entry::Objects(code) => Arc::strong_count(code) == 1,
        }
    }
}

impl RawCallback {
    /// A function pointer of the compiled signature that calls `handler` with `context`.
    ///
    /// # Errors
    /// [`crate::Error::Plan`] and [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * Until the callback is dropped, `handler` may be called with `context` whenever and on whatever thread C
    ///   calls the pointer.
    /// * The handler neither unwinds nor leaves by a jump.
    pub unsafe fn new(
        compiled: Arc<Compiled>,
        handler: Handler,
        context: *mut c_void,
    ) -> Result<RawCallback> {
        let (entry, last) = match compiled.entry()? {
            Served::Code(code) => (code.start(), ptr::null()),
            Served::Plan(plan) => (slots::entry(), (&raw const **plan).cast()),
        };
        let target = Record {
            entry,
            handler,
            context,
            last,
        };
        RawCallback::open(target, Entry::Slots(compiled))
    }

    /// A function pointer with the compiled code for objects. It calls `object_handler` where it can, and `handler` where not.
    ///
    /// # Errors
    /// [`crate::Error::ExecutableMemory`].
    ///
    /// # Safety
    /// * As for [`RawCallback::new`], and for both handlers; but `object_handler` may leave by raising an exception of the interpreter's.
    pub unsafe fn with_objects(
        code: Arc<ObjectCode>,
        handler: Handler,
        object_handler: ObjectHandler,
        context: *mut c_void,
    ) -> Result<RawCallback> {
        let target = Record {
            entry: code.entry(),
            handler,
            context,
            last: object_handler as *const c_void,
        };
        RawCallback::open(target, Entry::Objects(code))
    }

    fn open(target: Record, entry: Entry) -> Result<RawCallback> {
        let mut guard = runtime::lock();
        let Runtime {
            arena,
            thunks,
            pool,
            ..
        } = &mut *guard;
        let thunk = thunks.open(arena, pool, target)?;
        Ok(RawCallback {
            thunk,
            entry: Some(entry),
        })
    }

    /// The function pointer.
    pub fn code(&self) -> *const c_void {
        self.thunk.code().as_ptr().cast()
    }
}

impl Drop for RawCallback {
    fn drop(&mut self) {
        runtime::lock().thunks.close(self.thunk);
        // The entry may be running, in this thread or another, and must outlast that. It does in the cache, unless the
        // cache forgets it.
        if let Some(entry) = self.entry.take().filter(Entry::is_last) {
            activity::retire(Box::new(entry));
        }
    }
}

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
    raw: Option<RawCallback>,
    closure: Option<Box<Closure>>,
    codes: Arc<Codes>,
}

type Body = dyn Fn(&[u64], &mut u64) + Send + Sync;

/// What a closure's thunk carries as its context.
struct Closure {
    body: Box<Body>,
    arg_count: usize,
}

impl Callback {
    /// A function pointer that calls `closure` with its arguments' values and returns what it returns. C may call it on any
    /// thread, and several at once.
    ///
    /// A panic in the closure does not unwind through C: C gets zero, further callbacks on that thread are not run,
    /// and when the [`Function::call`](crate::Function::call) in whose course it happened returns, the panic goes on. Where there is no such call, on a thread of C's own,
    /// the panic's message is all that remains of it. A returned value that does not fit the result's type counts as a panic.
    ///
    /// # Errors
    /// Those of a bad signature, and [`crate::Error::ExecutableMemory`].
    pub fn new(
        ret: &str,
        args: &str,
        closure: impl Fn(&[Value]) -> Value + Send + Sync + 'static,
    ) -> Result<Callback> {
        let codes = Arc::new(Codes::parse(ret, args, Role::Callback)?);
        let inner = codes.clone();
        Callback::from_codes(codes, move |slots, result| {
            let args = slots.iter().zip(&inner.args);
            let args: Vec<Value> = args
                .map(|(slot, code)| value::from_slot(*slot, *code))
                .collect();
            let value = closure(&args);
            if inner.ret.letter() != 'v' {
                *result = value::to_slot(value, inner.ret, Position::Result)
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
        Callback::from_codes(Arc::new(Codes::parse(ret, args, Role::Callback)?), closure)
    }

    fn from_codes(
        codes: Arc<Codes>,
        body: impl Fn(&[u64], &mut u64) + Send + Sync + 'static,
    ) -> Result<Callback> {
        let compiled = compile(codes.signature()?);
        let closure = Box::new(Closure {
            body: Box::new(body),
            arg_count: codes.args.len(),
        });
        let context = (&raw const *closure).cast_mut().cast();
        // SAFETY: the closure may be called on any thread, being Send and Sync; it lives until no thread can be inside any more, see
        // Drop; and run_closure catches every panic.
        let raw = unsafe { RawCallback::new(compiled, run_closure, context)? };
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
            .map_or(std::ptr::null(), RawCallback::code)
    }

    /// Closes it: calls from C are reported and return zero from now on, as long as its pointer has not become
    /// another callback's. The same as dropping it. It may be closed while it runs.
    pub fn close(self) {}
}

impl Drop for Callback {
    fn drop(&mut self) {
        drop(self.raw.take());
        if let Some(closure) = self.closure.take() {
            activity::retire(Box::new(closure));
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
    if panic_is_pending() {
        return 0;
    }
    // SAFETY: the entry hands on the closure that the callback was made with, which exists as the callback was not closed
    // before this call, or is retired while the call is counted; slots are as many as the signature has arguments.
    let (closure, slots) = unsafe {
        let closure = &*context.cast::<Closure>();
        let slots: &[u64] = match closure.arg_count {
            0 => &[],
            count => std::slice::from_raw_parts(slots, count),
        };
        (closure, slots)
    };
    let run = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut result = 0;
        (closure.body)(slots, &mut result);
        result
    }));
    run.unwrap_or_else(|panic| {
        if inside.was_busy {
            // A thread that is ending has no place for it any more.
            let _ = PANIC.try_with(|pending| *pending.borrow_mut() = Some(panic));
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
pub(crate) fn resume_panic() {
    let pending = PANIC.try_with(|pending| pending.borrow_mut().take());
    if let Some(panic) = pending.unwrap_or(None) {
        panic::resume_unwind(panic);
    }
}
