//! The dump of generated code that `perf inject --jit` reads.

use super::super::clock::monotonic_time;
use super::super::memory::page_size;
use crate::label::{Label, Name};
use farcall_arch::emit::{Code, unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes the bytes, or as many as there is room for.
fn write(file: libc::c_int, bytes: &[u8]) {
    // SAFETY: the bytes are there to be read.
    unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
}

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

/// Writes the dump's header, and maps the file as executable: so perf learns of it.
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
        [
            pair(MAGIC, VERSION),
            pair(SIZE, MACHINE),
            process,
            monotonic_time(),
            0,
        ],
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
    unwinding(file, code, label);
    let mut name = Name::new();
    name.label(label);
    let (name, len) = (name.bytes(), code.bytes.len());
    // SAFETY: the calls have no preconditions.
    let (process, thread) = unsafe { (libc::getpid(), libc::syscall(libc::SYS_gettid)) };
    let whose = pair(process as u32, thread as u32);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let size = 16 + 40 + name.len() + 1 + len;
    let head = [
        pair(LOAD, size as u32),
        monotonic_time(),
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

/// The most bytes of data on a frame that unwinders can find behind the code.
pub const ROOM: usize = 256;

/// Writes what unwinders read of the frame, a section that perf puts behind the code, and a table of what is in it.
fn unwinding(file: libc::c_int, code: &Code, label: &Label) {
    const UNWINDING: u32 = 4;
    let text = code.bytes.len().next_multiple_of(8);
    let Ok(frames) = unwind::eh_frame_behind(code, text as u64) else {
        return;
    };
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
    // Behind code that was made for a signature there is room for it. An unwinder finds there what is said to be mapped.
    let fits = matches!(label, Label::Made(..)) && text - code.bytes.len() + all as usize <= ROOM;
    let mapped = if fits { all } else { 0 };
    let size = 16 + 24 + all as u32;
    words(
        file,
        [
            pair(UNWINDING, size),
            monotonic_time(),
            all,
            table_len,
            mapped,
        ],
    );
    write(file, &frames);
    write(file, &[0; 8][..padding]);
    words(file, table);
}
