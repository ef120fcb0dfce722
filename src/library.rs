//! Shared libraries, as a user holds them.

use crate::error::Result;
use crate::func::Function;
use crate::var::Variable;
use farcall_engine as engine;
use farcall_memory::Shared;
use std::ffi::{OsStr, c_void};

/// A shared library, or the program itself.
///
/// Functions and variables keep the library loaded, whether or not this value still exists. [`Library::close`]
/// ends that: they answer with [`Error::Closed`](crate::Error::Closed) from then on.
#[derive(Clone, Debug)]
pub struct Library {
    shared: Shared<engine::Library>,
}

impl Library {
    /// Opens a library by its path or by a name that the loader searches for; the program itself, with all it has loaded,
    /// for `None`. Every symbol it needs is resolved now, and its own are not lent to libraries opened later.
    ///
    /// A linker script, such as the `libc.so` of development packages, stands for all that it names.
    ///
    /// # Errors
    /// [`EngineError::Open`](crate::EngineError::Open) with the loader's own words, or with what is wrong with a linker script;
    /// [`EngineError::NulInName`](crate::EngineError::NulInName).
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is closed, are sound to run.
    pub unsafe fn open(path: Option<&str>) -> Result<Library> {
        // SAFETY: the caller vouches for the initialisers and the finalisers.
        let library = unsafe { engine::Library::open(path.map(OsStr::new), None)? };
        Ok(Library {
            shared: Shared::try_new(library)?,
        })
    }

    /// [`Library::open`] with the flags of `dlopen`, on Windows those of `LoadLibraryExW`.
    ///
    /// # Errors
    /// Those of [`Library::open`].
    ///
    /// # Safety
    /// * As for [`Library::open`].
    pub unsafe fn open_with_flags(path: Option<&str>, flags: i32) -> Result<Library> {
        // SAFETY: the caller vouches for the initialisers and the finalisers.
        let library = unsafe { engine::Library::open(path.map(OsStr::new), Some(flags))? };
        Ok(Library {
            shared: Shared::try_new(library)?,
        })
    }

    /// What it was opened as.
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// The loader's handle, for display.
    pub fn handle(&self) -> *mut c_void {
        self.shared.handle()
    }

    /// The function called `name`, with the types that its result and arguments have.
    ///
    /// # Errors
    /// Those of [`Library::addr`], and of a bad signature.
    pub fn func(&self, ret: &str, name: &str, args: &str) -> Result<Function> {
        let address = self.addr(name)?;
        Function::new(address, ret, args, Some(name), Some(self.shared.clone()))
    }

    /// The variable called `name`, of the type `code`.
    ///
    /// # Errors
    /// Those of [`Library::addr`], and of a bad code.
    pub fn var(&self, code: &str, name: &str) -> Result<Variable> {
        let address = self.addr(name)?;
        Variable::new(address, code, Some(name), Some(self.shared.clone()))
    }

    /// The address of the symbol called `name`.
    ///
    /// # Errors
    /// [`EngineError::Symbol`](crate::EngineError::Symbol) where there is none, or where it is null;
    /// [`Error::Closed`](crate::Error::Closed); [`EngineError::NulInName`](crate::EngineError::NulInName).
    pub fn addr(&self, name: &str) -> Result<*mut c_void> {
        Ok(self.shared.symbol(name)?)
    }

    /// Closes the library for all who use it. Closing it again does nothing.
    ///
    /// It is unloaded then and there if no thread is inside one of its functions or variables, and otherwise by the last such call as it
    /// returns, on that call's thread. Addresses taken with [`Library::addr`] dangle after that, and functions called
    /// by such an address ([`Function::at`]) keep nothing loaded.
    pub fn close(&self) {
        self.shared.close();
    }
}
