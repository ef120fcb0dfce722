//! C types by their shape, and signatures made of them.
//!
//! What a type is called in C or in a signature string does not matter here: `int *`, `uintptr_t` and a 64-bit
//! `unsigned long` are all [`Type::U64`]. Sizes stand in [`crate::layout`], registers in [`crate::abi`].

use crate::structs::Struct;
use core::fmt;
use farcall_memory::{OutOfMemory, Shared, try_collect};

/// A type that fits one register: an integer of 1, 2, 4 or 8 bytes, or a binary floating-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each name is its own description")]
pub enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Scalar {
    /// Every scalar, narrowest integers first.
    pub const ALL: [Scalar; 10] = [
        Scalar::I8,
        Scalar::U8,
        Scalar::I16,
        Scalar::U16,
        Scalar::I32,
        Scalar::U32,
        Scalar::I64,
        Scalar::U64,
        Scalar::F32,
        Scalar::F64,
    ];

    /// Whether values live in floating-point registers.
    pub const fn is_float(self) -> bool {
        matches!(self, Scalar::F32 | Scalar::F64)
    }

    /// Whether the type is an integer with a sign.
    pub const fn is_signed(self) -> bool {
        matches!(self, Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64)
    }

    /// Whether C promotes it to `int` or `double` where it stands for a prototype's `...` (C11 6.5.2.2p6).
    pub const fn is_promoted_by_c(self) -> bool {
        match self {
            Scalar::I8 | Scalar::U8 | Scalar::I16 | Scalar::U16 | Scalar::F32 => true,
            Scalar::I32 | Scalar::U32 | Scalar::I64 | Scalar::U64 | Scalar::F64 => false,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scalar::I8 => "int8",
            Scalar::U8 => "uint8",
            Scalar::I16 => "int16",
            Scalar::U16 => "uint16",
            Scalar::I32 => "int32",
            Scalar::U32 => "uint32",
            Scalar::I64 => "int64",
            Scalar::U64 => "uint64",
            Scalar::F32 => "float",
            Scalar::F64 => "double",
        })
    }
}

/// A number of 16 bytes, aligned to as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Wide {
    /// `__int128`.
    I128,
    /// `unsigned __int128`.
    U128,
    /// The x87's extended format, ten bytes with six of padding: `long double` on x86-64, except for Microsoft's compiler.
    F80,
    /// IEEE 754 binary128: `long double` on AArch64 Linux, `__float128` on x86-64.
    F128,
}

impl Wide {
    /// Every one.
    pub const ALL: [Wide; 4] = [Wide::I128, Wide::U128, Wide::F80, Wide::F128];
}

impl fmt::Display for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wide::I128 => "int128",
            Wide::U128 => "uint128",
            Wide::F80 => "float80",
            Wide::F128 => "float128",
        })
    }
}

/// A binary floating-point format. Callers choose what `long double` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each name is its own description")]
pub enum Float {
    F32,
    F64,
    F80,
    F128,
}

impl Float {
    /// Every format, narrowest first.
    pub const ALL: [Float; 4] = [Float::F32, Float::F64, Float::F80, Float::F128];

    /// The type of one number.
    pub const fn ty(self) -> Type {
        match self {
            Float::F32 => Type::F32,
            Float::F64 => Type::F64,
            Float::F80 => Type::F80,
            Float::F128 => Type::F128,
        }
    }
}

/// The type of an argument or of a result. Cloning is cheap: the members of a structure are shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Type {
    /// No value: a result only.
    Void,
    /// A value of one register.
    Scalar(Scalar),
    /// A number of 16 bytes.
    Wide(Wide),
    /// A C11 complex number: the real part, then the imaginary one.
    Complex(Float),
    /// A structure or a union, by value.
    Struct(Shared<Struct>),
}

#[allow(missing_docs, reason = "each name is its own description")]
impl Type {
    pub const I8: Type = Type::Scalar(Scalar::I8);
    pub const U8: Type = Type::Scalar(Scalar::U8);
    pub const I16: Type = Type::Scalar(Scalar::I16);
    pub const U16: Type = Type::Scalar(Scalar::U16);
    pub const I32: Type = Type::Scalar(Scalar::I32);
    pub const U32: Type = Type::Scalar(Scalar::U32);
    pub const I64: Type = Type::Scalar(Scalar::I64);
    pub const U64: Type = Type::Scalar(Scalar::U64);
    pub const F32: Type = Type::Scalar(Scalar::F32);
    pub const F64: Type = Type::Scalar(Scalar::F64);
    pub const I128: Type = Type::Wide(Wide::I128);
    pub const U128: Type = Type::Wide(Wide::U128);
    pub const F80: Type = Type::Wide(Wide::F80);
    pub const F128: Type = Type::Wide(Wide::F128);
    /// A data or function pointer: every target here has 64-bit ones.
    pub const POINTER: Type = Type::U64;
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Void => f.write_str("void"),
            Type::Scalar(scalar) => scalar.fmt(f),
            Type::Wide(wide) => wide.fmt(f),
            Type::Complex(part) => write!(f, "complex {}", part.ty()),
            Type::Struct(members) => members.fmt(f),
        }
    }
}

impl TryFrom<Struct> for Type {
    type Error = OutOfMemory;

    fn try_from(members: Struct) -> Result<Type, OutOfMemory> {
        Shared::try_new(members).map(Type::Struct)
    }
}

/// What a C function takes and gives: the content that everything compiled for it depends on, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    ret: Type,
    args: Vec<Type>,
    fixed: Option<usize>,
}

impl Signature {
    /// The signature of a function with a prototype.
    ///
    /// # Errors
    /// [`SignatureError::VoidArgument`].
    pub fn new(ret: Type, args: Vec<Type>) -> Result<Signature, SignatureError> {
        Signature::checked(ret, args, None)
    }

    /// The signature of one call of a variadic function: `args` holds all its arguments, of which the first `fixed` are
    /// named in its prototype and the others stand for the `...`.
    ///
    /// # Errors
    /// Those of [`Signature::new`]; [`SignatureError::FixedBeyondArguments`];
    /// [`SignatureError::UnpromotedVariadic`] for an argument behind the `...` of a type that C promotes
    /// (C11 6.5.2.2p6): `float` and integers narrower than `int` never arrive there.
    pub fn variadic(ret: Type, args: Vec<Type>, fixed: usize) -> Result<Signature, SignatureError> {
        Signature::checked(ret, args, Some(fixed))
    }

    fn checked(
        ret: Type,
        args: Vec<Type>,
        fixed: Option<usize>,
    ) -> Result<Signature, SignatureError> {
        if let Some(index) = args.iter().position(|arg| matches!(arg, Type::Void)) {
            return Err(SignatureError::VoidArgument { index });
        }
        if let Some(fixed) = fixed {
            if fixed > args.len() {
                return Err(SignatureError::FixedBeyondArguments {
                    fixed,
                    got: args.len(),
                });
            }
            if let Some(extra) = args[fixed..].iter().position(is_promoted_by_c) {
                return Err(SignatureError::UnpromotedVariadic {
                    index: fixed + extra,
                });
            }
        }
        Ok(Signature { ret, args, fixed })
    }

    /// The same once more.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_clone(&self) -> Result<Signature, OutOfMemory> {
        Ok(Signature {
            ret: self.ret.clone(),
            args: try_collect(self.args.iter().cloned())?,
            fixed: self.fixed,
        })
    }

    /// The result's type.
    pub fn ret(&self) -> &Type {
        &self.ret
    }

    /// The arguments' types, variadic ones included.
    pub fn args(&self) -> &[Type] {
        &self.args
    }

    /// How many arguments the prototype names, or `None` where the function is not variadic.
    pub fn fixed(&self) -> Option<usize> {
        self.fixed
    }
}

fn is_promoted_by_c(ty: &Type) -> bool {
    match ty {
        Type::Void | Type::Wide(_) | Type::Complex(_) | Type::Struct(_) => false,
        Type::Scalar(scalar) => scalar.is_promoted_by_c(),
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.ret)?;
        for (index, arg) in self.args.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let dots = if self.fixed == Some(index) {
                "..., "
            } else {
                ""
            };
            write!(f, "{comma}{dots}{arg}")?;
        }
        f.write_str(")")
    }
}

/// Why types do not make a signature. Indices count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// An argument is `void`.
    VoidArgument {
        /// Which one.
        index: usize,
    },
    /// More fixed arguments were announced than there are arguments.
    FixedBeyondArguments {
        /// How many were announced.
        fixed: usize,
        /// How many there are.
        got: usize,
    },
    /// A variadic argument has a type that C would have promoted to `int` or `double`.
    UnpromotedVariadic {
        /// Which one.
        index: usize,
    },
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            SignatureError::VoidArgument { index } => {
                write!(
                    f,
                    "argument {}: expected a type with a value, got void",
                    index + 1
                )
            }
            SignatureError::FixedBeyondArguments { fixed, got } => {
                write!(f, "expected at most {got} fixed arguments, got {fixed}")
            }
            SignatureError::UnpromotedVariadic { index } => write!(
                f,
                "argument {}: expected int, a wider integer or double behind '...', got a type that C promotes",
                index + 1
            ),
        }
    }
}

impl core::error::Error for SignatureError {}
