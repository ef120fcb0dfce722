//! The table of calling conventions: one row each, the only place that counts registers.

use core::fmt;

/// A general-purpose register, by its number in the machine's encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gpr(u8);

/// A floating-point or vector register, by its number in the machine's encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fpr(u8);

/// The parts that both kinds of registers share.
macro_rules! numbered {
    ($register:ident) => {
        impl $register {
            /// The register of that number.
            pub const fn new(number: u8) -> $register {
                $register(number)
            }

            /// Its number in the machine's encoding.
            pub const fn number(self) -> u8 {
                self.0
            }

            /// `N` registers in a row.
            const fn row<const N: usize>(first: u8) -> [$register; N] {
                let mut row = [$register(first); N];
                let mut n = 0;
                while n < N {
                    row[n] = $register(first + n as u8);
                    n += 1;
                }
                row
            }
        }

        impl From<$register> for u8 {
            fn from(register: $register) -> u8 {
                register.0
            }
        }

        impl From<$register> for usize {
            #[inline(always)]
            fn from(register: $register) -> usize {
                register.0.into()
            }
        }

        /// By its number: which machine's it is, it does not know.
        impl fmt::Debug for $register {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

numbered!(Gpr);
numbered!(Fpr);

impl Gpr {
    /// Its name on a machine, of its full width.
    pub fn name(self, isa: Isa) -> String {
        const X64: [&str; 16] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
            "r12", "r13", "r14", "r15",
        ];
        match (isa, X64.get(usize::from(self))) {
            (Isa::X64, Some(&name)) => name.to_owned(),
            (Isa::X64, None) => format!("r{}", self.0),
            (Isa::A64, _) if self == a64::SP => "sp".to_owned(),
            (Isa::A64, _) => format!("x{}", self.0),
        }
    }
}

impl Fpr {
    /// Its name on a machine, of its full width.
    pub fn name(self, isa: Isa) -> String {
        match isa {
            Isa::X64 => format!("xmm{}", self.0),
            Isa::A64 => format!("v{}", self.0),
        }
    }
}

/// x86-64 register numbers (Intel SDM volume 2, table 3-1).
#[allow(missing_docs, reason = "the names are Intel's")]
pub mod x64 {
    use super::{Fpr, Gpr};

    pub const RAX: Gpr = Gpr::new(0);
    pub const RCX: Gpr = Gpr::new(1);
    pub const RDX: Gpr = Gpr::new(2);
    pub const RBX: Gpr = Gpr::new(3);
    pub const RSP: Gpr = Gpr::new(4);
    pub const RBP: Gpr = Gpr::new(5);
    pub const RSI: Gpr = Gpr::new(6);
    pub const RDI: Gpr = Gpr::new(7);
    pub const R8: Gpr = Gpr::new(8);
    pub const R9: Gpr = Gpr::new(9);
    pub const R10: Gpr = Gpr::new(10);
    pub const R11: Gpr = Gpr::new(11);
    pub const R12: Gpr = Gpr::new(12);
    pub const R13: Gpr = Gpr::new(13);
    pub const R14: Gpr = Gpr::new(14);
    pub const R15: Gpr = Gpr::new(15);
    pub const XMM0: Fpr = Fpr::new(0);
    pub const XMM1: Fpr = Fpr::new(1);
}

/// AArch64 register numbers (Arm ARM, section C1.2.5): number 31 is the stack pointer as a base, zero as a value.
#[allow(missing_docs, reason = "the names are Arm's")]
pub mod a64 {
    use super::{Fpr, Gpr};

    pub const X0: Gpr = Gpr::new(0);
    pub const X1: Gpr = Gpr::new(1);
    pub const X8: Gpr = Gpr::new(8);
    pub const X9: Gpr = Gpr::new(9);
    pub const X10: Gpr = Gpr::new(10);
    pub const X11: Gpr = Gpr::new(11);
    pub const X12: Gpr = Gpr::new(12);
    pub const X13: Gpr = Gpr::new(13);
    pub const X14: Gpr = Gpr::new(14);
    pub const X15: Gpr = Gpr::new(15);
    pub const X16: Gpr = Gpr::new(16);
    pub const X17: Gpr = Gpr::new(17);
    pub const X18: Gpr = Gpr::new(18);
    pub const X19: Gpr = Gpr::new(19);
    pub const X29: Gpr = Gpr::new(29);
    pub const X30: Gpr = Gpr::new(30);
    pub const SP: Gpr = Gpr::new(31);
    pub const XZR: Gpr = Gpr::new(31);
    pub const V16: Fpr = Fpr::new(16);
}

/// The instruction sets that there are emitters for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// x86-64.
    X64,
    /// AArch64.
    A64,
}

/// The rule for the arguments of a variadic function, where it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variadics {
    /// It does not differ.
    LikeOthers,
    /// A floating-point argument in a register is also in the integer register of its position: the callee may look in
    /// either.
    Mirrored,
    /// All arguments behind the `...` are on the stack, in words of this many bytes.
    OnStack(u32),
    /// No argument is in a floating-point register, those with a name included.
    InIntegers,
}

/// The constants of one calling convention.
#[derive(Debug)]
pub struct Convention {
    /// The name the specification goes by.
    pub name: &'static str,
    /// The instructions of its functions.
    pub isa: Isa,
    /// Integer and pointer arguments, in order.
    pub int_args: &'static [Gpr],
    /// Floating-point arguments, in order.
    pub fp_args: &'static [Fpr],
    /// Whether an argument takes the register of its own position in the list of its class, and leaves that of the other class
    /// unused. Otherwise the two lists are counted apart.
    pub positional: bool,
    /// The rule for arguments of variadic functions.
    pub variadics: Variadics,
    /// Integer and pointer results, in order.
    pub int_rets: &'static [Gpr],
    /// Floating-point results, in order.
    pub fp_rets: &'static [Fpr],
    /// The integer register that holds the address of a result in memory.
    pub sret: Gpr,
    /// The integer register in which a callee gives that address back.
    pub sret_returned: Option<Gpr>,
    /// Bytes that a scalar argument takes on the stack at least, and is aligned to at least.
    pub stack_word: u32,
    /// The stack pointer's alignment at a call instruction, in bytes.
    pub stack_align: u32,
    /// Bytes just above the stack pointer at a call instruction that are the callee's to use. Stack arguments follow.
    pub shadow: u32,
    /// Bytes below the stack pointer that a signal handler leaves alone. No code made here uses any.
    pub red_zone: u32,
    /// Integer registers that a callee gives back as it found them, the stack pointer aside.
    pub callee_saved: &'static [Gpr],
    /// Floating-point registers that a callee gives back; on AArch64 their low halves only.
    pub callee_saved_fp: &'static [Fpr],
    /// Integer registers that belong to the platform: no code made here reads or writes them.
    pub reserved: &'static [Gpr],
    /// Whether a caller says in `al` how many vector registers carry arguments.
    pub counts_vector_args: bool,
    /// Whether a value of several integer registers that is aligned to 16 bytes begins with an even-numbered one.
    pub even_pairs: bool,
    /// Whether a structure is aligned on the stack as its members want it, or else as its declaration does.
    pub natural_alignment: bool,
}

/// System V psABI for x86-64, version 1.0: section 3.2.1 (registers), 3.2.2 (stack), 3.2.3 (arguments).
pub static SYSV64: Convention = Convention {
    name: "SysV x86-64",
    isa: Isa::X64,
    int_args: &[x64::RDI, x64::RSI, x64::RDX, x64::RCX, x64::R8, x64::R9],
    fp_args: &Fpr::row::<8>(0),
    positional: false,
    variadics: Variadics::LikeOthers,
    int_rets: &[x64::RAX, x64::RDX],
    fp_rets: &Fpr::row::<2>(0),
    sret: x64::RDI,
    sret_returned: Some(x64::RAX),
    stack_word: 8,
    stack_align: 16,
    shadow: 0,
    red_zone: 128,
    callee_saved: &[x64::RBX, x64::RBP, x64::R12, x64::R13, x64::R14, x64::R15],
    callee_saved_fp: &[],
    reserved: &[],
    counts_vector_args: true,
    even_pairs: false,
    natural_alignment: false,
};

/// Microsoft's "x64 calling convention" and "x64 stack usage"; "Overview of x64 ABI conventions" for who saves what.
pub static WIN64: Convention = Convention {
    name: "Win64",
    isa: Isa::X64,
    int_args: &[x64::RCX, x64::RDX, x64::R8, x64::R9],
    fp_args: &Fpr::row::<4>(0),
    positional: true,
    variadics: Variadics::Mirrored,
    int_rets: &[x64::RAX],
    fp_rets: &Fpr::row::<1>(0),
    sret: x64::RCX,
    sret_returned: Some(x64::RAX),
    stack_word: 8,
    stack_align: 16,
    shadow: 32,
    red_zone: 0,
    callee_saved: &[
        x64::RBX,
        x64::RBP,
        x64::RSI,
        x64::RDI,
        x64::R12,
        x64::R13,
        x64::R14,
        x64::R15,
    ],
    callee_saved_fp: &Fpr::row::<10>(6),
    reserved: &[],
    counts_vector_args: false,
    even_pairs: false,
    natural_alignment: false,
};

/// The part that the dialects of AAPCS64 share, which is Linux's whole row: "Procedure Call Standard for the Arm 64-bit
/// Architecture" (IHI 0055), section 6.1 (registers), 6.4 (stack), 6.8 (arguments), 6.9 (results).
///
/// The platform register x18 is reserved on all: where a platform gives it no use, leaving it alone costs nothing.
const AAPCS64: Convention = Convention {
    name: "AAPCS64",
    isa: Isa::A64,
    int_args: &Gpr::row::<8>(0),
    fp_args: &Fpr::row::<8>(0),
    positional: false,
    variadics: Variadics::LikeOthers,
    int_rets: &Gpr::row::<2>(0),
    fp_rets: &Fpr::row::<4>(0),
    sret: a64::X8,
    sret_returned: None,
    stack_word: 8,
    stack_align: 16,
    shadow: 0,
    red_zone: 0,
    callee_saved: &Gpr::row::<11>(19),
    callee_saved_fp: &Fpr::row::<8>(8),
    reserved: &[a64::X18],
    counts_vector_args: false,
    even_pairs: true,
    natural_alignment: true,
};

/// AAPCS64 on Linux.
pub static AAPCS64_LINUX: Convention = AAPCS64;

/// AAPCS64 with the changes of Apple's "Writing ARM64 code for Apple platforms".
pub static AAPCS64_APPLE: Convention = Convention {
    name: "AAPCS64 (Apple)",
    variadics: Variadics::OnStack(8),
    stack_word: 1,
    red_zone: 128,
    even_pairs: false,
    natural_alignment: false,
    ..AAPCS64
};

/// AAPCS64 with the changes of Microsoft's "Overview of ARM64 ABI conventions".
pub static AAPCS64_WINDOWS: Convention = Convention {
    name: "AAPCS64 (Windows)",
    variadics: Variadics::InIntegers,
    red_zone: 16,
    natural_alignment: false,
    ..AAPCS64
};
