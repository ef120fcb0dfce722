//! The frame's state beside the code: for each byte of it two more, which say how to unwind from there.
//!
//! One FDE describes all code that a program ever makes, as it is part of the program. Its rules are DWARF expressions that read these
//! bytes at fixed distances from the instruction pointer. So generated code needs no registration, and unwinders search no list.
//!
//! | byte | bits | |
//! | --- | --- | --- |
//! | low | 0 to 6 | the low bits of how many words lie between the stack pointer and the return address |
//! | low | 7 | the caller's `rbx` has been saved, right below the return address |
//! | high | all | the bits above the seven |
//!
//! Zero is the state at a function's first instruction, so code without a frame needs nothing written, and few functions have high bytes
//! other than zero. Only x86-64 has its instruction pointer among the registers that DWARF's expressions can name.

use super::FrameChangeKind;
use crate::abi::regs::Isa;
use crate::emit::Code;
use farcall_memory::{OutOfMemory, TryVec, try_with_capacity};

/// DWARF's number for rbx (psABI figure 3.36).
const RBX: u16 = 3;

/// Bytes between the stack pointer and the CFA when a function has just been called.
const PUSHED_BY_CALL: u32 = 8;

/// How far below the CFA rbx is saved.
const RBX_BELOW: u32 = 16;

const WORD: u32 = 8;

/// The bit of the low byte which says that rbx is saved.
const RBX_IS_SAVED: u8 = 0x80;

/// How many bits of the count of words the low byte has.
const LOW_BITS: u32 = 7;

/// The shadow of one function: as many bytes in each plane as its code has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shadow {
    /// The low bytes.
    pub low: Vec<u8>,
    /// The high bytes.
    pub high: Vec<u8>,
}

/// The state from one note on.
#[derive(Clone, Copy)]
struct State {
    cfa: u32,
    rbx_is_saved: bool,
}

impl State {
    fn bytes(self) -> Option<[u8; 2]> {
        let bytes = self.cfa.checked_sub(PUSHED_BY_CALL)?;
        let words = bytes / WORD;
        let high = u8::try_from(words >> LOW_BITS).ok()?;
        let low = words as u8 & !RBX_IS_SAVED;
        let flag = if self.rbx_is_saved { RBX_IS_SAVED } else { 0 };
        bytes.is_multiple_of(WORD).then_some([low | flag, high])
    }
}

/// The shadow of `code`. `None` if its frame has more bytes than the planes can say, or is of another kind.
///
/// # Errors
/// [`OutOfMemory`].
pub fn shadow(code: &Code) -> Result<Option<Shadow>, OutOfMemory> {
    let mut shadow = Shadow {
        low: try_with_capacity(code.bytes.len())?,
        high: try_with_capacity(code.bytes.len())?,
    };
    let is_told = fill_all(&mut shadow, code)?;
    Ok(is_told.then_some(shadow))
}

/// Fills both planes, if they can say it.
fn fill_all(shadow: &mut Shadow, code: &Code) -> Result<bool, OutOfMemory> {
    if code.abi.convention().isa != Isa::X64 {
        return Ok(false);
    }
    let mut state = State {
        cfa: PUSHED_BY_CALL,
        rbx_is_saved: false,
    };
    for change in &code.frame {
        if !fill(shadow, change.offset as usize, state)? {
            return Ok(false);
        }
        match change.kind {
            FrameChangeKind::CfaOffset(bytes) => state.cfa = bytes,
            FrameChangeKind::Saved(RBX, RBX_BELOW) => state.rbx_is_saved = true,
            FrameChangeKind::Restored(RBX) => state.rbx_is_saved = false,
            FrameChangeKind::Saved(..) | FrameChangeKind::Restored(_) => return Ok(false),
        }
    }
    fill(shadow, code.bytes.len(), state)
}

/// Says of the bytes up to `end` that they are in this state, if that can be said.
fn fill(shadow: &mut Shadow, end: usize, state: State) -> Result<bool, OutOfMemory> {
    if end > shadow.low.len() {
        let Some([low, high]) = state.bytes() else {
            return Ok(false);
        };
        shadow.low.try_resize(end, low)?;
        shadow.high.try_resize(end, high)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Abi;
    use crate::emit::unwind::{FrameChange, eh_frame};
    use crate::{Scalar, Signature, Struct, Type, emit, plan};
    use gimli::{
        BaseAddresses, CfaRule, EhFrame, LittleEndian, RegisterRule, UnwindContext, UnwindSection,
        X86_64,
    };

    /// Where the code is said to be.
    const START: u64 = 0x10000;

    /// What the shadow says at an offset: bytes to the CFA, and whether rbx is saved.
    fn told(shadow: &Shadow, offset: usize) -> (i64, bool) {
        let [low, high] = [shadow.low[offset], shadow.high[offset]];
        let words = i64::from(low & 0x7f) + (i64::from(high) << 7);
        (8 * words + 8, low & 0x80 != 0)
    }

    /// Compares the shadow with what a reader of `.eh_frame` finds at each byte.
    fn assert_is_as_in_eh_frame(code: &Code) {
        let shadow = shadow(code).expect("memory").expect("an ordinary frame");
        assert_eq!(
            (shadow.low.len(), shadow.high.len()),
            (code.bytes.len(), code.bytes.len())
        );
        let bytes = eh_frame(code, START).expect("memory");
        let section = EhFrame::new(&bytes, LittleEndian);
        let bases = BaseAddresses::default();
        let find = EhFrame::cie_from_offset;
        let fde = section
            .fde_for_address(&bases, START, find)
            .expect("a description");
        let mut context = UnwindContext::new();
        for offset in 0..code.bytes.len() {
            let row = fde
                .unwind_info_for_address(&section, &bases, &mut context, START + offset as u64)
                .expect("a row");
            let CfaRule::RegisterAndOffset {
                register: X86_64::RSP,
                offset: cfa,
            } = *row.cfa()
            else {
                panic!("{:?}", row.cfa())
            };
            let rbx = row.register(X86_64::RBX);
            let is_saved = match rbx {
                None | Some(RegisterRule::SameValue) => false,
                Some(RegisterRule::Offset(-16)) => true,
                other => panic!("{other:?}"),
            };
            assert_eq!(told(&shadow, offset), (cfa, is_saved), "byte {offset}");
        }
    }

    fn signatures() -> Vec<Signature> {
        let ints = |count| vec![Type::Scalar(Scalar::I32); count];
        let block = |bytes| {
            let block = Struct::new(vec![Type::Scalar(Scalar::U8); bytes]).expect("bytes");
            Type::try_from(block).expect("memory")
        };
        let doubles = vec![Type::F64; 1000];
        vec![
            Signature::new(Type::Void, ints(0)),
            Signature::new(Type::Void, ints(2)),
            Signature::new(Type::Scalar(Scalar::I64), ints(2)),
            Signature::new(Type::F64, ints(14)),
            Signature::new(Type::Scalar(Scalar::I8), ints(40)),
            Signature::new(Type::Scalar(Scalar::I32), doubles),
            Signature::new(block(40), vec![block(60), block(7)]),
        ]
        .into_iter()
        .map(|signature| signature.expect("few enough arguments"))
        .collect()
    }

    #[test]
    fn shadow_tells_what_eh_frame_tells_at_each_byte() {
        for abi in [Abi::SysV64, Abi::Win64] {
            for signature in signatures() {
                let plan = plan(&signature, abi).expect("a plan");
                assert_is_as_in_eh_frame(&emit::call(&plan).expect("memory"));
                assert_is_as_in_eh_frame(&emit::call_pointers(&plan).expect("memory"));
                assert_is_as_in_eh_frame(&emit::callback_entry(&plan).expect("memory"));
                assert_is_as_in_eh_frame(&emit::callback_entry_pointers(&plan).expect("memory"));
            }
            assert_is_as_in_eh_frame(&emit::thunks(abi, 4, 4096).expect("memory"));
        }
    }

    #[test]
    fn frame_beyond_the_planes_has_no_shadow() {
        let with_frame = |bytes| {
            let kind = FrameChangeKind::CfaOffset(bytes);
            let mut code = emit::thunks(Abi::SysV64, 1, 4096).expect("memory");
            code.frame.push(FrameChange { offset: 4, kind });
            shadow(&code).expect("memory")
        };
        let largest = with_frame(0x8000 * 8).expect("it just fits");
        assert_eq!(told(&largest, 4), (0x8000 * 8, false));
        assert_eq!(with_frame(0x8001 * 8), None);
        assert_eq!(with_frame(12), None);
    }
}
