//! Comments in plain words on each instruction of a trampoline or an entry.
//!
//! The narrator follows the code in order and keeps track of the content of each register: the arguments' slots, an argument, or
//! the address of the result. The plan tells which bytes of which argument a slot or a stack word has.

use std::collections::HashMap;

use farcall_arch::Place;
use farcall_arch::abi::regs::Isa;

use super::model::Explanation;
use super::names::place;
use super::operands::{Instruction, Memory, Operand, extension};
use super::places::Places;

/// The direction of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A call of a C function.
    Call,
    /// A call of a callback by C.
    Callback,
}

/// The content of a register.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Thing {
    Target,
    Slots,
    Result,
    Record,
    Handler,
    /// The value of a move in the plan, by its index.
    Argument(usize),
    /// C's address for a result in memory.
    Memory,
    Zero,
}

/// The position in the code, with the state that is known there.
pub struct Narrator<'e> {
    pub(super) explanation: &'e Explanation,
    pub(super) places: Places<'e>,
    pub(super) direction: Direction,
    pub(super) known: HashMap<String, Thing>,
    /// The number of bytes by which the stack pointer is below its first value.
    pub(super) depth: i64,
    pub(super) is_after_call: bool,
    /// The place of C's address for the result, as an offset from the stack pointer's first value.
    pub(super) kept: Option<i64>,
    pub(super) sp: &'static str,
    pub(super) isa: Isa,
}

impl<'e> Narrator<'e> {
    pub fn new(explanation: &'e Explanation, direction: Direction) -> Narrator<'e> {
        let plan = &explanation.plan;
        let row = plan.abi.convention();
        let mut known = HashMap::new();
        match direction {
            Direction::Call => {
                let things = [Thing::Target, Thing::Slots, Thing::Result];
                for (register, thing) in row.int_args.iter().zip(things) {
                    known.insert(register.name(row.isa), thing);
                }
            }
            Direction::Callback => {
                let thunk = match row.isa {
                    Isa::X64 => "r10",
                    Isa::A64 => "x16",
                };
                known.insert(thunk.to_owned(), Thing::Record);
                for (index, mv) in plan.args.iter().enumerate() {
                    if matches!(mv.place, Place::Int(_) | Place::Fp(_)) {
                        known.insert(place(plan, mv.place), Thing::Argument(index));
                    }
                }
                if let Some(sret) = plan.sret {
                    known.insert(sret.pointer.name(row.isa), Thing::Memory);
                }
            }
        }
        Narrator {
            places: Places::new(explanation),
            kept: None,
            direction,
            known,
            depth: 0,
            is_after_call: false,
            sp: explanation.stack_pointer(),
            isa: row.isa,
            explanation,
        }
    }

    /// The comment on the next instruction.
    pub fn comment(&mut self, text: &str) -> String {
        let it = Instruction::parse(self.isa, text);
        let words = self
            .of_flow(&it)
            .or_else(|| self.of_frame(&it))
            .or_else(|| self.of_store(&it))
            .or_else(|| self.of_load(&it))
            .or_else(|| self.of_registers(&it));
        words.unwrap_or_else(|| "on the way, for the bytes of a wide value".to_owned())
    }

    fn of_flow(&mut self, it: &Instruction) -> Option<String> {
        let whom = match self.direction {
            Direction::Call => "the function",
            Direction::Callback => "the handler",
        };
        Some(match it.mnemonic.as_str() {
            "endbr64" | "bti" => "a landing pad: indirect calls may end here".to_owned(),
            "call" | "blr" => {
                self.is_after_call = true;
                self.known
                    .retain(|_, thing| matches!(thing, Thing::Result | Thing::Memory));
                format!("calls {whom}")
            }
            "jmp" | "br" if it.register(0).is_some() => {
                format!("jumps to {whom}, which returns to our caller")
            }
            "ret" => "returns".to_owned(),
            "jmp" | "b" => "goes on".to_owned(),
            "test" | "cmp" if self.is_after_call => "looks at the result".to_owned(),
            name if name.starts_with('j') || name.starts_with("b.") || name.starts_with("cb") => {
                "goes round until all is copied".to_owned()
            }
            _ => return None,
        })
    }

    /// The move whose value is at an address in the slots.
    pub(super) fn of_slots(&self, memory: &Memory) -> Option<usize> {
        let has_slots = self.known.get(&memory.base) == Some(&Thing::Slots);
        self.places.of_slots(memory).filter(|_| has_slots)
    }

    /// The argument that C passes in memory at this address: on its stack, or in a copy whose address is in a register.
    fn of_c(&self, memory: &Memory) -> Option<usize> {
        if self.direction == Direction::Call {
            return None;
        }
        match self.known.get(&memory.base) {
            Some(Thing::Argument(index)) => Some(*index),
            _ if memory.base == self.sp => self.places.of_callers_stack(memory.offset - self.depth),
            _ => None,
        }
    }

    /// The content of an address above the stack pointer of a call.
    fn of_stack(&self, memory: &Memory) -> Option<String> {
        if memory.base != self.sp || self.direction == Direction::Callback {
            return None;
        }
        let copy = self.places.copied_to(memory.offset);
        if let Some(index) = copy {
            return Some(format!("the copy of {}", self.argument(index)));
        }
        let index = self.places.on_stack(memory.offset)?;
        Some(format!("the stack's {}", self.argument(index)))
    }

    pub(super) fn argument(&self, index: usize) -> String {
        self.places.argument(index)
    }

    fn of_store(&mut self, it: &Instruction) -> Option<String> {
        let is_first = matches!(it.operands.first(), Some(Operand::Memory(_)));
        let is_store = is_first || it.mnemonic.starts_with("st");
        let memory = it.memory().filter(|_| is_store)?;
        let sources: Vec<&str> = (0..it.operands.len())
            .filter_map(|at| it.register(at))
            .collect();
        match self.known.get(&memory.base) {
            Some(Thing::Result) => return Some("stores the result".to_owned()),
            Some(Thing::Memory) => return Some("the result, to C's memory for it".to_owned()),
            _ => {}
        }
        let known: Vec<&Thing> = sources
            .iter()
            .filter_map(|name| self.known.get(*name))
            .collect();
        if known.contains(&&Thing::Memory) {
            self.kept = Some(memory.offset - self.depth);
            return Some("keeps C's address for the result".to_owned());
        }
        let names = known.iter().filter_map(|thing| match thing {
            Thing::Argument(index) => Some(self.argument(*index)),
            _ => None,
        });
        let names = names.collect::<Vec<_>>().join(" and ");
        let to = self.of_stack(memory);
        Some(match (self.direction, names.is_empty(), to) {
            (Direction::Call, _, Some(to)) => format!("to {to}"),
            (Direction::Call, false, None) => format!("{names}, to the stack"),
            (Direction::Call, true, None) => "the bytes, to where they belong".to_owned(),
            (Direction::Callback, false, _) => format!("{names}, to the slots"),
            (Direction::Callback, true, _) if self.is_after_call => {
                "the result, kept for a moment".to_owned()
            }
            (Direction::Callback, true, _) => "the bytes, to the slots".to_owned(),
        })
    }

    fn of_load(&mut self, it: &Instruction) -> Option<String> {
        let memory = it.memory()?.clone();
        let to = it.register(0).unwrap_or_default().to_owned();
        if it.mnemonic == "lea" {
            return Some(self.of_address(&to, &memory));
        }
        if let Some(index) = self.of_slots(&memory).or_else(|| self.of_c(&memory)) {
            return Some(self.loaded(it, &memory, index));
        }
        if self.known.get(&memory.base) == Some(&Thing::Record) {
            let second = it.register(1).map(str::to_owned);
            return Some(match (memory.offset, second) {
                (8, Some(handler)) => {
                    self.known.insert(handler, Thing::Handler);
                    "the callback's context and handler, from its record".to_owned()
                }
                (8, None) => "the callback's context, from its record".to_owned(),
                _ => "the callback's handler, from its record".to_owned(),
            });
        }
        if memory.base == self.sp && self.kept == Some(memory.offset - self.depth) {
            let words = format!("C's address for the result, to {to}");
            self.known.insert(to, Thing::Memory);
            return Some(words);
        }
        Some(match (self.is_after_call, memory.base == self.sp) {
            (true, _) => format!("the result, from where the handler has put it, to {to}"),
            (false, true) => format!("what was kept there, to {to}"),
            (false, false) => format!("the next bytes, to {to}"),
        })
    }

    /// The comment on a load of an argument's bytes into one register or two.
    fn loaded(&mut self, it: &Instruction, memory: &Memory, index: usize) -> String {
        let (first, second) = (it.register(0), it.register(1));
        let wide = if second.is_some_and(|name| name.starts_with('v')) {
            16
        } else {
            8
        };
        let next = Memory {
            offset: memory.offset + wide,
            ..memory.clone()
        };
        let next = self.of_slots(&next).or_else(|| self.of_c(&next));
        let mut words = self.argument(index);
        let from_slots = self
            .of_slots(memory)
            .and(self.places.byte_of_slots(memory, index));
        if let Some(from) = from_slots {
            words += &format!(", from byte {from} on");
        }
        if self.direction == Direction::Callback && self.places.is_by_reference(index) {
            words = match self.known.get(&memory.base) {
                Some(Thing::Argument(_)) => format!("{words}, from C's copy"),
                _ => format!("the address of {words}"),
            };
        }
        if let Some(first) = first {
            self.known.insert(first.to_owned(), Thing::Argument(index));
            words += &format!(", to {first}");
        }
        if let (Some(second), Some(index), "ldp") = (second, next, it.mnemonic.as_str()) {
            self.known.insert(second.to_owned(), Thing::Argument(index));
            words += &format!("; {}, to {second}", self.argument(index));
        }
        words + extension(&it.mnemonic)
    }

    fn of_address(&mut self, to: &str, memory: &Memory) -> String {
        if let Some(index) = self.of_slots(memory).or_else(|| self.of_c(memory)) {
            self.known.insert(to.to_owned(), Thing::Argument(index));
            return format!("where {} is, to {to}", self.argument(index));
        }
        if let Some(place) = self.of_stack(memory) {
            return format!("the address of {place}, to {to}");
        }
        match memory.base == self.sp {
            true => self.for_handler(to).to_owned(),
            false => format!("where the next bytes are, to {to}"),
        }
    }

    /// The meaning of an address in the entry's own frame, from the handler's argument that it becomes.
    fn for_handler(&self, to: &str) -> &'static str {
        let row = self.explanation.plan.abi.convention();
        let position = row.int_args.iter().position(|it| it.name(self.isa) == to);
        match (self.direction, position) {
            (Direction::Callback, Some(1)) => "the address of the slots, for the handler",
            (Direction::Callback, Some(2)) => "where the handler puts the result",
            (Direction::Callback, _) => "where the bytes go",
            _ => "an address in this frame",
        }
    }

    fn of_registers(&mut self, it: &Instruction) -> Option<String> {
        let to = it.register(0)?.to_owned();
        let from = it.register(1).unwrap_or(&to).to_owned();
        let is_same = it.register(1).is_some() && it.register(1) == it.register(2);
        let is_zero = it.mnemonic == "xor" && to == from || is_same;
        let is_count = is_zero || it.mnemonic == "mov" && it.number().is_some_and(|it| it >= 0);
        if to == "rax" && is_count && !self.is_after_call && self.direction == Direction::Call {
            return Some(self.of_vectors());
        }
        if is_zero {
            self.known.insert(to, Thing::Zero);
            return Some("zero".to_owned());
        }
        if let ("add", true) = (it.mnemonic.as_str(), from == self.sp) {
            let offset = it.number().unwrap_or(0);
            let memory = Memory {
                base: from,
                offset,
                is_indexed: false,
                moves_base: false,
            };
            return Some(self.of_address(&to, &memory));
        }
        if from == self.sp {
            let memory = Memory {
                base: from,
                offset: 0,
                is_indexed: false,
                moves_base: false,
            };
            return Some(self.of_address(&to, &memory));
        }
        if let (true, Some(number)) = (it.operands.len() < 4 && !self.is_after_call, it.number()) {
            match it.mnemonic.as_str() {
                "mov" | "movz" => {
                    return Some(format!("counts what is left to copy, from {number} on"));
                }
                "subs" => return Some("one piece less is left".to_owned()),
                "add" if to == from => return Some(format!("{number} bytes less are left")),
                _ => {}
            }
        }
        if self.is_after_call {
            return Some(match extension(&it.mnemonic) {
                "" if to == from => "the result in its final width".to_owned(),
                "" => format!("the result, to {to}"),
                extended => format!("the result{extended}"),
            });
        }
        self.moved_thing(it, to, &from)
    }

    /// The comment on a move between registers, from the content of the source.
    fn moved_thing(&mut self, it: &Instruction, to: String, from: &str) -> Option<String> {
        let thing = self.known.get(from).cloned()?;
        let words = match &thing {
            Thing::Target => format!("keeps the function's address in {to}"),
            Thing::Slots => format!("keeps the slots' address in {to}"),
            Thing::Result => match self.result_pointer() == Some(to.clone()) {
                true => "passes the result's address on, for the function to write to".to_owned(),
                false => format!("keeps the result's address in {to}"),
            },
            Thing::Record => format!("keeps the record's address in {to}"),
            Thing::Handler => format!("keeps the handler's address in {to}"),
            Thing::Memory => format!("C's address for the result, to {to}"),
            Thing::Argument(index) => {
                format!("{}{}", self.argument(*index), self.moved(it, &to, from))
            }
            Thing::Zero => "zero".to_owned(),
        };
        self.known.insert(to, thing);
        Some(words)
    }

    fn of_vectors(&self) -> String {
        match self.explanation.plan.vector_args {
            Some(1) => "al: 1 vector register carries arguments".to_owned(),
            Some(count) => format!("al: {count} vector registers carry arguments"),
            None => "zero".to_owned(),
        }
    }

    fn moved(&self, it: &Instruction, to: &str, from: &str) -> String {
        match (extension(&it.mnemonic), to == from) {
            ("", true) => ": puts its bytes together".to_owned(),
            ("", false) => format!(", to {to}"),
            (extended, _) => extended.to_owned(),
        }
    }

    fn result_pointer(&self) -> Option<String> {
        let sret = self.explanation.plan.sret?;
        Some(sret.pointer.name(self.isa))
    }
}
