//! Shared libraries: open, look up, close.

use crate::epoch::{self, Thing, Waiting, Work};
use crate::error::{Error, Result};
use crate::memory::try_box;
use crate::sys::{self, LoaderFailure};
use farcall_arch::OutOfMemory;
use farcall_arch::memory::try_string;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the loader has opened, which goes when nobody is inside any more.
#[derive(Debug)]
struct Loaded {
    waiting: Waiting,
    library: sys::LoadedLibrary,
}

impl Work for Loaded {
    fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    fn run(self: Box<Self>) {
        drop(self);
    }
}

/// A shared library, or the program itself.
#[derive(Debug)]
pub struct Library {
    name: String,
    is_open: AtomicBool,
    loaded: Mutex<Option<Box<Loaded>>>,
    handle: usize,
}

impl Library {
    /// Opens a library by its path or by a name that the loader searches for; the program itself, with all it has loaded,
    /// for `None`. `flags` are the loader's: those of `dlopen`, or of `LoadLibraryExW`. Without them every symbol that the library
    /// needs is resolved now, and its own are not lent to libraries opened later.
    ///
    /// # Errors
    /// [`Error::Open`] with the loader's own words; [`Error::NulInName`].
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is closed, are sound to run.
    pub unsafe fn open(path: Option<&str>, flags: Option<i32>) -> Result<Library> {
        if let Some(name) = path.filter(|path| path.contains('\0')) {
            return Err(Error::NulInName {
                name: try_string(name)?,
            });
        }
        // What an embedder closed while in use may have come free by now.
        epoch::reap();
        let flags = flags.unwrap_or(sys::DEFAULT_OPEN_FLAGS);
        // SAFETY: the caller vouches for the library.
        let loaded = unsafe { sys::LoadedLibrary::open(path, flags) };
        let library = match loaded {
            Ok(library) => library,
            Err(LoaderFailure::OutOfMemory) => return Err(OutOfMemory.into()),
            Err(LoaderFailure::Said(error)) => {
                return Err(Error::Open {
                    path: path.map(try_string).transpose()?,
                    code: error.code,
                    text: error.text,
                });
            }
        };
        let handle = library.handle() as usize;
        let waiting = Waiting::new();
        Ok(Library {
            name: try_string(path.unwrap_or("the program"))?,
            is_open: AtomicBool::new(true),
            loaded: Mutex::new(Some(try_box(Loaded { waiting, library })?)),
            handle,
        })
    }

    /// What it was opened as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The loader's handle, for display.
    pub fn handle(&self) -> *mut c_void {
        self.handle as *mut c_void
    }

    /// What a thread is inside of that calls a function of it.
    #[inline(always)]
    pub fn thing(&self) -> Thing {
        Thing::called(self)
    }

    /// Whether it has not been closed. A thread that asks this after it has entered the library's [`thing`](Library::thing) may use it
    /// until it leaves. It asks again then: whoever finds it closed calls [`epoch::settle`].
    #[inline(always)]
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// The address of the symbol called `name`.
    ///
    /// # Errors
    /// [`Error::Symbol`] where there is none, or where it is null; [`Error::Closed`]; [`Error::NulInName`].
    pub fn symbol(&self, name: &str) -> Result<*mut c_void> {
        if name.contains('\0') {
            return Err(Error::NulInName {
                name: try_string(name)?,
            });
        }
        let loaded = self.loaded();
        let Some(loaded) = loaded.as_ref() else {
            return Err(Error::Closed {
                what: try_string(&self.name)?,
            });
        };
        let text = match loaded.library.symbol(name) {
            Ok(address) if address.is_null() => try_string("its address is NULL")?,
            Ok(address) => return Ok(address),
            Err(LoaderFailure::OutOfMemory) => return Err(OutOfMemory.into()),
            Err(LoaderFailure::Said(error)) => error.text,
        };
        Err(Error::Symbol {
            library: try_string(&self.name)?,
            name: try_string(name)?,
            text,
        })
    }

    /// Closes it for all who use it. Closing it again does nothing.
    ///
    /// It is unloaded now if no thread is inside a call of it, and otherwise by the last such call as it returns, on that call's thread.
    /// Addresses taken from it dangle after that.
    pub fn close(&self) {
        if let Some(loaded) = self.shut() {
            epoch::when_left(self.thing(), loaded);
        }
    }

    /// [`Library::close`] for an embedder whose threads do not say which library they are inside of: it stays until a later moment at
    /// which none that is [`registered`](epoch::register) is inside foreign code.
    pub fn close_when_idle(&self) {
        if let Some(loaded) = self.shut() {
            epoch::retire(loaded);
            epoch::reap();
        }
    }

    /// Has everybody find it closed.
    fn shut(&self) -> Option<Box<Loaded>> {
        self.is_open.store(false, Ordering::Release);
        self.loaded().take()
    }

    fn loaded(&self) -> MutexGuard<'_, Option<Box<Loaded>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
