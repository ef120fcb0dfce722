//! A lookup of addresses in a plan: which bytes of which argument are there.

use farcall_arch::abi::regs::Isa;
use farcall_arch::{Move, Place};

use super::model::Explanation;
use super::operands::Memory;

/// Looks addresses up in a plan.
#[derive(Clone, Copy)]
pub struct Places<'e> {
    explanation: &'e Explanation,
    isa: Isa,
}

impl<'e> Places<'e> {
    pub fn new(explanation: &'e Explanation) -> Places<'e> {
        let isa = explanation.plan.abi.convention().isa;
        Places { explanation, isa }
    }

    fn args(&self) -> impl Iterator<Item = (usize, &'e Move)> {
        self.explanation.plan.args.iter().enumerate()
    }

    /// The move whose slot is at this offset from the first slot.
    pub fn of_slots(&self, memory: &Memory) -> Option<usize> {
        let at = u32::try_from(memory.offset).ok()?;
        let before = self.args().filter(|(_, mv)| mv.slot_offset <= at);
        let found = before.max_by_key(|(_, mv)| mv.slot_offset);
        found.map(|(index, _)| index)
    }

    /// The index of the byte within that move, unless it is the first.
    pub fn byte_of_slots(&self, memory: &Memory, index: usize) -> Option<u32> {
        let mv = &self.explanation.plan.args[index];
        let within = u32::try_from(memory.offset)
            .ok()?
            .checked_sub(mv.slot_offset)?;
        (within > 0).then_some(mv.offset + within)
    }

    /// The argument on C's stack that begins, or ends, `at` bytes above the stack pointer's first value.
    pub fn of_callers_stack(&self, at: i64) -> Option<usize> {
        // On x86-64, the call has pushed its return address.
        let pushed = if self.isa == Isa::X64 { 8 } else { 0 };
        self.on_stack(at - pushed)
            .or_else(|| self.on_stack(at - pushed - 1))
    }

    /// The argument at this offset among the stack arguments.
    pub fn on_stack(&self, at: i64) -> Option<usize> {
        let is_there = |mv: &Move| match mv.place {
            Place::Stack { offset, size } => {
                (i64::from(offset)..i64::from(offset + size.max(1))).contains(&at)
            }
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => false,
        };
        self.args()
            .find(|(_, mv)| is_there(mv))
            .map(|(index, _)| index)
    }

    /// The argument whose copy is at this offset.
    pub fn copied_to(&self, at: i64) -> Option<usize> {
        let stack = self.explanation.plan.stack;
        let is_there = |mv: &Move| {
            let start = mv.copy.map(|copy| i64::from(stack + copy));
            start.is_some_and(|start| (start..start + i64::from(mv.width)).contains(&at))
        };
        self.args()
            .find(|(_, mv)| is_there(mv))
            .map(|(index, _)| index)
    }

    /// Whether an argument's place holds its address.
    pub fn is_by_reference(&self, index: usize) -> bool {
        self.explanation.plan.args[index].copy.is_some()
    }

    /// A description of a move's argument and of its bytes.
    pub fn argument(&self, index: usize) -> String {
        let mv = &self.explanation.plan.args[index];
        let value = &self.explanation.arguments[mv.value as usize];
        let number = mv.value + 1;
        let name = match value.label.starts_with('#') {
            true => String::new(),
            false => format!(" ({})", value.label),
        };
        let last = (mv.offset + mv.width).saturating_sub(1);
        let bytes = match value.parts.len() {
            1 => String::new(),
            _ => format!(", bytes {}–{last}", mv.offset),
        };
        format!("argument {number}{name}{bytes}")
    }
}
