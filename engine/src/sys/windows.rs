//! Windows.

mod program;
#[cfg_attr(target_arch = "aarch64", path = "windows/unwind_a64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "windows/unwind_x64.rs")]
mod unwind;

pub(crate) use program::{copy_code, map_code};
pub(crate) use unwind::{UnwindEntry, with_unwind_data};

use super::face::{ForkHooks, LoaderError, LoaderFailure, THREAD_ENDS, ThreadEnd};
use libloading::os::windows as loader;
use std::cell::Cell;
use std::error::Error as _;
use std::ffi::{CString, OsStr, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_MOD_NOT_FOUND,
    ERROR_NOT_ENOUGH_MEMORY, ERROR_PATH_NOT_FOUND, GetLastError, HANDLE, HMODULE,
    INVALID_HANDLE_VALUE, SetLastError,
};
use windows_sys::Win32::System::Diagnostics::Debug::FlushInstructionCache;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP, FILE_MAP_EXECUTE, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT,
    MEM_RELEASE, MEM_RESERVE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE, PAGE_READWRITE, UnmapViewOfFile, VirtualAlloc, VirtualFree,
    VirtualProtect,
};
use windows_sys::Win32::System::ProcessStatus::K32EnumProcessModules;
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, GetTickCount64};
use windows_sys::Win32::System::Threading::{
    FlushProcessWriteBuffers, GetCurrentProcess, GetCurrentThreadStackLimits,
};

/// The size of a memory page, in bytes.
pub(crate) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let mut info = MaybeUninit::uninit();
        // SAFETY: the call fills in the structure it is given.
        let info = unsafe {
            GetSystemInfo(info.as_mut_ptr());
            info.assume_init()
        };
        info.dwPageSize as usize
    })
}

/// Fresh memory that begins with `code`, `code_len` bytes that can be executed, and goes on with `data_len` zeroed bytes that
/// can be written. Both are multiples of the page size. It is never given back.
///
/// # Errors
/// The system's, where it has no memory or a policy forbids it (Arbitrary Code Guard); nothing is left of it then.
pub(crate) fn place_block(
    code: &[u8],
    code_len: usize,
    data_len: usize,
) -> io::Result<NonNull<u8>> {
    let len = code_len + data_len;
    // SAFETY: memory at an address of the system's choice replaces nothing.
    let start = unsafe { VirtualAlloc(ptr::null(), len, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
    let start = NonNull::<u8>::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
    let mut before = 0;
    // SAFETY: the memory is longer than the code, and nobody else knows it.
    let changed = unsafe {
        start
            .as_ptr()
            .copy_from_nonoverlapping(code.as_ptr(), code.len());
        VirtualProtect(
            start.as_ptr().cast(),
            code_len,
            PAGE_EXECUTE_READ,
            &mut before,
        )
    };
    if changed == 0 {
        let error = io::Error::last_os_error();
        // SAFETY: as above: it is given back as a whole.
        unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
        return Err(error);
    }
    // SAFETY: the first part of the memory.
    sync_icache(unsafe { std::slice::from_raw_parts(start.as_ptr(), code_len) });
    Ok(start)
}

/// Flushes the instruction cache. The system asks for this after code was written, even where the processor does not.
pub fn sync_icache(bytes: &[u8]) {
    // SAFETY: it changes no memory.
    unsafe { FlushInstructionCache(GetCurrentProcess(), bytes.as_ptr().cast(), bytes.len()) };
}

/// Published code begins at multiples of this: functions may share a page.
pub(crate) const fn code_grain() -> usize {
    1
}

/// Memory for code.
///
/// It is a section that is mapped for execution, and, while code is being written, mapped for writing at another address as well. Neither
/// mapping ever has both rights. Code that is running in the same page is not disturbed, because its bytes do not change. There is no
/// fork() here that would have two processes share the section.
pub(crate) struct CodeRange {
    section: Section,
    view: View,
    len: usize,
}

// SAFETY: `section` and `view` name things of the process that no thread owns; writing takes `&mut self`.
unsafe impl Send for CodeRange {}

impl CodeRange {
    /// Makes `len` bytes, a multiple of the page size. What is never written will hold `filler`.
    pub fn reserve(len: usize, filler: u8) -> io::Result<CodeRange> {
        let (high, low) = ((len as u64 >> 32) as u32, len as u32);
        let (none, rights) = (ptr::null(), PAGE_EXECUTE_READWRITE);
        // SAFETY: a section without a name, backed by the paging file, is nobody else's.
        let section = Section(unsafe {
            CreateFileMappingW(INVALID_HANDLE_VALUE, none, rights, high, low, ptr::null())
        });
        if section.0.is_null() {
            return Err(io::Error::last_os_error());
        }
        let writable = View::map(&section, FILE_MAP_WRITE)?;
        // SAFETY: the view is the whole section, and nobody else knows it.
        unsafe { writable.0.write_bytes(filler, len) };
        drop(writable);
        Ok(CodeRange {
            view: View::map(&section, FILE_MAP_READ | FILE_MAP_EXECUTE)?,
            section,
            len,
        })
    }

    /// The first address.
    pub fn start(&self) -> NonNull<u8> {
        self.view.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Puts code `offset` bytes behind the start, all of it or, with an error, nothing.
    ///
    /// # Safety
    /// * The bytes lie within the range, and no code in use where they go. Other code in the same pages may be in use.
    pub unsafe fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let view = View::map(&self.section, FILE_MAP_WRITE)?;
        // SAFETY: the bytes lie within the range, by the contract of this function, so they lie within the view, which is the whole
        // section. It was mapped just now: nobody else knows it.
        unsafe {
            let target = view.0.add(offset).as_ptr();
            target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        drop(view);
        // SAFETY: the range can be read, and it holds the bytes that have just been written.
        sync_icache(unsafe {
            std::slice::from_raw_parts(self.start().add(offset).as_ptr(), bytes.len())
        });
        Ok(())
    }
}

/// A section's handle, closed when this is dropped; null for none.
struct Section(HANDLE);

impl Drop for Section {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the handle is this value's own.
            unsafe { CloseHandle(self.0) };
        }
    }
}

/// A section where it can be seen, until this is dropped.
struct View(NonNull<u8>);

impl View {
    fn map(section: &Section, rights: FILE_MAP) -> io::Result<View> {
        // SAFETY: a view at an address of the system's choice replaces nothing.
        let view = unsafe { MapViewOfFile(section.0, rights, 0, 0, 0) };
        let start = NonNull::new(view.Value.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(View(start))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let address = MEMORY_MAPPED_VIEW_ADDRESS {
            Value: self.0.as_ptr().cast(),
        };
        // SAFETY: the view is this value's own.
        unsafe { UnmapViewOfFile(address) };
    }
}

/// The time by a clock that only goes on, in nanoseconds.
pub(crate) fn monotonic_time() -> u64 {
    // SAFETY: the call takes nothing.
    let milliseconds = unsafe { GetTickCount64() };
    milliseconds * 1_000_000
}

/// Does nothing here: the system itself unwinds.
pub(crate) fn find_unwinder() {}

/// Windows has no signals that interrupt a thread.
pub(crate) fn note_signal_mask() {}

/// As above.
pub fn may_be_in_signal_handler() -> bool {
    false
}

/// Windows does not fork.
pub(crate) fn around_fork(_: &'static ForkHooks) {}

/// Whether [`fence_all_threads`] reaches other threads here. Where it does not, each thread fences for itself.
pub(crate) const FENCES_ALL_THREADS: bool = true;

/// Makes every running thread of this process pass a full memory fence before this returns, so that plain stores which they did
/// before are seen here. True: the system can always do that.
pub(crate) fn fence_all_threads() -> bool {
    // SAFETY: it touches no memory of ours.
    unsafe { FlushProcessWriteBuffers() };
    true
}

/// Fresh memory that is zero, and never given back.
pub(crate) fn fresh_memory(len: usize) -> Option<NonNull<u8>> {
    // SAFETY: memory at an address of the system's choice replaces nothing.
    let start = unsafe { VirtualAlloc(ptr::null(), len, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
    NonNull::new(start.cast())
}

/// Empty here: nothing interrupts a thread on its own stack.
pub(crate) struct SignalMask;

impl Drop for SignalMask {
    /// Does nothing. It makes the callers drop the value here as they do elsewhere.
    fn drop(&mut self) {}
}

pub(crate) fn block_signals() -> SignalMask {
    SignalMask
}

/// Threads are not cancelled here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancelling;

pub(crate) fn hold_cancelling() -> Cancelling {
    Cancelling
}

pub(crate) fn let_cancelling(_: Cancelling) {}

/// Has `hook` run with `value` when this thread ends. A thread that is ending already is not told.
pub(crate) fn at_thread_end(
    whose: ThreadEnd,
    hook: extern "C" fn(*mut c_void),
    value: NonNull<c_void>,
) -> bool {
    type Hook = (extern "C" fn(*mut c_void), NonNull<c_void>);
    struct AtEnd([Cell<Option<Hook>>; THREAD_ENDS]);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            for (hook, value) in self.0.iter().filter_map(Cell::take) {
                hook(value.as_ptr());
            }
        }
    }
    thread_local!(static AT_END: AtEnd = const { AtEnd([const { Cell::new(None) }; THREAD_ENDS]) });
    let set = AT_END.try_with(|it| it.0[whose as usize].set(Some((hook, value))));
    set.is_ok()
}

/// The lowest address of the stack with `here` on it, which this thread is on, and the one behind the highest. `None` for a stack that the
/// system does not know.
pub(crate) fn stack_bounds(here: usize) -> Option<(usize, usize)> {
    let (mut low, mut high) = (0, 0);
    // SAFETY: both places are this function's own.
    unsafe { GetCurrentThreadStackLimits(&mut low, &mut high) };
    (low..high).contains(&here).then_some((low, high))
}

/// The value of the environment variable `name`.
pub(crate) fn environment(name: &'static std::ffi::CStr) -> Option<&'static [u8]> {
    let value = std::env::var(name.to_str().ok()?).ok()?;
    // Leaked, as each variable is read once.
    Some(value.leak().as_bytes())
}

/// Does `work`, and leaves the system's error number as it was before. C's own is not touched, as this code does not call the C library.
pub(crate) fn keeping_errno<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: it has no preconditions.
    let kept = unsafe { GetLastError() };
    let result = work();
    // SAFETY: as above.
    unsafe { SetLastError(kept) };
    result
}

/// Writes to standard error. If that is closed, nothing can be reported.
pub fn write_to_stderr(text: &[u8]) {
    let write = || std::io::Write::write_all(&mut std::io::stderr(), text);
    let _ = keeping_errno(write);
}

/// A library that the loader has opened, closed when this is dropped.
#[derive(Debug)]
pub(crate) struct LoadedLibrary {
    library: loader::Library,
    handle: isize,
    /// The program: what it has loaded counts as part of it.
    is_program: bool,
}

/// The search that a name or a path asks for by itself: see [`LoadedLibrary::open`].
pub(crate) const DEFAULT_OPEN_FLAGS: i32 = 0;

// C's numbers, as in errno.h.
const ENOENT: i32 = 2;
const ENOMEM: i32 = 12;
const EACCES: i32 = 13;

impl LoadedLibrary {
    /// Opens a DLL; the program itself, with all it has loaded, without a path. `flags` are those of `LoadLibraryExW`.
    ///
    /// A bare name is searched for as Windows does for every program: the program's folder, the system's, the current
    /// one, `PATH`; `.dll` is added where there is no extension. A path is taken as it is, relative to the current
    /// folder, with slashes of either kind, and the DLLs that it needs are searched for in its own folder first.
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is dropped, are sound to run.
    pub unsafe fn open(path: Option<&OsStr>, flags: i32) -> Result<LoadedLibrary, LoaderFailure> {
        let text = path.map(|path| path.to_str().ok_or_else(not_unicode));
        let path = text.transpose()?;
        // The last error of an earlier call must not be taken for the loader's.
        // SAFETY: the last error is the thread's own.
        unsafe { SetLastError(0) };
        let opened = match path {
            None => loader::Library::this(),
            Some(path) if !path.contains(['/', '\\', ':']) => {
                // SAFETY: the library's initialisers and finalisers are sound to run, by the contract of this function.
                unsafe { loader::Library::load_with_flags(path, flags as u32) }
            }
            Some(path) => {
                // The search in the library's own folder wants an absolute path, and backslashes.
                let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
                let search = match flags {
                    DEFAULT_OPEN_FLAGS => loader::LOAD_WITH_ALTERED_SEARCH_PATH,
                    flags => flags as u32,
                };
                // SAFETY: the library's initialisers and finalisers are sound to run, by the contract of this function.
                unsafe { loader::Library::load_with_flags(absolute, search) }
            }
        };
        let system = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        match opened {
            Ok(library) => {
                let handle = library.into_raw();
                Ok(LoadedLibrary {
                    // SAFETY: the handle was given up the line before, and is not closed.
                    library: unsafe { loader::Library::from_raw(handle) },
                    handle,
                    is_program: path.is_none(),
                })
            }
            Err(error) => Err(LoaderFailure::Said(LoaderError {
                code: c_error(system),
                text: words(path.unwrap_or("the program"), &error),
            })),
        }
    }

    /// The address of a symbol, which may be null.
    pub fn symbol(&self, name: &str) -> Result<*mut c_void, LoaderFailure> {
        // SAFETY: only the address is asked for, and nothing is called or read through it.
        let symbol = unsafe { self.library.get::<*mut c_void>(name.as_bytes()) };
        match symbol {
            Ok(symbol) => Ok(symbol.as_raw_ptr()),
            Err(error) => {
                let elsewhere = self.is_program.then(|| symbol_anywhere(name)).flatten();
                elsewhere.ok_or_else(|| {
                    LoaderFailure::Said(LoaderError {
                        code: ENOENT,
                        text: words(name, &error),
                    })
                })
            }
        }
    }

    /// The loader's handle, for display.
    pub fn handle(&self) -> *mut c_void {
        self.handle as *mut c_void
    }
}

/// A path as C has it: in UTF-8.
pub fn path_of(bytes: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(bytes).ok().map(OsStr::new)
}

fn not_unicode() -> LoaderFailure {
    LoaderFailure::Said(LoaderError {
        code: ENOENT,
        text: "expected a path that is Unicode".to_owned(),
    })
}

/// A symbol of any DLL in the process, the one loaded first if several have it. `ntdll` comes first by that order and last
/// here: it has some of the C library's functions for the system's own use, and they are not the program's.
fn symbol_anywhere(name: &str) -> Option<*mut c_void> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a constant that ends in a NUL. The DLL is never unloaded.
    let last = unsafe { GetModuleHandleW(windows_sys::w!("ntdll.dll")) };
    let modules = modules().into_iter().filter(|&module| module != last);
    modules.chain([last]).find_map(|module| {
        // SAFETY: the loader finds nothing in a module that is gone by now. Nothing is called or read through the address here.
        let address = unsafe { GetProcAddress(module, name.as_ptr().cast()) };
        address.map(|address| address as *mut c_void)
    })
}

/// The program and its DLLs, in the order in which they were loaded. None where the system does not say.
fn modules() -> Vec<HMODULE> {
    let mut modules: Vec<HMODULE> = vec![ptr::null_mut(); 64];
    loop {
        let room = size_of_val(modules.as_slice()) as u32;
        let mut wanted = 0;
        // SAFETY: the list has as many bytes as the call is told.
        let listed = unsafe {
            K32EnumProcessModules(GetCurrentProcess(), modules.as_mut_ptr(), room, &mut wanted)
        };
        if listed == 0 {
            return Vec::new();
        }
        let count = wanted as usize / size_of::<HMODULE>();
        let is_whole = count <= modules.len();
        modules.resize(count, ptr::null_mut());
        if is_whole {
            return modules;
        }
    }
}

/// The system's words about `what`: the loader's error says which call failed, and its cause says why.
fn words(what: &str, error: &libloading::Error) -> String {
    match error.source() {
        Some(cause) => format!("{what}: {cause}"),
        None => format!("{what}: {error}"),
    }
}

/// C's number for an error of the system's, where it has one.
fn c_error(system: i32) -> i32 {
    match system as u32 {
        ERROR_MOD_NOT_FOUND | ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => ENOENT,
        ERROR_ACCESS_DENIED => EACCES,
        ERROR_NOT_ENOUGH_MEMORY => ENOMEM,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: Option<&str>) -> LoadedLibrary {
        // SAFETY: the C library is running already.
        unsafe { LoadedLibrary::open(path.map(OsStr::new), DEFAULT_OPEN_FLAGS) }
            .expect("it is there")
    }

    #[test]
    fn program_has_the_functions_of_its_c_library() {
        let from = |path| open(path).symbol("abs").expect("C has it");
        assert_eq!(from(None), from(Some("msvcrt")));
        assert_ne!(from(None), from(Some("ntdll")));
    }

    #[test]
    fn program_without_the_symbol_is_an_error_that_names_it() {
        let Err(LoaderFailure::Said(error)) = open(None).symbol("no_such_symbol") else {
            panic!("somebody has it");
        };
        assert_eq!(error.code, ENOENT);
        assert!(error.text.contains("no_such_symbol"), "{}", error.text);
    }
}
