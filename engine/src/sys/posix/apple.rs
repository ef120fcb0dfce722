//! Apple's own ways: mapping pages a second time and, on Macs with Apple's processors, memory for code that each thread may write
//! for a while.

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub(crate) use jit::{CodeRange, code_grain, place_block};

use std::ffi::c_int;
use std::ptr::NonNull;

// mach/vm_map.h and mach/vm_statistics.h
const VM_FLAGS_OVERWRITE: c_int = 0x4000;
const VM_INHERIT_COPY: libc::c_uint = 1;

unsafe extern "C" {
    static mach_task_self_: libc::c_uint;

    fn vm_remap(
        target: libc::c_uint,
        address: *mut usize,
        size: usize,
        mask: usize,
        flags: c_int,
        source: libc::c_uint,
        source_address: usize,
        copy: libc::c_uint,
        protection: *mut c_int,
        max_protection: *mut c_int,
        inheritance: libc::c_uint,
    ) -> c_int;
}

/// Maps the code once more. Signed pages of the program's file stay executable wherever they are mapped.
///
/// # Safety
/// * `to` is a range of the caller's, as long as the code.
pub(super) unsafe fn copy_from_file(code: *const u8, to: NonNull<u8>, len: usize) -> bool {
    let mut address = to.as_ptr() as usize;
    let (mut protection, mut max_protection) = (0, 0);
    // SAFETY: `to` is a range of the caller's, by the contract of this function, so what is mapped there may be replaced; the code is
    // the program's, and only read.
    let result = unsafe {
        vm_remap(
            mach_task_self_,
            &mut address,
            len,
            0,
            VM_FLAGS_OVERWRITE,
            mach_task_self_,
            code as usize,
            0,
            &mut protection,
            &mut max_protection,
            VM_INHERIT_COPY,
        )
    };
    result == 0 && address == to.as_ptr() as usize && protection & libc::PROT_EXEC != 0
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
mod jit {
    use crate::sys::posix::memory::{Reserved, map, sync_icache_here};
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr::{self, NonNull};

    /// Published code begins at multiples of this: functions may share a page, which other threads execute while this one writes.
    pub(crate) const fn code_grain() -> usize {
        1
    }

    /// Fresh memory of the kind that is for code (`MAP_JIT`). A thread may either write it or execute it.
    fn reserve(len: usize) -> io::Result<Reserved> {
        let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
        unsafe { Reserved::mapped(len, all, libc::MAP_JIT) }
    }

    /// Runs `work`, during which this thread may write memory for code and execute none. Signals wait, as their handlers might execute some.
    fn writing(work: impl FnOnce()) {
        // SAFETY: the calls are given a full set of signals, and room for one. This thread is back to executing when its
        // signals are back.
        unsafe {
            let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
            libc::pthread_jit_write_protect_np(0);
            work();
            libc::pthread_jit_write_protect_np(1);
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        }
    }

    /// Memory for code. No thread can ever write what it can execute at that moment.
    pub(crate) struct CodeRange {
        reserved: Reserved,
    }

    impl CodeRange {
        /// Makes `len` bytes, a multiple of the page size. What is never written holds `filler`.
        ///
        /// # Errors
        /// The system's, where the program has not been granted memory for code.
        pub fn reserve(len: usize, filler: u8) -> io::Result<CodeRange> {
            let reserved = reserve(len)?;
            // SAFETY: the memory has just been made.
            writing(|| unsafe { reserved.start().as_ptr().write_bytes(filler, len) });
            Ok(CodeRange { reserved })
        }

        /// The first address.
        pub fn start(&self) -> NonNull<u8> {
            self.reserved.start()
        }

        /// How many bytes there are.
        pub fn len(&self) -> usize {
            self.reserved.len()
        }

        /// Puts code `offset` bytes behind the start.
        ///
        /// # Safety
        /// * The bytes lie within the range, and no code in use where they go. Other code in the same pages may be in use.
        pub unsafe fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
            // SAFETY: the bytes lie within the range, where no code is in use, by the contract of this function; `&mut self` keeps
            // other writers away.
            unsafe {
                let target = self.start().add(offset).as_ptr();
                writing(|| target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()));
                sync_icache_here(std::slice::from_raw_parts(target, bytes.len()));
            }
            Ok(())
        }
    }

    /// Fresh memory that begins with `code`, `code_len` bytes that can be executed, and goes on with `data_len` zeroed bytes that
    /// can be written. Both are multiples of the page size. It is never given back.
    ///
    /// # Errors
    /// The system's, where it has no memory or a policy forbids it; nothing is left of it then.
    pub(crate) fn place_block(
        code: &[u8],
        code_len: usize,
        data_len: usize,
    ) -> io::Result<NonNull<u8>> {
        let block = reserve(code_len + data_len)?;
        let start = block.start();
        // SAFETY: the data replace a part of the new mapping, which is complete before anybody else knows it.
        unsafe {
            let data = start.add(code_len).as_ptr();
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            map(data, data_len, writable, libc::MAP_FIXED)?;
            writing(|| {
                start
                    .as_ptr()
                    .copy_from_nonoverlapping(code.as_ptr(), code.len())
            });
            sync_icache_here(std::slice::from_raw_parts(start.as_ptr(), code_len));
        }
        Ok(block.keep())
    }
}
