//! C functions.

use crate::callback;
use crate::error::{Error, Result};
use crate::known::{Known, known};
use crate::value::{self, Value};
use farcall_cdecl::{Codes, Position, Role, TypeCode};
use farcall_engine::epoch::{self, Inside, Place, Thing};
use farcall_engine::{self as engine, Compiled};
use farcall_memory::{OutOfMemory, Shared};
use farcall_memory::{try_format, try_string, try_with_capacity};
use std::ffi::c_void;
use std::fmt;
use std::mem::MaybeUninit;

/// A C function with its signature, ready to be called.
///
/// A function holds everything a call needs: the address, what its types compile to, and the library it is from. No later
/// step takes a signature again. Making one reads the signature; machine code follows once it has been called some times.
#[derive(Clone)]
pub struct Function {
    address: *const c_void,
    arg_count: usize,
    compiled: Shared<Compiled>,
    library: Option<Shared<engine::Library>>,
    codes: Shared<Codes>,
    name: Option<Shared<String>>,
}

// SAFETY: `address` is a number until a call, and calls are unsafe: their callers answer for the thread they run on.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// Slots of short argument lists lie on the stack.
const INLINE_SLOTS: usize = 32;

impl Function {
    /// The function at `address`, with the types that its result and arguments have.
    ///
    /// # Errors
    /// [`Error::Null`], and those of a bad signature.
    pub fn at(address: *const c_void, ret: &str, args: &str) -> Result<Function> {
        Function::new(address, ret, args, None, None)
    }

    pub(crate) fn new(
        address: *const c_void,
        ret: &str,
        args: &str,
        name: Option<&str>,
        library: Option<Shared<engine::Library>>,
    ) -> Result<Function> {
        if address.is_null() {
            return Err(Error::Null { what: "function" });
        }
        let Known { codes, compiled } = known(ret, args, Role::Function)?;
        Ok(Function {
            address,
            arg_count: codes.args.len(),
            compiled,
            library,
            codes,
            name: name
                .map(|name| Shared::try_new(try_string(name)?))
                .transpose()?,
        })
    }

    /// Calls it. Integers must be within the range of their types.
    ///
    /// # Errors
    /// [`Error::ArgumentCount`], [`Error::Closed`], and
    /// [`CodeError`](crate::CodeError) for a value that its code does not take: the function was not called then.
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
        if args.len() != self.arg_count {
            return Err(self.wrong_count(args.len()));
        }
        if args.len() > INLINE_SLOTS {
            // SAFETY: the caller vouches for the call; there are as many values as arguments.
            return unsafe { self.call_with_many(args) };
        }
        let mut slots = [const { MaybeUninit::uninit() }; INLINE_SLOTS];
        self.fill(&mut slots, args)?;
        // SAFETY: the first slots hold the values that the caller vouches for, as their types want them, and no others are read.
        let result = unsafe { self.call_checked(slots.as_ptr().cast())? };
        Ok(value::from_slot(result, self.codes.ret))
    }

    /// # Safety
    /// * As for [`Function::call`]; there are as many values as arguments.
    #[inline(never)]
    unsafe fn call_with_many(&self, args: &[Value]) -> Result<Value> {
        let mut slots = try_with_capacity(args.len())?;
        self.fill(slots.spare_capacity_mut(), args)?;
        // SAFETY: the slots hold the values that the caller vouches for, as their types want them.
        let result = unsafe { self.call_checked(slots.as_ptr().cast())? };
        Ok(value::from_slot(result, self.codes.ret))
    }

    /// Fills a slot for each value.
    #[inline(always)]
    fn fill(&self, slots: &mut [MaybeUninit<u64>], args: &[Value]) -> Result<()> {
        let values = args.iter().zip(&self.codes.args);
        for (index, (slot, (arg, code))) in slots.iter_mut().zip(values).enumerate() {
            *slot = match value::is_fitting(arg, *code) {
                true => arg.slot(),
                false => MaybeUninit::new(convert(arg, *code, index)?),
            };
        }
        Ok(())
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
    #[inline]
    pub unsafe fn call_slots(&self, slots: &[u64]) -> Result<u64> {
        if slots.len() != self.arg_count {
            return Err(self.wrong_count(slots.len()));
        }
        // SAFETY: there are as many slots as arguments, and the rest is the caller's promise.
        unsafe { self.call_checked(slots.as_ptr()) }
    }

    /// # Safety
    /// * As for [`Function::call_slots`]; there are as many slots as arguments.
    #[inline(always)]
    unsafe fn call_checked(&self, slots: *const u64) -> Result<u64> {
        let mut result = 0;
        // SAFETY: the caller's promise.
        match unsafe { self.call_if_open(slots, &mut result) } {
            true => Ok(result),
            false => self.refused(),
        }
    }

    /// The call, unless the library is closed: false then.
    ///
    /// # Safety
    /// * As for [`Function::call_slots`]; there are as many slots as arguments, and `result` points to a slot.
    #[inline(always)]
    unsafe fn call_if_open(&self, slots: *const u64, result: *mut u64) -> bool {
        let library = self.library.as_deref();
        let thing = library.map_or(Thing::FUNCTION, engine::Library::thing);
        let place = Place::uninit();
        let inside = Inside::enter(thing, &place);
        // Looked at only now: from here on the library stays loaded even if another thread closes it.
        let is_open = || library.is_none_or(engine::Library::is_open);
        let was_open = is_open();
        if was_open {
            // SAFETY: the signature is the function's, and the rest is the caller's promise.
            unsafe { self.call_unchecked(slots, result) };
        }
        let note = inside.leave();
        if !is_open() {
            // The last call that leaves unloads it.
            epoch::settle(thing);
        }
        if !note.is_null() {
            // SAFETY: the note is this call's.
            unsafe { callback::resume_panic(note) };
        }
        was_open
    }

    /// The call itself, for callers that keep their own books: nothing is checked, and nothing keeps the library loaded.
    ///
    /// # Safety
    /// * As for [`Function::call_slots`]; there are as many slots as arguments, and `result` points to a slot.
    /// * The library is not closed meanwhile.
    #[inline(always)]
    pub unsafe fn call_unchecked(&self, slots: *const u64, result: *mut u64) {
        let compiled = self.compiled.as_ptr();
        // SAFETY: the signature is the function's, and the rest is the caller's promise.
        unsafe { self.compiled.call()(self.address, slots, result, compiled) };
    }

    #[cold]
    fn wrong_count(&self, got: usize) -> Error {
        let words = || Ok((self.name()?, self.codes.args_text()?));
        let words: std::result::Result<_, OutOfMemory> = words();
        words.map_or_else(Error::from, |(function, codes)| Error::ArgumentCount {
            function,
            codes,
            wanted: self.arg_count,
            got,
        })
    }

    #[cold]
    #[inline(never)]
    fn refused(&self) -> Result<u64> {
        Err(Error::Closed { what: self.name()? })
    }

    fn name(&self) -> std::result::Result<String, OutOfMemory> {
        match &self.name {
            Some(name) => try_string(name),
            None => try_format(format_args!("function at {:p}", self.address)),
        }
    }

    /// Where the function lies.
    pub fn address(&self) -> *const c_void {
        self.address
    }

    /// Its result's and arguments' codes.
    pub fn codes(&self) -> &Codes {
        &self.codes
    }
}

/// The slot of argument number `index`, which may not be of the type's own kind.
#[cold]
#[inline(never)]
fn convert(arg: &Value, code: TypeCode, index: usize) -> Result<u64> {
    value::to_slot(*arg, code, Position::Argument(index))
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function(")?;
        match &self.name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "function at {:p}", self.address)?,
        }
        write!(f, " at {:p}, {})", self.address, self.codes)
    }
}
