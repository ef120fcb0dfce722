//! The dump of generated code that `perf inject --jit` reads.

use super::super::memory::page_size;
use super::{OWNER, write};
use crate::label::{Label, Name};
use farcall_arch::emit::{Code, unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers as the dump has them: whichever machine this is, it is little-endian.
fn words<const N: usize>(file: libc::c_int, words: [u64; N]) {
    // SAFETY: words have no padding.
    let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), N * 8) };
    write(file, bytes);
}

/// Two numbers of four bytes.
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The time that `perf record -k mono` has as well.
fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the place is this function's own.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Writes the dump's header, and has perf know of the file: it sees what is mapped to be executed.
pub fn begin(file: libc::c_int, process: libc::pid_t) {
    const MAGIC: u32 = 0x4a69_5444;
    const VERSION: u32 = 1;
    const SIZE: u32 = 40;
    const MACHINE: u32 = if cfg!(target_arch = "x86_64") {
        62
    } else {
        183
    };
    let process = pair(0, process as u32);
    words(
        file,
        [pair(MAGIC, VERSION), pair(SIZE, MACHINE), process, now(), 0],
    );
    let rights = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing, and stays.
    unsafe {
        libc::mmap(
            ptr::null_mut(),
            page_size(),
            rights,
            libc::MAP_PRIVATE,
            file,
            0,
        )
    };
}

/// Writes how the code's frame unwinds, and then the code.
pub fn note(file: libc::c_int, code: &Code, address: u64, label: &Label) {
    const LOAD: u32 = 0;
    static COUNT: AtomicU64 = AtomicU64::new(0);
    unwinding(file, code);
    let mut name = Name::new();
    name.label(label);
    let (name, len) = (name.bytes(), code.bytes.len());
    // SAFETY: the call has no preconditions.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    let whose = pair(OWNER.load(Ordering::Relaxed) as u32, thread as u32);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let size = 16 + 40 + name.len() + 1 + len;
    let head = [
        pair(LOAD, size as u32),
        now(),
        whose,
        address,
        address,
        len as u64,
        count,
    ];
    words(file, head);
    write(file, name);
    write(file, &[0]);
    write(file, &code.bytes);
}

/// Perf makes a file of each piece of code. This is where it puts the instructions, and what it says of frames begins behind them at a multiple of 8.
const TEXT: u64 = 0x80;

fn unwinding(file: libc::c_int, code: &Code) {
    const UNWINDING: u32 = 4;
    let Ok(frames) = unwind::eh_frame(code, TEXT) else {
        return;
    };
    let text = code.bytes.len().next_multiple_of(8);
    let padding = frames.len().next_multiple_of(8) - frames.len();
    let len = frames.len() + padding;
    // The FDE is behind the CIE, whose length it begins with.
    let common = frames
        .first_chunk()
        .map_or(0, |len| u32::from_le_bytes(*len) + 4);
    // Version 1; a distance from here; how many entries there are, and where they begin, by distances from this table.
    let table = [
        pair(0x3b03_1b01, 0_u32.wrapping_sub(len as u32 + 4)),
        pair(1, 0_u32.wrapping_sub((text + len) as u32)),
        pair(common.wrapping_sub(len as u32), 0),
    ];
    let (table_len, all) = (size_of_val(&table) as u64, len as u64 + 24);
    words(
        file,
        [
            pair(UNWINDING, 16 + 24 + all as u32),
            now(),
            all,
            table_len,
            0,
        ],
    );
    write(file, &frames);
    write(file, &[0; 8][..padding]);
    words(file, table);
}
