//! Win64.

use super::{Sabotage, in_both, sabotage};
use crate::engine::{CodeChange, How};
use conformance::cases::Direction;
use farcall_arch::{Place, Plan};

pub(super) fn all() -> Vec<Sabotage> {
    let mut all: Vec<Sabotage> = IN_CODE
        .into_iter()
        .flat_map(|(name, change, words)| in_both(name, change, words))
        .collect();
    let call = |name, change, words| sabotage(Direction::Call, name, How::CallPlan(change), words);
    all.extend([
        // The words that are overwritten then can be anything, so any report will do.
        call("call_without_shadow_space", lose_shadow, ""),
        call(
            "call_without_mirrors",
            |plan| plan.mirrors.clear(),
            "argument",
        ),
    ]);
    all
}

fn lose_shadow(plan: &mut Plan) {
    let on_stack = |place| matches!(place, Place::Stack { .. });
    if !plan.args.iter().any(|piece| on_stack(piece.place)) {
        plan.stack -= 32;
    }
}

/// Code with some instructions ahead that leave the arguments alone.
macro_rules! ahead {
    ($($byte:literal)+) => {
        |_, code| [&[$($byte),+][..], &code].concat()
    };
}

/// Mistakes that code of either direction may make.
const IN_CODE: [(&str, CodeChange, &str); 19] = [
    ("clobbers_rbx", ahead!(0x31 0xdb), "register rbx"),
    ("clobbers_rbp", ahead!(0x31 0xed), "register rbp"),
    ("clobbers_rdi", ahead!(0x31 0xff), "register rdi"),
    ("clobbers_rsi", ahead!(0x31 0xf6), "register rsi"),
    ("clobbers_r12", ahead!(0x45 0x31 0xe4), "register r12"),
    ("clobbers_r15", ahead!(0x45 0x31 0xff), "register r15"),
    ("clobbers_xmm6", ahead!(0x0f 0x57 0xf6), "register xmm6"),
    ("clobbers_xmm7", ahead!(0x0f 0x57 0xff), "register xmm7"),
    (
        "clobbers_xmm8",
        ahead!(0x45 0x0f 0x57 0xc0),
        "register xmm8",
    ),
    (
        "clobbers_xmm9",
        ahead!(0x45 0x0f 0x57 0xc9),
        "register xmm9",
    ),
    (
        "clobbers_xmm10",
        ahead!(0x45 0x0f 0x57 0xd2),
        "register xmm10",
    ),
    (
        "clobbers_xmm15",
        ahead!(0x45 0x0f 0x57 0xff),
        "register xmm15",
    ),
    // movq xmm6, xmm6
    (
        "clears_half_of_xmm6",
        ahead!(0xf3 0x0f 0x7e 0xf6),
        "register xmm6 (high)",
    ),
    // push 0x1f80; ldmxcsr [rsp]; pop r11
    (
        "resets_mxcsr",
        ahead!(0x68 0x80 0x1f 0 0 0x0f 0xae 0x14 0x24 0x41 0x5b),
        "MXCSR inside the called function",
    ),
    (
        "resets_x87",
        ahead!(0xdb 0xe3),
        "x87 control word after the call",
    ), // fninit
    (
        "sets_the_direction_flag",
        ahead!(0xfd),
        "direction flag inside the called function",
    ), // std
    // mov qword [rsp + 0x178], 0x5a5a5a5a: above the arguments of the longest signature
    (
        "writes_to_its_callers_frame",
        ahead!(0x48 0xc7 0x84 0x24 0x78 0x01 0 0 0x5a 0x5a 0x5a 0x5a),
        "word 46 of the caller's frame",
    ),
    // mov qword [rsp + 0x28], 0x5a5a5a5a: just above the shadow space
    (
        "writes_above_its_shadow_space",
        ahead!(0x48 0xc7 0x44 0x24 0x28 0x5a 0x5a 0x5a 0x5a),
        "word 4 of the caller's frame",
    ),
    (
        "returns_with_a_raised_stack",
        |_, code| match code.split_last() {
            Some((0xc3, rest)) => [rest, &[0xc2, 8, 0]].concat(), // ret 8
            _ => code,
        },
        "stack pointer after the call",
    ),
];
