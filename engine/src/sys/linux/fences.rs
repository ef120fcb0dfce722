//! Fences that reach all threads of the process.

use crate::sys::posix::memory::sync_icache_here;

/// Whether [`fence_all_threads`] reaches other threads here. Where it does not, each thread fences for itself.
pub(crate) const FENCES_ALL_THREADS: bool = true;

/// Makes every running thread of this process pass a full memory fence before this returns, so that plain stores which they did
/// before are seen here. False where the system cannot do that.
pub(crate) fn fence_all_threads() -> bool {
    membarrier(PRIVATE_EXPEDITED, REGISTER_PRIVATE_EXPEDITED)
}

/// Synchronises every processor's instruction side with the written bytes: its caches, and the instructions it has fetched ahead.
///
/// On x86-64 both follow the data side by themselves.
pub fn sync_icache(bytes: &[u8]) {
    sync_icache_here(bytes);
    // Reaches the other processors where the kernel can. Otherwise they synchronise at their next interrupt.
    #[cfg(target_arch = "aarch64")]
    let _ = membarrier(PRIVATE_EXPEDITED_SYNC_CORE, REGISTER_SYNC_CORE);
}

// linux/membarrier.h
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
#[cfg(target_arch = "aarch64")]
const PRIVATE_EXPEDITED_SYNC_CORE: libc::c_int = 1 << 5;
#[cfg(target_arch = "aarch64")]
const REGISTER_SYNC_CORE: libc::c_int = 1 << 6;

/// Runs a command of membarrier() on all running threads of this process, after a registration if the command needs one.
fn membarrier(command: libc::c_int, registration: libc::c_int) -> bool {
    let call = |command: libc::c_int| {
        // SAFETY: the call touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    };
    call(command) || (call(registration) && call(command))
}
