//! C variables.

use crate::error::{CodeError, Error, Result};
use crate::scope::{self, Declared, Scope};
use crate::signature::in_c;
use crate::slots::{self, Misfit, Param, Treatment};
use crate::value::Value;
use farcall_arch::Type;
use farcall_cdecl::c::TypeId;
use farcall_cdecl::{Code, Position};
use farcall_engine::{self as engine, slot};
use farcall_memory::{OutOfMemory, Shared};
use farcall_memory::{try_format, try_string};
use std::ffi::c_void;
use std::fmt;

/// A variable of a library.
///
/// ```
/// use farcall::{Value, Variable};
///
/// static mut COUNT: i32 = 41;
/// let count = Variable::declared((&raw mut COUNT).cast(), "int count")?;
/// // SAFETY: this is an int, and nobody else uses it.
/// unsafe {
///     let before = i32::try_from(count.get()?)?;
///     count.set((before + 1).into())?;
///     assert_eq!(count.get()?, Value::Int(42));
/// }
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone)]
pub struct Variable {
    address: *mut c_void,
    kept: Kept,
    name: Option<Shared<String>>,
    library: Option<Shared<engine::Library>>,
}

// SAFETY: `address` is only a number until an access, and accesses are unsafe: their callers must prevent races.
unsafe impl Send for Variable {}
// SAFETY: as above.
unsafe impl Sync for Variable {}

/// The representation of a variable's values in memory.
#[derive(Clone)]
struct Kept {
    param: Param,
    /// The type of a scalar; `None` for other values, whose bytes are the same as in slots.
    ty: Option<Type>,
    words: Words,
}

/// The source of the type, for messages.
#[derive(Clone)]
enum Words {
    Letter(char),
    Struct(Shared<String>),
    C { scope: Shared<Scope>, ty: TypeId },
}

impl Kept {
    fn of_code(text: &str) -> Result<Kept> {
        let code = Code::of_variable(text)?;
        let (treatment, words) = match &code {
            Code::Letter(letter) => (Treatment::Code(*letter), Words::Letter(letter.letter())),
            Code::Struct(structure) => (
                Treatment::Bytes(code.ty().size()),
                Words::Struct(Shared::try_new(try_string(structure.text())?)?),
            ),
        };
        Ok(Kept::new(treatment, code.ty(), words))
    }

    fn of_c(scope: &Shared<Scope>, ty: TypeId) -> Result<Kept> {
        let words = Words::C {
            scope: scope.clone(),
            ty,
        };
        match scope.with(|c| scope::kept(c, ty)) {
            Ok((treatment, passed)) => Ok(Kept::new(treatment, passed, words)),
            Err(error) => {
                let text = words.text()?;
                Err(Error::unpassable(format_args!("variable ({text})"), error))
            }
        }
    }

    fn new(treatment: Treatment, ty: Type, words: Words) -> Kept {
        let is_scalar = matches!(treatment, Treatment::Code(_) | Treatment::Bool);
        Kept {
            param: Param::new(treatment, 0),
            ty: is_scalar.then_some(ty),
            words,
        }
    }

    fn misfit(&self, value: &Value, misfit: Misfit) -> Error {
        let wanted = match (misfit, &self.words) {
            (Misfit::Code(CodeError::OutOfMemory(none)), _) => return none.into(),
            (Misfit::Code(error), Words::Letter(_) | Words::Struct(_)) => return error.into(),
            (Misfit::Code(error), Words::C { .. }) => in_c(&error),
            (Misfit::Wanted(wanted), _) => wanted,
        };
        match self.words.text() {
            Ok(text) => Error::mismatch(
                format_args!("variable ({text})"),
                format_args!("{wanted}"),
                format_args!("{value}"),
            ),
            Err(none) => none.into(),
        }
    }
}

impl Words {
    fn text(&self) -> std::result::Result<String, OutOfMemory> {
        match self {
            Words::Letter(letter) => try_string(letter.encode_utf8(&mut [0; 4])),
            Words::Struct(text) => try_string(text),
            Words::C { scope, ty } => scope.show(*ty, ""),
        }
    }
}

impl Variable {
    /// The variable at `address`, with the type code `code`.
    ///
    /// # Errors
    /// [`Error::Null`]; [`Error::Codes`] for a bad code.
    ///
    /// ```
    /// use farcall::{Value, Variable};
    ///
    /// let mut number = 7_u16;
    /// let variable = Variable::at((&raw mut number).cast(), "H")?;
    /// // SAFETY: this is the variable's type, and nobody else uses it.
    /// assert_eq!(unsafe { variable.get()? }, Value::Uint(7));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn at(address: *mut c_void, code: &str) -> Result<Variable> {
        Variable::new(address, Kept::of_code(code)?, None, None)
    }

    /// The variable at `address`, with the C declaration `declaration`, with or without a name.
    ///
    /// # Errors
    /// [`Error::Null`]; [`Error::Declaration`] with the place in the text; [`Error::Type`] for a type without a size.
    ///
    /// ```
    /// use farcall::{Value, Variable};
    ///
    /// let mut number = 0.5_f32;
    /// let variable = Variable::declared((&raw mut number).cast(), "float number")?;
    /// // SAFETY: this is the variable's type, and nobody else uses it.
    /// assert_eq!(unsafe { variable.get()? }, Value::Float(0.5));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn declared(address: *mut c_void, declaration: &str) -> Result<Variable> {
        let scope = Scope::new()?;
        let declared = scope.variable(declaration)?;
        let kept = Kept::of_c(&scope, declared.ty)?;
        Variable::new(address, kept, declared.name.as_deref(), None)
    }

    /// The variable of a library with this type code.
    pub(crate) fn of_code(
        address: *mut c_void,
        code: &str,
        name: &str,
        library: Shared<engine::Library>,
    ) -> Result<Variable> {
        Variable::new(address, Kept::of_code(code)?, Some(name), Some(library))
    }

    /// The variable of a library that was declared in a scope.
    pub(crate) fn of_declared(
        address: *mut c_void,
        declared: &Declared,
        scope: &Shared<Scope>,
        library: Shared<engine::Library>,
    ) -> Result<Variable> {
        let kept = Kept::of_c(scope, declared.ty)?;
        Variable::new(address, kept, declared.name.as_deref(), Some(library))
    }

    fn new(
        address: *mut c_void,
        kept: Kept,
        name: Option<&str>,
        library: Option<Shared<engine::Library>>,
    ) -> Result<Variable> {
        if address.is_null() {
            return Err(Error::Null { what: "variable" });
        }
        Ok(Variable {
            address,
            kept,
            name: name
                .map(|name| Shared::try_new(try_string(name)?))
                .transpose()?,
            library,
        })
    }

    /// Reads the variable.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// # Safety
    /// * There is a variable of this type at the address, and nothing writes to it meanwhile.
    ///
    /// ```
    /// let mut number = -3_i64;
    /// let variable = farcall::Variable::at((&raw mut number).cast(), "q")?;
    /// // SAFETY: this is the variable's type, and nobody else uses it.
    /// let value = unsafe { variable.get()? };
    /// assert_eq!(i64::try_from(value)?, -3);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub unsafe fn get(&self) -> Result<Value> {
        let loaded = self.while_open(|| {
            // SAFETY: there is a variable of this type at the address, and nothing writes to it meanwhile, by the contract of this method.
            unsafe {
                match &self.kept.ty {
                    Some(ty) => {
                        let slot = slot::load(ty, self.address);
                        Ok(slots::from_slot(slot, &self.kept.param))
                    }
                    None => slots::load(&self.kept.param, self.address.cast()),
                }
            }
        })?;
        Ok(loaded?)
    }

    /// Writes the variable. An integer must be within the range of the type, and a structure must have exactly its size.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Mismatch`] for a value that the type does not take, or [`Error::Codes`] if the type was given
    /// as a code. The variable is unchanged then.
    ///
    /// # Safety
    /// * There is a variable of this type at the address, it is writable, and nothing else accesses it meanwhile.
    /// * A pointer stored in it stays valid for as long as C may use it.
    ///
    /// ```
    /// let mut number = 0_u8;
    /// let variable = farcall::Variable::at((&raw mut number).cast(), "B")?;
    /// // SAFETY: this is the variable's type, and nobody else uses it.
    /// unsafe {
    ///     variable.set(255.into())?;
    ///     assert!(variable.set(256.into()).is_err());
    /// }
    /// assert_eq!(number, 255);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub unsafe fn set(&self, value: Value) -> Result<()> {
        let treatment = self.kept.param.treatment;
        if let (Treatment::Bytes(size), Value::Struct(bytes)) = (treatment, &value)
            && bytes.len() == size as usize
        {
            return self.while_open(|| {
                let to = self.address.cast::<u8>();
                // SAFETY: there is a variable of this type at the address that nothing else accesses meanwhile, by the contract of this
                // method; it has as many bytes.
                unsafe { to.copy_from(bytes.as_ptr(), bytes.len()) };
            });
        }
        let mut slots = [0; 2];
        let len = (self.kept.param.slots as usize).min(slots.len());
        slots::store(&value, treatment, Position::Variable, &mut slots[..len])
            .map_err(|misfit| self.kept.misfit(&value, misfit))?;
        let size = treatment.size() as usize;
        self.while_open(|| {
            let to = self.address.cast::<u8>();
            // SAFETY: there is a variable of this type at the address that nothing else accesses meanwhile, by the contract of this method.
            // A value that is not a scalar has the same size as in slots, and structures are handled above.
            unsafe {
                match &self.kept.ty {
                    Some(ty) => slot::store(ty, self.address, slots[0]),
                    None => to.copy_from(slots.as_ptr().cast(), size),
                }
            }
        })
    }

    /// Runs `work` while the library cannot be unloaded.
    fn while_open<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let Some(library) = &self.library else {
            return Ok(work());
        };
        let done = library.gate().pass(work, |_| ());
        done.ok_or_else(|| self.refused())
    }

    #[cold]
    fn refused(&self) -> Error {
        let name = self.name.as_deref();
        let what = match name {
            Some(name) => try_string(name),
            None => try_format(format_args!("variable at {:p}", self.address)),
        };
        what.map_or_else(Error::from, |what| Error::Closed { what })
    }

    /// The variable's address.
    ///
    /// ```
    /// let mut number = 0_i32;
    /// let variable = farcall::Variable::at((&raw mut number).cast(), "i")?;
    /// assert_eq!(variable.address(), (&raw mut number).cast());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn address(&self) -> *mut c_void {
        self.address
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Variable({} at {:p}, {})",
            self.name.as_ref().map_or("", |name| name),
            self.address,
            self.kept.words.text().map_err(|_| fmt::Error)?
        )
    }
}
