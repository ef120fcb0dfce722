//! Machine code for plans: trampolines by which the interpreter's side calls C, and entries by which C calls back.
//!
//! An emitter walks a [`Plan`] and knows one instruction set. It holds no rule of any calling convention and asks
//! nothing of the machine it runs on. It fails only if memory runs out: the planner has already rejected everything that cannot be encoded.
//!
//! Each machine has a folder, with the same files in both: `mod` (the emitter and its frame), `call` (trampolines on slots and on
//! pointers), `entry` (callback entries on slots and on pointers), `values` (moves between memory and places), `access` (one load or
//! store), `block` (copies of any size), `branches`, `bytes` (structures on objects), `objects` and `object_entry` (calls and entries on objects), `shared` (the code that calls
//! on objects share), `thread` (the thread's own words), `errno` (C's error numbers, which are among these).
//!
//! # The trampoline on slots
//! [`call`] makes a function of the plan's own convention, `void (*)(const void *target, const uint64_t *slots,
//! uint64_t *result)`. It loads the arguments from their slots, calls `target`, and stores the result to `*result`. A narrow integer is
//! taken from the low bytes of its slot; a narrow result is extended to the whole slot. A `float` lies in the
//! low four bytes of a slot, and the other four are left as they were. For `void`, `result` is not touched.
//!
//! A wider value lies in as many consecutive slots as it needs. Arguments need only a slot's alignment. A result that the callee
//! writes to memory itself ([`Plan::sret`]) needs its type's.
//!
//! # The trampoline on pointers
//! [`call_pointers`] makes `void (*)(const void *target, void *const *values, void *result)`. Argument n is read through
//! `values[n]`, and no byte beyond its size is read. A result is written as libffi does: an integer fills eight bytes, an x87 number
//! ten, and everything else its own size. `result` must not be null, which is not tested, unless the result is returned in memory: then
//! null discards it. Other results have at most [`MAX_REGISTER_RESULT`] bytes.
//!
//! # The callback entry on slots
//! C calls a thunk; the thunk loads the address of its [`record`] and jumps to the entry that the record names. The
//! entry, made by [`callback_entry`], stores its arguments into slots on its own stack, extended as above, and calls the
//! record's handler, a function of the same convention, `uint64_t (*)(void *context, const uint64_t *slots)`. The handler returns
//! the result's slot. For a result of several slots the handler is `void (*)(void *context, const uint64_t *slots, uint64_t *result)`
//! and writes to `result`, which is aligned to 16.
//!
//! # The callback entry on pointers
//! The entry that [`callback_entry_pointers`] makes calls `void (*)(void *context, void *result, void **values, void *user_data)`, whose first and
//! last arguments are the record's. `values[n]` points to argument n, either where C keeps it or in a copy. It is aligned
//! for its type, as far as the convention aligns arguments: AAPCS64 goes by the members of a structure (6.8.2, its natural alignment), not by what an
//! attribute adds.
//! `result` points to at least 16 bytes, aligned to 16, or to C's own memory if C wants the result there. Of an integer the low bytes
//! are returned.
//!
//! # What holds for all of it
//! Both ends of a trampoline and of an entry follow the plan's convention, even if the process has another: on Linux a Win64
//! trampoline is called as an `extern "win64"` function. Every address that C can reach begins with a landing pad
//! (`endbr64`, `bti c`). Nothing below the stack pointer is used; the stack is aligned at every call; frames larger than a
//! page are touched page by page. Control flags, rounding modes and the platform register are left alone.

#[cfg(feature = "a64")]
mod a64;
mod buffer;
mod bytes;
mod entry_frame;
mod object_entry;
mod objects;
mod shared;
pub mod thunk;
pub mod unwind;
#[cfg(feature = "x64")]
mod x64;

#[cfg(feature = "a64")]
use crate::abi::Dialect;
use crate::abi::regs::Isa;
use crate::abi::{Abi, Move, Plan};
use crate::endpoint::{Delivery, ObjectCall, ObjectModel, SharedOffsets, ThreadPointer};
use crate::layout::SLOT;
use entry_frame::AREA_ALIGN;
use farcall_memory::{OutOfMemory, TryVec, try_to_vec};
use std::borrow::Cow;
use unwind::FrameChange;

/// A thunk's data: what its entry finds at the address that the thunk passes. Offsets in bytes.
pub mod record {
    /// The entry that the thunk jumps to.
    pub const ENTRY: u8 = 0;
    /// The first argument of the function that the entry calls.
    pub const CONTEXT: u8 = 8;
    /// The handler. The fields have the order of libffi's closures, which are records themselves.
    pub const HANDLER: u8 = 16;
    /// The function that an entry on objects calls.
    pub const OBJECT_HANDLER: u8 = 24;
    /// The last argument of the function that an entry on pointers calls.
    pub const USER_DATA: u8 = 24;
    /// The record's size, and its distance from the next one. The last word is no code's business.
    pub const SIZE: usize = 40;
}

/// The bytes that one [`thunk`] takes.
pub const THUNK_SIZE: usize = 16;

/// Position-independent machine code of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The convention of the functions it calls, and of itself.
    pub abi: Abi,
    /// The instructions; execution starts with the first.
    pub bytes: Vec<u8>,
    /// The changes of the stack frame, for [`unwind::eh_frame`].
    pub frame: Vec<FrameChange>,
    /// Offsets of the references to shared code: 32-bit displacements, on AArch64 direct branches. Each is right if this code and the
    /// shared code begin at the same address. See [`Code::behind_shared`].
    pub to_shared: Vec<u32>,
}

impl Code {
    /// The same code, to be placed `distance` bytes after the start of the shared code.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn behind_shared(&self, distance: u32) -> Result<Cow<'_, Code>, OutOfMemory> {
        if self.to_shared.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let mut code = self.try_clone()?;
        for &link in &self.to_shared {
            let field = code.bytes[link as usize..].first_chunk_mut();
            if let Some(field) = field {
                let link = u32::from_le_bytes(*field);
                let link: u32 = match self.abi {
                    #[cfg(feature = "x64")]
                    Abi::SysV64 | Abi::Win64 => link.wrapping_sub(distance),
                    #[cfg(feature = "a64")]
                    Abi::Aapcs64(_) => a64::branch_from_behind(link, distance),
                };
                *field = link.to_le_bytes();
            }
        }
        Ok(Cow::Owned(code))
    }

    /// A copy, as `clone` makes one.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_clone(&self) -> Result<Code, OutOfMemory> {
        Ok(Code {
            abi: self.abi,
            bytes: try_to_vec(&self.bytes)?,
            frame: try_to_vec(&self.frame)?,
            to_shared: try_to_vec(&self.to_shared)?,
        })
    }
}

/// The code that the trampolines of one interpreter share, and the offsets of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedCode {
    /// All parts.
    pub code: Code,
    /// The start of each part.
    pub offsets: SharedOffsets,
}

/// The most bytes of a result that is returned in registers: four binary128 numbers under AAPCS64.
pub const MAX_REGISTER_RESULT: usize = 64;

/// The way in which values lie on the interpreter's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Slots,
    Pointers,
}

impl Endpoint {
    /// A move as it reads and writes on this side: in a slot, an odd number of bytes is rounded up to the next power of two.
    fn widened(self, mv: &Move) -> Move {
        let is_odd = mv.width < SLOT && !mv.width.is_power_of_two();
        match self {
            Endpoint::Slots if is_odd => Move {
                width: mv.width.next_power_of_two(),
                ..*mv
            },
            Endpoint::Slots | Endpoint::Pointers => *mv,
        }
    }
}

/// The most moves that code is worth having for.
const MOST_MOVES: usize = 1024;

/// Whether code for this plan is worth its memory. That for thousands of moves takes about as long as following the plan, and up to 24 bytes for each
/// move. It can be made all the same, except for calls and entries on objects.
pub fn is_reasonable(plan: &Plan) -> bool {
    plan.args.len() + plan.mirrors.len() <= MOST_MOVES
}

/// Moves in the order of their turns, counted from 0, and in their own order within one.
fn in_turns<'a>(
    turns: u32,
    moves: impl Iterator<Item = &'a Move> + Clone,
    turn_of: impl Fn(&Move) -> u32 + Copy,
) -> impl Iterator<Item = &'a Move> {
    (0..turns).flat_map(move |turn| moves.clone().filter(move |mv| turn_of(mv) == turn))
}

/// Bytes that a trampoline reserves for a result in memory that its caller may discard.
fn unwanted_size(plan: &Plan, endpoint: Endpoint) -> u32 {
    match (plan.sret, endpoint) {
        (Some(sret), Endpoint::Pointers) => sret.size.next_multiple_of(AREA_ALIGN),
        _ => 0,
    }
}

/// The trampoline by which functions of this plan are called with their arguments in slots.
///
/// # Errors
/// [`OutOfMemory`].
pub fn call(plan: &Plan) -> Result<Code, OutOfMemory> {
    emit_call(plan, Endpoint::Slots)
}

/// The trampoline by which functions of this plan are called with pointers to their arguments.
///
/// # Errors
/// [`OutOfMemory`].
pub fn call_pointers(plan: &Plan) -> Result<Code, OutOfMemory> {
    emit_call(plan, Endpoint::Pointers)
}

fn emit_call(plan: &Plan, endpoint: Endpoint) -> Result<Code, OutOfMemory> {
    match plan.abi {
        #[cfg(feature = "x64")]
        Abi::SysV64 | Abi::Win64 => x64::call(plan, endpoint),
        #[cfg(feature = "a64")]
        Abi::Aapcs64(_) => a64::call(plan, endpoint),
    }
}

/// The call operation of an interpreter's function objects of this plan: `object (*)(function, size_t count, size_t keyword count,
/// const object *arguments)`. It unboxes the arguments, calls, and boxes the result. Whatever is not straightforward takes
/// the slow path, through shared code. `None` if there is no emitter for the convention.
///
/// # Errors
/// [`OutOfMemory`].
pub fn call_objects(
    plan: &Plan,
    call: &ObjectCall,
    model: &ObjectModel,
    shared: &SharedOffsets,
) -> Result<Option<Code>, OutOfMemory> {
    if !bytes::is_suited(plan, call, model) || !is_reasonable(plan) {
        return Ok(None);
    }
    let code = match objects_on(plan.abi, model) {
        #[cfg(feature = "x64")]
        Some(ObjectMachine::X64(segment)) => {
            x64::objects::call(segment, plan, call, model, shared)?
        }
        #[cfg(feature = "a64")]
        Some(ObjectMachine::A64) => a64::objects::call(plan, call, model, shared)?,
        None => return Ok(None),
    };
    Ok(Some(code))
}

/// The entry of callbacks of this plan on an interpreter's objects. It makes small integers of arguments or leaves them as slots, as
/// `deliveries` says of each, catches what is raised, and calls the record's object handler, `uint64_t (*)(void *context, object *arguments)`,
/// which returns the result's slot. If an argument overflows a small integer, or the thread has no call of ours in progress, it jumps
/// to `slots_entry`, the plan's [`callback_entry`]. `None` if there is no emitter for the convention.
///
/// # Errors
/// [`OutOfMemory`].
pub fn callback_entry_objects(
    plan: &Plan,
    model: &ObjectModel,
    deliveries: &[Delivery],
    slots_entry: u64,
) -> Result<Option<Code>, OutOfMemory> {
    let has_code = plan.is_of_scalars() && is_reasonable(plan);
    let (Some(catch), true) = (&model.catch, has_code) else {
        return Ok(None);
    };
    let code = match objects_on(plan.abi, model) {
        #[cfg(feature = "x64")]
        Some(ObjectMachine::X64(segment)) => {
            x64::object_entry::entry(segment, plan, model, catch, deliveries, slots_entry)?
        }
        #[cfg(feature = "a64")]
        Some(ObjectMachine::A64) => {
            a64::object_entry::entry(plan, model, catch, deliveries, slots_entry)?
        }
        None => return Ok(None),
    };
    Ok(Some(code))
}

/// The code that all of [`call_objects`]' share. `None` if there is no emitter for the convention.
///
/// # Errors
/// [`OutOfMemory`].
pub fn shared_for_objects(
    abi: Abi,
    model: &ObjectModel,
) -> Result<Option<SharedCode>, OutOfMemory> {
    let code = match objects_on(abi, model) {
        #[cfg(feature = "x64")]
        Some(ObjectMachine::X64(segment)) => x64::shared::for_objects(segment, abi, model)?,
        #[cfg(feature = "a64")]
        Some(ObjectMachine::A64) => a64::shared::for_objects(abi, model)?,
        None => return Ok(None),
    };
    Ok(Some(code))
}

/// A machine with an emitter for objects, and how its threads find their own words.
enum ObjectMachine {
    #[cfg(feature = "x64")]
    X64(x64::Segment),
    #[cfg(feature = "a64")]
    A64,
}

/// Picks the emitter for objects if this convention's machine has the model's thread pointer.
fn objects_on(abi: Abi, model: &ObjectModel) -> Option<ObjectMachine> {
    match (abi, model.thread_pointer) {
        #[cfg(feature = "x64")]
        (Abi::SysV64 | Abi::Win64, ThreadPointer::Fs) => Some(ObjectMachine::X64(x64::Segment::Fs)),
        #[cfg(feature = "x64")]
        (Abi::SysV64 | Abi::Win64, ThreadPointer::Gs) => Some(ObjectMachine::X64(x64::Segment::Gs)),
        #[cfg(feature = "a64")]
        (Abi::Aapcs64(Dialect::Linux), ThreadPointer::TpidrEl0) => Some(ObjectMachine::A64),
        _ => None,
    }
}

/// The entry of callbacks of this plan that get their arguments in slots.
///
/// # Errors
/// [`OutOfMemory`].
pub fn callback_entry(plan: &Plan) -> Result<Code, OutOfMemory> {
    emit_callback_entry(plan, Endpoint::Slots)
}

/// The entry of callbacks of this plan that get pointers to their arguments.
///
/// # Errors
/// [`OutOfMemory`].
pub fn callback_entry_pointers(plan: &Plan) -> Result<Code, OutOfMemory> {
    emit_callback_entry(plan, Endpoint::Pointers)
}

fn emit_callback_entry(plan: &Plan, endpoint: Endpoint) -> Result<Code, OutOfMemory> {
    match plan.abi {
        #[cfg(feature = "x64")]
        Abi::SysV64 | Abi::Win64 => x64::callback_entry(plan, endpoint),
        #[cfg(feature = "a64")]
        Abi::Aapcs64(_) => a64::callback_entry(plan, endpoint),
    }
}

/// `count` thunks of [`THUNK_SIZE`] bytes, the first of which finds its record `distance` bytes after its own
/// start, the second the next record, and so on.
///
/// # Errors
/// [`OutOfMemory`].
///
/// # Panics
/// If a record would lie out of the instruction set's reach: `distance` is a constant of the caller's.
pub fn thunks(abi: Abi, count: usize, distance: usize) -> Result<Code, OutOfMemory> {
    let isa = abi.convention().isa;
    let mut bytes = Vec::new();
    bytes.try_resize(count * THUNK_SIZE, filler(abi))?;
    for (index, place) in bytes.chunks_exact_mut(THUNK_SIZE).enumerate() {
        let to_record = distance + index * record::SIZE - index * THUNK_SIZE;
        assert!(
            isa == Isa::X64 || to_record < thunk::a64::REACH,
            "a thunk's record lies within 1 MiB, not {to_record} bytes away"
        );
        match isa {
            Isa::X64 => {
                place[..thunk::x64::SIZE].copy_from_slice(&thunk::x64::thunk(to_record as i32));
            }
            Isa::A64 => place.copy_from_slice(&thunk::a64::thunk(to_record as u32)),
        }
    }
    Ok(Code {
        abi,
        bytes,
        frame: Vec::new(),
        to_shared: Vec::new(),
    })
}

/// The byte that fills unused code memory: executing it traps.
pub fn filler(abi: Abi) -> u8 {
    match abi {
        #[cfg(feature = "x64")]
        Abi::SysV64 | Abi::Win64 => x64::FILLER,
        #[cfg(feature = "a64")]
        Abi::Aapcs64(_) => a64::FILLER,
    }
}
