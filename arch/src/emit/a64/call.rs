//! Trampolines on slots and on pointers: arguments go where C looks for them, the result to where the caller wants it.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, Address, Register, in_pairs};
use super::values::register_of;
use super::{Emitter, FRAME_RECORD, RESULT, SCRATCH, TARGET};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::SP;
use crate::abi::{Memory, Move, Place, Plan};
use crate::emit::{Code, Endpoint, unwanted_size};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};

/// Holds a value's address while the value is loaded.
const POINTER: Gpr = SCRATCH[0];

pub(in crate::emit) fn call(plan: &Plan, endpoint: Endpoint) -> Code {
    let row = plan.abi.convention();
    let [target, values, result] = [0, 1, 2].map(|n| row.int_args[n]);
    let mut asm = Emitter::new(plan.abi);
    let unwanted_result = plan.stack + plan.copies;
    let area = unwanted_result + unwanted_size(plan, endpoint);
    // Without a frame of its own the trampoline leaves the callee its caller's.
    let is_tail = plan.ret.is_empty() && area <= row.shadow;
    let above = if plan.ret.is_empty() {
        FRAME_RECORD
    } else {
        FRAME_RECORD + 2 * SLOT
    };
    if !is_tail {
        asm.enter(above, 0);
        if !plan.ret.is_empty() {
            asm.save_result_register();
            asm.copy(RESULT, result);
        }
        asm.lower_stack(area);
    }
    asm.copy(TARGET, target);
    if let Some(hidden) = plan.hidden {
        asm.pass_result_address(hidden.pointer, result, endpoint, unwanted_result);
    }
    asm.load_arguments(plan, endpoint, values);
    if is_tail {
        dynasm!(asm.ops ; .arch aarch64 ; br X(TARGET));
        return asm.finish();
    }
    dynasm!(asm.ops ; .arch aarch64 ; blr X(TARGET));
    asm.store_result(plan, endpoint, RESULT);
    asm.raise_stack(area);
    if !plan.ret.is_empty() {
        asm.restore_result_register();
    }
    asm.leave(above);
    asm.ret();
    asm.finish()
}

impl Emitter {
    /// Puts the address at which the callee writes its result where it looks for it. Endpoints with pointers may want no
    /// result, and say so by null: then it goes to `unwanted` bytes above the stack pointer.
    fn pass_result_address(&mut self, to: Gpr, result: Gpr, endpoint: Endpoint, unwanted: u32) {
        match endpoint {
            Endpoint::Slots => self.copy(to, result),
            Endpoint::Pointers => {
                self.add(to, SP, unwanted);
                dynasm!(self.ops
                    ; .arch aarch64
                    ; cmp XSP(result), 0
                    ; csel X(to), X(result), X(to), ne
                );
            }
        }
    }

    /// Copies and stack arguments first, as they pass through scratch registers; the register that holds the values' address
    /// after all others.
    fn load_arguments(&mut self, plan: &Plan, endpoint: Endpoint, values: Gpr) {
        let mut scalars = Vec::new();
        for piece in &plan.args {
            let Some(memory) = piece.block() else {
                scalars.push(piece);
                continue;
            };
            let from = self.source(endpoint, values, piece, POINTER);
            let offset = match memory {
                Memory::OnStack { offset } => offset,
                Memory::ByRegister { copy, .. } | Memory::ByWord { copy, .. } => plan.stack + copy,
            };
            self.copy_block(Address { base: SP, offset }, from, piece.width);
            if let Memory::ByWord { offset: at, .. } = memory {
                self.add(POINTER, SP, offset);
                self.store(&Access::word(POINTER, SP, at));
            }
        }
        match endpoint {
            Endpoint::Slots => {
                self.slots_to_stack(&scalars, values);
                self.slots_to_registers(plan, &scalars, values);
            }
            Endpoint::Pointers => {
                self.values_to_stack(&scalars, values);
                self.values_to_registers(plan, &scalars, values);
            }
        }
    }

    /// Where a piece lies on the interpreter's side, of which `values` holds the address. A pointer to the value passes through `pointer`.
    fn source(&mut self, endpoint: Endpoint, values: Gpr, piece: &Move, pointer: Gpr) -> Address {
        match endpoint {
            Endpoint::Slots => Address {
                base: values,
                offset: piece.slot,
            },
            Endpoint::Pointers => {
                self.load(&Access::word(pointer, values, piece.value * SLOT));
                Address {
                    base: pointer,
                    offset: piece.offset,
                }
            }
        }
    }

    fn slots_to_stack(&mut self, pieces: &[&Move], slots: Gpr) {
        let on_stack = pieces.iter().filter_map(|piece| match piece.place {
            Place::Stack { offset, size } => {
                let piece = Endpoint::Slots.piece(piece);
                Some((
                    Access::of(&piece, SCRATCH[0], slots, piece.slot),
                    Access {
                        width: size,
                        ..Access::word(SCRATCH[0], SP, offset)
                    },
                ))
            }
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => None,
        });
        self.copy_all(on_stack.collect());
    }

    /// Loads what belongs in registers from its slots, whatever holds the slots' address last.
    fn slots_to_registers(&mut self, plan: &Plan, pieces: &[&Move], slots: Gpr) {
        let pieces = pieces.iter().copied().chain(&plan.mirrors);
        let loads: Vec<Access> = pieces
            .filter_map(|piece| {
                let register = register_of(piece)?;
                let piece = Endpoint::Slots.piece(piece);
                Some(Access::of(&piece, register, slots, piece.slot))
            })
            .collect();
        let mut groups = in_pairs(&loads);
        groups.sort_by_key(|group| group.has(slots));
        for group in groups {
            self.load_group(&group);
        }
        self.pass_copies(plan);
    }

    /// Loads the addresses of copies.
    fn pass_copies(&mut self, plan: &Plan) {
        for piece in &plan.args {
            if let (Some(copy), Place::Int(register)) = (piece.copy, piece.place) {
                self.add(register, SP, plan.stack + copy);
            }
        }
    }

    fn values_to_stack(&mut self, pieces: &[&Move], values: Gpr) {
        for piece in pieces {
            if let Place::Stack { offset, size } = piece.place {
                let from = self.source(Endpoint::Pointers, values, piece, POINTER);
                self.load(&Access::of(piece, SCRATCH[1], from.base, from.offset));
                self.store(&Access {
                    width: size,
                    ..Access::word(SCRATCH[1], SP, offset)
                });
            }
        }
    }

    /// Each register holds its value's address first; a floating-point one cannot, and integers in parts must not.
    fn values_to_registers(&mut self, plan: &Plan, pieces: &[&Move], values: Gpr) {
        let mut pieces: Vec<&Move> = pieces.iter().copied().chain(&plan.mirrors).collect();
        pieces.sort_by_key(|piece| piece.place == Place::Int(values));
        for piece in pieces {
            let Some(register) = register_of(piece) else {
                continue;
            };
            let pointer = match register {
                Register::Int(register) if piece.width.is_power_of_two() => register,
                _ => POINTER,
            };
            let from = self.source(Endpoint::Pointers, values, piece, pointer);
            self.load(&Access::of(piece, register, from.base, from.offset));
        }
        self.pass_copies(plan);
    }

    /// Stores a result that is in registers to the memory that `result` points to.
    fn store_result(&mut self, plan: &Plan, endpoint: Endpoint, result: Gpr) {
        let pieces = plan.ret.iter().map(|piece| endpoint.piece(piece));
        let (whole, odd): (Vec<Move>, Vec<Move>) =
            pieces.partition(|piece| piece.width.is_power_of_two());
        let stores = self.registers_to_memory(&whole, result, |piece| Some(piece.offset));
        self.store_all(&stores);
        for piece in odd {
            if let Place::Int(register) = piece.place {
                let to = Address {
                    base: result,
                    offset: piece.offset,
                };
                self.store_parts(register, to, piece.width);
            }
        }
    }
}
