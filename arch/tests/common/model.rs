//! An object model to emit code for.

use farcall_arch::Abi;
use farcall_arch::abi::regs::Isa;
use farcall_arch::endpoint::{
    CatchModel, ErrnoModel, KeptWord, LastError, ObjectModel, PointerField, ThreadPointer,
};

/// An interpreter that never was: addresses that tell in a listing what they are. Thread-local words lie on the side of the
/// thread pointer where a program's own are.
pub fn model(abi: Abi) -> ObjectModel {
    let field = |ty, offset| PointerField { ty, offset };
    let (thread_pointer, innermost, state) = match abi {
        Abi::Win64 => (ThreadPointer::Gs, 0x1490, 0x1498),
        _ if abi.convention().isa == Isa::X64 => (ThreadPointer::Fs, -64, -56),
        _ => (ThreadPointer::TpidrEl0, 16, 24),
    };
    // As MicroPython has them.
    let (size, stack_pointer, saved) = match abi {
        Abi::Win64 => (104, 32, [40, 24, 88, 80, 48, 56, 64, 72, 0, 0, 0]),
        Abi::SysV64 => (80, 32, [40, 24, 48, 56, 64, 72, 0, 0, 0, 0, 0]),
        _ => (120, 24, [32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112]),
    };
    let kept = KeptWord {
        state: 32,
        jump_buffer: 96,
    };
    let errno = ErrnoModel {
        address: innermost + 16,
        kept: innermost + 24,
        given: innermost + 32,
        last_error: (abi == Abi::Win64).then_some(LastError {
            own: 0x68,
            kept: innermost + 28,
        }),
    };
    ObjectModel {
        none: 6,
        truth: [14, 30],
        float_type: 0x1111_0000_0000,
        float_value: 8,
        buffers: vec![field(0x2222_0000_0000, 24), field(0x2222_0000_0100, 24)],
        functions: vec![field(0x3333_0000_0000, 32)],
        function_target: 16,
        function_library: 32,
        library_open: 8,
        thread_pointer,
        innermost,
        call: 0x4444_0000_0000,
        raise: 0x5555_0000_0000,
        new_float: 0x6666_0000_0000,
        new_object: 0x7777_0000_0000,
        find_bytes: 0x8888_0000_0000,
        new_of_bytes: 0x9999_0000_0000,
        errno: Some(errno),
        catch: Some(CatchModel {
            state,
            innermost: 40,
            size,
            prev: 0,
            value: 8,
            instruction_pointer: 16,
            stack_pointer,
            saved,
            kept: (abi == Abi::Win64).then_some(kept),
        }),
    }
}
