//! A call that follows its plan: arguments into registers and stack, and the result out of registers.

use super::bytes::{read, widened};
use super::machine::{self, Image};
use farcall_arch::abi::regs;
use farcall_arch::abi::shape::Shape;
use farcall_arch::abi::{Bound, Planner, Returned};
use farcall_arch::{Abi, Move, Place, Plan, Scalar, Sret};
use std::ffi::c_void;
use std::mem::MaybeUninit;

/// Where the arguments of a call lie.
pub trait Arguments {
    /// The first of the bytes that a move carries.
    ///
    /// # Safety
    /// * It is a move of an argument of the plan that these are the arguments for.
    unsafe fn bytes(&self, mv: &Move) -> *const u8;
}

/// The types of a signature, told by their shapes.
pub trait Shapes {
    /// The shape of a result that is neither a scalar nor `void`.
    fn ret(&self) -> Shape;

    /// Tells `visit` of each argument, in order, its number and its shape.
    fn each(&self, visit: impl FnMut(u32, Item<'_>));
}

/// An argument's shape. Scalars, which most are, do without memory for it.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A scalar.
    Scalar(Scalar),
    /// Any other.
    Other(&'a Shape),
}

/// A signature without a plan: where its values go is found while they are being moved, which takes no memory.
#[derive(Clone, Copy, Debug)]
pub struct Told<S> {
    /// The convention.
    pub abi: Abi,
    /// How many arguments are named, if it is variadic.
    pub fixed: Option<u32>,
    /// The result.
    pub ret: Ret,
    /// What the arguments take at most.
    pub bound: Bound,
    /// The types.
    pub shapes: S,
}

/// A result's shape. The one that needs memory is asked for by [`Shapes::ret`].
#[derive(Clone, Copy, Debug)]
pub enum Ret {
    /// A scalar, or `None` for `void`.
    Scalar(Option<Scalar>),
    /// Any other.
    Other,
}

impl<S: Shapes> Told<S> {
    /// Hands a planner that has placed no argument to `work`, with the result's moves and its memory. Nothing is done for a signature that can have no
    /// plan.
    #[inline(always)]
    pub fn planned(&self, work: impl FnOnce(Planner, &[Move], Option<Sret>)) {
        let (mv, other);
        let (planner, ret, sret) = match self.ret {
            Ret::Scalar(scalar) => {
                let (planner, result) = Planner::with_scalar_result(self.abi, self.fixed, scalar);
                mv = result;
                (planner, mv.as_slice(), None)
            }
            Ret::Other => {
                other = plan_other(self);
                let Some((planner, returned)) = &other else {
                    return;
                };
                (*planner, returned.moves(), returned.sret)
            }
        };
        work(planner, ret, sret);
    }

    /// The result's shape.
    pub fn ret_shape(&self) -> Shape {
        match self.ret {
            Ret::Scalar(scalar) => scalar.map_or(Shape::Void, Shape::Scalar),
            Ret::Other => self.shapes.ret(),
        }
    }
}

/// A source of the moves of a call's arguments.
trait Moves {
    /// Bytes of stack arguments, behind which the copies begin, and bytes of copies.
    fn area(&self) -> (u32, u32);
    /// Hands each move to `put`, and returns the value of [`Plan::vector_args`].
    fn each(&mut self, put: impl FnMut(&Move)) -> Option<u8>;
}

impl Moves for &Plan {
    fn area(&self) -> (u32, u32) {
        (self.stack, self.copies)
    }

    #[inline(always)]
    fn each(&mut self, put: impl FnMut(&Move)) -> Option<u8> {
        self.args.iter().chain(&self.mirrors).for_each(put);
        self.vector_args
    }
}

impl<S: Shapes> Moves for (&Told<S>, Planner) {
    fn area(&self) -> (u32, u32) {
        let Told { abi, bound, .. } = self.0;
        (bound.stack(*abi), bound.copies())
    }

    #[inline(always)]
    fn each(&mut self, mut put: impl FnMut(&Move)) -> Option<u8> {
        let (told, planner) = self;
        if planner.has_mirrors() {
            return each_mirrored(*told, planner, &mut put);
        }
        told.shapes.each(|value, item| match item {
            Item::Scalar(scalar) => put(&planner.place_scalar(value, scalar)),
            Item::Other(shape) => place_other(planner, value, shape, &mut put),
        });
        planner.vector_args()
    }
}

#[inline(never)]
fn place_other(planner: &mut Planner, value: u32, shape: &Shape, put: &mut impl FnMut(&Move)) {
    // The caller has made sure that the signature has a plan.
    let _ = planner.place(value, shape, &mut |mv| put(&mv));
}

#[inline(never)]
fn each_mirrored<S: Shapes>(
    told: &Told<S>,
    planner: &mut Planner,
    put: &mut impl FnMut(&Move),
) -> Option<u8> {
    told.shapes.each(|value, item| {
        let shape = match item {
            Item::Scalar(scalar) => Shape::Scalar(scalar),
            Item::Other(shape) => *shape,
        };
        place_other(planner, value, &shape, &mut |mv| {
            put(mv);
            if let Some(mirror) = Planner::mirror_of(mv) {
                put(&mirror);
            }
        });
    });
    planner.vector_args()
}

/// The frame of a call: the registers, and the sources that fill them. The machine code sees the image only, which comes first.
#[repr(C)]
struct Frame<M, A> {
    /// The registers: those of the arguments, then, from the moment that the function returns, those of the result.
    image: Image,
    moves: M,
    sret: Option<Sret>,
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
    // SAFETY: the contract of this function is that of `call_by`, for the moves of the plan.
    unsafe { call_by(plan, &plan.ret, plan.sret, target, arguments, result, chain) }
}

/// The same for a signature without a plan. Nothing is called if it can have none.
///
/// # Safety
/// * As for [`call`].
#[inline(always)]
pub unsafe fn call_told<S: Shapes, A: Arguments>(
    told: &Told<S>,
    target: *const c_void,
    arguments: A,
    result: *mut c_void,
    chain: *const c_void,
) {
    if told.bound.is_too_large() {
        return;
    }
    told.planned(|planner, ret, sret| {
        let moves = (told, planner);
        // SAFETY: the contract of this function is that of `call_by`, for the moves of the shapes; the bound is no smaller than what the
        // planner needs.
        unsafe { call_by(moves, ret, sret, target, arguments, result, chain) }
    });
}

/// The planner, and the place of a result that is neither a scalar nor `void`.
#[inline(never)]
fn plan_other<S: Shapes>(told: &Told<S>) -> Option<(Planner, Returned)> {
    Planner::new(told.abi, told.fixed, told.shapes.ret()).ok()
}

/// # Safety
/// * As for [`call`].
#[inline(always)]
unsafe fn call_by<M: Moves, A: Arguments>(
    moves: M,
    ret: &[Move],
    sret: Option<Sret>,
    target: *const c_void,
    arguments: A,
    result: *mut c_void,
    chain: *const c_void,
) {
    let (stack, copies) = moves.area();
    let mut frame = MaybeUninit::uninit();
    let frame = frame_in(&mut frame, moves, sret, arguments, result);
    frame.image.ints[machine::STATIC_CHAIN] = chain as u64;
    frame.image.expect(ret);
    let unwanted = match sret {
        Some(sret) if result.is_null() => sret.size.next_multiple_of(STACK_ALIGN),
        _ => 0,
    };
    let area = stack as usize + copies as usize + unwanted as usize;
    // SAFETY: the frame is one for fill::<M, A>(), and the stack area has room for every place of the moves. fill() follows them, so it
    // leaves a call of `target`, by the contract of this function.
    unsafe {
        let frame = (&raw mut *frame).cast();
        machine::farcall_interp_call(frame, area, fill::<M, A>, target);
    }
    if result.is_null() {
        return;
    }
    for mv in ret {
        // SAFETY: `result` is not null here, so it has room for the result and for a word at least, by the contract of this function.
        unsafe {
            frame
                .image
                .store(mv, result.cast::<u8>().add(mv.offset as usize))
        };
    }
}

/// Makes a frame in its final place, all registers zero. If it were built elsewhere and copied, it would be on the stack twice, and calls
/// nest on stacks that may be short.
#[inline(always)]
fn frame_in<M, A>(
    place: &mut MaybeUninit<Frame<M, A>>,
    moves: M,
    sret: Option<Sret>,
    arguments: A,
    result: *mut c_void,
) -> &mut Frame<M, A> {
    let to = place.as_mut_ptr();
    // SAFETY: all fields are written, within the place; registers may hold any bits.
    unsafe {
        (&raw mut (*to).image).write_bytes(0, 1);
        (&raw mut (*to).moves).write(moves);
        (&raw mut (*to).sret).write(sret);
        (&raw mut (*to).arguments).write(arguments);
        (&raw mut (*to).result).write(result);
        &mut *to
    }
}

/// The alignment of the stack in every convention here.
const STACK_ALIGN: u32 = 16;

/// Puts arguments where they go.
unsafe extern "C" fn fill<M: Moves, A: Arguments>(frame: *mut c_void, stack: *mut u8) {
    // SAFETY: the frame is call_by()'s.
    let frame = unsafe { &mut *frame.cast::<Frame<M, A>>() };
    let (copies, copies_len) = frame.moves.area();
    let copies = copies as usize;
    if let Some(sret) = frame.sret {
        // SAFETY: the stack area has room behind the copies for a result that the caller does not want.
        let unwanted = unsafe { stack.add(copies + copies_len as usize) };
        let result = if frame.result.is_null() {
            unwanted.cast()
        } else {
            frame.result
        };
        frame.image.ints[usize::from(sret.pointer)] = result as u64;
    }
    let Frame {
        image,
        moves,
        arguments,
        ..
    } = frame;
    let vector_args = moves.each(|mv| {
        // SAFETY: the arguments have the move's bytes; its place lies within the stack area.
        unsafe {
            let value = arguments.bytes(mv);
            image.put(copies, mv, value, stack);
        }
    });
    if let Some(count) = vector_args {
        image.ints[usize::from(regs::x64::RAX)] = u64::from(count);
    }
}

impl Image {
    /// Puts the bytes of a move, which are at `value`, into its place.
    ///
    /// # Safety
    /// * `value` has the move's bytes, and `stack` is the stack area, in which copies begin at `copies`.
    #[inline(always)]
    unsafe fn put(&mut self, copies: usize, mv: &Move, value: *const u8, stack: *mut u8) {
        let width = mv.width as usize;
        // SAFETY: `value` has the move's bytes and `stack` is the stack area, by the contract of this function. What is no copy and not
        // in memory has no more than 16 bytes, and 8 in an integer register.
        unsafe {
            if let (Place::Int(_) | Place::Fp(_), None) = (mv.place, mv.copy) {
                return self.load(mv, value);
            }
            let mut bytes = [0; 16];
            if let Some(offset) = mv.copy {
                let copy = stack.add(copies + offset as usize);
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
