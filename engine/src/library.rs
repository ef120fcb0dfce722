//! Shared libraries: open, look up, close.

use crate::epoch::{self, Waiting, Work};
use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::sys::{self, LoaderFailure};
use farcall_memory::OutOfMemory;
use farcall_memory::{try_box, try_lossy, try_string};
use std::borrow::Cow;
use std::ffi::{OsStr, c_void};
use std::mem::ManuallyDrop;

/// A library that the loader has opened. It is unloaded when no thread is inside any more.
#[derive(Debug)]
struct Loaded {
    waiting: Waiting,
    library: sys::LoadedLibrary,
    /// Whether it also waits until no registered thread is inside foreign code.
    waits_for_all: bool,
}

// SAFETY: a shared reference leads only to the loader's functions, which any thread may call; the other fields are reached by the owner alone.
unsafe impl Sync for Loaded {}

impl Work for Loaded {
    fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    fn run(mut self: Box<Self>) {
        if std::mem::take(&mut self.waits_for_all) {
            epoch::retire(self);
            epoch::reap();
        }
    }
}

/// A shared library, or the program itself.
///
/// It has no lock: a fork would not wait for it, and a child would find it taken by a thread that stayed with the parent.
#[derive(Debug)]
pub struct Library {
    name: Cow<'static, str>,
    gate: Gate,
    /// The thread that closes the library takes this, and no other. A thread inside may look at it as long as the library is open.
    loaded: ManuallyDrop<Box<Loaded>>,
    handle: usize,
}

impl Library {
    /// Opens a library by its path or by a name that the loader searches for; the program itself, with all it has loaded,
    /// for `None`. `flags` are the loader's: those of `dlopen`, or of `LoadLibraryExW`. Without them every symbol that the library
    /// needs is resolved now, and its own are not lent to libraries opened later.
    ///
    /// A linker script, as development packages put it where a library is expected, stands for all that it names.
    ///
    /// # Errors
    /// [`Error::Open`] with the loader's own words, or with what is wrong with a linker script; [`Error::NulInName`].
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is closed, are sound to run.
    pub unsafe fn open(path: Option<&OsStr>, flags: Option<i32>) -> Result<Library> {
        let bytes = path.map(OsStr::as_encoded_bytes);
        if let Some(name) = bytes.filter(|path| path.contains(&0)) {
            return Err(Error::NulInName {
                name: try_lossy(name)?,
            });
        }
        // Libraries that an embedder closed while in use may be free by now.
        epoch::reap();
        let flags = flags.unwrap_or(sys::DEFAULT_OPEN_FLAGS);
        // SAFETY: the library's initialisers and finalisers are sound to run, by the contract of this function.
        let loaded = unsafe { sys::LoadedLibrary::open(path, flags) };
        let library = match loaded {
            Ok(library) => library,
            Err(LoaderFailure::OutOfMemory) => return Err(OutOfMemory.into()),
            Err(LoaderFailure::Said(error)) => {
                return Err(Error::Open {
                    path: bytes.map(try_lossy).transpose()?,
                    code: error.code,
                    text: error.text,
                });
            }
        };
        let handle = library.handle() as usize;
        Ok(Library {
            name: match bytes {
                Some(path) => try_lossy(path)?.into(),
                None => "the program".into(),
            },
            gate: Gate::new(),
            loaded: ManuallyDrop::new(try_box(Loaded {
                waiting: Waiting::new(),
                library,
                waits_for_all: false,
            })?),
            handle,
        })
    }

    /// The name that it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The loader's handle, for display.
    pub fn handle(&self) -> *mut c_void {
        self.handle as *mut c_void
    }

    /// The gate that a thread passes to use the library: it stays open until the library is closed.
    #[inline(always)]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The address of the symbol called `name`.
    ///
    /// # Errors
    /// [`Error::Symbol`] where there is none, or where it is null; [`Error::Closed`]; [`Error::NulInName`].
    pub fn symbol(&self, name: &str) -> Result<*mut c_void> {
        expect_no_nul(name)?;
        let found = self.gate.pass(|| self.look_up(name), |_| ());
        found.unwrap_or_else(|| {
            Err(Error::Closed {
                what: try_string(&self.name)?,
            })
        })
    }

    /// [`Library::symbol`] for an embedder that keeps track of open libraries itself. The thread need not be known.
    ///
    /// # Errors
    /// [`Error::Symbol`] and [`Error::NulInName`], as there.
    ///
    /// # Safety
    /// * The library is open, and nobody closes it meanwhile.
    pub unsafe fn symbol_of_open(&self, name: &str) -> Result<*mut c_void> {
        expect_no_nul(name)?;
        self.look_up(name)
    }

    /// Asks the loader for a symbol. The library stays open meanwhile.
    fn look_up(&self, name: &str) -> Result<*mut c_void> {
        let text = match self.loaded.library.symbol(name) {
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
            epoch::when_left(self.gate.thing(), loaded);
        }
    }

    /// [`Library::close`] for an embedder whose threads do not say which library they are inside of: it stays until a later moment at
    /// which none that is [`registered`](epoch::register) is inside foreign code.
    pub fn close_when_idle(&self) {
        if let Some(mut loaded) = self.shut() {
            loaded.waits_for_all = true;
            epoch::when_left(self.gate.thing(), loaded);
        }
    }

    /// Marks it as closed. The first caller gets the library to unload.
    fn shut(&self) -> Option<Box<Loaded>> {
        let was_open = self.gate.shut();
        // SAFETY: this happens once, and nobody drops the original. Threads that are inside look at it until they leave; the caller of this
        // waits for that before it drops the copy.
        was_open.then(|| unsafe { std::ptr::read(&*self.loaded) })
    }
}

fn expect_no_nul(name: &str) -> Result<()> {
    match name.as_bytes().contains(&0) {
        false => Ok(()),
        true => Err(Error::NulInName {
            name: try_string(name)?,
        }),
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // No reference is left, so no thread is inside.
        drop(self.shut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_any_length_are_looked_up_by_their_whole_names() {
        // SAFETY: it is this program.
        let opened = unsafe { Library::open(None, None) };
        if cfg!(all(target_env = "musl", target_feature = "crt-static")) {
            let error = opened.expect_err("no loader").to_string();
            assert!(error.contains("Dynamic loading not supported"), "{error}");
            return;
        }
        let library = opened.expect("the program");
        let found = |name: &str| {
            let address = library.symbol(name);
            // SAFETY: nobody closes it.
            let same = unsafe { library.symbol_of_open(name) };
            assert_eq!(address.as_ref().ok(), same.as_ref().ok(), "{name}");
            address.map_err(|error| error.to_string())
        };
        assert!(found("malloc").is_ok());
        for len in [1, 62, 63, 64, 65, 500] {
            let name = "m".repeat(len);
            let error = found(&name).expect_err("there is none");
            assert!(error.contains(&format!("'{name}'")), "{error}");
        }
        assert!(found("malloc\0").is_err());
    }
}
