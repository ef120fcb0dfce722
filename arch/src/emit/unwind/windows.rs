//! `UNWIND_INFO`: what Windows unwinds x64 code by, after Microsoft's "x64 exception handling".
//!
//! It describes the prologue only. The system recognises epilogues by their instructions: an addition to the stack
//! pointer, pops, and the return, which is what the emitter ends every frame with.

use super::{FrameChange, FrameChangeKind};
use crate::abi::regs::{Gpr, Isa, x64};
use crate::emit::Code;

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
/// let code = emit::callback_entry(&plan(&Signature::new(Type::Void, vec![])?, Abi::Win64)?);
/// // Version 1; eight bytes of prologue (endbr64, sub rsp, 0x28); one code: a small allocation of five words, done at 8.
/// assert_eq!(unwind_info(&code).as_deref(), Some(&[1, 8, 1, 0, 8, 0x42, 0, 0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// For another instruction set than x86-64. A prologue's length fits its byte, as the frame of [`crate::MAX_ARGS`]
/// arguments is entered in a few steps.
pub fn unwind_info(code: &Code) -> Option<Vec<u8>> {
    assert_eq!(code.abi.convention().isa, Isa::X64, "UNWIND_INFO is x64's");
    let prologue = prologue(&code.frame);
    let end = prologue.last()?.offset;
    let mut codes = Vec::new();
    for step in prologue.iter().rev() {
        let mut words = step.operation.words();
        words[0] |= u16::from(byte(step.offset));
        codes.extend(words);
    }
    let count = byte(codes.len() as u32);
    if codes.len() % 2 == 1 {
        codes.push(0);
    }
    let mut info = vec![VERSION, byte(end), count, 0];
    info.extend(codes.iter().flat_map(|word| word.to_le_bytes()));
    Some(info)
}

fn byte(number: u32) -> u8 {
    u8::try_from(number).expect("a prologue of a few instructions")
}

/// One instruction of a prologue that changed the frame, by the offset of the next.
struct Step {
    offset: u32,
    operation: Operation,
}

#[derive(Clone, Copy)]
enum Operation {
    Push(Gpr),
    Allocate(u32),
}

impl Operation {
    /// An UNWIND_CODE, the low byte of its first word still to be filled with the offset.
    fn words(self) -> Vec<u16> {
        let code = |operation: u8, info: u8| u16::from(operation | info << 4) << 8;
        match self {
            Operation::Push(register) => vec![code(PUSH_NONVOL, register.number())],
            Operation::Allocate(bytes) if bytes <= SMALL => {
                vec![code(ALLOC_SMALL, (bytes / 8 - 1) as u8)]
            }
            Operation::Allocate(bytes) if bytes <= LARGE => {
                vec![code(ALLOC_LARGE, 0), (bytes / 8) as u16]
            }
            Operation::Allocate(bytes) => {
                vec![code(ALLOC_LARGE, 1), bytes as u16, (bytes >> 16) as u16]
            }
        }
    }
}

/// The steps until the frame begins to be taken down. A register that is saved where the stack has just grown was pushed.
fn prologue(frame: &[FrameChange]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut depth = 8; // the return address
    for change in frame {
        let offset = change.offset;
        match change.kind {
            FrameChangeKind::CfaOffset(now) if now < depth => break,
            FrameChangeKind::CfaOffset(now) if now == depth => {}
            FrameChangeKind::CfaOffset(now) => {
                let operation = Operation::Allocate(now - depth);
                steps.push(Step { offset, operation });
                depth = now;
            }
            FrameChangeKind::Saved(register, _) => {
                let register = usize::from(register);
                let saved = BY_DWARF_NUMBER.get(register).copied();
                if let Some(step) = steps.last_mut().filter(|step| step.offset == offset) {
                    step.operation = Operation::Push(saved.unwrap_or(Gpr::new(register as u8)));
                }
            }
            FrameChangeKind::Restored(_) => break,
        }
    }
    steps
}
