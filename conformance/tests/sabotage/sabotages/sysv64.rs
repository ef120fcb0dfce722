//! System V on x86-64.

use super::{Sabotage, sabotage, unextend};
use crate::engine::{CodeChange, How};
use conformance::cases::Direction;
use farcall_arch::abi::regs::x64::RAX;
use farcall_arch::{Extend, Place, Plan};

pub(super) fn all() -> Vec<Sabotage> {
    let mut all = plans();
    all.extend(call_code());
    all.extend(callback_code());
    all
}

fn plans() -> Vec<Sabotage> {
    let call = |name, change, words| sabotage(Direction::Call, name, How::CallPlan(change), words);
    // gcc's callees extend narrow arguments themselves; clang's rely on the caller.
    let clang = |name, change| Sabotage {
        compiler: "clang",
        ..call(name, change, "argument")
    };
    vec![
        clang("call_with_arguments_not_extended", |plan| {
            unextend(&mut plan.args);
        }),
        clang("call_with_signed_as_unsigned", lose_signs),
        call(
            "call_without_the_vector_count",
            |plan| plan.vector_args = Some(0),
            "announced in al",
        ),
    ]
}

fn lose_signs(plan: &mut Plan) {
    for piece in &mut plan.args {
        if piece.extend == Extend::Sign {
            piece.extend = Extend::Zero;
        }
    }
}

/// Code with some instructions ahead that leave the arguments alone.
macro_rules! ahead {
    ($($byte:literal)+) => {
        |_, code| [&[$($byte),+][..], &code].concat()
    };
}

/// The names of one sabotage: for a call's code, and for a callback's.
type Names = (&'static str, &'static str);

/// A mistake that any function may make.
fn in_code(
    direction: Direction,
    names: Names,
    change: CodeChange,
    words: &'static str,
) -> Sabotage {
    match direction {
        Direction::Call => sabotage(direction, names.0, How::CallCode(change), words),
        Direction::Callback => sabotage(direction, names.1, How::CallbackCode(change), words),
    }
}

/// `xor register, register` for each register that a callee must give back.
fn clobbers(direction: Direction) -> Vec<Sabotage> {
    let list: [(Names, CodeChange, &str); 6] = [
        (
            ("call_clobbers_rbx", "callback_clobbers_rbx"),
            ahead!(0x31 0xdb),
            "register rbx",
        ),
        (
            ("call_clobbers_rbp", "callback_clobbers_rbp"),
            ahead!(0x31 0xed),
            "register rbp",
        ),
        (
            ("call_clobbers_r12", "callback_clobbers_r12"),
            ahead!(0x45 0x31 0xe4),
            "register r12",
        ),
        (
            ("call_clobbers_r13", "callback_clobbers_r13"),
            ahead!(0x45 0x31 0xed),
            "register r13",
        ),
        (
            ("call_clobbers_r14", "callback_clobbers_r14"),
            ahead!(0x45 0x31 0xf6),
            "register r14",
        ),
        (
            ("call_clobbers_r15", "callback_clobbers_r15"),
            ahead!(0x45 0x31 0xff),
            "register r15",
        ),
    ];
    list.map(|(names, change, words)| in_code(direction, names, change, words))
        .into()
}

fn control_and_frame(direction: Direction) -> Vec<Sabotage> {
    let list: [(Names, CodeChange, &str); 5] = [
        (
            ("call_resets_mxcsr", "callback_resets_mxcsr"),
            // push 0x1f80; ldmxcsr [rsp]; pop r11
            ahead!(0x68 0x80 0x1f 0 0 0x0f 0xae 0x14 0x24 0x41 0x5b),
            "MXCSR inside the called function",
        ),
        (
            ("call_resets_x87", "callback_resets_x87"),
            ahead!(0xdb 0xe3), // fninit
            "x87 control word after the call",
        ),
        (
            (
                "call_sets_the_direction_flag",
                "callback_sets_the_direction_flag",
            ),
            ahead!(0xfd), // std
            "direction flag inside the called function",
        ),
        (
            (
                "call_writes_to_its_callers_frame",
                "callback_writes_to_its_callers_frame",
            ),
            // mov qword [rsp + 0x178], 0x5a5a5a5a: above the arguments of the longest signature
            ahead!(0x48 0xc7 0x84 0x24 0x78 0x01 0 0 0x5a 0x5a 0x5a 0x5a),
            "word 46 of the caller's frame",
        ),
        (
            (
                "call_returns_with_a_raised_stack",
                "callback_returns_with_a_raised_stack",
            ),
            |_, code| match code.split_last() {
                Some((0xc3, rest)) => [rest, &[0xc2, 8, 0]].concat(), // ret 8
                _ => code,
            },
            "stack pointer after the call",
        ),
    ];
    list.map(|(names, change, words)| in_code(direction, names, change, words))
        .into()
}

fn call_code() -> Vec<Sabotage> {
    let call = |name, change, words| sabotage(Direction::Call, name, How::CallCode(change), words);
    let mut all = clobbers(Direction::Call);
    all.extend(control_and_frame(Direction::Call));
    all.extend([
        call(
            "call_writes_ahead_of_the_slots",
            ahead!(0x48 0x89 0x46 0xf8), // mov [rsi - 8], rax
            "word -1 around the slots",
        ),
        call(
            "call_changes_a_slot_when_it_is_done_with_it",
            // push rbx; mov rbx, rsi; call $ + 6; mov byte [rbx], 0x77; pop rbx; ret
            |plan, code| {
                let wrapper = [
                    0x53, 0x48, 0x89, 0xf3, 0xe8, 5, 0, 0, 0, 0xc6, 0x03, 0x77, 0x5b, 0xc3,
                ];
                if plan.stack > 0 {
                    code
                } else {
                    [&wrapper[..], &code].concat()
                }
            },
            "word 0 around the slots",
        ),
        call(
            "call_writes_beyond_the_result",
            ahead!(0x48 0x89 0x42 0x08), // mov [rdx + 8], rax
            "bytes written behind the result",
        ),
        call(
            "call_writes_a_result_for_void",
            |plan, code| match plan.ret[..] {
                [] => [&[0x48, 0x89, 0x02][..], &code].concat(), // mov [rdx], rax
                _ => code,
            },
            "result",
        ),
        call(
            "call_keeps_the_results_address_in_r8",
            // mov r8, rdx; sub rsp, 8; xor eax, eax; call rdi; mov [r8], rax; add rsp, 8; ret
            |plan, code| match (&plan.args[..], &plan.ret[..]) {
                ([], [one]) if one.place == Place::Int(RAX) => vec![
                    0x49, 0x89, 0xd0, 0x48, 0x83, 0xec, 8, 0x31, 0xc0, 0xff, 0xd7, 0x49, 0x89,
                    0x00, 0x48, 0x83, 0xc4, 8, 0xc3,
                ],
                _ => code,
            },
            "died",
        ),
    ]);
    all
}

fn callback_code() -> Vec<Sabotage> {
    let mut all = clobbers(Direction::Callback);
    all.extend(control_and_frame(Direction::Callback));
    all
}
