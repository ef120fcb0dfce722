//! Where every value goes: [`plan`] turns a signature into a [`Plan`], for one calling convention.
//!
//! A plan alone says how a function is called. The code for calls and the code for callbacks, the size of the stack
//! area, diagnostics: all of them read the same list of [`Move`]s, so none can disagree with another about the ABI.
//! The rules of each convention stand in a file of its own, its registers in [`regs`].

mod aapcs64;
pub mod check;
pub mod regs;
mod sysv64;
mod win64;

use crate::layout::SLOT;
use crate::types::{Scalar, Signature, Type};
use core::fmt;
use regs::Convention;

/// A calling convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Abi {
    /// System V on x86-64: Linux, the BSDs, macOS.
    SysV64,
    /// Microsoft's on x86-64: Windows, UEFI.
    Win64,
    /// Arm's for AArch64, as one platform has it.
    Aapcs64(Dialect),
}

/// A platform's own form of AAPCS64. What is particular to each stands in its row of the register table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    pub const ALL: [Abi; 5] = [
        Abi::SysV64,
        Abi::Win64,
        Abi::Aapcs64(Dialect::Linux),
        Abi::Aapcs64(Dialect::Apple),
        Abi::Aapcs64(Dialect::Windows),
    ];

    /// The convention's row of the register table.
    pub fn convention(self) -> &'static Convention {
        match self {
            Abi::SysV64 => &regs::SYSV64,
            Abi::Win64 => &regs::WIN64,
            Abi::Aapcs64(Dialect::Linux) => &regs::AAPCS64_LINUX,
            Abi::Aapcs64(Dialect::Apple) => &regs::AAPCS64_APPLE,
            Abi::Aapcs64(Dialect::Windows) => &regs::AAPCS64_WINDOWS,
        }
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.convention().name)
    }
}

/// Where a piece of a value lies at the moment of the call, or of the return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An integer register, by its number in the machine's encoding.
    Int(u8),
    /// A floating-point register, likewise.
    Fp(u8),
    /// Memory above the stack pointer.
    Stack {
        /// Bytes from the stack pointer, as it is at the call instruction.
        offset: u32,
        /// Bytes that are the value's there. Extension fills them, and nothing beyond them may be written.
        size: u8,
    },
}

/// How the bytes of a narrow integer fill the register that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extend {
    /// Bits beyond the width mean nothing: floats, full-width integers.
    None,
    /// With zeros.
    Zero,
    /// With copies of the sign.
    Sign,
}

/// One piece of one value on its way between a slot and a [`Place`]. It reads the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The argument's index; 0 for a result.
    pub value: u32,
    /// Bytes from the first slot of the list (of the arguments, or of the result).
    pub slot: u32,
    /// Bytes that are moved: 1, 2, 4 or 8.
    pub width: u8,
    /// How the rest of the register, of the stack word, or of the slot is filled.
    pub extend: Extend,
    /// The other end.
    pub place: Place,
}

/// How a function of one signature is called under one convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The convention.
    pub abi: Abi,
    /// The arguments' pieces, in the order of the arguments.
    pub args: Vec<Move>,
    /// Second copies of arguments' pieces, in registers where a callee may look for them instead. A caller makes them; a callee
    /// finds everything in `args`.
    pub mirrors: Vec<Move>,
    /// The result's pieces; none for `void`.
    pub ret: Vec<Move>,
    /// How many slots the arguments take on the interpreter's side.
    pub arg_slots: u32,
    /// Bytes between the stack pointer at the call instruction and the end of the stack arguments, shadow space included: a multiple
    /// of the convention's stack alignment.
    pub stack: u32,
    /// The number of vector registers that carry arguments, where the convention wants it said.
    pub vector_args: Option<u8>,
}

/// Why a signature cannot be called under a convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {}

impl fmt::Display for PlanError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl core::error::Error for PlanError {}

/// Decides where each byte of each argument and of the result goes.
///
/// ```
/// use farcall_arch::abi::Dialect;
/// use farcall_arch::{Abi, Place, Signature, Type, plan};
///
/// // int printf(const char *, ...), called with a double.
/// let printf = Signature::variadic(Type::I32, vec![Type::POINTER, Type::F64], 1)?;
///
/// let sysv = plan(&printf, Abi::SysV64)?;
/// assert_eq!(sysv.args[1].place, Place::Fp(0)); // xmm0, and al says that there is one
/// assert_eq!(sysv.vector_args, Some(1));
///
/// let win64 = plan(&printf, Abi::Win64)?;
/// assert_eq!(win64.args[1].place, Place::Fp(1)); // xmm1, as the second argument
/// assert_eq!(win64.mirrors[0].place, Place::Int(2)); // rdx as well
/// assert_eq!(win64.stack, 32); // shadow space
///
/// let apple = plan(&printf, Abi::Aapcs64(Dialect::Apple))?;
/// assert_eq!(apple.args[1].place, Place::Stack { offset: 0, size: 8 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// For a type that the convention has no place for. Every type of [`Type`] has one under every [`Abi`] so far.
pub fn plan(signature: &Signature, abi: Abi) -> Result<Plan, PlanError> {
    let plan = match abi {
        Abi::SysV64 => sysv64::plan(signature),
        Abi::Win64 => win64::plan(signature),
        Abi::Aapcs64(dialect) => aapcs64::plan(signature, dialect),
    };
    debug_assert_eq!(
        check::check(signature, &plan),
        Ok(()),
        "{signature} under {abi}"
    );
    Ok(plan)
}

/// Takes registers and stack words in the order in which arguments ask for them: the step all conventions share.
struct Allocator {
    row: &'static Convention,
    ints: usize,
    fps: usize,
    stack: u32,
}

impl Allocator {
    fn new(row: &'static Convention) -> Allocator {
        Allocator {
            row,
            ints: 0,
            fps: 0,
            stack: row.shadow,
        }
    }

    /// The next integer register, while there is one.
    fn take_int(&mut self) -> Option<Place> {
        let register = *self.row.int_args.get(self.ints)?;
        self.ints += 1;
        Some(Place::Int(register))
    }

    /// The next floating-point register, while there is one.
    fn take_fp(&mut self) -> Option<Place> {
        let register = *self.row.fp_args.get(self.fps)?;
        self.fps += 1;
        Some(Place::Fp(register))
    }

    /// The next register of a scalar's class, or else its place on the stack.
    fn take_by_class(&mut self, scalar: Scalar) -> Place {
        let register = if scalar.is_float() {
            self.take_fp()
        } else {
            self.take_int()
        };
        register.unwrap_or_else(|| self.take_word(scalar.size()))
    }

    /// The stack place of a scalar of `size` bytes.
    fn take_word(&mut self, size: u32) -> Place {
        let size = size.max(self.row.stack_word);
        self.take_stack(size, size)
    }

    /// `size` bytes on the stack, at a multiple of `align`.
    fn take_stack(&mut self, size: u32, align: u32) -> Place {
        let offset = self.stack.next_multiple_of(align);
        self.stack = offset + size;
        Place::Stack {
            offset,
            size: size as u8,
        }
    }

    /// The stack area's size, with the padding that keeps the stack pointer aligned.
    fn stack_size(&self) -> u32 {
        self.stack.next_multiple_of(self.row.stack_align)
    }
}

/// The move of a scalar: its width, and the extension that C compilers expect of its type.
fn scalar_move(value: u32, slot: u32, scalar: Scalar, place: Place) -> Move {
    let extend = match scalar {
        Scalar::F32 | Scalar::F64 | Scalar::I64 | Scalar::U64 => Extend::None,
        Scalar::I8 | Scalar::I16 | Scalar::I32 => Extend::Sign,
        Scalar::U8 | Scalar::U16 | Scalar::U32 => Extend::Zero,
    };
    Move {
        value,
        slot,
        width: scalar.size() as u8,
        extend,
        place,
    }
}

/// The move of a result of one register; none for `void`.
fn register_result(row: &Convention, ty: &Type) -> Vec<Move> {
    match ty {
        Type::Void => Vec::new(),
        Type::Scalar(scalar) => {
            let place = if scalar.is_float() {
                Place::Fp(row.fp_rets[0])
            } else {
                Place::Int(row.int_rets[0])
            };
            vec![scalar_move(0, 0, *scalar, place)]
        }
    }
}

/// Calls `place` for each argument with its index, the offset of its first slot and its type; returns the slots taken.
fn for_each_arg(signature: &Signature, mut place: impl FnMut(u32, u32, &Type)) -> u32 {
    let mut slots = 0;
    for (index, arg) in signature.args().iter().enumerate() {
        place(index as u32, slots * SLOT, arg);
        slots += arg.slots();
    }
    slots
}
