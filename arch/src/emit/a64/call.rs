//! Trampolines on slots and on pointers: arguments go where C looks for them, the result to where the caller wants it.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, Address, Copy, Group, Register, in_pairs};
use super::values::register_of;
use super::{Emitter, FRAME_RECORD, RESULT, SCRATCH, TARGET};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::SP;
use crate::abi::{Memory, Move, Place, Plan};
use crate::emit::{Code, Endpoint, unwanted_size};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

/// Holds a value's address while the value is loaded.
const POINTER: Gpr = SCRATCH[0];

pub(in crate::emit) fn call(plan: &Plan, endpoint: Endpoint) -> Result<Code, OutOfMemory> {
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
    if let Some(sret) = plan.sret {
        asm.pass_sret(sret.pointer, result, endpoint, unwanted_result);
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
    /// Passes the address that the callee writes its result to. On pointers, null discards the result: then it goes to `unwanted`
    /// bytes above the stack pointer.
    fn pass_sret(&mut self, to: Gpr, result: Gpr, endpoint: Endpoint, unwanted: u32) {
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
        for mv in &plan.args {
            let Some(memory) = mv.block() else {
                continue;
            };
            let from = self.source(endpoint, values, mv, POINTER);
            let offset = match memory {
                Memory::OnStack { offset } => offset,
                Memory::ByRegister { copy, .. } | Memory::ByWord { copy, .. } => plan.stack + copy,
            };
            self.copy_block(Address { base: SP, offset }, from, mv.width);
            if let Memory::ByWord { offset: at, .. } = memory {
                self.add(POINTER, SP, offset);
                self.store(&Access::word(POINTER, SP, at));
            }
        }
        let scalars = plan.args.iter().filter(|mv| mv.block().is_none());
        self.load_to_stack(scalars.clone(), endpoint, values);
        let moves = scalars.chain(&plan.mirrors);
        self.load_to_registers(moves, endpoint, values);
        self.pass_copies(plan);
    }

    /// Loads stack arguments through the scratch registers.
    fn load_to_stack<'a>(
        &mut self,
        moves: impl Iterator<Item = &'a Move>,
        endpoint: Endpoint,
        values: Gpr,
    ) {
        // A pointer takes the first of them.
        let through = match endpoint {
            Endpoint::Slots => &SCRATCH[..],
            Endpoint::Pointers => &SCRATCH[1..],
        };
        let copies = moves.filter_map(|mv| {
            let Place::Stack { offset, size } = mv.place else {
                return None;
            };
            let mv = endpoint.widened(mv);
            let (listed, from) = source(endpoint, values, &mv, POINTER);
            let to = Access {
                width: size,
                ..Access::word(POINTER, SP, offset)
            };
            let from = Access::of(&mv, POINTER, from.base, from.offset);
            Some(Copy { listed, from, to })
        });
        self.copy_all(copies, through);
    }

    /// Loads what belongs in registers, the one that holds `values` last. Slots that are neighbours are loaded two by two.
    fn load_to_registers<'a>(
        &mut self,
        moves: impl Iterator<Item = &'a Move> + Clone,
        endpoint: Endpoint,
        values: Gpr,
    ) {
        let loads = moves.filter_map(|mv| {
            let mv = endpoint.widened(mv);
            let register = register_of(&mv)?;
            // An integer register holds its value's address first, unless it is filled part by part.
            let pointer = match register {
                Register::Int(register) if mv.width.is_power_of_two() => register,
                Register::Int(_) | Register::Fp(_) => POINTER,
            };
            let (listed, from) = source(endpoint, values, &mv, pointer);
            Some((listed, Access::of(&mv, register, from.base, from.offset)))
        });
        for is_last in [false, true] {
            match endpoint {
                Endpoint::Slots => {
                    for group in in_pairs(loads.clone().map(|(_, load)| load)) {
                        if group.has(values) == is_last {
                            self.load_group(&group);
                        }
                    }
                }
                Endpoint::Pointers => {
                    for (listed, load) in loads.clone() {
                        if Group::One(load).has(values) == is_last {
                            listed.iter().for_each(|listed| self.load(listed));
                            self.load(&load);
                        }
                    }
                }
            }
        }
    }

    /// Where a move's bytes lie on the interpreter's side ([`source`]), once its value's address is loaded if need be.
    fn source(&mut self, endpoint: Endpoint, values: Gpr, mv: &Move, pointer: Gpr) -> Address {
        let (listed, from) = source(endpoint, values, mv, pointer);
        if let Some(listed) = listed {
            self.load(&listed);
        }
        from
    }

    /// Loads the addresses of copies.
    pub(super) fn pass_copies(&mut self, plan: &Plan) {
        for mv in &plan.args {
            if let Some(Memory::ByRegister { register, copy }) = mv.memory() {
                self.add(register, SP, plan.stack + copy);
            }
        }
    }

    /// Stores a result that is in registers to the memory that `result` points to.
    pub(super) fn store_result(&mut self, plan: &Plan, endpoint: Endpoint, result: Gpr) {
        let moves = plan.ret.iter().map(|mv| endpoint.widened(mv));
        let whole = moves.clone().filter(|mv| mv.width.is_power_of_two());
        self.registers_to_memory(whole, result, |mv| Some(mv.offset));
        for mv in moves.filter(|mv| !mv.width.is_power_of_two()) {
            if let Place::Int(register) = mv.place {
                let to = Address {
                    base: result,
                    offset: mv.offset,
                };
                self.store_parts(register, to, mv.width);
            }
        }
    }
}

/// Where a move's bytes lie on the interpreter's side, of which `values` holds the address; and how its value's address is loaded, where
/// that is listed.
fn source(endpoint: Endpoint, values: Gpr, mv: &Move, pointer: Gpr) -> (Option<Access>, Address) {
    match endpoint {
        Endpoint::Slots => {
            let (base, offset) = (values, mv.slot_offset);
            (None, Address { base, offset })
        }
        Endpoint::Pointers => {
            let (base, offset) = (pointer, mv.offset);
            let listed = Access::word(pointer, values, mv.value * SLOT);
            (Some(listed), Address { base, offset })
        }
    }
}
