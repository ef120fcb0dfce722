//! The program's own code, mapped once more.

use std::fs::{File, OpenOptions};
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::ptr::{self, NonNull};
use std::slice;
use windows_sys::Win32::Foundation::{CloseHandle, GENERIC_EXECUTE, GENERIC_READ, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
    GetModuleFileNameW, GetModuleHandleExW,
};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_EXECUTE, FILE_MAP_READ, MEM_COMMIT, MEM_RELEASE, MEM_RESERVE,
    MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_EXECUTE_READ,
    PAGE_READWRITE, SEC_IMAGE, UnmapViewOfFile, VirtualAlloc, VirtualFree, VirtualProtect,
    VirtualQuery,
};

/// A copy of pages of code of this program, and fresh memory `data_len` bytes long at `distance` behind it. `None` if the system
/// has no memory, or permits no such thing.
///
/// # Safety
/// * `code` points to `code_len` bytes of code of this program: whole pages, as are `distance` and `data_len`.
/// * At that distance the program has as much data, zero at first.
pub(crate) unsafe fn copy_code(
    code: *const u8,
    code_len: usize,
    distance: usize,
    data_len: usize,
) -> Option<NonNull<u8>> {
    // SAFETY: addresses of the system's choice; what follows gives them memory, or gives them back, and nobody else knows them.
    unsafe {
        let len = distance + data_len;
        let start = VirtualAlloc(ptr::null(), len, MEM_RESERVE, PAGE_READWRITE).cast::<u8>();
        if start.is_null() {
            return None;
        }
        let commit = |at: *mut u8, len: usize| {
            !VirtualAlloc(at.cast(), len, MEM_COMMIT, PAGE_READWRITE).is_null()
        };
        let mut done = commit(start, code_len) && commit(start.add(distance), data_len);
        if done {
            start.copy_from_nonoverlapping(code, code_len);
            let mut before = 0;
            done = VirtualProtect(start.cast(), code_len, PAGE_EXECUTE_READ, &mut before) != 0;
        }
        if !done {
            VirtualFree(start.cast(), 0, MEM_RELEASE);
            return None;
        }
        NonNull::new(start)
    }
}

/// The same, but out of the file that the code was loaded from. The whole file is mapped once more as a program image: its sections have
/// rights of their own, which a policy against making memory executable permits, and its data is as it was at the start.
///
/// # Safety
/// * As for [`copy_code`].
pub(crate) unsafe fn map_code(
    code: *const u8,
    code_len: usize,
    _distance: usize,
    _data_len: usize,
) -> Option<NonNull<u8>> {
    let module = module_of(code)?;
    let file = file_of(module)?;
    let offset = code as usize - module as usize;
    // SAFETY: a section without a name is nobody else's; a view at an address of the system's choice replaces nothing. Comparing the bytes,
    // if the file is long enough, tells whether it is still the one that was loaded.
    unsafe {
        let rights = PAGE_EXECUTE_READ | SEC_IMAGE;
        let file = file.as_raw_handle();
        let section = CreateFileMappingW(file, ptr::null(), rights, 0, 0, ptr::null());
        if section.is_null() {
            return None;
        }
        let view = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_EXECUTE, 0, 0, 0);
        CloseHandle(section);
        let start = view.Value.cast::<u8>().wrapping_add(offset);
        if !view.Value.is_null()
            && is_code_of(view, start, code_len)
            && slice::from_raw_parts(start, code_len) == slice::from_raw_parts(code, code_len)
        {
            return NonNull::new(start);
        }
        UnmapViewOfFile(view);
        None
    }
}

/// Whether there are `len` bytes at `start` that can be executed, within the view.
fn is_code_of(view: MEMORY_MAPPED_VIEW_ADDRESS, start: *const u8, len: usize) -> bool {
    let mut region = MaybeUninit::<MEMORY_BASIC_INFORMATION>::uninit();
    let size = size_of_val(&region);
    // SAFETY: the call fills in the structure it is given, if the address is one of the process's.
    let region = unsafe {
        if VirtualQuery(start.cast(), region.as_mut_ptr(), size) == 0 {
            return false;
        }
        region.assume_init()
    };
    let end = region.BaseAddress as usize + region.RegionSize;
    region.AllocationBase == view.Value
        && region.Protect == PAGE_EXECUTE_READ
        && start as usize + len <= end
}

/// The handle of the program or DLL that an address lies in. It is the address of its first byte.
fn module_of(address: *const u8) -> Option<HMODULE> {
    let flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let mut module = ptr::null_mut();
    // SAFETY: the call looks for the address, and follows it nowhere.
    let found = unsafe { GetModuleHandleExW(flags, address.cast(), &mut module) };
    (found != 0).then_some(module)
}

/// The file that a module was loaded from, opened.
fn file_of(module: HMODULE) -> Option<File> {
    let mut path = vec![0; 32 * 1024];
    // SAFETY: the list has as many characters as the call is told.
    let len = unsafe { GetModuleFileNameW(module, path.as_mut_ptr(), path.len() as u32) };
    let path = std::ffi::OsString::from_wide(path.get(..len as usize)?);
    OpenOptions::new()
        .access_mode(GENERIC_READ | GENERIC_EXECUTE)
        .open(path)
        .ok()
}
