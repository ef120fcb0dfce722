//! A call that follows its plan: arguments into registers and stack, and the result out of registers.

use super::bytes::{extended, read, read_word, store, stored_width, widened};
use super::machine::{self, Image};
use farcall_arch::abi::regs;
use farcall_arch::{Move, Place, Plan};
use std::ffi::c_void;

/// Where the arguments of a call lie.
pub trait Arguments {
    /// The first of the bytes that a move carries.
    ///
    /// # Safety
    /// * It is a move of an argument of the plan that these are the arguments for.
    unsafe fn bytes(&self, mv: &Move) -> *const u8;
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
/// * `arguments` has all bytes of all moves.
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
    let unwanted = match plan.sret {
        Some(sret) if result.is_null() => sret.size.next_multiple_of(STACK_ALIGN),
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
    for mv in &plan.ret {
        let bytes = widened(mv, &frame.image.get(mv.place));
        let width = stored_width(mv);
        // SAFETY: the caller has room for the result, and for a word at least.
        unsafe {
            let place = result.cast::<u8>().add(mv.offset as usize);
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
    if let Some(sret) = plan.sret {
        let copies = (plan.stack + plan.copies) as usize;
        // SAFETY: a result that nobody wants has its room behind the copies.
        let unwanted = unsafe { stack.add(copies) };
        let result = if frame.result.is_null() {
            unwanted.cast()
        } else {
            frame.result
        };
        frame.image.ints[usize::from(sret.pointer)] = result as u64;
    }
    for mv in plan.args.iter().chain(&plan.mirrors) {
        // SAFETY: the arguments have the move's bytes; a plan's places lie within the stack area.
        unsafe {
            let value = frame.arguments.bytes(mv);
            frame.image.put(plan, mv, value, stack);
        }
    }
    if let Some(count) = plan.vector_args {
        frame.image.ints[usize::from(regs::x64::RAX)] = u64::from(count);
    }
}

impl Image {
    /// Puts the bytes of a move, which are at `value`, into its place.
    ///
    /// # Safety
    /// * `value` has the move's bytes, and `stack` is the plan's stack area.
    #[inline]
    unsafe fn put(&mut self, plan: &Plan, mv: &Move, value: *const u8, stack: *mut u8) {
        let width = mv.width as usize;
        // SAFETY: the caller vouches for the value and the area; what is no copy and not in memory has no more than 16 bytes, and 8 in an
        // integer register.
        unsafe {
            match (mv.place, mv.copy) {
                (Place::Int(register), None) => {
                    let word = extended(mv, read_word(value, width));
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
            if let Some(offset) = mv.copy {
                let copy = stack.add((plan.stack + offset) as usize);
                copy.copy_from_nonoverlapping(value, width);
                bytes[..8].copy_from_slice(&(copy as u64).to_le_bytes());
            } else if width > bytes.len() {
                if let Place::Stack { offset, .. } = mv.place {
                    let place = stack.add(offset as usize);
                    place.copy_from_nonoverlapping(value, width);
                }
                return;
            } else {
                bytes = widened(mv, &read(value, width));
            }
            match mv.place {
                Place::Stack { offset, size } => stack
                    .add(offset as usize)
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len().min(size as usize)),
                place => self.set(place, bytes),
            }
        }
    }
}
