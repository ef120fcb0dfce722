//! Thunks, and the entry of those that are closed.

use super::{ENDBR64, Emitter, FILLER, RECORD};
use crate::abi::Abi;
use crate::emit::{Code, THUNK_SIZE, record};
use dynasmrt::{DynasmApi, SimpleAssembler, dynasm};

pub(in crate::emit) fn thunks(abi: Abi, count: usize, distance: usize) -> Code {
    // endbr64 and the lea: rip points behind them when the displacement is added.
    const BEHIND_LEA: usize = 4 + 7;
    let mut ops = SimpleAssembler::new();
    for index in 0..count {
        let to_record = distance + index * record::SIZE - index * THUNK_SIZE - BEHIND_LEA;
        let to_record = i32::try_from(to_record).expect("a thunk's record lies within 2 GiB");
        dynasm!(ops
            ; .arch x64
            ; .bytes ENDBR64
            ; lea Rq(RECORD), [rip + to_record]
            ; jmp QWORD [BYTE Rq(RECORD) + record::ENTRY as i8]
        );
        let padding = (index + 1) * THUNK_SIZE - ops.offset().0;
        ops.extend(std::iter::repeat_n(FILLER, padding));
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
    let frame = row.shadow + 8;
    asm.enter(frame);
    asm.call_handler(row.int_args[0]);
    for &register in row.int_rets {
        dynasm!(asm.ops ; .arch x64 ; xor Rd(register), Rd(register));
    }
    for &register in row.fp_rets {
        dynasm!(asm.ops ; .arch x64 ; xorps Rx(register), Rx(register));
    }
    asm.leave(frame);
    asm.ret();
    asm.finish()
}
