//! The sabotages: each makes a plan or code wrong in one way, and has the words that must be reported.

#[cfg(target_arch = "aarch64")]
mod aapcs64;
#[cfg(target_arch = "x86_64")]
mod sysv64;
#[cfg(target_arch = "x86_64")]
mod win64;

use crate::engine::{CodeChange, How};
use conformance::cases::Direction;
use conformance::target::Target;
use farcall_arch::Abi;
use farcall_arch::abi::Dialect;
use farcall_arch::abi::regs::{Fpr, Gpr};
use farcall_arch::{Extend, Move, Place, Plan};

/// One way of making code wrong.
pub struct Sabotage {
    pub name: String,
    pub how: How,
    /// The direction in which it shows.
    pub direction: Direction,
    /// The words that a report must contain; none if there must be no report.
    pub reported_as: Option<&'static str>,
    /// The compiler whose code alone shows it.
    pub compiler: &'static str,
}

fn sabotage(direction: Direction, name: &str, how: How, words: &'static str) -> Sabotage {
    Sabotage {
        name: name.to_owned(),
        how,
        direction,
        reported_as: Some(words),
        compiler: "",
    }
}

/// All sabotages of a target's code.
pub fn all(target: &Target) -> Vec<Sabotage> {
    let none = Sabotage {
        reported_as: None,
        ..sabotage(Direction::Call, "none_is_reported_as_none", How::Not, "")
    };
    let mut all = vec![none];
    all.extend(call_plans());
    all.extend(callback_plans());
    all.push(sabotage(
        Direction::Callback,
        "callback_with_another_context",
        How::Context,
        "handler's context",
    ));
    all.extend(of_convention(target.abi));
    all
}

/// The sabotages particular to a convention or to its instructions.
fn of_convention(abi: Abi) -> Vec<Sabotage> {
    match abi {
        #[cfg(target_arch = "x86_64")]
        Abi::SysV64 => sysv64::all(),
        #[cfg(target_arch = "x86_64")]
        Abi::Win64 => win64::all(),
        #[cfg(target_arch = "aarch64")]
        Abi::Aapcs64(Dialect::Linux) => aapcs64::all(),
        Abi::Aapcs64(_) => {
            let other = How::Abi(Abi::Aapcs64(Dialect::Linux));
            vec![
                sabotage(Direction::Call, "call_as_on_linux", other, "argument"),
                sabotage(
                    Direction::Callback,
                    "callback_as_on_linux",
                    other,
                    "argument",
                ),
            ]
        }
        #[allow(unreachable_patterns, reason = "each machine lacks others")]
        _ => Vec::new(),
    }
}

/// A mistake that code may make in both directions.
fn in_both(name: &str, change: CodeChange, words: &'static str) -> [Sabotage; 2] {
    let [call, callback] = [format!("call_{name}"), format!("callback_{name}")];
    [
        sabotage(Direction::Call, &call, How::CallCode(change), words),
        sabotage(
            Direction::Callback,
            &callback,
            How::CallbackCode(change),
            words,
        ),
    ]
}

fn call_plans() -> Vec<Sabotage> {
    let call = |name, change, words| sabotage(Direction::Call, name, How::CallPlan(change), words);
    vec![
        call("call_with_registers_exchanged", exchange, "argument"),
        call(
            "call_with_stack_words_exchanged",
            exchange_stack,
            "argument",
        ),
        call("call_with_half_a_double", halve_doubles, "argument"),
        call("call_with_no_stack_area", |plan| plan.stack = 0, "died"),
        call(
            "call_with_a_misaligned_stack",
            |plan| plan.stack += 8,
            "stack pointer modulo 16",
        ),
        call(
            "call_with_result_not_extended",
            |plan| unextend(&mut plan.ret),
            "result",
        ),
        call(
            "call_that_trusts_results_to_be_ints",
            |plan| trust_ints(&mut plan.ret),
            "result",
        ),
        call(
            "call_with_result_from_another_register",
            other_result_register,
            "result",
        ),
    ]
}

fn callback_plans() -> Vec<Sabotage> {
    let callback =
        |name, change, words| sabotage(Direction::Callback, name, How::CallbackPlan(change), words);
    vec![
        callback("callback_with_registers_exchanged", exchange, "argument"),
        callback(
            "callback_with_stack_words_exchanged",
            exchange_stack,
            "argument",
        ),
        callback(
            "callback_with_stack_words_one_too_high",
            raise_stack,
            "argument",
        ),
        callback(
            "callback_with_arguments_not_extended",
            |plan| unextend(&mut plan.args),
            "argument",
        ),
        callback(
            "callback_that_trusts_arguments_to_be_ints",
            |plan| trust_ints(&mut plan.args),
            "argument",
        ),
        callback("callback_with_half_a_double", halve_doubles, "argument"),
        callback(
            "callback_with_result_in_another_register",
            other_result_register,
            "result",
        ),
    ]
}

/// The first two arguments in registers of one kind change places.
fn exchange(plan: &mut Plan) {
    exchange_if(plan, |place| matches!(place, Place::Int(_)));
    exchange_if(plan, |place| matches!(place, Place::Fp(_)));
}

/// The first two arguments on the stack change places.
fn exchange_stack(plan: &mut Plan) {
    exchange_if(plan, |place| matches!(place, Place::Stack { .. }));
}

fn exchange_if(plan: &mut Plan, is_meant: fn(&Place) -> bool) {
    let mut places = plan.args.iter_mut().map(|piece| &mut piece.place);
    let mut meant = places.by_ref().filter(|place| is_meant(place));
    if let (Some(one), Some(other)) = (meant.next(), meant.next()) {
        std::mem::swap(one, other);
    }
}

fn raise_stack(plan: &mut Plan) {
    for piece in &mut plan.args {
        if let Place::Stack { offset, .. } = &mut piece.place {
            *offset += 8;
        }
    }
}

fn halve_doubles(plan: &mut Plan) {
    for piece in &mut plan.args {
        if matches!(piece.place, Place::Fp(_)) {
            piece.width = 4;
        }
    }
}

fn unextend(pieces: &mut [Move]) {
    for piece in pieces {
        if !matches!(piece.place, Place::Fp(_)) {
            piece.extend = Extend::None;
            piece.width = 8;
        }
    }
}

/// Treats narrow integers as if they were always passed extended to an `int`.
fn trust_ints(pieces: &mut [Move]) {
    for piece in pieces {
        if !matches!(piece.place, Place::Fp(_)) {
            piece.width = piece.width.max(4);
        }
    }
}

fn other_result_register(plan: &mut Plan) {
    for piece in &mut plan.ret {
        piece.place = match piece.place {
            Place::Int(_) => Place::Int(Gpr::new(2)),
            _ => Place::Fp(Fpr::new(1)),
        };
    }
}
