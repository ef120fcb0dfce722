//! A function of any signature, in assembly. It notes every register that may carry an argument, and the stack, and leaves a preset result
//! in both registers that may carry one.

use std::arch::global_asm;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::offset_of;

/// Words of stack that are noted.
pub const STACK: usize = 48;

/// The function's notes, and its preset result.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Record {
    /// `rdi rsi rdx rcx r8 r9`.
    pub ints: [u64; 6],
    /// `xmm0` to `xmm7`.
    pub floats: [u64; 8],
    /// The stack, from the word above the return address up.
    pub stack: [u64; STACK],
    /// The result.
    pub give: u64,
    /// How often it was called.
    pub calls: u64,
}

/// Memory that the assembly writes.
#[repr(transparent)]
pub struct Shared(UnsafeCell<Record>);

// SAFETY: any thread that calls the recorder or reads its record holds the lock of `Checker`.
unsafe impl Sync for Shared {}

static RECORD: Shared = Shared(UnsafeCell::new(Record::EMPTY));

impl Record {
    const EMPTY: Record = Record {
        ints: [0; 6],
        floats: [0; 8],
        stack: [0; STACK],
        give: 0,
        calls: 0,
    };

    /// Empties the record, and presets the result.
    ///
    /// # Safety
    /// * Nobody else calls the recorder or uses its record.
    pub unsafe fn preset(give: u64) {
        // SAFETY: nobody else uses the record meanwhile, by the contract of this function.
        unsafe {
            *RECORD.0.get() = Record {
                give,
                ..Record::EMPTY
            }
        };
    }

    /// The notes.
    ///
    /// # Safety
    /// * As for [`Record::preset`].
    pub unsafe fn read() -> Record {
        // SAFETY: as above.
        unsafe { (*RECORD.0.get()).clone() }
    }
}

unsafe extern "C" {
    fn farcall_conformance_recorder();
}

/// The function.
pub fn function() -> *const c_void {
    farcall_conformance_recorder as *const c_void
}

// rax, r10 and r11 are free under both conventions.
global_asm!(
    ".balign 16",
    "farcall_conformance_recorder:",
    "endbr64",
    "lea r10, [rip + {record}]",
    "mov [r10 + {ints}], rdi",
    "mov [r10 + {ints} + 8], rsi",
    "mov [r10 + {ints} + 16], rdx",
    "mov [r10 + {ints} + 24], rcx",
    "mov [r10 + {ints} + 32], r8",
    "mov [r10 + {ints} + 40], r9",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7
        movq [r10 + {floats} + \\n * 8], xmm\\n
    .endr",
    "xor eax, eax",
    "2:",
    "mov r11, [rsp + rax * 8 + 8]",
    "mov [r10 + rax * 8 + {stack}], r11",
    "inc rax",
    "cmp rax, {words}",
    "jb 2b",
    "inc qword ptr [r10 + {calls}]",
    "mov rax, [r10 + {give}]",
    "movq xmm0, rax",
    "ret",
    record = sym RECORD,
    ints = const offset_of!(Record, ints),
    floats = const offset_of!(Record, floats),
    stack = const offset_of!(Record, stack),
    give = const offset_of!(Record, give),
    calls = const offset_of!(Record, calls),
    words = const STACK,
);
