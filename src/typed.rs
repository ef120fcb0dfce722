//! Functions with the Rust types of their arguments and result.

use crate::arguments::Arguments;
use crate::ctype::{CReturn, Named};
use crate::error::{Error, Result};
use crate::func::Function;
use crate::pointer::FnPointer;
use crate::rust_types;
use crate::signature::Signature;
use crate::slots::Treatment;
use farcall_arch::{Float, Scalar, Type};
use farcall_cdecl::Position;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

impl Signature {
    /// The signature of the function pointer type `P`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; [`Error::Type`] for a structure whose values cannot be passed.
    ///
    /// ```
    /// use farcall::Signature;
    ///
    /// let signature = Signature::of::<unsafe extern "C" fn(i32, *const u8) -> f64>()?;
    /// assert_eq!(signature.to_string(), "double(int, const void *)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn of<P: FnPointer>() -> Result<Signature> {
        rust_types::signature::<P>(&P::RETURN, P::Arguments::TYPES)
    }
}

impl Function {
    /// The same function with Rust types for its arguments and its result. The types are compared with the signature once, now. A call then
    /// compiles to a call of a Rust function pointer, and no argument is checked.
    ///
    /// A Rust type fits if it has the size, the sign and the kind of the C type: `i64` and `isize` fit `long` on 64-bit Linux, `u64` does not. Any
    /// pointer fits any pointer, and a structure fits one with the same members. Types for the `...` of a variadic function must be
    /// types that C passes there: no `f32`, and no integer narrower than `i32`.
    ///
    /// # Errors
    /// [`Error::Mismatch`], which names the argument, C's type and Rust's; [`Error::ArgumentCount`]; [`Error::OutOfMemory`].
    ///
    /// ```
    /// use farcall::Library;
    ///
    /// // SAFETY: the C library is initialised already, and hypot() is as declared here.
    /// unsafe {
    ///     let hypot = Library::open("libm.so.6")?.function("double hypot(double x, double y)")?;
    ///     let typed = hypot.typed::<(f64, f64), f64>()?;
    ///     assert_eq!(typed.call((3.0, 4.0))?, 5.0);
    ///
    ///     let error = hypot.typed::<(f64, f32), f64>().unwrap_err().to_string();
    ///     assert_eq!(error, "hypot: argument 2 (double y): expected f64, got f32");
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn typed<A: Arguments, R: CReturn>(&self) -> Result<TypedFunction<A, R>> {
        let ret = &Named::of::<R>();
        let wanted = self.signature();
        let is_variadic = wanted.is_variadic();
        let (count, given) = (wanted.len(), A::TYPES.len());
        if given < count || given > count && !is_variadic {
            return Err(self.wrong_count(given));
        }
        let rust = rust_types::signature::<fn(A) -> R>(ret, A::TYPES)?;
        let unlike = wanted.inner().first_unlike(rust.inner());
        if let Some(position) = unlike {
            let named = match position {
                Position::Argument(index) => &A::TYPES[index],
                _ => ret,
            };
            return Err(self.unlike(position, named));
        }
        let variadic = match is_variadic {
            true => Some(wanted.inner().with_types_of(rust.inner())?),
            false => wanted.inner().compiled_if_variadic(),
        };
        let mut function = self.clone();
        let is_variadic = variadic.is_some();
        if let Some(compiled) = variadic {
            function.compiled = compiled;
        }
        Ok(TypedFunction {
            function,
            is_variadic,
            types: PhantomData,
        })
    }

    #[cold]
    fn unlike(&self, position: Position, got: &Named) -> Error {
        let inner = self.signature().inner();
        let param = match position {
            Position::Argument(index) => inner.params.get(index),
            _ => Some(&inner.ret),
        };
        // C promotes the arguments after the `...`.
        let wanted = param.map_or(RustName::Promoted, |param| RustName::Of(param.treatment));
        match (self.name(), inner.words.place(position)) {
            (Ok(name), Ok(place)) => Error::mismatch(
                format_args!("{name}: {place}"),
                format_args!("{wanted}"),
                format_args!("{}", (got.name)()),
            ),
            (Err(none), _) | (_, Err(none)) => none.into(),
        }
    }
}

/// The Rust name of a value's type, for messages.
enum RustName {
    Of(Treatment),
    Promoted,
}

impl fmt::Display for RustName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let treatment = match self {
            RustName::Of(treatment) => *treatment,
            RustName::Promoted => return f.write_str("a type that C passes behind '...'"),
        };
        f.write_str(match treatment {
            Treatment::Code(code) if code.kind().is_word() => "a pointer",
            Treatment::Code(code) => match code.ty() {
                Type::Scalar(scalar) => rust_scalar(scalar),
                _ => "()",
            },
            Treatment::Bool => "bool",
            Treatment::Int128 => "i128",
            Treatment::Uint128 => "u128",
            Treatment::Complex(Float::F64) => "Complex",
            Treatment::Float(_) | Treatment::Complex(_) => "a Value, as Rust has no such type",
            Treatment::Bytes(size) => {
                return write!(f, "a structure of {size} bytes with the same members");
            }
        })
    }
}

fn rust_scalar(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::I8 => "i8",
        Scalar::U8 => "u8",
        Scalar::I16 => "i16",
        Scalar::U16 => "u16",
        Scalar::I32 => "i32",
        Scalar::U32 => "u32",
        Scalar::I64 => "i64",
        Scalar::U64 => "u64",
        Scalar::F32 => "f32",
        Scalar::F64 => "f64",
    }
}

/// A C function with Rust types for its arguments and its result. [`Function::typed`] compares the types with the signature and makes it.
///
/// ```
/// use farcall::{Function, Library, TypedFunction};
/// use std::ffi::{c_char, c_int};
///
/// // SAFETY: the program's own libraries are initialised already, and atoi() is as declared here.
/// let atoi: TypedFunction<(*const c_char,), c_int> = unsafe {
///     Library::this()?.function("int atoi(const char *)")?.typed()?
/// };
/// // SAFETY: it is a C string.
/// assert_eq!(unsafe { atoi.call((c"42".as_ptr(),))? }, 42);
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone)]
pub struct TypedFunction<A, R> {
    function: Function,
    /// Whether the function is variadic: no Rust function pointer that takes `A` has its calling convention.
    is_variadic: bool,
    types: PhantomData<fn(A) -> R>,
}

impl<A: Arguments, R: CReturn> TypedFunction<A, R> {
    /// Calls the function.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// # Panics
    /// As [`Function::call`].
    ///
    /// # Safety
    /// * As for [`Function::call`].
    /// * The result is a valid value of `R`: a `bool` is 0 or 1.
    ///
    /// ```
    /// use farcall::Library;
    ///
    /// // SAFETY: the program's own libraries are initialised already, and labs() is as declared here.
    /// let result = unsafe {
    ///     let labs = Library::this()?.function("long long llabs(long long)")?;
    ///     labs.typed::<(i64,), i64>()?.call((-7,))?
    /// };
    /// assert_eq!(result, 7);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    #[inline]
    pub unsafe fn call(&self, args: A) -> Result<R> {
        let mut result = MaybeUninit::uninit();
        let was_open = self.function.while_open(|| {
            // SAFETY: the contract of this method holds for `call_unchecked`, and the library is open while this closure runs.
            result.write(unsafe { self.call_unchecked(args) });
        });
        match was_open {
            // SAFETY: the library was open, so the closure above has written the result.
            true => Ok(unsafe { result.assume_init() }),
            false => self.function.refused(),
        }
    }

    /// Calls the function without any checks. Nothing keeps the library loaded during the call, and panics of callbacks do not resume from it.
    ///
    /// # Safety
    /// * As for [`TypedFunction::call`].
    /// * The library is not closed meanwhile.
    ///
    /// ```
    /// use farcall::Library;
    ///
    /// // SAFETY: the program's own libraries are initialised already and stay open, and abs() is as declared here.
    /// unsafe {
    ///     let abs = Library::this()?.function("int abs(int)")?.typed::<(i32,), i32>()?;
    ///     assert_eq!(abs.call_unchecked((-5,)), 5);
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    #[inline]
    pub unsafe fn call_unchecked(&self, args: A) -> R {
        match self.is_variadic {
            // SAFETY: the types have been checked against the function's; the rest is the contract of this method.
            false => unsafe { args.call(self.function.address()) },
            // SAFETY: as above.
            true => unsafe { self.call_variadic(args) },
        }
    }

    /// # Safety
    /// * As for [`TypedFunction::call_unchecked`].
    #[inline(never)]
    unsafe fn call_variadic(&self, args: A) -> R {
        /// A result that is narrower than a word is written as a whole word.
        #[repr(C)]
        union Room<R: Copy> {
            result: R,
            word: u64,
        }
        let mut room = Room::<R> { word: 0 };
        args.with_pointers(|pointers| {
            // SAFETY: the types are those of what is compiled; the rest is the contract of this method.
            unsafe {
                let result = (&raw mut room).cast();
                self.function.call_compiled(pointers, result);
            }
        });
        // SAFETY: C has returned a valid `R`, by the contract of this method.
        unsafe { room.result }
    }

    /// The function's signature.
    ///
    /// ```
    /// use farcall::Library;
    ///
    /// // SAFETY: the program's own libraries are initialised already, and abs() is as declared here.
    /// let abs = unsafe { Library::this()?.function("int abs(int)")?.typed::<(i32,), i32>()? };
    /// assert_eq!(abs.signature().to_string(), "int abs(int)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn signature(&self) -> &Signature {
        self.function.signature()
    }
}

impl<A, R> fmt::Debug for TypedFunction<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedFunction")
            .field(&self.function)
            .finish()
    }
}
