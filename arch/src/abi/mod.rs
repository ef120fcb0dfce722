//! Where every value goes: [`plan`] turns a signature into a [`Plan`], for one calling convention.
//!
//! A plan alone says how a function is called. The code for calls and the code for callbacks, the size of the stack
//! area, diagnostics: all of them read the same list of [`Move`]s, so none can disagree with another about the ABI.
//! The rules of each convention stand in a file of its own, its registers in [`regs`].

#[cfg(feature = "a64")]
mod aapcs64;
pub mod check;
mod planner;
pub mod regs;
pub mod shape;
#[cfg(feature = "x64")]
mod sysv64;
#[cfg(feature = "x64")]
mod win64;

use crate::layout::SLOT;
use crate::types::{Scalar, Signature, Type};
use core::fmt;
use farcall_memory::{OutOfMemory, TryVec, try_to_vec, try_with_capacity};
use regs::{Convention, Fpr, Gpr};
use shape::{Aggregate, Shape};

pub use planner::{Bound, Planner, Returned};

/// A calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Abi {
    /// System V on x86-64: Linux, the BSDs, macOS.
    #[cfg(feature = "x64")]
    SysV64,
    /// Microsoft's on x86-64: Windows, UEFI.
    #[cfg(feature = "x64")]
    Win64,
    /// Arm's for AArch64, as one platform has it.
    #[cfg(feature = "a64")]
    Aapcs64(Dialect),
}

/// A platform's own form of AAPCS64. What is particular to each stands in its row of the register table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// The standard as it is: Linux, Android, the BSDs.
    Linux,
    /// macOS, iOS.
    Apple,
    /// Windows on Arm.
    Windows,
}

impl Abi {
    /// Every convention, for tests that go through all of them.
    #[cfg(all(feature = "x64", feature = "a64"))]
    pub const ALL: [Abi; 5] = [
        Abi::SysV64,
        Abi::Win64,
        Abi::Aapcs64(Dialect::Linux),
        Abi::Aapcs64(Dialect::Apple),
        Abi::Aapcs64(Dialect::Windows),
    ];

    /// The convention's row of the register table.
    #[inline]
    pub fn convention(self) -> &'static Convention {
        match self {
            #[cfg(feature = "x64")]
            Abi::SysV64 => &regs::SYSV64,
            #[cfg(feature = "x64")]
            Abi::Win64 => &regs::WIN64,
            #[cfg(feature = "a64")]
            Abi::Aapcs64(Dialect::Linux) => &regs::AAPCS64_LINUX,
            #[cfg(feature = "a64")]
            Abi::Aapcs64(Dialect::Apple) => &regs::AAPCS64_APPLE,
            #[cfg(feature = "a64")]
            Abi::Aapcs64(Dialect::Windows) => &regs::AAPCS64_WINDOWS,
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.convention().name)
    }
}

/// The place of a value's bytes at the moment of the call, or of the return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An integer register.
    Int(Gpr),
    /// A floating-point register.
    Fp(Fpr),
    /// A register of the x87 stack, counted from its top. Results only.
    X87(u8),
    /// Memory above the stack pointer.
    Stack {
        /// Bytes from the stack pointer, as it is at the call instruction.
        offset: u32,
        /// Bytes that are the value's there. Extension fills them, and nothing beyond them may be written.
        size: u32,
    },
}

/// The way to fill the rest of a register that holds a narrow integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extend {
    /// Bits beyond the width mean nothing: floats, full-width integers.
    None,
    /// With zeros.
    Zero,
    /// With copies of the sign.
    Sign,
}

/// Some bytes of one value on their way between the interpreter's side and a [`Place`]. It reads the same in both directions.
///
/// A scalar is one move. Other values have one for each register they lie in, or a single one if they lie in memory. Padding at
/// the end of a value may belong to no move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The argument's index; 0 for a result.
    pub value: u32,
    /// Bytes from the first slot of the list (of the arguments, or of the result).
    pub slot_offset: u32,
    /// Bytes from the start of the value, where it is found by a pointer of its own.
    pub offset: u32,
    /// Bytes that are moved: up to 8 with an integer register, whatever their number; 4, 8 or 16 with a floating-point register; 10 with
    /// one of the x87; any number of bytes in memory.
    pub width: u32,
    /// How the rest of the register, of the stack word, or of the slot is filled.
    pub extend: Extend,
    /// The other end.
    pub place: Place,
    /// Whether `place` holds the address of the bytes and not the bytes themselves. If so the caller makes a copy for the callee to
    /// overwrite as it likes. The copy begins this many bytes above [`Plan::stack`], at a multiple of 16.
    pub copy: Option<u32>,
}

/// Where C keeps an argument that it passes in memory. Offsets are bytes from the stack pointer, as it is at the call instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Among the stack arguments.
    OnStack { offset: u32 },
    /// In a copy ([`Move::copy`]) that this register points to.
    ByRegister { register: Gpr, copy: u32 },
    /// In a copy that a word among the stack arguments points to.
    ByWord { offset: u32, copy: u32 },
}

impl Move {
    /// Stands where no move is yet.
    pub(crate) const NOTHING: Move = Move {
        value: 0,
        slot_offset: 0,
        offset: 0,
        width: 0,
        extend: Extend::None,
        place: Place::X87(0),
        copy: None,
    };

    /// Whether it may be the only move of a scalar.
    pub(crate) fn may_be_scalar(&self) -> bool {
        self.offset == 0 && matches!(self.width, 1 | 2 | 4 | 8) && self.copy.is_none()
    }

    /// Where the bytes are, if they are not in a register.
    pub(crate) fn memory(&self) -> Option<Memory> {
        match (self.place, self.copy) {
            (Place::Stack { offset, .. }, None) => Some(Memory::OnStack { offset }),
            (Place::Stack { offset, .. }, Some(copy)) => Some(Memory::ByWord { offset, copy }),
            (Place::Int(register), Some(copy)) => Some(Memory::ByRegister { register, copy }),
            (Place::Int(_), None) | (Place::Fp(_) | Place::X87(_), _) => None,
        }
    }

    /// The same, unless the bytes pass through one register on their way.
    pub(crate) fn block(&self) -> Option<Memory> {
        let passes_register = self.copy.is_none() && matches!(self.width, 1 | 2 | 4 | 8);
        self.memory().filter(|_| !passes_register)
    }
}

/// A result in memory: the callee writes it to memory of the caller's, whose address is passed along (LLVM's `sret`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sret {
    /// The integer register in which the callee finds the memory's address.
    pub pointer: Gpr,
    /// The integer register in which it gives that address back.
    pub returned: Option<Gpr>,
    /// The result's bytes.
    pub size: u32,
}

/// The way to call a function of one signature under one convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The convention.
    pub abi: Abi,
    /// The arguments' moves, in the order of the arguments.
    pub args: Vec<Move>,
    /// Second copies of arguments, in registers where a callee may look for them instead. A caller makes them; a callee
    /// finds everything in `args`.
    pub mirrors: Vec<Move>,
    /// The result's moves; none for `void`, and none for a result in memory.
    pub ret: Vec<Move>,
    /// Where a result in memory goes. Its pointer is no argument and stands in no other list.
    pub sret: Option<Sret>,
    /// The number of slots that the arguments take on the interpreter's side.
    pub arg_slots: u32,
    /// The number of slots that the result takes there.
    pub ret_slots: u32,
    /// Bytes between the stack pointer at the call instruction and the end of the stack arguments, shadow space included: a multiple
    /// of the convention's stack alignment.
    pub stack: u32,
    /// Bytes that the copies of arguments take which are passed by their address: a multiple of the same alignment.
    pub copies: u32,
    /// The number of vector registers that carry arguments, where the convention wants it said.
    pub vector_args: Option<u8>,
}

impl Plan {
    /// Whether each value is one move of a register's size, and none in memory of its own: true of every signature of scalars.
    pub fn is_of_scalars(&self) -> bool {
        let mut moves = self.args.iter().chain(&self.ret);
        self.sret.is_none() && moves.all(Move::may_be_scalar)
    }
}

/// The most bytes that arguments may take on the stack, their copies included, or on the interpreter's side: more than any stack has.
/// All sums of them fit their types, and offsets the instructions' signed ones.
pub const MAX_AREA: u32 = 1 << 29;

/// Why a signature cannot be called under a convention. Indices count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// A number in a format of the x87, on a machine that has none.
    NoX87 {
        /// The argument it is in, or `None` for the result.
        argument: Option<usize>,
    },
    /// An argument must be in memory at a larger multiple than the convention aligns the stack to.
    OverAligned {
        /// Which one.
        argument: usize,
        /// Its alignment.
        align: u32,
    },
    /// The arguments take more than [`MAX_AREA`].
    TooLarge {
        /// The number of bytes.
        got: u64,
    },
    /// There is no memory for the plan.
    OutOfMemory,
}

impl From<OutOfMemory> for PlanError {
    fn from(_: OutOfMemory) -> PlanError {
        PlanError::OutOfMemory
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PlanError::OutOfMemory => OutOfMemory.fmt(f),
            PlanError::NoX87 { argument: None } => {
                f.write_str("result: expected a type of this machine, got float80")
            }
            PlanError::NoX87 {
                argument: Some(index),
            } => {
                write!(
                    f,
                    "argument {}: expected a type of this machine, got float80",
                    index + 1
                )
            }
            PlanError::OverAligned { argument, align } => write!(
                f,
                "argument {}: expected an alignment of at most 16, got {align}",
                argument + 1
            ),
            PlanError::TooLarge { got } => {
                write!(
                    f,
                    "expected arguments of at most {MAX_AREA} bytes in all, got {got}"
                )
            }
        }
    }
}

impl core::error::Error for PlanError {}

/// Decides where each byte of each argument and of the result goes.
///
/// ```
/// use farcall_arch::abi::Dialect;
/// use farcall_arch::abi::regs::x64::{RDX, XMM0, XMM1};
/// use farcall_arch::{Abi, Place, Signature, Type, plan};
///
/// // int printf(const char *, ...), called with a double.
/// let printf = Signature::variadic(Type::I32, vec![Type::POINTER, Type::F64], 1)?;
///
/// let sysv = plan(&printf, Abi::SysV64)?;
/// assert_eq!(sysv.args[1].place, Place::Fp(XMM0)); // and al says that there is one
/// assert_eq!(sysv.vector_args, Some(1));
///
/// let win64 = plan(&printf, Abi::Win64)?;
/// assert_eq!(win64.args[1].place, Place::Fp(XMM1)); // as the second argument
/// assert_eq!(win64.mirrors[0].place, Place::Int(RDX)); // as well
/// assert_eq!(win64.stack, 32); // shadow space
///
/// let apple = plan(&printf, Abi::Aapcs64(Dialect::Apple))?;
/// assert_eq!(apple.args[1].place, Place::Stack { offset: 0, size: 8 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`PlanError`]. Signatures of scalars have a plan under every [`Abi`].
pub fn plan(signature: &Signature, abi: Abi) -> Result<Plan, PlanError> {
    check_size(signature)?;
    let fixed = signature.fixed().map(|fixed| fixed as u32);
    let mut args = signature.args().iter().map(Shape::of);
    let plan = collect(abi, fixed, Shape::of(signature.ret()), &mut args)?;
    debug_assert_eq!(
        check::check(signature, &plan),
        Ok(()),
        "{signature} under {abi}"
    );
    Ok(plan)
}

/// The plan of a signature whose types are known by their shapes, none of the arguments' being void. `fixed` of them are named, if it is
/// variadic. Whoever has others than scalars among them knows that they are not larger than [`MAX_AREA`] in all.
///
/// # Errors
/// [`PlanError`].
pub fn collect(
    abi: Abi,
    fixed: Option<u32>,
    ret: Shape,
    shapes: &mut dyn ExactSizeIterator<Item = Shape>,
) -> Result<Plan, PlanError> {
    // As many scalars would be too large.
    let got = shapes.len() as u64 * (LEAST_TAKEN + u64::from(SLOT));
    if got > MAX_AREA_U64 {
        return Err(PlanError::TooLarge { got });
    }
    let (mut planner, returned) = Planner::new(abi, fixed, ret)?;
    let mut args = try_with_capacity(shapes.len())?;
    let mut mirrors = Vec::new();
    for (value, shape) in shapes.enumerate() {
        let mut kept = Ok(());
        planner.place(value as u32, &shape, &mut |mv| {
            kept = kept.and_then(|()| args.try_push(mv));
        })?;
        kept?;
    }
    for mirror in args.iter().filter_map(|mv| planner.mirror(mv)) {
        mirrors.try_push(mirror)?;
    }
    Ok(Plan {
        abi,
        args,
        mirrors,
        ret: try_to_vec(returned.moves())?,
        sret: returned.sret,
        arg_slots: planner.arg_slots(),
        ret_slots: ret.slots(),
        stack: planner.stack(),
        copies: planner.copies(),
        vector_args: planner.vector_args(),
    })
}

/// Bounds what everything later adds up, so that no sum there can exceed its type. Shapes come after that: to find the shape of a structure
/// takes as long as it is large.
fn check_size(signature: &Signature) -> Result<(), PlanError> {
    let taken = |arg: &Type| u64::from(arg.slots() * SLOT) + LEAST_TAKEN;
    let got = signature.args().iter().map(taken).sum();
    match got {
        0..=MAX_AREA_U64 => Ok(()),
        _ => Err(PlanError::TooLarge { got }),
    }
}

/// What an argument takes at most besides itself in whole words: the address of its copy, and alignment before either.
const LEAST_TAKEN: u64 = 4 * SLOT as u64;

const MAX_AREA_U64: u64 = MAX_AREA as u64;

/// Takes registers and stack words in the order in which arguments ask for them: the step all conventions share.
#[derive(Clone, Copy, Debug)]
struct Allocator {
    row: &'static Convention,
    ints: usize,
    fps: usize,
    stack: u32,
    copies: u32,
}

impl Allocator {
    #[inline(always)]
    fn new(row: &'static Convention) -> Allocator {
        Allocator {
            row,
            ints: 0,
            fps: 0,
            stack: row.shadow,
            copies: 0,
        }
    }

    /// The next integer register, while there is one.
    #[inline(always)]
    fn take_int(&mut self) -> Option<Place> {
        let register = *self.row.int_args.get(self.ints)?;
        self.ints += 1;
        Some(Place::Int(register))
    }

    /// The next floating-point register, while there is one.
    #[inline(always)]
    fn take_fp(&mut self) -> Option<Place> {
        let register = *self.row.fp_args.get(self.fps)?;
        self.fps += 1;
        Some(Place::Fp(register))
    }

    /// The next register of a scalar's class, or else its place on the stack.
    #[inline(always)]
    fn take_by_class(&mut self, scalar: Scalar) -> Place {
        let register = if scalar.is_float() {
            self.take_fp()
        } else {
            self.take_int()
        };
        register.unwrap_or_else(|| self.take_word(scalar.size()))
    }

    /// The stack place of a scalar of `size` bytes.
    #[inline(always)]
    fn take_word(&mut self, size: u32) -> Place {
        let size = size.max(self.row.stack_word);
        self.take_stack(size, size)
    }

    /// `size` bytes on the stack, at a multiple of `align`.
    #[inline(always)]
    fn take_stack(&mut self, size: u32, align: u32) -> Place {
        let offset = self.stack.next_multiple_of(align);
        self.stack = offset + size;
        Place::Stack { offset, size }
    }

    /// Room for the copy of an argument that goes by its address: where it begins above the stack arguments.
    fn take_copy(&mut self, size: u32) -> u32 {
        let offset = self.copies;
        self.copies += size.next_multiple_of(self.row.stack_align);
        offset
    }

    /// The register for the address of a result in memory, which comes before all arguments where it is one of theirs.
    fn take_sret(&mut self, size: u32) -> Sret {
        let pointer = self.row.sret;
        if self.row.int_args.first() == Some(&pointer) {
            self.ints += 1;
            self.fps += usize::from(self.row.positional);
        }
        Sret {
            pointer,
            returned: self.row.sret_returned,
            size,
        }
    }

    /// The stack area's size, with the padding that keeps the stack pointer aligned.
    fn stack_size(&self) -> u32 {
        self.stack.next_multiple_of(self.row.stack_align)
    }
}

/// A value that is being placed: its index, the offset of its first slot.
#[derive(Clone, Copy)]
struct Value {
    index: u32,
    slot_offset: u32,
}

impl Value {
    const RESULT: Value = Value {
        index: 0,
        slot_offset: 0,
    };

    /// The move of a scalar: its width, and the extension that C compilers expect of its type.
    #[inline(always)]
    fn scalar(&self, scalar: Scalar, place: Place) -> Move {
        let extend = match scalar {
            Scalar::F32 | Scalar::F64 | Scalar::I64 | Scalar::U64 => Extend::None,
            Scalar::I8 | Scalar::I16 | Scalar::I32 => Extend::Sign,
            Scalar::U8 | Scalar::U16 | Scalar::U32 => Extend::Zero,
        };
        Move {
            extend,
            ..self.part(0, scalar.size(), place)
        }
    }

    /// The move of `width` bytes, `offset` bytes from the value's start.
    #[inline(always)]
    fn part(&self, offset: u32, width: u32, place: Place) -> Move {
        Move {
            value: self.index,
            slot_offset: self.slot_offset + offset,
            offset,
            width,
            extend: Extend::None,
            place,
            copy: None,
        }
    }

    /// The move of the whole value to memory on the stack.
    fn whole(&self, aggregate: &Aggregate, place: Place) -> Move {
        self.part(0, aggregate.size, place)
    }

    /// The move of the value to a copy whose address is passed as an integer is.
    fn by_address(&self, aggregate: &Aggregate, copy: u32, place: Place) -> Move {
        Move {
            copy: Some(copy),
            ..self.whole(aggregate, place)
        }
    }

    /// An error if the value, an argument, cannot be in memory on the stack because of its alignment.
    fn check_alignment(&self, aggregate: &Aggregate, row: &Convention) -> Result<(), PlanError> {
        let align = aggregate.align;
        if align <= row.stack_align {
            return Ok(());
        }
        let argument = self.index as usize;
        Err(PlanError::OverAligned { argument, align })
    }
}

/// The move of a scalar result.
#[inline(always)]
fn scalar_result(row: &Convention, scalar: Scalar) -> Move {
    let place = if scalar.is_float() {
        Place::Fp(row.fp_rets[0])
    } else {
        Place::Int(row.int_rets[0])
    };
    Value::RESULT.scalar(scalar, place)
}
