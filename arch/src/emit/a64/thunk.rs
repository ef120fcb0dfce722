//! Thunks, and the entry of those that are closed.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::{BTI_C, Emitter, FAR, FRAME_RECORD, RECORD};
use crate::abi::Abi;
use crate::emit::{Code, THUNK_SIZE, record};
use dynasmrt::{DynasmApi, SimpleAssembler, dynasm};

/// The entry is loaded with acquire semantics: a thread that sees the entry of closed thunks must not load, an instruction later, a
/// handler from before the closing. x86-64 does not reorder loads.
pub(in crate::emit) fn thunks(abi: Abi, count: usize, distance: usize) -> Code {
    const { assert!(record::ENTRY == 0, "ldar has no offset") };
    // The landing pad: adr counts from itself.
    const BEFORE_ADR: usize = 4;
    const ADR_REACH: usize = 1 << 20;
    let mut ops = SimpleAssembler::new();
    for index in 0..count {
        let to_record = distance + index * record::SIZE - index * THUNK_SIZE - BEFORE_ADR;
        assert!(
            to_record < ADR_REACH,
            "a thunk's record lies within 1 MiB, not {to_record} bytes away"
        );
        dynasm!(ops
            ; .arch aarch64
            ; hint BTI_C
            ; adr X(RECORD), to_record as i32
            ; ldar X(FAR), [X(RECORD)]
            ; br X(FAR)
        );
    }
    Code {
        abi,
        bytes: ops.finalize(),
        frame: Vec::new(),
        to_shared: Vec::new(),
    }
}

pub(in crate::emit) fn closed_entry(abi: Abi) -> Code {
    let row = abi.convention();
    let mut asm = Emitter::new(abi);
    asm.enter(FRAME_RECORD, row.shadow);
    asm.call_handler(row.int_args[0]);
    for &register in row.int_rets {
        dynasm!(asm.ops ; .arch aarch64 ; mov X(register), xzr);
    }
    for &register in row.fp_rets {
        dynasm!(asm.ops ; .arch aarch64 ; fmov D(register), xzr);
    }
    asm.raise_stack(row.shadow);
    asm.leave(FRAME_RECORD);
    asm.ret();
    asm.finish()
}
