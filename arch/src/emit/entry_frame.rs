//! The parts of a callback entry's frame that are the same on all machines.

use super::Endpoint;
use crate::abi::{Memory, Move, Plan};
use crate::layout::SLOT;
use farcall_memory::{OutOfMemory, try_collect};

/// The alignment of results and wide values.
pub(super) const AREA_ALIGN: u32 = 16;

/// The places of the parts, in bytes from the stack pointer.
pub(super) struct EntryFrame {
    endpoint: Endpoint,
    /// The slots, or the pointers to the values.
    pub values: u32,
    /// By value.
    cells: Vec<Cell>,
    /// The place where the handler leaves a result or its slot, if the result does not go straight to where C wants it.
    pub result: Option<u32>,
    /// The place of the address at which C wants the result.
    pub sret: Option<u32>,
    /// Whether the handler gives the result back in a register, as a slot.
    pub returns_slot: bool,
    /// The end of all parts.
    pub end: u32,
}

/// The place where the handler finds a value.
#[derive(Clone, Copy)]
pub(super) enum Cell {
    /// In its slots, or in memory that its moves put it together in.
    At(u32),
    /// The place where C passes it.
    InPlace(Memory),
}

impl EntryFrame {
    /// Begins `start` bytes above the stack pointer, a multiple of 16.
    pub(super) fn new(
        plan: &Plan,
        endpoint: Endpoint,
        start: u32,
    ) -> Result<EntryFrame, OutOfMemory> {
        let mut end = start;
        let cells = match endpoint {
            Endpoint::Slots => slots_of(plan, &mut end)?,
            Endpoint::Pointers => cells_of(plan, &mut end)?,
        };
        let returns_slot = endpoint == Endpoint::Slots && plan.ret_slots <= 1;
        let wants_result = match endpoint {
            // A slot of one move goes from register to register.
            Endpoint::Slots => !returns_slot || plan.ret.len() > 1 || plan.sret.is_some(),
            Endpoint::Pointers => plan.sret.is_none(),
        };
        let size = (plan.ret_slots * SLOT)
            .next_multiple_of(AREA_ALIGN)
            .max(AREA_ALIGN);
        let result = wants_result.then(|| take(&mut end, size, AREA_ALIGN));
        let sret = plan.sret.map(|_| take(&mut end, SLOT, SLOT));
        Ok(EntryFrame {
            endpoint,
            values: start,
            cells,
            result,
            sret,
            returns_slot,
            end,
        })
    }

    /// Where the handler finds a move's bytes.
    pub(super) fn cell(&self, mv: &Move) -> Cell {
        match self.cells[mv.value as usize] {
            Cell::At(cell) => Cell::At(cell + mv.offset),
            in_place => in_place,
        }
    }

    /// Where a move's bytes go, unless its value stays in its place.
    pub(super) fn offset(&self, mv: &Move) -> Option<u32> {
        match self.cell(mv) {
            Cell::At(offset) => Some(offset),
            Cell::InPlace(_) => None,
        }
    }

    /// Where the pointer to a value goes.
    pub(super) fn pointer(&self, value: u32) -> u32 {
        self.values + value * SLOT
    }

    /// The values whose pointer is the address of their cell, with that.
    pub(super) fn pointed_cells(&self) -> impl Iterator<Item = (u32, u32)> {
        let cells = match self.endpoint {
            Endpoint::Slots => &[],
            Endpoint::Pointers => &self.cells[..],
        };
        (0..).zip(cells).filter_map(|(value, cell)| match *cell {
            Cell::At(offset) => Some((value, offset)),
            Cell::InPlace(_) => None,
        })
    }
}

/// Each value's first slot.
fn slots_of(plan: &Plan, end: &mut u32) -> Result<Vec<Cell>, OutOfMemory> {
    let slots = take(end, plan.arg_slots * SLOT, SLOT);
    try_collect(values(plan).map(|value| Cell::At(slots + value.slot_offset)))
}

/// Pointers for all values, and behind them memory for those that C passes in registers, or not all together.
fn cells_of(plan: &Plan, end: &mut u32) -> Result<Vec<Cell>, OutOfMemory> {
    let count = values(plan).count();
    take(end, count as u32 * SLOT, SLOT);
    let behind = values(plan).skip(1).map(|value| value.slot_offset);
    let ends = behind.chain([plan.arg_slots * SLOT]);
    let cell = |(value, end_slot): (Value<'_>, u32)| {
        let size = end_slot - value.slot_offset;
        let align = if size > SLOT { AREA_ALIGN } else { SLOT };
        match value.memory() {
            Some(memory) => Cell::InPlace(memory),
            None => Cell::At(take(end, size, align)),
        }
    };
    try_collect(values(plan).zip(ends).map(cell))
}

/// An argument.
struct Value<'a> {
    moves: &'a [Move],
    /// Bytes from the first slot of all.
    slot_offset: u32,
}

impl Value<'_> {
    /// Where C passes it in memory, if all of it is together there.
    fn memory(&self) -> Option<Memory> {
        match self.moves {
            [mv] => mv.memory(),
            _ => None,
        }
    }
}

fn values(plan: &Plan) -> impl Iterator<Item = Value<'_>> {
    let by_value = plan.args.chunk_by(|one, other| one.value == other.value);
    by_value.map(|moves| Value {
        moves,
        slot_offset: moves[0].slot_offset - moves[0].offset,
    })
}

fn take(end: &mut u32, size: u32, align: u32) -> u32 {
    let start = end.next_multiple_of(align);
    *end = start + size;
    start
}
