//! Makes a signature with values of any bytes, and calls a function that notes all registers and the stack.
//!
//! There is no compiler on the other side here. So [`Counter`] computes anew where each value must be, by the specifications and not by
//! farcall's plan.

use super::recorder::{self, Record};
use crate::cases::{Case, MAX_ARGS};
use crate::codes::{Code, WORDS};
use crate::layout::Layout;
use crate::machine::{Checker, Under};
use crate::rng::Rng;
use crate::run::bare::{Alter, Bare};
use crate::run::bridge;
use crate::run::engine::Engine;
use crate::run::memory::Surrounded;
use crate::target::{Target, of_this_machine};
use crate::types::Ty;
use crate::values::Value;
use farcall_arch::Abi;

/// Calls the signature that `input` stands for, under System V or Win64.
///
/// # Panics
/// When a value is not where it must be, or [`crate::machine`] finds a fault.
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
    let ret = usize::from(kind >> 1) % (WORDS.len() + 1);
    let ret = ret.checked_sub(1).map(|n| Ty::Number(&WORDS[n]));
    let (mut args, mut slots) = (Vec::new(), Vec::new());
    // One byte for each type. A fifth of them are followed by eight bytes of the value; the others determine the value, too.
    while let Some(code) = byte().filter(|_| args.len() < MAX_ARGS) {
        let value = match code % 5 {
            0 => u64::from_le_bytes(std::array::from_fn(|_| byte().unwrap_or_default())),
            _ => Rng::new(&[u64::from(code), args.len() as u64]).next(),
        };
        args.push(Ty::Number(&WORDS[usize::from(code / 5) % WORDS.len()]));
        slots.push(value);
    }
    let case = Case {
        ret,
        args,
        ..Case::default()
    };
    compare(abi, (), &case, slots, give);
}

fn compare(abi: Abi, alter: impl Alter, case: &Case, slots: Vec<u64>, give: u64) {
    let target = target(abi);
    let bare = Bare { target, abi, alter };
    let trampoline = bare.trampoline(case).expect("a trampoline");
    let mut checker = Checker::new(target).expect("this machine's instructions");
    let bridge = bridge::to(abi).expect("this machine's instructions");
    let mut memory = Surrounded::new(slots.clone());
    let (cells, result) = memory.pointers();
    let guarded = checker.guard(trampoline.it, &mut Rng::new(&[give]));
    let recorder = checker.probe(recorder::function());
    // SAFETY: the checker's lock keeps others from the recorder. The guard goes on to the trampoline, whose target
    // takes any arguments; there is a slot for each, and one for the result.
    let record = unsafe {
        Record::preset(give);
        (bridge.call)(guarded, recorder, cells, result);
        Record::read()
    };
    let mut faults = checker.faults(case, Under::Trampoline);
    faults.extend(memory.faults("slots and result"));
    faults.extend(match case.ret.as_ref().and_then(Ty::word) {
        None => memory.result_faults(&Layout::NOTHING, &Value::default(), 0),
        Some(code) => {
            // The upper half of a `float`'s slot stays as it was.
            let of = if code.is_float() {
                Layout::of
            } else {
                Layout::cell
            };
            let slot = of(&Ty::Number(code), target);
            let wanted = code.widened(give, target.model).to_le_bytes().to_vec();
            let dirty = give.to_le_bytes().to_vec();
            memory.result_faults(&slot, &Value { wanted, dirty }, slot.bytes.len())
        }
    });
    assert!(faults.is_empty(), "{abi}, {case}: {faults:?}");
    assert_eq!(record.calls, 1);
    let mut counter = Counter::new(abi, &record);
    let codes = case.args.iter().filter_map(Ty::word);
    for (position, (code, slot)) in codes.zip(&slots).enumerate() {
        let seen = counter.next(position, code);
        // Compilers rely on 32 bits of narrower values.
        let mask = code.mask(target.model) | 0xffff_ffff;
        let wanted = code.widened(*slot, target.model);
        assert_eq!(
            seen & mask,
            wanted & mask,
            "{abi}, {case}, argument {position}"
        );
    }
}

/// Linux, by either convention.
fn target(abi: Abi) -> &'static Target {
    let found = of_this_machine().find(|target| target.abi == abi);
    found.expect("a target of this machine")
}

/// Computes where the arguments are, one after the other.
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

    /// Exchanges the places of the first two arguments.
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
            let case = Case::parse(0, "v", "qq").expect("a case");
            compare(abi, (), &case, vec![1, 2], 0);
            let wrong = std::panic::catch_unwind(|| compare(abi, Exchanged, &case, vec![1, 2], 0));
            let text = wrong.expect_err("a mistake").downcast::<String>();
            let text = text.expect("a message");
            assert!(text.contains("argument 0"), "{text}");
        }
    }
}
