//! Calls and callbacks without code made for them: a plan's moves, followed one by one.
//!
//! This serves signatures that are not worth code yet, and systems that refuse executable memory. What machine code it takes is
//! part of the program ([`machine`]). Where values lie on the side that is not C's is up to who uses it: in slots
//! ([`slots`]), or behind pointers, as libffi has it.

mod enter;
pub mod machine;
mod scratch;
mod slots;

pub use crate::interp_entry as entry;
pub use enter::{Entered, Gathered, ResultArea};
pub use machine::Image;
pub use scratch::with_scratch;
pub use slots::call_slots;
pub(crate) use slots::enter_slots;

use farcall_arch::abi::regs;
use farcall_arch::{Extend, Move, Place, Plan};
use std::ffi::c_void;

/// Where the arguments of a call lie.
pub trait Arguments {
    /// The first of a piece's bytes.
    ///
    /// # Safety
    /// * It is a piece of an argument of the plan that these are the arguments for.
    unsafe fn piece(&self, piece: &Move) -> *const u8;
}

/// What a call is made of: the registers, and who fills them. The machine code sees the image only, which comes first.
#[repr(C)]
struct Frame<'a, A> {
    /// The registers: those of the arguments, then, from the moment that the function returns, those of the result.
    image: Image,
    plan: &'a Plan,
    arguments: A,
    result: *mut c_void,
}

/// Calls `target`, with `chain`, unless it is null, in the register of the static chain. Integers narrower than a word fill a word of the result.
///
/// # Safety
/// * `plan` is of this machine. `target` is a function of its signature, and may be called by this thread, with these arguments.
/// * `arguments` has all bytes of all pieces.
/// * `result` is null, or points to memory for the result, 8 bytes at least.
pub unsafe fn call<A: Arguments>(
    plan: &Plan,
    target: *const c_void,
    arguments: A,
    result: *mut c_void,
    chain: *const c_void,
) {
    let mut frame = Frame {
        image: Image::default(),
        plan,
        arguments,
        result,
    };
    frame.image.ints[machine::STATIC_CHAIN] = chain as u64;
    frame.image.expect(plan);
    let unwanted = match plan.hidden {
        Some(hidden) if result.is_null() => hidden.size.next_multiple_of(STACK_ALIGN),
        _ => 0,
    };
    let area = plan.stack + plan.copies + unwanted;
    // SAFETY: the frame is one for fill::<A>(), and the stack area has room for all that the plan speaks of; fill() follows the
    // plan, for which the caller vouches.
    unsafe {
        let frame = (&raw mut frame).cast();
        machine::farcall_interp_call(frame, area as usize, fill::<A>, target);
    }
    if result.is_null() {
        return;
    }
    for piece in &plan.ret {
        let bytes = widened(piece, &frame.image.get(piece.place));
        let width = stored_width(piece);
        // SAFETY: the caller has room for the result, and for a word at least.
        unsafe {
            let place = result.cast::<u8>().add(piece.offset as usize);
            store(&bytes, place, width);
        }
    }
}

/// What every convention here aligns the stack to.
const STACK_ALIGN: u32 = 16;

/// Puts arguments where the plan wants them.
unsafe extern "C" fn fill<A: Arguments>(frame: *mut c_void, stack: *mut u8) {
    // SAFETY: the frame is call()'s.
    let frame = unsafe { &mut *frame.cast::<Frame<'_, A>>() };
    let plan = frame.plan;
    if let Some(hidden) = plan.hidden {
        let copies = (plan.stack + plan.copies) as usize;
        // SAFETY: a result that nobody wants has its room behind the copies.
        let unwanted = unsafe { stack.add(copies) };
        let result = if frame.result.is_null() {
            unwanted.cast()
        } else {
            frame.result
        };
        frame.image.ints[usize::from(hidden.pointer)] = result as u64;
    }
    for piece in plan.args.iter().chain(&plan.mirrors) {
        // SAFETY: the arguments have the piece's bytes; a plan's places lie within the stack area.
        unsafe {
            let value = frame.arguments.piece(piece);
            frame.image.put(plan, piece, value, stack);
        }
    }
    if let Some(count) = plan.vector_args {
        frame.image.ints[usize::from(regs::x64::RAX)] = u64::from(count);
    }
}

impl Image {
    /// Puts a piece of an argument, whose bytes are at `value`, into its place.
    ///
    /// # Safety
    /// * `value` has the piece's bytes, and `stack` is the plan's stack area.
    #[inline]
    unsafe fn put(&mut self, plan: &Plan, piece: &Move, value: *const u8, stack: *mut u8) {
        let width = piece.width as usize;
        // SAFETY: the caller vouches for the value and the area; what is no copy and not in memory has no more than 16 bytes, and 8 in an
        // integer register.
        unsafe {
            match (piece.place, piece.copy) {
                (Place::Int(register), None) => {
                    let word = extended(piece, read_word(value, width));
                    self.ints[usize::from(register)] = word;
                    return;
                }
                (Place::Fp(register), None) => {
                    self.fps[usize::from(register)] = read(value, width);
                    return;
                }
                _ => {}
            }
            let mut bytes = [0; 16];
            if let Some(offset) = piece.copy {
                let copy = stack.add((plan.stack + offset) as usize);
                copy.copy_from_nonoverlapping(value, width);
                bytes[..8].copy_from_slice(&(copy as u64).to_le_bytes());
            } else if width > bytes.len() {
                if let Place::Stack { offset, .. } = piece.place {
                    let place = stack.add(offset as usize);
                    place.copy_from_nonoverlapping(value, width);
                }
                return;
            } else {
                bytes = widened(piece, &read(value, width));
            }
            match piece.place {
                Place::Stack { offset, size } => stack
                    .add(offset as usize)
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len().min(size as usize)),
                place => self.set(place, bytes),
            }
        }
    }
}

/// A piece's bytes. Sizes of registers are asked for one by one, as a copy of any number of bytes is a call.
///
/// # Safety
/// * `value` points to `width` bytes, 16 at most.
#[inline]
unsafe fn read(value: *const u8, width: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    let to = bytes.as_mut_ptr();
    // SAFETY: the caller vouches for the value.
    unsafe {
        match width {
            8 => to.copy_from_nonoverlapping(value, 8),
            4 => to.copy_from_nonoverlapping(value, 4),
            1 => to.write(value.read()),
            2 => to.copy_from_nonoverlapping(value, 2),
            16 => to.copy_from_nonoverlapping(value, 16),
            _ => to.copy_from_nonoverlapping(value, width),
        }
    }
    bytes
}

/// The same for up to 8 bytes.
///
/// # Safety
/// * `value` points to `width` bytes, 8 at most.
#[inline]
unsafe fn read_word(value: *const u8, width: usize) -> u64 {
    // SAFETY: the caller vouches for the value.
    unsafe {
        match width {
            8 => value.cast::<u64>().read_unaligned(),
            4 => value.cast::<u32>().read_unaligned().into(),
            1 => value.read().into(),
            2 => value.cast::<u16>().read_unaligned().into(),
            _ => word(&read(value, width)),
        }
    }
}

/// Stores a piece's first bytes, in the same way.
///
/// # Safety
/// * `to` has room for `width` bytes, 16 at most.
#[inline]
unsafe fn store(bytes: &[u8; 16], to: *mut u8, width: usize) {
    let from = bytes.as_ptr();
    // SAFETY: the caller vouches for the room.
    unsafe {
        match width {
            8 => to.copy_from_nonoverlapping(from, 8),
            4 => to.copy_from_nonoverlapping(from, 4),
            16 => to.copy_from_nonoverlapping(from, 16),
            _ => to.copy_from_nonoverlapping(from, width),
        }
    }
}

#[inline]
fn word(bytes: &[u8; 16]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// How many bytes a piece fills where it is stored: an integer narrower than a word fills one.
#[inline]
fn stored_width(piece: &Move) -> usize {
    match piece.extend {
        Extend::None => piece.width as usize,
        Extend::Zero | Extend::Sign => size_of::<u64>(),
    }
}

/// A piece's bytes, the narrow integers among them extended to a word as their type wants it.
#[inline]
fn widened(piece: &Move, bytes: &[u8; 16]) -> [u8; 16] {
    if piece.extend == Extend::None {
        return *bytes;
    }
    let mut wide = [0; 16];
    wide[..8].copy_from_slice(&extended(piece, word(bytes)).to_le_bytes());
    wide
}

/// The same for the first word of a piece.
#[inline]
fn extended(piece: &Move, low: u64) -> u64 {
    let unused = 64 - 8 * piece.width.min(8);
    match piece.extend {
        Extend::None => low,
        Extend::Zero => low << unused >> unused,
        Extend::Sign => ((low << unused) as i64 >> unused) as u64,
    }
}
