//! `UNWIND_INFO`: what Windows unwinds x64 code by, after Microsoft's "x64 exception handling".
//!
//! It describes the prologue only. The system recognises epilogues by their instructions: an addition to the stack
//! pointer, pops, and the return, which is what the emitter ends every frame with.

use super::{FrameChange, FrameChangeKind};
use crate::abi::regs::{Gpr, Isa, x64};
use crate::emit::Code;
use std::ops::Deref;

const VERSION: u8 = 1;

// Operations of an UNWIND_CODE, in the low four bits of its second byte.
const PUSH_NONVOL: u8 = 0;
const ALLOC_LARGE: u8 = 1;
const ALLOC_SMALL: u8 = 2;

/// The largest allocation that fits one UNWIND_CODE.
const SMALL: u32 = 128;

/// The largest allocation whose size in words fits a second UNWIND_CODE.
const LARGE: u32 = 8 * u16::MAX as u32;

/// x64 registers by their DWARF numbers (psABI figure 3.36), as far as those differ.
const BY_DWARF_NUMBER: [Gpr; 8] = [
    x64::RAX,
    x64::RDX,
    x64::RCX,
    x64::RBX,
    x64::RSI,
    x64::RDI,
    x64::RBP,
    x64::RSP,
];

/// The `UNWIND_INFO` of `code`, which belongs at a multiple of four within 4 GiB behind it. None for code that has no frame,
/// which needs none: the system takes an unknown function for one without a frame.
///
/// ```
/// use farcall_arch::emit::{self, unwind::unwind_info};
/// use farcall_arch::{Abi, Signature, Type, plan};
///
/// let code = emit::callback_entry(&plan(&Signature::new(Type::Void, vec![])?, Abi::Win64)?)?;
/// // Version 1; eight bytes of prologue (endbr64, sub rsp, 0x28); one code: a small allocation of five words, done at 8.
/// assert_eq!(unwind_info(&code).as_deref(), Some(&[1, 8, 1, 0, 8, 0x42, 0, 0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// For another instruction set than x86-64. A prologue's length fits its byte, as a frame of any size
/// is entered in a few steps.
pub fn unwind_info(code: &Code) -> Option<UnwindInfo> {
    assert_eq!(code.abi.convention().isa, Isa::X64, "UNWIND_INFO is x64's");
    let mut codes = Codes::default();
    let mut end = None;
    for step in prologue(&code.frame) {
        end = Some(step.offset);
        codes.add(step);
    }
    let end = end?;
    let count = byte((MOST_WORDS - codes.first) as u32);
    let mut info = UnwindInfo {
        bytes: [0; UnwindInfo::MOST_BYTES],
        len: HEADER + 2 * usize::from(count).next_multiple_of(2),
    };
    info.bytes[..HEADER].copy_from_slice(&[VERSION, byte(end), count, 0]);
    let places = info.bytes[HEADER..].chunks_exact_mut(2);
    for (place, word) in places.zip(&codes.words[codes.first..]) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Some(info)
}

/// The bytes ahead of an `UNWIND_INFO`'s codes.
const HEADER: usize = 4;

/// As many words as their count has values.
const MOST_WORDS: usize = 255;

/// An `UNWIND_INFO`.
#[derive(Clone, Debug)]
pub struct UnwindInfo {
    bytes: [u8; UnwindInfo::MOST_BYTES],
    len: usize,
}

impl UnwindInfo {
    const MOST_BYTES: usize = HEADER + 2 * (MOST_WORDS + 1);
}

impl Deref for UnwindInfo {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn byte(number: u32) -> u8 {
    u8::try_from(number).expect("a prologue of a few instructions")
}

/// UNWIND_CODEs, the last step's first: they are added from the end.
struct Codes {
    words: [u16; MOST_WORDS],
    first: usize,
}

impl Default for Codes {
    fn default() -> Codes {
        Codes {
            words: [0; MOST_WORDS],
            first: MOST_WORDS,
        }
    }
}

impl Codes {
    fn add(&mut self, step: Step) {
        let code = |operation: u8, info: u8| {
            u16::from(operation | info << 4) << 8 | u16::from(byte(step.offset))
        };
        match step.operation {
            Operation::Push(register) => self.put([code(PUSH_NONVOL, register.number())]),
            Operation::Allocate(bytes) if bytes <= SMALL => {
                self.put([code(ALLOC_SMALL, (bytes / 8 - 1) as u8)]);
            }
            Operation::Allocate(bytes) if bytes <= LARGE => {
                self.put([code(ALLOC_LARGE, 0), (bytes / 8) as u16]);
            }
            Operation::Allocate(bytes) => {
                self.put([code(ALLOC_LARGE, 1), bytes as u16, (bytes >> 16) as u16]);
            }
        }
    }

    fn put<const N: usize>(&mut self, code: [u16; N]) {
        let end = self.first;
        self.first = end.checked_sub(N).expect("a prologue of a few steps");
        self.words[self.first..end].copy_from_slice(&code);
    }
}

/// One instruction of a prologue that changed the frame, by the offset of the next.
#[derive(Clone, Copy)]
struct Step {
    offset: u32,
    operation: Operation,
}

#[derive(Clone, Copy)]
enum Operation {
    Push(Gpr),
    Allocate(u32),
}

/// The steps until the frame begins to be taken down. A register that is saved where the stack has just grown was pushed.
fn prologue(frame: &[FrameChange]) -> impl Iterator<Item = Step> {
    let mut depth = 8; // the return address
    let mut rest = frame.iter();
    std::iter::from_fn(move || {
        loop {
            let change = rest.next()?;
            let offset = change.offset;
            match change.kind {
                FrameChangeKind::CfaOffset(now) if now > depth => {
                    let operation = match rest.as_slice().first() {
                        Some(next) if next.offset == offset => pushed(next.kind),
                        _ => None,
                    };
                    let operation = operation.unwrap_or(Operation::Allocate(now - depth));
                    depth = now;
                    return Some(Step { offset, operation });
                }
                FrameChangeKind::CfaOffset(now) if now == depth => {}
                FrameChangeKind::Saved(..) => {}
                FrameChangeKind::CfaOffset(_) | FrameChangeKind::Restored(_) => {
                    rest = [].iter();
                    return None;
                }
            }
        }
    })
}

/// The push that saves a register.
fn pushed(kind: FrameChangeKind) -> Option<Operation> {
    let FrameChangeKind::Saved(register, _) = kind else {
        return None;
    };
    let renamed = BY_DWARF_NUMBER.get(usize::from(register)).copied();
    Some(Operation::Push(renamed.unwrap_or(Gpr::new(register as u8))))
}
