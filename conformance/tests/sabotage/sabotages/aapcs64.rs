//! AAPCS64.

use super::{Sabotage, in_both};
use crate::engine::CodeChange;

pub(super) fn all() -> Vec<Sabotage> {
    let each = |(name, change, words)| in_both(name, change, words);
    IN_CODE.into_iter().flat_map(each).collect()
}

/// Code with an instruction ahead that leaves the arguments alone.
macro_rules! ahead {
    ($instruction:literal) => {
        |_, code| [&u32::to_le_bytes($instruction)[..], &code].concat()
    };
}

/// `ret`.
const RET: [u8; 4] = 0xd65f_03c0_u32.to_le_bytes();

/// `add sp, sp, #16`.
const RAISE: [u8; 4] = 0x9100_43ff_u32.to_le_bytes();

/// Mistakes that code of either direction may make: `mov x, xzr`, `fmov d, xzr`, `msr fpcr, xzr`, and more.
const IN_CODE: [(&str, CodeChange, &str); 23] = [
    ("clobbers_x19", ahead!(0xaa1f03f3), "register x19"),
    ("clobbers_x20", ahead!(0xaa1f03f4), "register x20"),
    ("clobbers_x21", ahead!(0xaa1f03f5), "register x21"),
    ("clobbers_x22", ahead!(0xaa1f03f6), "register x22"),
    ("clobbers_x23", ahead!(0xaa1f03f7), "register x23"),
    ("clobbers_x24", ahead!(0xaa1f03f8), "register x24"),
    ("clobbers_x25", ahead!(0xaa1f03f9), "register x25"),
    ("clobbers_x26", ahead!(0xaa1f03fa), "register x26"),
    ("clobbers_x27", ahead!(0xaa1f03fb), "register x27"),
    ("clobbers_x28", ahead!(0xaa1f03fc), "register x28"),
    ("clobbers_x29", ahead!(0xaa1f03fd), "register x29"),
    ("clobbers_d8", ahead!(0x9e6703e8), "register d8"),
    ("clobbers_d9", ahead!(0x9e6703e9), "register d9"),
    ("clobbers_d10", ahead!(0x9e6703ea), "register d10"),
    ("clobbers_d11", ahead!(0x9e6703eb), "register d11"),
    ("clobbers_d12", ahead!(0x9e6703ec), "register d12"),
    ("clobbers_d13", ahead!(0x9e6703ed), "register d13"),
    ("clobbers_d14", ahead!(0x9e6703ee), "register d14"),
    ("clobbers_d15", ahead!(0x9e6703ef), "register d15"),
    (
        "clobbers_x18",
        ahead!(0xaa1f03f2),
        "x18 inside the called function",
    ),
    (
        "resets_fpcr",
        ahead!(0xd51b441f),
        "FPCR inside the called function",
    ),
    // str x9, [sp, #0x170]: above the arguments of the longest signature
    (
        "writes_to_its_callers_frame",
        ahead!(0xf900bbe9),
        "word 46 of the caller's frame",
    ),
    (
        "returns_with_a_raised_stack",
        |_, code| match code.split_last_chunk() {
            Some((rest, &RET)) => [rest, &RAISE, &RET].concat(),
            _ => code,
        },
        "stack pointer after the call",
    ),
];
