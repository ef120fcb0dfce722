//! Opens libraries with the loader, and those that a linker script stands for.
//!
//! Development packages have files such as `libc.so` and `libncurses.so` that are no libraries, but linker scripts that name some. The
//! loader refuses them. Its message says which file it found, and the libraries that this file names are opened in its place.

use super::environment::environment;
use super::errno::clear_errno;
use super::linker_script::{self, Item, Script};
use crate::sys::face::{LoaderError, LoaderFailure};
use farcall_memory::{OutOfMemory, TryVec, try_format, try_lossy};
use std::ffi::{CStr, OsStr, c_void};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::ptr::{self, NonNull};

type Result<T> = std::result::Result<T, LoaderFailure>;

/// A library that the loader has opened, or all that a linker script names, closed when this is dropped.
#[derive(Debug)]
pub(crate) struct LoadedLibrary {
    first: Handle,
    others: Vec<Handle>,
}

/// One of the loader's handles.
#[derive(Debug)]
struct Handle(NonNull<c_void>);

// SAFETY: a handle is of the process, and the loader takes it on any thread.
unsafe impl Send for Handle {}

/// `RTLD_NOW | RTLD_LOCAL`: every symbol is resolved at once, and none is lent to other libraries.
pub(crate) const DEFAULT_OPEN_FLAGS: i32 = libc::RTLD_NOW | libc::RTLD_LOCAL;

/// The depth to which scripts that name scripts may nest.
const DEPTH: usize = 8;

/// The most libraries that the scripts behind one opened name may name.
const LIBRARIES: usize = 64;

/// The length of names, their NUL included, up to which looking one up takes no memory.
const SHORT: usize = 64;

/// A path as C has it.
pub fn path_of(bytes: &[u8]) -> Option<&OsStr> {
    Some(OsStr::from_bytes(bytes))
}

impl LoadedLibrary {
    /// Opens a library by path or soname; the program itself without one. There is no NUL in it. If `flags` do not say when to resolve
    /// symbols, they are resolved now.
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is dropped, are sound to run.
    pub unsafe fn open(path: Option<&OsStr>, flags: i32) -> Result<LoadedLibrary> {
        let flags = match flags & (libc::RTLD_LAZY | libc::RTLD_NOW) {
            0 => flags | libc::RTLD_NOW,
            _ => flags,
        };
        let path = path.map(OsStr::as_bytes);
        // SAFETY: the library's initialisers and finalisers are sound to run, by the contract of this function.
        let failure = match unsafe { Handle::open(path, flags) } {
            Ok(first) => {
                let others = Vec::new();
                return Ok(LoadedLibrary { first, others });
            }
            Err(failure) => failure,
        };
        let mut named = Named {
            flags,
            handles: Vec::new(),
        };
        // SAFETY: the initialisers and finalisers of what a linker script names are the library's, by the contract of this function.
        unsafe { named.open_instead(path.unwrap_or_default(), failure, Namer::default())? };
        let mut others = named.handles;
        // A script that names no library is an error.
        let first = others.remove(0);
        Ok(LoadedLibrary { first, others })
    }

    /// The address of a symbol, which may be null. There is no NUL in its name.
    pub fn symbol(&self, name: &str) -> Result<*mut c_void> {
        let mut short = [0; SHORT];
        let long;
        let name = match short.get_mut(..name.len()) {
            // Few names are longer. A NUL follows the name.
            Some(place) if name.len() < SHORT => {
                place.copy_from_slice(name.as_bytes());
                &short
            }
            _ => {
                long = c_string(name.as_bytes())?;
                &*long
            }
        };
        let failure = match self.first.symbol(name) {
            Err(LoaderFailure::Said(failure)) => failure,
            found => return found,
        };
        for other in &self.others {
            match other.symbol(name) {
                Err(LoaderFailure::Said(_)) => {}
                found => return found,
            }
        }
        Err(LoaderFailure::Said(failure))
    }

    /// The loader's handle, for display.
    pub fn handle(&self) -> *mut c_void {
        self.first.0.as_ptr()
    }
}

impl Handle {
    /// # Safety
    /// * As for [`LoadedLibrary::open`].
    unsafe fn open(path: Option<&[u8]>, flags: i32) -> Result<Handle> {
        let path = path.map(c_string).transpose()?;
        let path = path.as_ref().map_or(ptr::null(), |path| path.as_ptr());
        // The loader need not set errno, so an old value must not be taken for the loader's.
        clear_errno();
        // SAFETY: the path is null or ends with a NUL byte; the library's initialisers are sound to run, by the contract of this
        // function.
        let handle = unsafe { libc::dlopen(path.cast(), flags) };
        let code = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        match NonNull::new(handle) {
            Some(handle) => Ok(Handle(handle)),
            None => Err(match words_of_loader(code)? {
                Some(words) => words,
                None if flags & libc::RTLD_NOLOAD != 0 => {
                    said(libc::ENOENT, format_args!("it is not loaded yet"))?
                }
                None => LoaderFailure::OutOfMemory,
            }),
        }
    }

    /// The address of a symbol, whose name ends with a NUL.
    fn symbol(&self, name: &[u8]) -> Result<*mut c_void> {
        // SAFETY: the handle is open and the name a string. Only the address is asked for.
        let look = || unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr().cast()) };
        let address = look();
        if !address.is_null() {
            return Ok(address);
        }
        // The symbol is missing, or its address is null. The loader's next message tells which, once its last one is cleared.
        // SAFETY: the function has no preconditions.
        unsafe { libc::dlerror() };
        let address = look();
        words_of_loader(libc::ENOENT)?.map_or(Ok(address), Err)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own and is closed once. The finalisers are sound to run, by the contract of `LoadedLibrary::open`.
        unsafe { libc::dlclose(self.0.as_ptr()) };
    }
}

/// The libraries that a script names, while they are being opened.
struct Named {
    flags: i32,
    handles: Vec<Handle>,
}

/// The script that names the library to open, and the number of scripts that led to it; none at first.
#[derive(Clone, Copy, Default)]
struct Namer<'a> {
    file: &'a [u8],
    depth: usize,
}

impl Named {
    /// Opens a library that a script names, or the libraries of a further script that it names.
    ///
    /// # Safety
    /// * As for [`LoadedLibrary::open`].
    unsafe fn open(&mut self, path: &[u8], namer: Namer<'_>) -> Result<()> {
        self.handles.try_reserve(1).map_err(OutOfMemory::from)?;
        // SAFETY: the contract of this function is that of `Handle::open`.
        match unsafe { Handle::open(Some(path), self.flags) } {
            Ok(_) if self.handles.len() == LIBRARIES => {
                let text = format_args!("more than {LIBRARIES} libraries");
                Err(wrong_script(namer.file, text)?)
            }
            Ok(handle) => {
                self.handles.push(handle);
                Ok(())
            }
            // SAFETY: as above.
            Err(failure) => unsafe { self.open_instead(path, failure, namer) },
        }
    }

    /// Opens the libraries that the refused file names; fails as the loader did if the file is no script.
    ///
    /// # Safety
    /// * As for [`LoadedLibrary::open`].
    unsafe fn open_instead(
        &mut self,
        path: &[u8],
        failure: LoaderFailure,
        namer: Namer<'_>,
    ) -> Result<()> {
        let LoaderFailure::Said(LoaderError { code, text: words }) = failure else {
            return Err(failure);
        };
        let searched = searched_file(path)?;
        let file = searched.as_deref();
        let file = file.or_else(|| refused_file(path, words.as_bytes()));
        let Some(file) = with_file(file)? else {
            // The loader need not give a number for a file that it did not find.
            let is_about_it = contains(words.as_bytes(), path);
            let code = if code == 0 && is_about_it {
                libc::ENOENT
            } else {
                code
            };
            return Err(refusal(code, words, namer)?);
        };
        let Some(text) = text_of(file)? else {
            return Err(refusal(code, words, namer)?);
        };
        let script = match linker_script::parse(&text)? {
            Ok(Some(script)) => script,
            Ok(None) => return Err(refusal(code, words, namer)?),
            Err(wrong) => return Err(wrong_script(file, format_args!("{wrong}"))?),
        };
        if namer.depth == DEPTH {
            let text = format_args!("more than {DEPTH} scripts that name each other");
            return Err(wrong_script(file, text)?);
        }
        let depth = namer.depth + 1;
        // SAFETY: the contract of this function is that of `open_all`.
        unsafe { self.open_all(&script, Namer { file, depth }) }
    }

    /// # Safety
    /// * As for [`LoadedLibrary::open`].
    unsafe fn open_all(&mut self, script: &Script<'_>, namer: Namer<'_>) -> Result<()> {
        let before = self.handles.len();
        for item in script.items.iter().filter(|item| !item.is_static()) {
            // SAFETY: the contract of this function is that of `open_item`.
            match unsafe { self.open_item(script, item, namer) } {
                Err(LoaderFailure::Said(_)) if item.as_needed => {}
                opened => opened?,
            }
        }
        match self.handles.len() == before {
            true => {
                let text = format_args!("it names no shared library");
                Err(wrong_script(namer.file, text)?)
            }
            false => Ok(()),
        }
    }

    /// Opens one item of a script. A path is opened as it is; a name is searched for in the script's folder, in the folders that the script
    /// names, and then where the loader searches.
    ///
    /// # Safety
    /// * As for [`LoadedLibrary::open`].
    unsafe fn open_item(
        &mut self,
        script: &Script<'_>,
        item: &Item<'_>,
        namer: Namer<'_>,
    ) -> Result<()> {
        let name = item.file_name()?;
        if name.starts_with(b"/") {
            // SAFETY: the contract of this function is that of `open`.
            return unsafe { self.open(&name, namer) };
        }
        let slash = namer.file.iter().rposition(|byte| *byte == b'/');
        let own = &namer.file[..slash.unwrap_or(0)];
        for folder in std::iter::once(own).chain(script.folders.iter().copied()) {
            let path = linker_script::concat(&[folder, b"/", &name])?;
            if is_there(&path)? {
                // SAFETY: as above.
                return unsafe { self.open(&path, namer) };
            }
        }
        if let Some(archive) = item.archive_name()?
            && is_there(&linker_script::concat(&[own, b"/", &archive])?)?
        {
            return Ok(());
        }
        // SAFETY: as above.
        unsafe { self.open(&name, namer) }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// The loader's error about the library to open, or about one that a script names.
fn refusal(
    code: i32,
    text: String,
    namer: Namer<'_>,
) -> std::result::Result<LoaderFailure, OutOfMemory> {
    match namer.depth {
        0 => Ok(LoaderFailure::Said(LoaderError { code, text })),
        _ => wrong_script(namer.file, format_args!("{text}")),
    }
}

/// The file that a name is found as, for a loader that does not say: musl's searches `LD_LIBRARY_PATH`, and some folders of its own.
fn searched_file(name: &[u8]) -> Result<Option<Vec<u8>>> {
    if !cfg!(target_env = "musl") || name.is_empty() || name.contains(&b'/') {
        return Ok(None);
    }
    let own: &[u8] = b"/lib:/usr/local/lib:/usr/lib";
    let first = environment(c"LD_LIBRARY_PATH").unwrap_or_default();
    let folders = [first, own].into_iter();
    for folder in folders.flat_map(|list| list.split(|byte| matches!(byte, b':' | b'\n'))) {
        let path = linker_script::concat(&[folder, b"/", name])?;
        if !folder.is_empty() && is_there(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The file that the loader found for a path or a name, and refused. For a name its message begins with the file:
/// `/usr/lib/libc.so: invalid ELF header`, or with quotes around the file.
fn refused_file<'a>(path: &'a [u8], words: &'a [u8]) -> Option<&'a [u8]> {
    if path.is_empty() {
        return None;
    }
    if path.contains(&b'/') {
        return Some(path);
    }
    let is_file = |end: &usize| {
        let text = &words[..*end];
        matches!(words.get(*end), Some(b':' | b'"' | b'\''))
            && text.ends_with(path)
            && text[..end - path.len()].ends_with(b"/")
    };
    let end = (path.len() + 1..words.len()).find(is_file)?;
    let quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    let start = words[..end].iter().rposition(quote).map_or(0, |at| at + 1);
    Some(&words[start..end])
}

/// The file, if there is one.
fn with_file(path: Option<&[u8]>) -> Result<Option<&[u8]>> {
    Ok(match path {
        Some(path) if is_there(path)? => Some(path),
        _ => None,
    })
}

/// The content of a file that is no longer than scripts are.
fn text_of(path: &[u8]) -> Result<Option<Vec<u8>>> {
    let path = c_string(path)?;
    // O_NONBLOCK, so that a pipe does not block.
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    // SAFETY: the path is a string, and the flags want no mode.
    let file = unsafe { libc::open(path.as_ptr().cast(), flags) };
    if file < 0 {
        return Ok(None);
    }
    // SAFETY: it was opened the line before, and is nobody else's.
    let mut file = unsafe { File::from_raw_fd(file) };
    let Ok(about) = file.metadata() else {
        return Ok(None);
    };
    if !about.is_file() || about.len() > linker_script::LONGEST as u64 {
        return Ok(None);
    }
    let mut text = Vec::new();
    text.try_resize(about.len() as usize, 0)?;
    let is_read = file.read_exact(&mut text).is_ok();
    Ok(is_read.then_some(text))
}

/// Whether there is a file.
fn is_there(path: &[u8]) -> std::result::Result<bool, OutOfMemory> {
    let path = c_string(path)?;
    // SAFETY: the path is a string.
    Ok(unsafe { libc::access(path.as_ptr().cast(), libc::F_OK) } == 0)
}

/// A text with a NUL behind it.
fn c_string(text: &[u8]) -> std::result::Result<Vec<u8>, OutOfMemory> {
    linker_script::concat(&[text, b"\0"])
}

/// The loader's message about its last failure on this thread, if there is one.
fn words_of_loader(code: i32) -> std::result::Result<Option<LoaderFailure>, OutOfMemory> {
    // SAFETY: a message that is not null is a string until the next call of the loader on this thread.
    let words = unsafe {
        let words = libc::dlerror();
        match words.is_null() {
            true => return Ok(None),
            false => CStr::from_ptr(words),
        }
    };
    let text = try_lossy(words.to_bytes())?;
    Ok(Some(LoaderFailure::Said(LoaderError { code, text })))
}

fn said(
    code: i32,
    text: std::fmt::Arguments<'_>,
) -> std::result::Result<LoaderFailure, OutOfMemory> {
    let text = try_format(text)?;
    Ok(LoaderFailure::Said(LoaderError { code, text }))
}

/// The error of a script, or of a library that it names.
fn wrong_script(
    file: &[u8],
    why: std::fmt::Arguments<'_>,
) -> std::result::Result<LoaderFailure, OutOfMemory> {
    let file = try_lossy(file)?;
    said(
        libc::ENOEXEC,
        format_args!("{file}: the linker script there: {why}"),
    )
}
