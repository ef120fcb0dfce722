//! Tells debuggers of generated code, by gdb's "JIT Compilation Interface", which lldb knows too: a list of small object
//! files in memory, and a function that is called when the list has changed, where a debugger has its breakpoint.
//!
//! A debugger takes longer with each further file, so it is told of [`LIMIT`] at most. All of this happens under the lock of the process.

use farcall_arch::emit::{Code, unwind};
use farcall_memory::try_box;
use std::arch::global_asm;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most pieces of code that a debugger is told of at a time.
const LIMIT: usize = 256;

const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Listed,
    first: *mut Listed,
}

#[repr(C)]
struct Listed {
    next: *mut Listed,
    prev: *mut Listed,
    file: *const u8,
    size: u64,
}

// The names are the interface. They are weak, as another compiler in the same program may have them.
crate::assembly!(weak "__jit_debug_register_code", 4, ["ret"]);

#[cfg(not(target_vendor = "apple"))]
global_asm!(
    ".pushsection .data.__jit_debug_descriptor,\"aw\",%progbits",
    ".weak __jit_debug_descriptor",
    ".type __jit_debug_descriptor,%object",
    ".p2align 3",
    "__jit_debug_descriptor:",
    ".long 1, 0",
    ".quad 0, 0",
    ".size __jit_debug_descriptor, . - __jit_debug_descriptor",
    ".popsection",
);

#[cfg(target_vendor = "apple")]
global_asm!(
    ".section __DATA,__data",
    ".globl ___jit_debug_descriptor",
    ".weak_definition ___jit_debug_descriptor",
    ".p2align 3",
    "___jit_debug_descriptor:",
    ".long 1, 0",
    ".quad 0, 0",
    ".text",
);

unsafe extern "C" {
    fn __jit_debug_register_code();
    static mut __jit_debug_descriptor: Descriptor;
}

/// The number of entries on the list. Changed under the lock only.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// One piece of code on the list, and the file that describes it.
#[derive(Debug)]
pub(super) struct Entry {
    listed: NonNull<Listed>,
    _file: Vec<u8>,
}

// SAFETY: the list is changed under the lock only, whichever thread holds the entry.
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

impl Entry {
    /// Tells debuggers of code at `start`, unless the list is full.
    pub fn register(code: &Code, start: NonNull<u8>, eh_frame: &[u8]) -> Option<Entry> {
        if COUNT.load(Ordering::Relaxed) >= LIMIT {
            return None;
        }
        let file = unwind::debug_object(code, start.as_ptr() as u64, eh_frame).ok()?;
        let listed = try_box(Listed {
            next: ptr::null_mut(),
            prev: ptr::null_mut(),
            file: file.as_ptr(),
            size: file.len() as u64,
        });
        let listed = listed.ok()?;
        COUNT.fetch_add(1, Ordering::Relaxed);
        let listed = NonNull::from(Box::leak(listed));
        let added = listed.as_ptr();
        // SAFETY: the lock is held, and all entries on the list are leaked boxes.
        unsafe {
            let list = &raw mut __jit_debug_descriptor;
            (*added).next = (*list).first;
            if let Some(next) = (*added).next.as_mut() {
                next.prev = added;
            }
            (*list).first = added;
            announce(added, REGISTER);
        }
        Some(Entry {
            listed,
            _file: file,
        })
    }

    /// Takes it off the list. Done once.
    pub fn unregister(&self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
        let removed = self.listed.as_ptr();
        // SAFETY: the lock is held, and the entry is on the list, which consists of leaked boxes; nobody knows this one any more
        // when the debugger has been told.
        unsafe {
            let (next, prev) = ((*removed).next, (*removed).prev);
            match prev.as_mut() {
                Some(prev) => prev.next = next,
                None => __jit_debug_descriptor.first = next,
            }
            if let Some(next) = next.as_mut() {
                next.prev = prev;
            }
            announce(removed, UNREGISTER);
            drop(Box::from_raw(removed));
        }
    }
}

/// # Safety
/// * The lock is held.
unsafe fn announce(entry: *mut Listed, action: u32) {
    // SAFETY: the lock is held, by the contract of this function, so nobody else touches the list.
    unsafe {
        let list = &raw mut __jit_debug_descriptor;
        (*list).relevant = entry;
        (*list).action = action;
        __jit_debug_register_code();
    }
}
