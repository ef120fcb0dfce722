//! Values between the interpreter's side and the places of the convention: what is moved, in which order.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, File, in_pairs};
use super::block::Address;
use super::{Emitter, RECORD, SCRATCH};
use crate::abi::regs::a64::SP;
use crate::abi::{Move, Place, Plan};
use crate::emit::{Endpoint, EntryFrame, record};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};

/// Holds a value's address while the value is loaded.
const POINTER: u8 = SCRATCH[0];

impl Emitter {
    /// Puts the address at which the callee writes its result where it looks for it. Endpoints with pointers may want no
    /// result, and say so by null: then it goes to `unwanted` bytes above the stack pointer.
    pub(super) fn pass_result_address(
        &mut self,
        to: u8,
        result: u8,
        endpoint: Endpoint,
        unwanted: u32,
    ) {
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
    pub(super) fn load_arguments(&mut self, plan: &Plan, endpoint: Endpoint, values: u8) {
        let (blocks, scalars): (Vec<&Move>, Vec<&Move>) =
            plan.args.iter().partition(|piece| is_block(piece));
        for piece in blocks {
            let from = self.source(endpoint, values, piece, POINTER);
            let offset = match (piece.copy, piece.place) {
                (Some(copy), _) => plan.stack + copy,
                (None, Place::Stack { offset, .. }) => offset,
                (None, Place::Int(_) | Place::Fp(_) | Place::X87(_)) => continue,
            };
            self.copy_block(Address { base: SP, offset }, from, piece.width);
            if let (Some(_), Place::Stack { offset: at, .. }) = (piece.copy, piece.place) {
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
    fn source(&mut self, endpoint: Endpoint, values: u8, piece: &Move, pointer: u8) -> Address {
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

    fn slots_to_stack(&mut self, pieces: &[&Move], slots: u8) {
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
    fn slots_to_registers(&mut self, plan: &Plan, pieces: &[&Move], slots: u8) {
        let pieces = pieces.iter().copied().chain(&plan.mirrors);
        let loads: Vec<Access> = pieces
            .filter_map(|piece| {
                let (file, register) = register_of(piece)?;
                let piece = Endpoint::Slots.piece(piece);
                Some(Access {
                    file,
                    ..Access::of(&piece, register, slots, piece.slot)
                })
            })
            .collect();
        let mut groups = in_pairs(&loads);
        let is_last = |register| (File::Int, register) == (File::Int, slots);
        groups.sort_by_key(|group| {
            group
                .iter()
                .any(|load| load.file == File::Int && is_last(load.register))
        });
        for group in groups {
            self.load_group(group);
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

    fn values_to_stack(&mut self, pieces: &[&Move], values: u8) {
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
    fn values_to_registers(&mut self, plan: &Plan, pieces: &[&Move], values: u8) {
        let mut pieces: Vec<&Move> = pieces.iter().copied().chain(&plan.mirrors).collect();
        pieces.sort_by_key(|piece| piece.place == Place::Int(values));
        for piece in pieces {
            let Some((file, register)) = register_of(piece) else {
                continue;
            };
            let is_odd = !piece.width.is_power_of_two();
            let pointer = if file == File::Int && !is_odd {
                register
            } else {
                POINTER
            };
            let from = self.source(Endpoint::Pointers, values, piece, pointer);
            if is_odd {
                self.load_parts(register, from, piece.width);
            } else {
                self.load(&Access {
                    file,
                    ..Access::of(piece, register, from.base, from.offset)
                });
            }
        }
        self.pass_copies(plan);
    }

    /// Stores a result that is in registers to the memory that `result` points to.
    pub(super) fn store_result(&mut self, plan: &Plan, endpoint: Endpoint, result: u8) {
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

    /// Extends what is in registers by its type, there, and says how it is to be stored, each piece to its own offset.
    fn registers_to_memory<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a Move>,
        base: u8,
        offset: impl Fn(&Move) -> Option<u32>,
    ) -> Vec<Access> {
        let mut stores = Vec::new();
        for piece in pieces {
            if let (Some((file, register)), Some(offset)) = (register_of(piece), offset(piece)) {
                self.extend(register, piece);
                stores.push(Access {
                    file,
                    ..Access::slot(piece, register, base, offset)
                });
            }
        }
        stores
    }

    /// Stores the arguments to slots, or lists pointers to them. `incoming` is the distance from the stack pointer to the
    /// caller's.
    pub(super) fn store_arguments(&mut self, plan: &Plan, layout: &EntryFrame, incoming: u32) {
        let (blocks, scalars): (Vec<&Move>, Vec<&Move>) =
            plan.args.iter().partition(|piece| is_block(piece));
        let whole: Vec<Move> = scalars
            .iter()
            .map(|piece| Endpoint::Slots.piece(piece))
            .collect();
        let stores = self.registers_to_memory(&whole, SP, |piece| layout.cell(piece));
        self.store_all(&stores);
        let on_stack = scalars.iter().filter_map(|piece| match piece.place {
            Place::Stack { offset, .. } => Some((
                Access::of(piece, SCRATCH[0], SP, incoming + offset),
                Access::slot(piece, SCRATCH[0], SP, layout.cell(piece)?),
            )),
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => None,
        });
        self.copy_all(on_stack.collect());
        for piece in blocks {
            if let Some(offset) = layout.cell(piece) {
                let from = self.block_of(piece, incoming);
                self.copy_block(Address { base: SP, offset }, from, piece.width);
            }
        }
        self.list_values(plan, layout, incoming);
    }

    /// Where C keeps a value that it passes in memory.
    fn block_of(&mut self, piece: &Move, incoming: u32) -> Address {
        let at = |base| Address { base, offset: 0 };
        match (piece.place, piece.copy) {
            (Place::Stack { offset, .. }, None) => Address {
                base: SP,
                offset: incoming + offset,
            },
            (Place::Stack { offset, .. }, Some(_)) => {
                self.load(&Access::word(POINTER, SP, incoming + offset));
                at(POINTER)
            }
            (Place::Int(register), _) => at(register),
            (Place::Fp(_) | Place::X87(_), _) => {
                unreachable!("an address is an integer, and what such a register holds is no block")
            }
        }
    }

    /// Lists the values' addresses, where pointers are wanted.
    fn list_values(&mut self, plan: &Plan, layout: &EntryFrame, incoming: u32) {
        for piece in plan
            .args
            .iter()
            .filter(|piece| layout.cell(piece).is_none())
        {
            let from = self.block_of(piece, incoming);
            let address = if from.base == SP {
                self.add(POINTER, SP, from.offset);
                POINTER
            } else {
                from.base
            };
            self.store(&Access::word(address, SP, layout.pointer(piece.value)));
        }
        for (value, cell) in layout.pointed_cells() {
            self.add(POINTER, SP, cell);
            self.store(&Access::word(POINTER, SP, layout.pointer(value)));
        }
    }

    /// Calls the handler.
    pub(super) fn pass_values(&mut self, plan: &Plan, endpoint: Endpoint, layout: &EntryFrame) {
        let row = plan.abi.convention();
        let [first, second, third] = [0, 1, 2].map(|n| row.int_args[n]);
        let (values, result) = match endpoint {
            Endpoint::Slots => (second, third),
            Endpoint::Pointers => (third, second),
        };
        self.add(values, SP, layout.values);
        match (endpoint, layout.hidden, layout.result) {
            (Endpoint::Pointers, Some(at), _) => self.load(&Access::word(result, SP, at)),
            (_, _, Some(at)) if !layout.returns_slot => self.add(result, SP, at),
            _ => {}
        }
        if endpoint == Endpoint::Pointers {
            let user_data = u32::from(record::USER_DATA);
            self.load(&Access::word(row.int_args[3], RECORD, user_data));
        }
        self.call_handler(first);
    }

    /// Returns to C what the handler gave back.
    pub(super) fn finish_callback(&mut self, plan: &Plan, endpoint: Endpoint, layout: &EntryFrame) {
        if layout.returns_slot {
            let slot = plan.abi.convention().int_rets[0];
            match (&plan.ret[..], layout.result) {
                ([piece], _) => return self.register_to_result(slot, piece),
                (_, Some(at)) => self.store(&Access::word(slot, SP, at)),
                _ => {}
            }
        }
        let Some(at) = layout.result else { return };
        if let (Some(hidden), Some(address)) = (plan.hidden, layout.hidden) {
            debug_assert_eq!(
                endpoint,
                Endpoint::Slots,
                "a pointer goes to C's own memory"
            );
            self.load(&Access::word(POINTER, SP, address));
            let to = Address {
                base: POINTER,
                offset: 0,
            };
            let from = Address {
                base: SP,
                offset: at,
            };
            self.copy_block(to, from, hidden.size);
        }
        for piece in &plan.ret {
            if let Some((file, register)) = register_of(piece) {
                let piece = Endpoint::Slots.piece(piece);
                self.load(&Access {
                    file,
                    ..Access::of(&piece, register, SP, at + piece.offset)
                });
            }
        }
    }

    /// Moves a result from the slot that a register holds to where the convention wants it.
    pub(super) fn register_to_result(&mut self, slot: u8, piece: &Move) {
        match register_of(piece) {
            Some((File::Int, register)) => self.extend_to(register, slot, piece),
            Some((File::Fp, register)) if piece.width == 4 => {
                dynasm!(self.ops ; .arch aarch64 ; fmov S(register), W(slot));
            }
            Some((File::Fp, register)) => {
                dynasm!(self.ops ; .arch aarch64 ; fmov D(register), X(slot));
            }
            None => {}
        }
    }
}

/// Whether a piece is moved from memory to memory other than through one register.
fn is_block(piece: &Move) -> bool {
    let is_on_stack = matches!(piece.place, Place::Stack { .. });
    piece.copy.is_some() || is_on_stack && !matches!(piece.width, 1 | 2 | 4 | 8)
}

/// The register that a piece is in, unless it is on the stack.
pub(super) fn register_of(piece: &Move) -> Option<(File, u8)> {
    match piece.place {
        Place::Int(register) => Some((File::Int, register)),
        Place::Fp(register) => Some((File::Fp, register)),
        Place::X87(_) | Place::Stack { .. } => None,
    }
}
