//! Trampolines on slots and on pointers: arguments go where C looks for them, the result to where the caller wants it.
//!
//! Stack arguments make their part of the frame themselves where they can: a push takes one instruction, a copy two.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, Form, read, stack, write};
use super::values::is_register_sized;
use super::{Emitter, RESULT, SCRATCH, TARGET};
use crate::abi::regs::Gpr;
use crate::abi::regs::x64::R10;
use crate::abi::{Extend, Memory, Move, Place, Plan};
use crate::emit::{Code, Endpoint, in_turns, unwanted_size};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

/// Holds a value's address while the value is loaded. In a trampoline it is as free as the scratch register.
const POINTER: Gpr = R10;

/// The most arguments that are pushed. Each push is a step for unwinders, and Windows' format counts a prologue's bytes in one byte.
const MOST: usize = 16;

pub(in crate::emit) fn call(plan: &Plan, endpoint: Endpoint) -> Result<Code, OutOfMemory> {
    let row = plan.abi.convention();
    let [target, values, result] = [0, 1, 2].map(|n| row.int_args[n]);
    let mut asm = Emitter::new(plan.abi);
    let keeps_result = !plan.ret.is_empty();
    let unwanted_result = plan.stack + plan.copies;
    let area = unwanted_result + unwanted_size(plan, endpoint);
    // Without a frame of its own, the trampoline leaves its caller's frame to the callee, shadow space included.
    let is_tail = !keeps_result && area <= row.shadow;
    if keeps_result {
        asm.push_result_register();
    }
    // The return address, and rbx if it was pushed, already lie on the stack.
    let misaligned = if keeps_result { 0 } else { 8 };
    let frame = if is_tail { 0 } else { area + misaligned };
    let pushed = Pushed::of(plan);
    asm.enter(frame - pushed.end());
    let sret = plan.sret.map(|sret| Place::Int(sret.pointer));
    let moves = plan.args.iter().chain(&plan.mirrors);
    let mut places = moves.map(|mv| mv.place).chain(sret);
    let callee = if places.any(|place| place == Place::Int(target)) {
        asm.copy(TARGET, target);
        TARGET
    } else {
        target
    };
    if keeps_result {
        asm.copy(RESULT, result);
    }
    if let Some(sret) = plan.sret {
        asm.pass_sret(sret.pointer, result, endpoint, unwanted_result);
    }
    asm.push_arguments(pushed, endpoint, values);
    asm.load_arguments(plan, pushed, endpoint, values);
    if is_tail {
        dynasm!(asm.ops ; .arch x64 ; jmp Rq(callee));
        return asm.finish();
    }
    dynasm!(asm.ops ; .arch x64 ; call Rq(callee));
    asm.store_result(plan, endpoint, RESULT);
    asm.leave(frame);
    if keeps_result {
        asm.pop_result_register();
    }
    asm.ret();
    asm.finish()
}

/// The stack arguments of a plan, the highest first, if they are words without gaps between them; or none.
#[derive(Clone, Copy)]
struct Pushed<'a> {
    /// All arguments, if those on the stack are pushed.
    args: &'a [Move],
}

impl<'a> Pushed<'a> {
    fn of(plan: &'a Plan) -> Pushed<'a> {
        let all = Pushed { args: &plan.args };
        let below = all.offsets().skip(1);
        let adjoin = all
            .offsets()
            .zip(below)
            .all(|(this, next)| this == next + SLOT);
        match plan.is_of_scalars() && all.offsets().count() <= MOST && adjoin {
            true => all,
            false => Pushed { args: &[] },
        }
    }

    /// The highest first: arguments lie on the stack in their order.
    fn moves(self) -> impl Iterator<Item = (&'a Move, u32)> {
        let highest_first = self.args.iter().rev();
        highest_first.filter_map(|mv| match mv.place {
            Place::Stack { offset, .. } => Some((mv, offset)),
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => None,
        })
    }

    fn offsets(self) -> impl Iterator<Item = u32> {
        self.moves().map(|(_, offset)| offset)
    }

    /// Bytes from the stack pointer at the call to where the highest ends.
    fn end(self) -> u32 {
        self.offsets().next().map_or(0, |offset| offset + SLOT)
    }

    fn contains(self, place: Place) -> bool {
        matches!(place, Place::Stack { .. }) && !self.args.is_empty()
    }
}

impl Emitter {
    /// Passes the address that the callee writes its result to. On pointers, null discards the result: then it goes to `unwanted`
    /// bytes above the stack pointer.
    fn pass_sret(&mut self, to: Gpr, result: Gpr, endpoint: Endpoint, unwanted: u32) {
        match endpoint {
            Endpoint::Slots => self.copy(to, result),
            Endpoint::Pointers => {
                self.address_of(to, stack(unwanted));
                dynasm!(self.ops
                    ; .arch x64
                    ; test Rq(result), Rq(result)
                    ; cmovne Rq(to), Rq(result)
                );
            }
        }
    }

    /// Copies first, then stack arguments that have not been pushed, as both pass through scratch registers; the register that holds the
    /// values' address after all others; the count of vector registers last.
    fn load_arguments(&mut self, plan: &Plan, pushed: Pushed<'_>, endpoint: Endpoint, values: Gpr) {
        for mv in &plan.args {
            if let Some(copy) = mv.copy {
                let from = self.source(endpoint, values, mv, POINTER);
                self.copy_block(stack(plan.stack + copy), from, mv.width, POINTER);
            }
        }
        let turn_of = |mv: &Move| match mv.place {
            Place::Stack { .. } => 0,
            Place::Int(register) if register == values => 2,
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => 1,
        };
        let moves = plan.args.iter().chain(&plan.mirrors);
        let moves = moves.filter(|mv| !pushed.contains(mv.place));
        for mv in in_turns(3, moves, turn_of) {
            match mv.memory() {
                Some(Memory::ByRegister { register, copy }) => {
                    self.address_of(register, stack(plan.stack + copy));
                }
                Some(Memory::ByWord { offset, copy }) => {
                    self.address_of(SCRATCH, stack(plan.stack + copy));
                    write!(self, mov QWORD stack(offset), Rq(SCRATCH));
                }
                Some(Memory::OnStack { .. }) | None => {
                    self.load_argument(&endpoint.widened(mv), endpoint, values);
                }
            }
        }
        self.count_vector_args(plan);
    }

    fn load_argument(&mut self, mv: &Move, endpoint: Endpoint, values: Gpr) {
        let is_whole = mv.width.is_power_of_two();
        match mv.place {
            Place::Stack { offset, .. } if !is_register_sized(mv) => {
                let from = self.source(endpoint, values, mv, POINTER);
                self.copy_block(stack(offset), from, mv.width, POINTER);
            }
            // The register itself holds the address first; putting parts together takes the scratch register besides.
            Place::Int(register) if is_whole => {
                let from = self.source(endpoint, values, mv, register);
                self.value_to_place(mv, from);
            }
            Place::Int(_) => {
                let from = self.source(endpoint, values, mv, POINTER);
                self.value_to_place(mv, from);
            }
            Place::Fp(_) | Place::X87(_) | Place::Stack { .. } => {
                let from = self.source(endpoint, values, mv, SCRATCH);
                self.value_to_place(mv, from);
            }
        }
    }

    /// Where a move's bytes lie on the interpreter's side, of which `values` holds the address. A pointer to the value passes through `pointer`.
    fn source(&mut self, endpoint: Endpoint, values: Gpr, mv: &Move, pointer: Gpr) -> Address {
        match endpoint {
            Endpoint::Slots => Address {
                base: values,
                offset: mv.slot_offset,
            },
            Endpoint::Pointers => {
                let listed = Address {
                    base: values,
                    offset: mv.value * SLOT,
                };
                read!(self, mov Rq(pointer), QWORD listed);
                Address {
                    base: pointer,
                    offset: mv.offset,
                }
            }
        }
    }

    /// Stores a result that is in registers to the memory that `result` points to.
    pub(super) fn store_result(&mut self, plan: &Plan, endpoint: Endpoint, result: Gpr) {
        for mv in &plan.ret {
            let (base, offset) = (result, mv.offset);
            self.place_to_value(&endpoint.widened(mv), 0, Address { base, offset });
        }
    }

    pub(super) fn count_vector_args(&mut self, plan: &Plan) {
        match plan.vector_args {
            Some(0) => dynasm!(self.ops ; .arch x64 ; xor eax, eax),
            Some(count) => dynasm!(self.ops ; .arch x64 ; mov eax, i32::from(count)),
            None => {}
        }
    }

    /// Pushes arguments, and makes room for what the convention has below them.
    fn push_arguments(&mut self, pushed: Pushed<'_>, endpoint: Endpoint, values: Gpr) {
        for (mv, _) in pushed.moves() {
            let from = self.source(endpoint, values, mv, SCRATCH);
            // The rest of a float's slot may go to the rest of its stack word.
            let is_word = endpoint == Endpoint::Slots && mv.extend == Extend::None;
            if mv.width == SLOT || is_word {
                self.push_memory(from);
            } else {
                self.load(SCRATCH, from, mv);
                dynasm!(self.ops ; .arch x64 ; push rax);
            }
            self.note_depth(self.depth + SLOT);
        }
        let below = pushed.offsets().last().unwrap_or(0);
        if below > 0 {
            self.lower_stack(below);
        }
    }

    fn push_memory(&mut self, from: Address) {
        // ModRM opcode extension (/6) of `push` (Intel SDM volume 2, table A-6).
        const PUSH: u8 = 6;
        self.access(&Form::new(&[0xff]), PUSH, from);
    }
}
