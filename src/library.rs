//! Shared libraries: open, look up, close.

use crate::error::{Error, Result};
use crate::func::Function;
use crate::var::Variable;
use crate::{activity, sys};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A shared library, or the program itself.
///
/// Functions and variables keep the library loaded, whether or not this value still exists. [`Library::close`]
/// ends that: they answer with [`Error::Closed`] from then on.
#[derive(Clone, Debug)]
pub struct Library {
    shared: Arc<Shared>,
}

/// What a library and all that was looked up in it have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    name: String,
    is_open: AtomicBool,
    loaded: Mutex<Option<sys::LoadedLibrary>>,
    handle: usize,
}

impl Shared {
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    fn loaded(&self) -> MutexGuard<'_, Option<sys::LoadedLibrary>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Library {
    /// Opens a library by its path or by a name that the loader searches for; the program itself, with all it has loaded,
    /// for `None`. Every symbol it needs is resolved now, and its own are not lent to libraries opened later.
    ///
    /// # Errors
    /// [`Error::Open`] with the loader's own words; [`Error::NulInName`].
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is closed, are sound to run.
    pub unsafe fn open(path: Option<&str>) -> Result<Library> {
        // SAFETY: the caller vouches for the library.
        unsafe { Library::open_with_flags(path, sys::DEFAULT_OPEN_FLAGS) }
    }

    /// [`Library::open`] with the flags of `dlopen`.
    ///
    /// # Errors
    /// Those of [`Library::open`].
    ///
    /// # Safety
    /// * As for [`Library::open`].
    pub unsafe fn open_with_flags(path: Option<&str>, flags: i32) -> Result<Library> {
        if let Some(name) = path.filter(|path| path.contains('\0')) {
            return Err(Error::NulInName {
                name: name.to_owned(),
            });
        }
        // What was closed while in use may have come free by now.
        activity::reap();
        // SAFETY: the caller vouches for the library.
        let loaded = unsafe { sys::LoadedLibrary::open(path, flags) };
        let loaded = loaded.map_err(|error| Error::Open {
            path: path.map(str::to_owned),
            code: error.code,
            text: error.text,
        })?;
        let (loaded, handle) = loaded.handle();
        let shared = Shared {
            name: path.unwrap_or("the program").to_owned(),
            is_open: AtomicBool::new(true),
            loaded: Mutex::new(Some(loaded)),
            handle: handle as usize,
        };
        Ok(Library {
            shared: Arc::new(shared),
        })
    }

    /// What it was opened as.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The loader's handle, for display.
    pub fn handle(&self) -> *mut c_void {
        self.shared.handle as *mut c_void
    }

    /// The function called `name`, with the types that its result and arguments have.
    ///
    /// # Errors
    /// [`Error::Symbol`], [`Error::Closed`], those of a bad signature, and [`Error::ExecutableMemory`].
    pub fn func(&self, ret: &str, name: &str, args: &str) -> Result<Function> {
        let address = self.addr(name)?;
        Function::new(address, ret, args, Some(name), Some(self.shared.clone()))
    }

    /// The variable called `name`, of the type `code`.
    ///
    /// # Errors
    /// [`Error::Symbol`], [`Error::Closed`], and those of a bad code.
    pub fn var(&self, code: &str, name: &str) -> Result<Variable> {
        let address = self.addr(name)?;
        Variable::new(address, code, name.to_owned(), Some(self.shared.clone()))
    }

    /// The address of the symbol called `name`.
    ///
    /// # Errors
    /// [`Error::Symbol`] where there is none, or where it is null; [`Error::Closed`]; [`Error::NulInName`].
    pub fn addr(&self, name: &str) -> Result<*mut c_void> {
        if name.contains('\0') {
            return Err(Error::NulInName {
                name: name.to_owned(),
            });
        }
        let loaded = self.shared.loaded();
        let Some(loaded) = loaded.as_ref() else {
            return Err(Error::Closed {
                what: self.name().to_owned(),
            });
        };
        let missing = |text| Error::Symbol {
            library: self.name().to_owned(),
            name: name.to_owned(),
            text,
        };
        match loaded.symbol(name) {
            Ok(address) if address.is_null() => Err(missing("its address is NULL".to_owned())),
            Ok(address) => Ok(address),
            Err(error) => Err(missing(error.text)),
        }
    }

    /// Closes the library for all who use it. Closing it again does nothing.
    ///
    /// While a thread is inside a foreign call, the library may be what it is inside of: it then stays mapped
    /// until a later moment at which no thread is. Addresses taken with [`Library::addr`] dangle after that.
    pub fn close(&self) {
        self.shared.is_open.store(false, Ordering::Relaxed);
        let loaded = self.shared.loaded().take();
        if let Some(loaded) = loaded {
            activity::retire(Box::new(loaded));
            activity::reap();
        }
    }
}
