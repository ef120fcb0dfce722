//! Shared libraries: the crate's public handle.

use crate::declarations::Declarations;
use crate::error::{Error, Result};
use crate::func::Function;
use crate::scope::Scope;
use crate::signature::Signature;
use crate::var::Variable;
use farcall_cdecl::Role;
use farcall_engine as engine;
use farcall_memory::{Shared, try_string};
use std::ffi::{OsStr, c_void};

/// A shared library, or the program itself.
///
/// Functions and variables keep the library loaded, even after this value is dropped. After [`Library::close`],
/// they return [`Error::Closed`](crate::Error::Closed).
///
/// ```
/// use farcall::{Error, Library};
///
/// // SAFETY: what the C library does as it is loaded is sound, and cos() is as declared here.
/// unsafe {
///     let libm = Library::open("libm.so.6")?;
///     let cos = libm.function("double cos(double)")?;
///     drop(libm);
///     assert_eq!(f64::try_from(cos.call(&[0.0.into()])?)?, 1.0);
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Library {
    shared: Shared<engine::Library>,
}

impl Library {
    /// Opens a library by its path or by a name that the loader searches for. The loader resolves every symbol that the library needs now, and does
    /// not offer the library's own symbols to libraries that are opened later (`RTLD_NOW | RTLD_LOCAL` on POSIX).
    ///
    /// A linker script, such as the `libc.so` of development packages, stands for all the libraries that it names.
    ///
    /// # Errors
    /// [`EngineError::Open`](crate::EngineError::Open) with the loader's message, or with the fault in a linker script;
    /// [`EngineError::NulInName`](crate::EngineError::NulInName).
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is closed, are sound to run.
    ///
    /// ```
    /// use farcall::Library;
    /// use std::path::Path;
    ///
    /// // SAFETY: what the C library does as it is loaded is sound.
    /// unsafe {
    ///     let by_name = Library::open("libm.so.6")?;
    ///     assert!(by_name.addr("cos").is_ok());
    ///     let missing = Library::open(Path::new("/no/such/library.so"));
    ///     assert!(matches!(missing, Err(farcall::Error::Engine(_))));
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub unsafe fn open(path: impl AsRef<OsStr>) -> Result<Library> {
        // SAFETY: the library's initialisers and finalisers are sound to run, by the contract of this function.
        unsafe { Library::opened(Some(path.as_ref()), None) }
    }

    /// The program itself, with all libraries that it has loaded.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], and [`EngineError::Open`](crate::EngineError::Open) if the loader refuses.
    ///
    /// ```
    /// use farcall::{Library, Value};
    ///
    /// // SAFETY: the program's own libraries are initialised already, and abs() is as declared here.
    /// let result = unsafe { Library::this()?.function("int abs(int)")?.call(&[(-5).into()])? };
    /// assert_eq!(result, Value::Int(5));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn this() -> Result<Library> {
        // SAFETY: this loads nothing: what the program has loaded is initialised already, and stays loaded when this is closed.
        unsafe { Library::opened(None, None) }
    }

    /// Opens a library like [`Library::open`], with flags of `dlopen`, or on Windows of `LoadLibraryExW`.
    ///
    /// # Errors
    /// Those of [`Library::open`].
    ///
    /// # Safety
    /// * As for [`Library::open`].
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// /// `RTLD_LAZY` of <dlfcn.h>.
    /// const LAZY: i32 = 1;
    /// // SAFETY: what the C library does as it is loaded is sound.
    /// let libm = unsafe { farcall::Library::open_with_flags("libm.so.6", LAZY)? };
    /// assert_eq!(libm.name(), "libm.so.6");
    /// # }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub unsafe fn open_with_flags(path: impl AsRef<OsStr>, flags: i32) -> Result<Library> {
        // SAFETY: the library's initialisers and finalisers are sound to run, by the contract of this function.
        unsafe { Library::opened(Some(path.as_ref()), Some(flags)) }
    }

    /// # Safety
    /// * As for [`Library::open`].
    unsafe fn opened(path: Option<&OsStr>, flags: Option<i32>) -> Result<Library> {
        // SAFETY: the library's initialisers and finalisers are sound to run, by the contract of this function.
        let library = unsafe { engine::Library::open(path, flags)? };
        Ok(Library {
            shared: Shared::try_new(library)?,
        })
    }

    /// The path or name that the library was opened with.
    ///
    /// ```
    /// // SAFETY: what the C library does as it is loaded is sound.
    /// let libm = unsafe { farcall::Library::open("libm.so.6")? };
    /// assert_eq!(libm.name(), "libm.so.6");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// The loader's handle, for display.
    ///
    /// ```
    /// // SAFETY: what the C library does as it is loaded is sound.
    /// let libm = unsafe { farcall::Library::open("libm.so.6")? };
    /// assert!(!libm.handle().is_null());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn handle(&self) -> *mut c_void {
        self.shared.handle()
    }

    /// The function called `name`, with the type codes of its result and its arguments.
    ///
    /// # Errors
    /// Those of [`Library::addr`] and of [`Signature::codes`].
    ///
    /// ```
    /// use farcall::{Library, Value};
    ///
    /// // SAFETY: the program's own libraries are initialised already, and abs() is as declared here.
    /// let result = unsafe { Library::this()?.func("i", "abs", "i")?.call(&[(-5).into()])? };
    /// assert_eq!(result, Value::Int(5));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn func(&self, ret: &str, name: &str, args: &str) -> Result<Function> {
        let address = self.addr(name)?;
        let signature = Signature::known(ret, args, Role::Function)?;
        let name = Shared::try_new(try_string(name)?)?;
        Function::new(address, signature, Some(name), Some(self.shared.clone()))
    }

    /// The function that the C text `declaration` declares. See [`Signature::declared`].
    ///
    /// # Errors
    /// Those of [`Signature::declared`] and of [`Library::addr`]; [`Error::Mismatch`] for a declaration without a name.
    ///
    /// ```
    /// use farcall::Library;
    ///
    /// // SAFETY: the program's own libraries are initialised already, and div() is as declared here.
    /// let result = unsafe {
    ///     let this = Library::this()?;
    ///     let div = this.function("struct { int quot, rem; } div(int numer, int denom)")?;
    ///     div.call(&[17.into(), 5.into()])?
    /// };
    /// assert_eq!(result.to_string(), "structure of 8 bytes");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn function(&self, declaration: &str) -> Result<Function> {
        self.function_of(Signature::declared(declaration)?)
    }

    /// A function that `declarations` describe. `declaration` is its name, or C text that declares it and may use the names in `declarations`.
    ///
    /// # Errors
    /// [`Error::NotDeclared`]; those of [`Library::function`].
    ///
    /// ```
    /// use farcall::{Declarations, Library};
    ///
    /// let c = Declarations::parse(
    ///     "typedef struct { long quot, rem; } ldiv_t;
    ///      ldiv_t ldiv(long numer, long denom);",
    /// )?;
    /// // SAFETY: the program's own libraries are initialised already, and these are declared as they are.
    /// unsafe {
    ///     let this = Library::this()?;
    ///     let ldiv = this.function_in(&c, "ldiv")?;
    ///     let result = ldiv.call(&[17.into(), 5.into()])?;
    ///     let same = this.function_in(&c, "ldiv_t ldiv(long, long)")?;
    ///     assert_eq!(same.call(&[17.into(), 5.into()])?, result);
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn function_in(&self, declarations: &Declarations, declaration: &str) -> Result<Function> {
        self.function_of(declarations.signature(declaration)?)
    }

    fn function_of(&self, signature: Signature) -> Result<Function> {
        let Some(symbol) = signature.symbol() else {
            return Err(Error::mismatch(
                format_args!("declaration"),
                format_args!("one with the function's name"),
                format_args!("{signature}"),
            ));
        };
        let address = self.addr(symbol)?;
        let name = signature.shared_name().cloned();
        Function::new(address, signature, name, Some(self.shared.clone()))
    }

    /// The variable called `name`, with the type code `code`.
    ///
    /// # Errors
    /// Those of [`Library::addr`], and [`Error::Codes`] for a bad code.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use farcall::Library;
    ///
    /// // SAFETY: the program's own libraries are initialised already, and nobody else uses this variable now.
    /// let index = unsafe { Library::this()?.var("i", "optind")?.get()? };
    /// assert_eq!(i32::try_from(index)?, 1);
    /// # }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn var(&self, code: &str, name: &str) -> Result<Variable> {
        let address = self.addr(name)?;
        Variable::of_code(address, code, name, self.shared.clone())
    }

    /// The variable that the C text `declaration` declares, such as `"int optind"`.
    ///
    /// # Errors
    /// Those of [`Variable::declared`] and of [`Library::addr`]; [`Error::Mismatch`] for a declaration without a name.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use farcall::Library;
    ///
    /// // SAFETY: the program's own libraries are initialised already, and nobody else uses this variable now.
    /// let index = unsafe { Library::this()?.variable("int optind")?.get()? };
    /// assert_eq!(i32::try_from(index)?, 1);
    /// # }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn variable(&self, declaration: &str) -> Result<Variable> {
        self.variable_of(&Scope::new()?, declaration)
    }

    /// A variable that `declarations` describe. `declaration` is its name, or C text that declares it and may use the names in `declarations`.
    ///
    /// # Errors
    /// [`Error::NotDeclared`]; those of [`Library::variable`].
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use farcall::{Declarations, Library};
    ///
    /// let c = Declarations::parse("extern int optind, opterr;")?;
    /// // SAFETY: the program's own libraries are initialised already, and nobody else uses this variable now.
    /// let index = unsafe { Library::this()?.variable_in(&c, "optind")?.get()? };
    /// assert_eq!(i32::try_from(index)?, 1);
    /// # }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn variable_in(&self, declarations: &Declarations, declaration: &str) -> Result<Variable> {
        self.variable_of(declarations.scope(), declaration)
    }

    fn variable_of(&self, scope: &Shared<Scope>, declaration: &str) -> Result<Variable> {
        let declared = scope.variable(declaration)?;
        let Some(symbol) = &declared.symbol else {
            return Err(Error::mismatch(
                format_args!("declaration"),
                format_args!("one with the variable's name"),
                format_args!("{}", scope.show(declared.ty, "")?),
            ));
        };
        let address = self.addr(symbol)?;
        Variable::of_declared(address, &declared, scope, self.shared.clone())
    }

    /// The address of the symbol called `name`.
    ///
    /// # Errors
    /// [`EngineError::Symbol`](crate::EngineError::Symbol) if there is no such symbol, or if its address is null;
    /// [`Error::Closed`](crate::Error::Closed); [`EngineError::NulInName`](crate::EngineError::NulInName).
    ///
    /// ```
    /// use farcall::Library;
    ///
    /// let this = Library::this()?;
    /// assert!(!this.addr("abs")?.is_null());
    /// assert!(this.addr("no_such_function").is_err());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn addr(&self, name: &str) -> Result<*mut c_void> {
        Ok(self.shared.symbol(name)?)
    }

    /// Closes the library for all its users. Closing it again does nothing.
    ///
    /// If no thread is inside one of its functions or variables, the library is unloaded at once. Otherwise, the last of these calls unloads it
    /// as it returns, on its own thread. Addresses from [`Library::addr`] dangle after that. A [`Function`] made from such an address
    /// ([`Function::at`]) does not keep the library loaded.
    ///
    /// ```
    /// use farcall::{Error, Library};
    ///
    /// // SAFETY: what the C library does as it is loaded is sound, and cos() is as declared here.
    /// unsafe {
    ///     let libm = Library::open("libm.so.6")?;
    ///     let cos = libm.function("double cos(double)")?;
    ///     libm.close();
    ///     assert!(matches!(cos.call(&[0.0.into()]), Err(Error::Closed { .. })));
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn close(&self) {
        self.shared.close();
    }
}
