//! The program's own code, mapped once more.

use std::ptr::{self, NonNull};
use windows_sys::Win32::System::Memory::{
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_EXECUTE_READ, PAGE_READWRITE, VirtualAlloc,
    VirtualFree, VirtualProtect,
};

/// Makes pages of code of this program anew, and fresh memory `data_len` bytes long at `distance` behind them. `None` if the system
/// has no memory, or permits no such thing.
///
/// # Safety
/// * `code` points to `code_len` bytes of code of this program: whole pages, as are `distance` and `data_len`.
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
