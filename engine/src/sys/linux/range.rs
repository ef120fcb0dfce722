//! The addresses for code: a range that belongs to this program (or to the library that this is part of). It is reserved as
//! `.bss` is, and takes no space in the file. It is a section of its own: linkers put it behind `.bss`, whose variables then share pages.
//!
//! One FDE of the program's own `.eh_frame` describes all of it, so unwinders, debuggers and profilers find generated code as they find any
//! function. Nothing is registered: no lock is taken, and no exception gets slower with the number of functions. The FDE's rules
//! are expressions that read the state of the frame beside the code ([`farcall_arch::emit::unwind::shadow`]).
//!
//! ```text
//!   farcall_code_range     + RANGE          + 2 * RANGE
//!   | code                 | low bytes      | high bytes     |
//! ```
//!
//! Pages that hold no code yet are never executable, and what is written in them is never executed: code comes with pages of its own.

use super::exchange::replace_pages;
use crate::sys::posix::memory::{self, make_executable, page_size};
use farcall_arch::emit::Code;
use farcall_arch::emit::unwind::shadow;
use std::arch::global_asm;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The bytes of code that there is room for. ORDER SLEB128 below
const RANGE: usize = 4 << 20;

/// The bytes of those that thunks may take.
const THUNKS: usize = RANGE / 4;

// The expressions, by DWARF 5, section 2.5:
//
//   low   = the byte at rip + RANGE; high = the byte at rip + 2 * RANGE
//   CFA   = rsp + 8 + (low & 0x7f) * 8 + high * 1024
//   saved = low >> 7
//   rbx   = rbx + saved * (the word at CFA - 8 - saved * 8 - rbx)
//
// The return address is at CFA - 8, as a function's is if nothing else is said. It is read where no rbx is saved, as there may be nothing
// below it. Bytes are read as words of which the rest is masked, and nothing branches: valgrind knows neither deref_size nor bra, and would
// not read what follows.
global_asm!(
    ".pushsection .farcall_code_range,\"aw\",@nobits",
    ".globl farcall_code_range",
    ".hidden farcall_code_range",
    ".type farcall_code_range,@object",
    ".p2align 12",
    ".cfi_startproc",
    // DW_CFA_def_cfa_expression, 26 bytes: breg16 RANGE, deref, const1u 0x7f, and, lit3, shl,
    ".cfi_escape 0x0f, 26, 0x80, 0x80, 0x80, 0x80, 0x02, 0x06, 0x08, 0x7f, 0x1a, 0x33, 0x24",
    // breg16 2 * RANGE, deref, const1u 0xff, and, lit10, shl, plus, breg7 8, plus.
    ".cfi_escape 0x80, 0x80, 0x80, 0x80, 0x04, 0x06, 0x08, 0xff, 0x1a, 0x3a, 0x24, 0x22, 0x77, 8, 0x22",
    // DW_CFA_val_expression of rbx, 32 bytes, which begins with the CFA: breg16 RANGE, deref, const1u 0x80, and, lit4, shr,
    ".cfi_escape 0x16, 3, 32, 0x80, 0x80, 0x80, 0x80, 0x02, 0x06, 0x08, 0x80, 0x1a, 0x34, 0x25",
    // minus, lit8, minus, deref, breg3 0, minus,
    ".cfi_escape 0x1c, 0x38, 0x1c, 0x06, 0x73, 0, 0x1c",
    // breg16 RANGE, deref, lit7, shr, lit1, and, mul, breg3 0, plus.
    ".cfi_escape 0x80, 0x80, 0x80, 0x80, 0x02, 0x06, 0x37, 0x25, 0x31, 0x1a, 0x1e, 0x73, 0, 0x22",
    // A page ahead, as LLVM's libunwind may look for the byte before an instruction.
    ".skip 4096",
    "farcall_code_range:",
    ".skip {range}",
    ".cfi_endproc",
    // The word that begins with the last byte ends behind it.
    ".skip 2 * {range} + 7",
    ".size farcall_code_range, 3 * {range}",
    ".popsection",
    range = const RANGE,
);

unsafe extern "C" {
    /// The code, then its shadow.
    static mut farcall_code_range: [u8; 3 * RANGE];
}

// RANGE as the SLEB128 bytes 0x80, 0x80, 0x80, 0x02 encode it.
const _: () = assert!(RANGE == 2 << 21);

/// Bytes given out so far. Taken without a lock: thunks are made under locks of which there are several, and in signal handlers.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The bytes that thunks have taken.
static TAKEN_BY_THUNKS: AtomicUsize = AtomicUsize::new(0);

/// Takes `len` bytes if no more than `limit` are taken then; returns the offset of the first.
fn take(taken: &AtomicUsize, len: usize, limit: usize) -> Option<usize> {
    let more = |taken: usize| taken.checked_add(len).filter(|taken| *taken <= limit);
    taken
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .ok()
}

fn range() -> NonNull<u8> {
    // Zeroed pages of four kilobytes are all that is wanted here, and no huge ones. No thread waits for the one that is first: a child of
    // fork() would wait for ever.
    static IS_ADVISED: AtomicBool = AtomicBool::new(false);
    let start = (&raw mut farcall_code_range).cast::<u8>();
    if !IS_ADVISED.load(Ordering::Relaxed) {
        // SAFETY: the range is this file's own, and the advice changes no byte of it, however often it is given. If the system does not
        // take the advice, all still works.
        unsafe { libc::madvise(start.cast(), 3 * RANGE, libc::MADV_NOHUGEPAGE) };
        IS_ADVISED.store(true, Ordering::Relaxed);
    }
    // SAFETY: no variable is at address 0.
    unsafe { NonNull::new_unchecked(start) }
}

/// Part of the range, given out to one owner.
#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: `start` is the address of memory that no thread owns.
unsafe impl Send for Reserved {}

impl Reserved {
    /// Takes `len` bytes, a multiple of the page size, from the range.
    pub fn new(len: usize) -> io::Result<Reserved> {
        // Pages larger than the range's alignment have no room for it.
        let is_aligned = range().as_ptr().addr().is_multiple_of(page_size());
        let taken = is_aligned.then(|| take(&TAKEN, len, RANGE)).flatten();
        let taken = taken.ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the range has at least `taken + len` bytes.
        let start = unsafe { range().add(taken) };
        Ok(Reserved { start, len })
    }

    /// The first address.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Reserved {
    /// Gives the bytes back if none were taken since.
    fn drop(&mut self) {
        let end = self.start.as_ptr().addr() - range().as_ptr().addr() + self.len;
        let start = end - self.len;
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = TAKEN.compare_exchange(end, start, success, failure);
    }
}

/// As [`memory::place_block`]: a block of the range, as long as thunks have taken no more than their share; memory elsewhere from then
/// on, where unwinders do not find thunks. They are on no stack but that of a thread that was interrupted within its three
/// instructions.
pub(crate) fn place_block(
    code: &[u8],
    code_len: usize,
    data_len: usize,
) -> io::Result<NonNull<u8>> {
    let len = (code_len + data_len).next_multiple_of(page_size());
    if take(&TAKEN_BY_THUNKS, len, THUNKS).is_none() {
        return memory::place_block(code, code_len, data_len);
    }
    let placed = match Reserved::new(len) {
        Ok(reserved) => place(code, code_len, reserved),
        Err(_) => memory::place_block(code, code_len, data_len),
    };
    if placed.is_err() {
        TAKEN_BY_THUNKS.fetch_sub(len, Ordering::Relaxed);
    }
    placed
}

/// Puts code at the start of a block, which stays as long as the process.
fn place(code: &[u8], code_len: usize, block: Reserved) -> io::Result<NonNull<u8>> {
    let staging = memory::Reserved::writable(code_len, 0)?;
    // SAFETY: the pages are new and have room for the code. They are the first pages of the block, in which nothing is in use.
    unsafe {
        let to = staging.start().as_ptr();
        to.copy_from_nonoverlapping(code.as_ptr(), code.len());
        make_executable(staging.start(), code_len)?;
        replace_pages(block.start, staging)?;
    }
    let start = block.start;
    std::mem::forget(block);
    Ok(start)
}

/// Does nothing here: unwinders need not be told of code.
pub(crate) fn find_unwinder() {}

/// The description of one piece of code that unwinders find.
#[derive(Debug)]
pub(crate) struct UnwindEntry;

impl UnwindEntry {
    /// Writes the code's shadow.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`], if the code's frame is beyond what a shadow can say.
    ///
    /// # Safety
    /// * What [`crate::sys::with_unwind_data`] made of `code` is published at `start`, until [`UnwindEntry::unregister`], and nobody
    ///   runs it yet.
    pub unsafe fn register(code: &Code, start: NonNull<u8>) -> io::Result<UnwindEntry> {
        let shadow = shadow(code).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let shadow = shadow.ok_or(io::ErrorKind::Unsupported)?;
        let offset = start.as_ptr().addr().wrapping_sub(range().as_ptr().addr());
        if offset < RANGE {
            // SAFETY: the code lies within the range, and its shadow as far behind it as the range is long, or twice as far.
            unsafe {
                write(start.add(RANGE), &shadow.low);
                write(start.add(2 * RANGE), &shadow.high);
            }
        }
        Ok(UnwindEntry)
    }

    /// Does nothing here: no thread unwinds from where no code is in use.
    ///
    /// # Safety
    /// * None.
    pub unsafe fn unregister(&self) {}
}

/// Writes bytes, but no zeroes where there are zeroes already, so that those take no memory.
///
/// # Safety
/// * Nobody else writes there, and nobody reads what is written.
unsafe fn write(to: NonNull<u8>, bytes: &[u8]) {
    // SAFETY: nobody else reads or writes there, by the contract of this function, and the place has room for the bytes, which lie
    // within the range.
    let there = unsafe { std::slice::from_raw_parts_mut(to.as_ptr(), bytes.len()) };
    // Reading a page that has no memory yet takes as long as writing to it.
    if bytes.iter().any(|byte| *byte != 0) || there != bytes {
        there.copy_from_slice(bytes);
    }
}
