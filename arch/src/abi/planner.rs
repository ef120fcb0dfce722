//! The planner: it places argument after argument, hands each move on as it goes, and needs no memory for that.

#[cfg(feature = "a64")]
use super::aapcs64;
use super::regs::Variadics;
use super::shape::{Aggregate, Shape};
use super::{Abi, Allocator, MAX_AREA, Move, PlanError, Sret, Value, scalar_result};
#[cfg(feature = "x64")]
use super::{sysv64, win64};
use crate::layout::SLOT;
use crate::types::Scalar;

/// A signature whose arguments are being placed, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Planner {
    abi: Abi,
    allocator: Allocator,
    /// The number of named arguments, if the signature is variadic.
    fixed: Option<u32>,
    slots: u32,
}

/// The most moves of a result.
const MAX_RESULT: usize = 4;

/// The place of a result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Returned {
    moves: Moves,
    /// As in [`Plan::sret`](super::Plan::sret).
    pub sret: Option<Sret>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Moves {
    #[default]
    None,
    One(Move),
    Several([Move; MAX_RESULT], usize),
}

impl Returned {
    #[inline(always)]
    pub(super) fn one(mv: Move) -> Returned {
        Returned {
            moves: Moves::One(mv),
            sret: None,
        }
    }

    #[inline]
    pub(super) fn of(moves: impl Iterator<Item = Move>) -> Returned {
        let mut all = [Move::NOTHING; MAX_RESULT];
        let mut count = 0;
        for (place, mv) in all.iter_mut().zip(moves) {
            *place = mv;
            count += 1;
        }
        Returned {
            moves: Moves::Several(all, count),
            sret: None,
        }
    }

    pub(super) fn in_memory(sret: Sret) -> Returned {
        Returned {
            moves: Moves::None,
            sret: Some(sret),
        }
    }

    /// The result's moves, as in [`Plan::ret`](super::Plan::ret).
    #[inline(always)]
    pub fn moves(&self) -> &[Move] {
        match &self.moves {
            Moves::None => &[],
            Moves::One(mv) => core::slice::from_ref(mv),
            Moves::Several(moves, count) => &moves[..*count],
        }
    }
}

impl Planner {
    /// A planner for a signature with this result, none of its arguments placed. `fixed` of them are named, if it is variadic.
    ///
    /// # Errors
    /// [`PlanError::NoX87`].
    #[inline(never)]
    pub fn new(abi: Abi, fixed: Option<u32>, ret: Shape) -> Result<(Planner, Returned), PlanError> {
        let scalar = match ret {
            Shape::Scalar(scalar) => Some(scalar),
            Shape::Void | Shape::Other(_) => None,
        };
        let (mut planner, mv) = Planner::with_scalar_result(abi, fixed, scalar);
        let returned = match ret {
            Shape::Void | Shape::Scalar(_) => mv.map(Returned::one).unwrap_or_default(),
            Shape::Other(aggregate) => place_result(abi, &mut planner.allocator, &aggregate)?,
        };
        Ok((planner, returned))
    }

    /// The same for a result that is a scalar or, if `None`, `void`; with the result's move.
    #[inline(always)]
    pub fn with_scalar_result(
        abi: Abi,
        fixed: Option<u32>,
        scalar: Option<Scalar>,
    ) -> (Planner, Option<Move>) {
        let allocator = Allocator::new(abi.convention());
        let mv = scalar.map(|scalar| scalar_result(allocator.row, scalar));
        let planner = Planner {
            abi,
            allocator,
            fixed,
            slots: 0,
        };
        (planner, mv)
    }

    /// Places the next argument, number `value` among all there are, and hands its moves to `sink`.
    ///
    /// # Errors
    /// [`PlanError`].
    #[inline]
    pub fn place(
        &mut self,
        value: u32,
        shape: &Shape,
        sink: &mut impl FnMut(Move),
    ) -> Result<(), PlanError> {
        match shape {
            Shape::Void => {}
            Shape::Scalar(scalar) => sink(self.place_scalar(value, *scalar)),
            Shape::Other(_) => self.place_other(value, shape, sink)?,
        }
        Ok(())
    }

    /// The same for a scalar, which is one move.
    #[inline(always)]
    pub fn place_scalar(&mut self, value: u32, scalar: Scalar) -> Move {
        let arg = Value {
            index: value,
            slot_offset: self.slots * SLOT,
        };
        self.slots += 1;
        let allocator = &mut self.allocator;
        let place = match self.abi {
            #[cfg(feature = "x64")]
            Abi::SysV64 => allocator.take_by_class(scalar),
            #[cfg(feature = "x64")]
            Abi::Win64 => win64::place_scalar(allocator, scalar),
            #[cfg(feature = "a64")]
            Abi::Aapcs64(_) => {
                let rule = aapcs64::rule(allocator, value, self.fixed);
                aapcs64::place_scalar(allocator, scalar, rule)
            }
        };
        arg.scalar(scalar, place)
    }

    #[inline(never)]
    fn place_other(
        &mut self,
        value: u32,
        shape: &Shape,
        sink: &mut dyn FnMut(Move),
    ) -> Result<(), PlanError> {
        let Shape::Other(aggregate) = shape else {
            return Ok(());
        };
        let arg = Value {
            index: value,
            slot_offset: self.slots * SLOT,
        };
        let got = u64::from(self.slots) * u64::from(SLOT) + u64::from(aggregate.size);
        if got > u64::from(MAX_AREA) {
            return Err(PlanError::TooLarge { got });
        }
        self.slots += shape.slots();
        let allocator = &mut self.allocator;
        match self.abi {
            #[cfg(feature = "x64")]
            Abi::SysV64 => sysv64::place_other(allocator, arg, aggregate, sink),
            #[cfg(feature = "x64")]
            Abi::Win64 => {
                sink(win64::place_other(allocator, arg, aggregate)?);
                Ok(())
            }
            #[cfg(feature = "a64")]
            Abi::Aapcs64(_) => {
                let rule = aapcs64::rule(allocator, arg.index, self.fixed);
                aapcs64::place_other(allocator, arg, aggregate, rule, sink)
            }
        }
    }

    /// The second copy of an argument that one of its moves has, if it has one: see [`Plan::mirrors`](super::Plan::mirrors).
    #[inline]
    pub fn mirror(&self, mv: &Move) -> Option<Move> {
        match self.has_mirrors() {
            true => Planner::mirror_of(mv),
            false => None,
        }
    }

    /// Whether any argument may have one.
    #[inline(always)]
    pub fn has_mirrors(&self) -> bool {
        self.fixed.is_some() && self.allocator.row.variadics == Variadics::Mirrored
    }

    /// The same as [`Planner::mirror`] where there are any.
    #[inline(never)]
    pub fn mirror_of(mv: &Move) -> Option<Move> {
        #[cfg(feature = "x64")]
        return win64::mirror(mv);
        #[cfg(not(feature = "x64"))]
        return Some(*mv).filter(|_| false);
    }

    /// As [`Plan::stack`](super::Plan::stack), for the arguments placed so far.
    pub fn stack(&self) -> u32 {
        self.allocator.stack_size()
    }

    /// As [`Plan::copies`](super::Plan::copies), for the arguments placed so far.
    pub fn copies(&self) -> u32 {
        self.allocator.copies
    }

    /// As [`Plan::arg_slots`](super::Plan::arg_slots), for the arguments placed so far.
    pub fn arg_slots(&self) -> u32 {
        self.slots
    }

    /// As [`Plan::vector_args`](super::Plan::vector_args), for the arguments placed so far.
    #[inline]
    pub fn vector_args(&self) -> Option<u8> {
        let counts = self.allocator.row.counts_vector_args;
        counts.then_some(self.allocator.fps as u8)
    }
}

/// The place of a result that is no scalar.
#[inline(never)]
fn place_result(
    abi: Abi,
    allocator: &mut Allocator,
    aggregate: &Aggregate,
) -> Result<Returned, PlanError> {
    Ok(match abi {
        #[cfg(feature = "x64")]
        Abi::SysV64 => sysv64::place_result(allocator, aggregate),
        #[cfg(feature = "x64")]
        Abi::Win64 => win64::place_result(allocator, aggregate),
        #[cfg(feature = "a64")]
        Abi::Aapcs64(_) => aapcs64::place_result(allocator, aggregate)?,
    })
}

/// An upper bound of what arguments take, known before any is placed: bytes on the stack, and of copies. Both end as multiples of 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    stack: u32,
    copies: u32,
}

impl Bound {
    /// Adds this many scalars.
    #[inline]
    pub fn add_scalars(&mut self, count: u32) {
        self.stack = self.stack.saturating_add(count.saturating_mul(SLOT));
    }

    /// Adds an argument.
    #[inline]
    pub fn add(&mut self, abi: Abi, shape: Shape) {
        let Shape::Other(aggregate) = shape else {
            return self.add_scalars(1);
        };
        let whole = aggregate.size.saturating_add(2 * ALIGN);
        let (stack, copies): (u32, u32) = match abi {
            #[cfg(feature = "x64")]
            Abi::SysV64 => (whole, 0),
            // A value that is copied leaves a word on the stack; anything else is small.
            #[cfg(feature = "x64")]
            Abi::Win64 => (whole.min(super::shape::MAX_TELLING + 2 * ALIGN), whole),
            #[cfg(feature = "a64")]
            Abi::Aapcs64(_) => (whole.min(super::shape::MAX_TELLING + 2 * ALIGN), whole),
        };
        self.stack = self.stack.saturating_add(stack);
        self.copies = self.copies.saturating_add(copies & !(ALIGN - 1));
    }

    /// Bytes on the stack, shadow space and alignment included.
    #[inline]
    pub fn stack(&self, abi: Abi) -> u32 {
        let shadow = abi.convention().shadow;
        self.stack.saturating_add(shadow + ALIGN - 1) & !(ALIGN - 1)
    }

    /// Bytes of copies.
    #[inline]
    pub fn copies(&self) -> u32 {
        self.copies
    }

    /// Both as one number; see [`Bound::from_bits`].
    #[inline]
    pub fn to_bits(self) -> u64 {
        u64::from(self.stack) | u64::from(self.copies) << 32
    }

    /// The inverse of [`Bound::to_bits`].
    #[inline]
    pub fn from_bits(bits: u64) -> Bound {
        Bound {
            stack: bits as u32,
            copies: (bits >> 32) as u32,
        }
    }

    /// Whether that is more than [`MAX_AREA`].
    #[inline]
    pub fn is_too_large(&self) -> bool {
        self.stack > MAX_AREA - 2 * ALIGN || self.copies > MAX_AREA
    }
}

/// The stack alignment of all conventions.
const ALIGN: u32 = 16;
