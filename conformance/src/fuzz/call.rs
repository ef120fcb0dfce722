//! Any bytes: a signature with values, and a call of a function that notes all registers and the stack.
//!
//! No compiler stands on the other side here, so where each value must be is counted anew, in the words of the
//! specifications and not by farcall's plan: [`Counter`].

use super::recorder::{self, Record};
use crate::codes::{Case, Code, VALUES, VOID};
use crate::machine::{Checker, Under};
use crate::rng::Rng;
use crate::run::bare::{Alter, Bare};
use crate::run::bridge;
use crate::run::engine::Engine;
use crate::run::memory::Surrounded;
use crate::target::Model;
use farcall_arch::Abi;

/// Calls the signature that `input` stands for, under System V or Win64.
///
/// # Panics
/// When a value is not where it must be, or anything is wrong that [`crate::machine`] sees.
pub fn call(input: &[u8]) {
    let mut bytes = input.iter().copied();
    let mut byte = move || bytes.next();
    let kind = byte().unwrap_or_default();
    let abi = if kind & 1 == 0 {
        Abi::SysV64
    } else {
        Abi::Win64
    };
    let give = Rng::new(&[u64::from(kind)]).next();
    let ret = match usize::from(kind >> 1) % (VALUES.len() + 1) {
        0 => &VOID,
        n => &VALUES[n - 1],
    };
    let (mut args, mut slots) = (Vec::new(), Vec::new());
    // A byte each for the type; a fifth of them are followed by eight of the value, others choose it themselves.
    while let Some(code) = byte().filter(|_| args.len() < crate::MAX_ARGS) {
        let value = match code % 5 {
            0 => u64::from_le_bytes(std::array::from_fn(|_| byte().unwrap_or_default())),
            _ => Rng::new(&[u64::from(code), args.len() as u64]).next(),
        };
        args.push(&VALUES[usize::from(code / 5) % VALUES.len()]);
        slots.push(value);
    }
    let case = Case {
        index: 0,
        ret,
        args,
        fixed: None,
        wide_return: true,
        wide_args: true,
        wide: None,
    };
    compare(abi, (), &case, slots, give);
}

fn compare(abi: Abi, alter: impl Alter, case: &Case, slots: Vec<u64>, give: u64) {
    let model = Model::Lp64;
    let bare = Bare { abi, model, alter };
    let trampoline = bare.trampoline(case).expect("a trampoline");
    let mut checker = Checker::new(abi).expect("this machine's instructions");
    let bridge = bridge::to(abi).expect("this machine's instructions");
    let mut memory = Surrounded::new(slots.clone());
    let (cells, result) = memory.pointers();
    let guarded = checker.guard(trampoline.it, &mut Rng::new(&[give]));
    let target = checker.probe(recorder::function());
    // SAFETY: the checker's lock keeps others from the recorder. The guard goes on to the trampoline, whose target
    // takes any arguments; there is a slot for each, and one for the result.
    let record = unsafe {
        Record::preset(give);
        (bridge.call)(guarded, target, cells, result);
        Record::read()
    };
    let mut faults = checker.faults(case, Under::Trampoline);
    faults.extend(memory.faults("slots and result"));
    assert!(faults.is_empty(), "{abi}, {case}: {faults:?}");
    assert_eq!(record.calls, 1);
    let mut counter = Counter::new(abi, &record);
    for (position, (code, slot)) in case.args.iter().zip(&slots).enumerate() {
        let seen = counter.next(position, code);
        // Compilers rely on 32 bits of what is narrower.
        let mask = code.mask(model) | 0xffff_ffff;
        let wanted = code.widened(*slot, model);
        assert_eq!(
            seen & mask,
            wanted & mask,
            "{abi}, {case}, argument {position}"
        );
    }
    let (before, mask) = (memory.untouched_result(), case.ret.mask(model));
    let wanted = match case.ret.is_float() {
        true => give & mask | before & !mask,
        false if case.ret == &VOID => before,
        false => case.ret.widened(give, model),
    };
    assert_eq!(memory.result(), wanted, "{abi}, {case}, result");
}

/// Where arguments are, one after the other.
struct Counter<'a> {
    abi: Abi,
    record: &'a Record,
    ints: std::slice::Iter<'a, u64>,
    floats: std::slice::Iter<'a, u64>,
    stack: std::slice::Iter<'a, u64>,
}

impl<'a> Counter<'a> {
    fn new(abi: Abi, record: &'a Record) -> Counter<'a> {
        Counter {
            abi,
            record,
            ints: record.ints.iter(),
            floats: record.floats.iter(),
            stack: record.stack.iter(),
        }
    }

    fn next(&mut self, position: usize, code: &Code) -> u64 {
        if self.abi == Abi::Win64 {
            let [_, _, rdx, rcx, r8, r9] = self.record.ints;
            return match (position, code.is_float()) {
                (0..4, true) => self.record.floats[position],
                (0..4, false) => [rcx, rdx, r8, r9][position],
                // Four words of shadow space lie below, which count for the four in registers.
                _ => self.record.stack[position],
            };
        }
        let file = match code.is_float() {
            true => &mut self.floats,
            false => &mut self.ints,
        };
        *file.next().or_else(|| self.stack.next()).expect("a place")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farcall_arch::Plan;

    /// Exchanges the first two arguments' places.
    struct Exchanged;

    impl Alter for Exchanged {
        fn call_plan(&self, plan: &mut Plan) {
            let place = plan.args[0].place;
            plan.args[0].place = plan.args[1].place;
            plan.args[1].place = place;
        }
    }

    #[test]
    fn exchanged_arguments_are_noticed_under_both_conventions() {
        for abi in [Abi::SysV64, Abi::Win64] {
            let case = Case {
                index: 0,
                ret: &VOID,
                args: "qq".chars().filter_map(Code::of).collect(),
                fixed: None,
                wide_return: false,
                wide_args: false,
                wide: None,
            };
            compare(abi, (), &case, vec![1, 2], 0);
            let wrong = std::panic::catch_unwind(|| compare(abi, Exchanged, &case, vec![1, 2], 0));
            let text = wrong.expect_err("a mistake").downcast::<String>();
            let text = text.expect("a message");
            assert!(text.contains("argument 0"), "{text}");
        }
    }
}
