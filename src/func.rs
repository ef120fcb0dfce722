//! C functions.

use crate::activity::Inside;
use crate::callback;
use crate::compile::Trampoline;
use crate::error::{Error, Result};
use crate::known::{Known, known};
use crate::library::Shared;
use crate::sig::{Codes, Position, Role};
use crate::value::{self, Value};
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

/// A C function with its signature, ready to be called.
///
/// A function holds everything a call needs: the address, the code compiled for its types, and the library it is from. No later
/// step takes a signature again.
#[derive(Clone)]
pub struct Function {
    address: *const c_void,
    known: Arc<Known>,
    trampoline: Trampoline,
    name: Option<Box<str>>,
    library: Option<Arc<Shared>>,
}

// SAFETY: `address` is a number until a call, and calls are unsafe: their callers answer for the thread they run on.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// Slots of short argument lists lie on the stack.
const INLINE_SLOTS: usize = 16;

impl Function {
    /// The function at `address`, with the types that its result and arguments have.
    ///
    /// # Errors
    /// [`Error::Null`], those of a bad signature, and [`Error::ExecutableMemory`].
    pub fn at(address: *const c_void, ret: &str, args: &str) -> Result<Function> {
        Function::new(address, ret, args, None, None)
    }

    pub(crate) fn new(
        address: *const c_void,
        ret: &str,
        args: &str,
        name: Option<&str>,
        library: Option<Arc<Shared>>,
    ) -> Result<Function> {
        if address.is_null() {
            return Err(Error::Null { what: "function" });
        }
        let known = known(ret, args, Role::Function)?;
        Ok(Function {
            address,
            trampoline: known.compiled.trampoline()?,
            known,
            name: name.map(Box::from),
            library,
        })
    }

    /// Calls it. Integers must be within the range of their types.
    ///
    /// # Errors
    /// [`Error::ArgumentCount`], [`Error::WrongKind`], [`Error::OutOfRange`], [`Error::Closed`]: the function was not called
    /// then.
    ///
    /// # Panics
    /// When a closure of a [`crate::Callback`] panicked during the call: its panic goes on here.
    ///
    /// # Safety
    /// * The function has the C signature that `self` was made with, and does not unwind.
    /// * What its own documentation asks of a caller is met: above all, every pointer among `args` is good for what
    ///   the function does with it, for as long as it does.
    /// * Nothing it needs has been unloaded by other means than [`crate::Library::close`].
    pub unsafe fn call(&self, args: &[Value]) -> Result<Value> {
        self.check_count(args.len())?;
        let mut inline = [0; INLINE_SLOTS];
        let mut heap = Vec::new();
        let slots = if args.len() <= INLINE_SLOTS {
            &mut inline[..args.len()]
        } else {
            heap.resize(args.len(), 0);
            &mut heap[..]
        };
        for (index, (arg, code)) in args.iter().zip(&self.known.codes.args).enumerate() {
            slots[index] = value::to_slot(*arg, *code, Position::Argument(index))?;
        }
        // SAFETY: the slots hold the values that the caller vouches for, as their types want them.
        let result = unsafe { self.call_slots(slots)? };
        Ok(value::from_slot(result, self.known.codes.ret))
    }

    /// Calls it with slots, one for each argument, and returns the result's slot; 0 for `v`. Integers are taken
    /// from the low bytes of their slots.
    ///
    /// # Errors
    /// [`Error::ArgumentCount`] and [`Error::Closed`].
    ///
    /// # Panics
    /// As [`Function::call`].
    ///
    /// # Safety
    /// * As for [`Function::call`], the values being those that the slots hold.
    pub unsafe fn call_slots(&self, slots: &[u64]) -> Result<u64> {
        self.check_count(slots.len())?;
        if self
            .library
            .as_ref()
            .is_some_and(|library| !library.is_open())
        {
            return Err(Error::Closed { what: self.name() });
        }
        let mut result = 0;
        let inside = Inside::enter();
        // SAFETY: the trampoline was compiled for the function's signature, there are as many slots as it reads, and
        // the rest is the caller's promise.
        unsafe { (self.trampoline)(self.address, slots.as_ptr(), &mut result) };
        drop(inside);
        callback::resume_panic();
        Ok(result)
    }

    fn check_count(&self, got: usize) -> Result<()> {
        let wanted = self.known.codes.args.len();
        if got == wanted {
            return Ok(());
        }
        let (function, codes) = (self.name(), self.known.codes.args_text());
        Err(Error::ArgumentCount {
            function,
            codes,
            wanted,
            got,
        })
    }

    /// The compiled code itself, for callers that keep their own books: it checks nothing.
    pub fn trampoline(&self) -> Trampoline {
        self.trampoline
    }

    fn name(&self) -> String {
        match &self.name {
            Some(name) => name.to_string(),
            None => format!("function at {:p}", self.address),
        }
    }

    /// Where the function lies.
    pub fn address(&self) -> *const c_void {
        self.address
    }

    /// Its result's and arguments' codes.
    pub fn codes(&self) -> &Codes {
        &self.known.codes
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Function({} at {:p}, {})",
            self.name(),
            self.address,
            self.known.codes
        )
    }
}
