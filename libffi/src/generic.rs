//! Calls and closures without code made for them: a plan's moves, followed one by one.
//!
//! This is how signatures are called that have no code, because the system refuses executable memory, because there are too many, or
//! because the convention is not this process's own.

use crate::cif::Cif;
use crate::closure::{Handler, Record};
use crate::intern::{Detail, Entry};
use crate::machine::{self, Frame, Image};
use farcall_arch::abi::regs;
use farcall_arch::{Extend, Move, Place, Plan};
use std::ffi::c_void;
use std::ptr;

/// Calls `target`; see [`crate::intern::Call`].
///
/// # Safety
/// * Those of [`crate::intern::Call`].
pub unsafe extern "C-unwind" fn call(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    // SAFETY: the caller vouches for the call.
    unsafe { call_with(entry.detail(), target, values, result, ptr::null()) }
}

/// Calls `target`, with a Go closure in its register.
///
/// # Safety
/// * As for [`crate::intern::Call`], the signature being `detail`'s.
pub unsafe fn call_with(
    detail: &Detail,
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    chain: *const c_void,
) {
    let plan = &detail.plan;
    let mut frame = Frame {
        image: Image::default(),
        values,
        result,
        detail: ptr::from_ref(detail).cast(),
    };
    frame.image.ints[machine::STATIC_CHAIN] = chain as u64;
    frame.image.expect(plan);
    let unwanted = match plan.hidden {
        Some(hidden) if result.is_null() => hidden.size.next_multiple_of(STACK_ALIGN),
        _ => 0,
    };
    let area = plan.stack + plan.copies + unwanted;
    // SAFETY: the stack area has room for all that the plan speaks of, and fill() follows the plan, for which the caller vouches.
    unsafe {
        machine::farcall_libffi_call(&mut frame, area as usize, fill, target);
    }
    if result.is_null() {
        return;
    }
    for piece in &plan.ret {
        let bytes = widened(piece, &frame.image.get(piece.place));
        // An integer narrower than a word fills one.
        let width = match piece.extend {
            Extend::None => piece.width as usize,
            Extend::Zero | Extend::Sign => size_of::<u64>(),
        };
        // SAFETY: the caller has room for the result, and for a word at least.
        unsafe {
            let place = result.cast::<u8>().add(piece.offset as usize);
            place.copy_from_nonoverlapping(bytes.as_ptr(), width);
        }
    }
}

/// What every convention here aligns the stack to.
const STACK_ALIGN: u32 = 16;

/// Puts arguments where the plan wants them.
unsafe extern "C" fn fill(frame: *mut Frame, stack: *mut u8) {
    // SAFETY: the frame is call_with()'s.
    let (frame, detail) = unsafe { (&mut *frame, &*(*frame).detail.cast::<Detail>()) };
    let plan = &detail.plan;
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
        let position = detail.positions[piece.value as usize] as usize;
        // SAFETY: there is a value of its type for each argument; a plan's places lie within the stack area.
        unsafe {
            let value = (*frame.values.add(position)).cast::<u8>();
            let value = value.add(piece.offset as usize);
            frame.put(plan, piece, value, stack);
        }
    }
    if let Some(count) = plan.vector_args {
        frame.image.ints[usize::from(regs::x64::RAX)] = u64::from(count);
    }
}

impl Frame {
    /// Puts a piece of an argument, whose bytes are at `value`, into its place.
    ///
    /// # Safety
    /// * `value` has the piece's bytes, and `stack` is the plan's stack area.
    unsafe fn put(&mut self, plan: &Plan, piece: &Move, value: *const u8, stack: *mut u8) {
        let width = piece.width as usize;
        let mut bytes = [0; 16];
        // SAFETY: the caller vouches for the value and the area; what is no copy and not in memory has no more than 16 bytes.
        unsafe {
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
                bytes.as_mut_ptr().copy_from_nonoverlapping(value, width);
                bytes = widened(piece, &bytes);
            }
            match piece.place {
                Place::Stack { offset, size } => stack
                    .add(offset as usize)
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len().min(size as usize)),
                place => self.image.set(place, bytes),
            }
        }
    }
}

/// The most arguments whose pointers lie on the stack.
const INLINE: usize = 64;

/// What the closures' entry calls: collects the arguments, runs the closure's function, leaves the result's registers.
///
/// # Safety
/// * `record` is the record of a closure, or a Go closure, that was prepared for the signature it was called with.
/// * `image` and `stack` are that call's registers and stack arguments.
pub unsafe extern "C-unwind" fn enter(
    record: *const Record,
    image: &mut Image,
    stack: *mut u8,
    is_go: bool,
) {
    // SAFETY: the caller vouches for the closure, and whoever made it for its cif.
    unsafe {
        let cif = (*record).cif;
        let user_data = if is_go {
            // A Go closure ends before that field: it is its own data.
            record.cast_mut().cast()
        } else {
            (*record).user_data
        };
        if let Some(found) = (*cif).resolve() {
            run(found.detail(), cif, (*record).fun, user_data, image, stack);
        }
    }
}

/// # Safety
/// * As for [`enter`].
unsafe fn run(
    detail: &Detail,
    cif: *mut Cif,
    fun: Handler,
    user_data: *mut c_void,
    image: &mut Image,
    stack: *mut u8,
) {
    let plan = &detail.plan;
    let mut inline = [ptr::null_mut::<c_void>(); INLINE];
    let mut heap = Vec::new();
    let pointers = if detail.count <= INLINE {
        &mut inline[..]
    } else {
        heap.resize(detail.count, ptr::null_mut());
        &mut heap[..]
    };
    let mut gathered = Gathered::default();
    for group in plan.args.chunk_by(|one, next| one.value == next.value) {
        let position = detail.positions[group[0].value as usize] as usize;
        // SAFETY: a plan's places lie within the stack arguments.
        pointers[position] = unsafe { gathered.value(group, image, stack) };
    }
    let mut own = [0u128; RESULT_WORDS];
    let result = match plan.hidden {
        Some(hidden) => image.ints[usize::from(hidden.pointer)] as *mut c_void,
        None => own.as_mut_ptr().cast(),
    };
    // SAFETY: the closure's maker vouches for its function; arguments and result are as the signature has them.
    unsafe { fun(cif, result, pointers.as_mut_ptr(), user_data) };
    if let Some((hidden, register)) = plan.hidden.zip(plan.hidden.and_then(|it| it.returned)) {
        image.ints[usize::from(register)] = image.ints[usize::from(hidden.pointer)];
    }
    image.expect(plan);
    for piece in &plan.ret {
        let mut bytes = [0; 16];
        // SAFETY: the pieces lie within the result's memory.
        unsafe {
            let value = result.cast::<u8>().add(piece.offset as usize);
            bytes
                .as_mut_ptr()
                .copy_from_nonoverlapping(value, piece.width as usize);
        }
        image.set(piece.place, widened(piece, &bytes));
    }
}

/// The largest result in registers: four numbers of 16 bytes.
const RESULT_WORDS: usize = 4;

/// Room for all arguments that arrive in several registers: as many as there are registers, 16 bytes each.
#[derive(Default)]
struct Gathered {
    bytes: [u128; 32],
    used: usize,
}

impl Gathered {
    /// Where the value of an argument is that consists of `pieces`, put together if it is in several places.
    ///
    /// # Safety
    /// * The pieces lie within `image` and the stack arguments at `stack`.
    unsafe fn value(&mut self, pieces: &[Move], image: &mut Image, stack: *mut u8) -> *mut c_void {
        let first = &pieces[0];
        let place = match first.place {
            // SAFETY: the caller vouches for the piece.
            Place::Stack { offset, .. } => unsafe { stack.add(offset as usize) },
            place => image.at(place),
        };
        if first.copy.is_some() {
            // SAFETY: the place holds the copy's address.
            return unsafe { place.cast::<*mut c_void>().read() };
        }
        if pieces.len() == 1 {
            return place.cast();
        }
        let start = self.bytes[self.used..].as_mut_ptr().cast::<u8>();
        for piece in pieces {
            let bytes = image.get(piece.place);
            // SAFETY: a value in several registers has 16 bytes for each at most, and there is room for all registers.
            unsafe {
                start
                    .add(piece.offset as usize)
                    .copy_from_nonoverlapping(bytes.as_ptr(), piece.width as usize);
            }
        }
        self.used += pieces.len();
        start.cast()
    }
}

impl Image {
    /// The bytes of a register.
    fn get(&self, place: Place) -> [u8; 16] {
        match place {
            Place::Int(register) => {
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&self.ints[usize::from(register)].to_le_bytes());
                bytes
            }
            Place::Fp(register) => self.fps[usize::from(register)],
            Place::X87(register) => self.x87(register),
            Place::Stack { .. } => [0; 16],
        }
    }

    fn set(&mut self, place: Place, bytes: [u8; 16]) {
        match place {
            Place::Int(register) => self.ints[usize::from(register)] = word(&bytes),
            Place::Fp(register) => self.fps[usize::from(register)] = bytes,
            Place::X87(register) => self.set_x87(register, bytes),
            Place::Stack { .. } => {}
        }
    }

    /// Where a register's bytes are.
    fn at(&mut self, place: Place) -> *mut u8 {
        match place {
            Place::Int(register) => ptr::from_mut(&mut self.ints[usize::from(register)]).cast(),
            Place::Fp(register) => self.fps[usize::from(register)].as_mut_ptr(),
            // No argument is in one.
            Place::X87(_) | Place::Stack { .. } => ptr::null_mut(),
        }
    }
}

fn word(bytes: &[u8; 16]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// A piece's bytes, the narrow integers among them extended to a word as their type wants it.
fn widened(piece: &Move, bytes: &[u8; 16]) -> [u8; 16] {
    let unused = 64 - 8 * piece.width.min(8);
    let low = word(bytes);
    let low = match piece.extend {
        Extend::None => return *bytes,
        Extend::Zero => low << unused >> unused,
        Extend::Sign => ((low << unused) as i64 >> unused) as u64,
    };
    let mut wide = [0; 16];
    wide[..8].copy_from_slice(&low.to_le_bytes());
    wide
}
