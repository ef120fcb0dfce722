//! C functions.

use crate::error::{Error, Result};
use crate::panics;
use crate::signature::Signature;
use crate::slots::{self, Misfit, Param};
use crate::value::Value;
use crate::wide_call;
use farcall_cdecl::{Position, Role};
use farcall_engine::{self as engine, Compiled, Gate};
use farcall_memory::{OutOfMemory, Shared, try_format, try_string, try_with_capacity};
use std::ffi::c_void;
use std::mem::MaybeUninit;

/// A C function with its signature, ready to be called.
///
/// A function holds everything that a call needs: the address, the compiled signature, and the library it is from. Making a
/// function reads the signature; machine code for it is generated when it has been called some times.
///
/// ```
/// use farcall::{Library, Value};
///
/// // SAFETY: the program's own libraries are initialised already, and abs() is as declared here.
/// unsafe {
///     let abs = Library::this()?.function("int abs(int)")?;
///     assert_eq!(abs.call(&[Value::Int(-5)])?, Value::Int(5));
///     assert_eq!(abs.typed::<(i32,), i32>()?.call((-5,))?, 5);
/// }
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone)]
pub struct Function {
    pub(crate) address: *const c_void,
    /// The number of arguments, if each takes one slot and the call needs no more checks; otherwise [`NOT_PLAIN`].
    arg_count: usize,
    pub(crate) compiled: Shared<Compiled>,
    library: Option<Shared<engine::Library>>,
    pub(crate) signature: Signature,
    name: Option<Shared<String>>,
}

// SAFETY: `address` is only a number until a call, and calls are unsafe: the thread they run on is their callers' duty.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// The most slots of an argument list that are kept on the stack.
const INLINE_SLOTS: usize = 32;

/// A count that no call reaches. It marks signatures with values of several slots, and prototypes with a `...`.
const NOT_PLAIN: usize = usize::MAX;

impl Function {
    /// The function at `address`, with the type codes of its result and its arguments.
    ///
    /// # Errors
    /// [`Error::Null`], and those of [`Signature::codes`].
    ///
    /// ```
    /// use farcall::{Function, Library, Value};
    ///
    /// // SAFETY: the program's own libraries are initialised already, and abs() is as declared here.
    /// unsafe {
    ///     let abs = Function::at(Library::this()?.addr("abs")?, "i", "i")?;
    ///     assert_eq!(abs.call(&[Value::Int(-5)])?, Value::Int(5));
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn at(address: *const c_void, ret: &str, args: &str) -> Result<Function> {
        if address.is_null() {
            return Err(Error::Null { what: "function" });
        }
        let signature = Signature::known(ret, args, Role::Function)?;
        Function::new(address, signature, None, None)
    }

    /// The function at `address`, with the C prototype `declaration`. See [`Signature::declared`].
    ///
    /// # Errors
    /// [`Error::Null`], and those of [`Signature::declared`].
    ///
    /// ```
    /// use farcall::{Function, Library, Value};
    ///
    /// // SAFETY: the program's own libraries are initialised already, and abs() is as declared here.
    /// unsafe {
    ///     let abs = Function::declared(Library::this()?.addr("abs")?, "int (int)")?;
    ///     assert_eq!(abs.call(&[Value::Int(-5)])?, Value::Int(5));
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn declared(address: *const c_void, declaration: &str) -> Result<Function> {
        Function::of(address, &Signature::declared(declaration)?)
    }

    /// The function at `address`, with an existing signature.
    ///
    /// # Errors
    /// [`Error::Null`].
    ///
    /// ```
    /// use farcall::{Function, Library, Signature};
    ///
    /// let signature = Signature::declared("int (int)")?;
    /// // SAFETY: the program's own libraries are initialised already, and both are declared as they are.
    /// unsafe {
    ///     let upper = Function::of(Library::this()?.addr("toupper")?, &signature)?;
    ///     let lower = Function::of(Library::this()?.addr("tolower")?, &signature)?;
    ///     let a = upper.call(&[lower.call(&[i32::from(b'A').into()])?])?;
    ///     assert_eq!(u8::try_from(a)?, b'A');
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn of(address: *const c_void, signature: &Signature) -> Result<Function> {
        let name = signature.shared_name().cloned();
        Function::new(address, signature.clone(), name, None)
    }

    pub(crate) fn new(
        address: *const c_void,
        signature: Signature,
        name: Option<Shared<String>>,
        library: Option<Shared<engine::Library>>,
    ) -> Result<Function> {
        if address.is_null() {
            return Err(Error::Null { what: "function" });
        }
        let inner = signature.inner();
        let arg_count = match inner.is_plain {
            true => inner.params.len(),
            false => NOT_PLAIN,
        };
        Ok(Function {
            address,
            arg_count,
            compiled: inner.compiled.clone(),
            library,
            signature,
            name,
        })
    }

    /// Calls the function. Integers must be within the range of their types, and structures must have exactly the size of theirs. After the `...`
    /// of a prototype, values are passed by their kinds: [`Value::Int`] and [`Value::Uint`] with 64 bits, floating-point numbers as `double`. A
    /// structure there must carry its type: see [`Type::value`](crate::Type::value).
    ///
    /// # Errors
    /// [`Error::ArgumentCount`]; [`Error::Closed`]; [`Error::Mismatch`] for a value that its type does not take, or [`Error::Codes`] if the
    /// signature was given in codes. The function is not called then. [`Error::OutOfMemory`] if there is no memory for a structure, or for
    /// a long argument list; if the result is a structure, the function may have been called.
    ///
    /// # Panics
    /// If the closure of a [`crate::Callback`] panicked during the call, its panic resumes here.
    ///
    /// # Safety
    /// * The function has the C signature that `self` was made with, and does not unwind.
    /// * The caller meets the requirements of the function's own documentation: above all, every pointer among `args` is valid for
    ///   all accesses that the function makes, for as long as it makes them.
    /// * Nothing that the function needs has been unloaded by other means than [`crate::Library::close`].
    ///
    /// ```
    /// use farcall::{Library, Value};
    ///
    /// // SAFETY: the program's own libraries are initialised already, and labs() is as declared here.
    /// unsafe {
    ///     let labs = Library::this()?.function("long labs(long number)")?;
    ///     assert_eq!(labs.call(&[(-7).into()])?, Value::Int(7));
    ///     let error = labs.call(&[0.5.into()]).unwrap_err().to_string();
    ///     assert_eq!(error, "labs: argument 1 (long number): expected an integer, got double 0.5");
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub unsafe fn call(&self, args: &[Value]) -> Result<Value> {
        if args.len() != self.arg_count {
            // SAFETY: the contract of this method is that of `call_otherwise`.
            return unsafe { self.call_otherwise(args) };
        }
        if args.len() > INLINE_SLOTS {
            // SAFETY: the contract of this method holds for `call_with_many`, and the values have been counted.
            return unsafe { self.call_with_many(args) };
        }
        let mut slots = [const { MaybeUninit::uninit() }; INLINE_SLOTS];
        self.fill(&mut slots, args)?;
        // SAFETY: the first slots hold the checked values in the form of their types, and no others are read; the rest is the contract
        // of this method.
        let result = unsafe { self.call_checked(slots.as_ptr().cast())? };
        Ok(slots::from_slot(result, &self.signature.inner().ret))
    }

    /// # Safety
    /// * As for [`Function::call`]; there are as many values as arguments.
    #[inline(never)]
    unsafe fn call_with_many(&self, args: &[Value]) -> Result<Value> {
        let mut slots = try_with_capacity(args.len())?;
        self.fill(slots.spare_capacity_mut(), args)?;
        // SAFETY: the slots hold the checked values in the form of their types; the rest is the contract of this method.
        let result = unsafe { self.call_checked(slots.as_ptr().cast())? };
        Ok(slots::from_slot(result, &self.signature.inner().ret))
    }

    /// Fills a slot for each value.
    #[inline(always)]
    fn fill(&self, slots: &mut [MaybeUninit<u64>], args: &[Value]) -> Result<()> {
        let values = args.iter().zip(&self.signature.inner().params);
        for (index, (slot, (arg, param))) in slots.iter_mut().zip(values).enumerate() {
            *slot = match slots::is_fitting(arg, param) {
                true => slots::word(arg),
                false => MaybeUninit::new(self.convert(arg, param, index)?),
            };
        }
        Ok(())
    }

    /// The slot for argument number `index`, whose value may be of another kind than its type.
    #[cold]
    #[inline(never)]
    fn convert(&self, arg: &Value, param: &Param, index: usize) -> Result<u64> {
        let mut slot = [0];
        self.store(arg, param, index, &mut slot)?;
        Ok(slot[0])
    }

    /// Stores argument number `index` in its slots.
    fn store(&self, arg: &Value, param: &Param, index: usize, slots: &mut [u64]) -> Result<()> {
        let position = Position::Argument(index);
        slots::store(arg, param.treatment, position, slots)
            .map_err(|misfit| self.misfit(index, arg, misfit))
    }

    #[cold]
    fn misfit(&self, index: usize, arg: &Value, misfit: Misfit) -> Error {
        let position = Position::Argument(index);
        match self.name() {
            Ok(name) => self.signature.inner().misfit(&name, position, arg, misfit),
            Err(none) => none.into(),
        }
    }

    /// Calls a function that is [`NOT_PLAIN`], or reports a wrong number of arguments.
    ///
    /// # Safety
    /// * As for [`Function::call`].
    #[cold]
    #[inline(never)]
    unsafe fn call_otherwise(&self, args: &[Value]) -> Result<Value> {
        let inner = &**self.signature.inner();
        let count = inner.params.len();
        let is_variadic = self.signature.is_variadic();
        if inner.is_plain || args.len() < count || args.len() > count && !is_variadic {
            return Err(self.wrong_count(args.len()));
        }
        if !is_variadic {
            // SAFETY: the contract of this method holds for `call_wide`; the values have been counted and are of this signature.
            return unsafe { self.call_wide(&inner.compiled, &inner.params, &inner.ret, args) };
        }
        let misfit = |index, arg: &Value, misfit| self.misfit(index, arg, misfit);
        let (compiled, params) = inner.with_more(&args[count..], misfit)?;
        // SAFETY: as above, and this is the call's signature.
        unsafe { self.call_wide(&compiled, &params, &inner.ret, args) }
    }

    /// Calls the function with values that may take several slots each.
    ///
    /// # Safety
    /// * As for [`Function::call`], with this signature; there are as many values as parameters.
    unsafe fn call_wide(
        &self,
        compiled: &Compiled,
        params: &[Param],
        ret: &Param,
        args: &[Value],
    ) -> Result<Value> {
        let store = |index, arg: &Value, param: &Param, slots: &mut [u64]| {
            self.store(arg, param, index, slots)
        };
        // SAFETY: the function has this signature and may be called with these values, by the contract of this method; the library
        // stays open meanwhile.
        let result = unsafe {
            wide_call::call(compiled, params, ret, args, store, |slots, result| {
                self.while_open(|| compiled.call()(self.address, slots, result, compiled))
            })?
        };
        result.map_or_else(|| self.refused(), Ok)
    }

    /// Calls the function with pointers to the arguments, and writes the result to `result`. Each pointer leads to a value in C's
    /// representation, as with libffi's `ffi_call`. Values are copied only where C itself copies them, which suits structures.
    ///
    /// # Errors
    /// [`Error::ArgumentCount`] and [`Error::Closed`].
    ///
    /// # Panics
    /// As [`Function::call`].
    ///
    /// # Safety
    /// * As for [`Function::call`]; each pointer leads to a value of the argument's type that is readable during the call.
    /// * `result` points to writable memory of the result's size and alignment. It is not used if the result is `void`.
    ///
    /// ```
    /// use farcall::Library;
    ///
    /// let (numerator, denominator) = (17_i32, 5_i32);
    /// let mut division = [0_i32; 2];
    /// // SAFETY: div() is declared as it is, and its result is two ints.
    /// unsafe {
    ///     let div = Library::this()?.function("struct { int quot, rem; } div(int, int)")?;
    ///     let args = [(&raw const numerator).cast(), (&raw const denominator).cast()];
    ///     div.call_pointers(&args, division.as_mut_ptr().cast())?;
    /// }
    /// assert_eq!(division, [3, 2]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub unsafe fn call_pointers(&self, args: &[*const c_void], result: *mut c_void) -> Result<()> {
        let inner = &**self.signature.inner();
        if args.len() != inner.params.len() {
            return Err(self.wrong_count(args.len()));
        }
        let size = inner
            .compiled
            .signature()
            .map_or(0, |signature| signature.ret().size());
        // A result that is narrower than a word is written as a whole word.
        let mut word = 0_u64;
        let to = if size < 8 {
            (&raw mut word).cast()
        } else {
            result
        };
        // SAFETY: each pointer leads to a value of its argument's type, and `result` to memory for the result, by the contract of this
        // method; `call_compiled` runs while the library is open.
        let is_done = unsafe {
            self.while_open(|| {
                wide_call::call_with_pointers(&inner.compiled, self.address, args.as_ptr(), to)
            })
        };
        if !is_done {
            return self.refused();
        }
        if (1..8).contains(&size) {
            let from = (&raw const word).cast::<u8>();
            // SAFETY: `result` points to memory of the result's size, by the contract of this method.
            unsafe { result.cast::<u8>().copy_from(from, size as usize) };
        }
        Ok(())
    }

    /// Calls the function with one slot of 8 bytes for each argument, and returns the result's slot, or 0 for `void`. Integers are
    /// read from the low bytes of their slots. A larger value takes several slots: see [`Signature::slots`].
    ///
    /// # Errors
    /// [`Error::ArgumentCount`]; [`Error::Closed`]; [`Error::Mismatch`] for a result of more than one slot:
    /// [`Function::call_pointers`] has room for it.
    ///
    /// # Panics
    /// As [`Function::call`].
    ///
    /// # Safety
    /// * As for [`Function::call`], with the values that the slots hold.
    ///
    /// ```
    /// // SAFETY: the program's own libraries are initialised already, and abs() is as declared here.
    /// let result = unsafe {
    ///     let abs = farcall::Library::this()?.function("int abs(int)")?;
    ///     abs.call_slots(&[-5_i64 as u64])?
    /// };
    /// assert_eq!(result, 5);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    #[inline]
    pub unsafe fn call_slots(&self, slots: &[u64]) -> Result<u64> {
        if slots.len() != self.arg_count {
            // SAFETY: the contract of this method is that of `call_wide_slots`.
            return unsafe { self.call_wide_slots(slots) };
        }
        // SAFETY: the slots have been counted; the rest is the contract of this method.
        unsafe { self.call_checked(slots.as_ptr()) }
    }

    /// # Safety
    /// * As for [`Function::call_slots`]; there are as many slots as arguments.
    #[inline(always)]
    unsafe fn call_checked(&self, slots: *const u64) -> Result<u64> {
        let mut result = 0;
        // SAFETY: the contract of this method is that of `call_if_open`, and `result` is a slot.
        match unsafe { self.call_if_open(slots, &mut result) } {
            true => Ok(result),
            false => self.refused(),
        }
    }

    /// Calls a function whose arguments may take several slots each.
    ///
    /// # Safety
    /// * As for [`Function::call_slots`].
    #[cold]
    #[inline(never)]
    unsafe fn call_wide_slots(&self, slots: &[u64]) -> Result<u64> {
        let inner = self.signature.inner();
        if inner.is_plain || slots.len() != inner.arg_slots() {
            return Err(self.wrong_count(slots.len()));
        }
        if inner.ret.slots > 1 {
            let what = format_args!("result of {}", self.name()?);
            let got = format_args!("one of {}", inner.ret.slots);
            return Err(Error::mismatch(what, format_args!("one of one slot"), got));
        }
        // SAFETY: the slots have been counted; the rest is the contract of this method.
        unsafe { self.call_checked(slots.as_ptr()) }
    }

    /// Calls the function and returns true, or returns false if the library is closed.
    ///
    /// # Safety
    /// * As for [`Function::call_slots`]; there are as many slots as arguments, and `result` points to a slot.
    #[inline(always)]
    unsafe fn call_if_open(&self, slots: *const u64, result: *mut u64) -> bool {
        // SAFETY: the signature is the function's, the library stays open meanwhile, and the rest is the contract of this method.
        self.while_open(|| unsafe { self.call_unchecked(slots, result) })
    }

    /// Runs `call` and returns true, or returns false if the library is closed.
    #[inline(always)]
    pub(crate) fn while_open(&self, call: impl FnOnce()) -> bool {
        let library = self.library.as_deref();
        let gate = library.map_or(Gate::always_open(), engine::Library::gate);
        // SAFETY: the note is this call's.
        let with_note = |note| unsafe { panics::resume(note) };
        gate.pass(call, with_note).is_some()
    }

    /// Calls the function without any checks. Nothing keeps the library loaded during the call, and panics of callbacks do not resume from it.
    ///
    /// # Safety
    /// * As for [`Function::call_slots`]; there are as many slots as the arguments take, and `result` points to as many as the result takes.
    /// * The signature is not a variadic one from C text.
    /// * The library is not closed meanwhile.
    ///
    /// ```
    /// let mut result = 0;
    /// // SAFETY: the program's own libraries are initialised already and stay open, and abs() is as declared here, with one slot.
    /// unsafe {
    ///     let abs = farcall::Library::this()?.function("int abs(int)")?;
    ///     abs.call_unchecked([-5_i64 as u64].as_ptr(), &mut result);
    /// }
    /// assert_eq!(result, 5);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    #[inline(always)]
    pub unsafe fn call_unchecked(&self, slots: *const u64, result: *mut u64) {
        let compiled = self.compiled.as_ptr();
        // SAFETY: the signature is the function's, and the slots are those of a call of it, by the contract of this method.
        unsafe { self.compiled.call()(self.address, slots, result, compiled) };
    }

    /// Calls the function with pointers to the arguments, without checks, like [`Function::call_unchecked`].
    ///
    /// # Safety
    /// * As for [`Function::call_pointers`], with as many arguments as the compiled signature has; a result that is narrower
    ///   than a word has room for a whole word.
    /// * The library is not closed meanwhile.
    pub(crate) unsafe fn call_compiled(&self, args: &[*const c_void], result: *mut c_void) {
        // SAFETY: the arguments and the result lie as `call_with_pointers` wants them, by the contract of this method.
        unsafe {
            wide_call::call_with_pointers(&self.compiled, self.address, args.as_ptr(), result);
        }
    }

    #[cold]
    pub(crate) fn wrong_count(&self, got: usize) -> Error {
        let words = self.signature.inner().words.args_text();
        Error::argument_count(self.name(), words, self.signature.len(), got)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn refused<T>(&self) -> Result<T> {
        Err(Error::Closed { what: self.name()? })
    }

    pub(crate) fn name(&self) -> std::result::Result<String, OutOfMemory> {
        match &self.name {
            Some(name) => try_string(name),
            None => try_format(format_args!("function at {:p}", self.address)),
        }
    }
}
