//! The letters of a signature string, one per type.

use crate::error::{Error, Result};
use crate::kind::{Kind, Position};
use farcall_arch::{Scalar, Type};
use farcall_memory::try_string;
use std::ffi::c_long;

/// A valid letter of a signature string. In [`crate::Codes`], one also stands for a struct in braces, with the letter `{` and the kind
/// [`Kind::Struct`].
///
/// ```
/// use farcall_cdecl::{Kind, TypeCode};
///
/// assert_eq!(TypeCode::new('H').map(|code| code.kind()), Some(Kind::Uint));
/// assert_eq!(TypeCode::new('Z'), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeCode {
    letter: u8,
    kind: Kind,
    /// The type as a scalar; `None` if it does not fit one register.
    scalar: Option<Scalar>,
    /// The row of [`NARROW`] with its range; 0 for a type that fills a slot, or is not an integer.
    narrow: u8,
}

/// The range of an integer that is narrower than a slot and is extended to the slot's 64 bits: `word` is in range if
/// `word + half <= range`, where the sum wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// The number of negative values.
    pub half: u64,
    /// The number of values, less one.
    pub range: u64,
}

const NARROW: [Narrow; 8] = {
    let mut rows = [Narrow {
        half: 0,
        range: u64::MAX,
    }; 8];
    let mut row = 1;
    while row <= 6 {
        let bits = 8 << ((row - 1) / 2);
        rows[row].range = (1 << bits) - 1;
        if row % 2 == 1 {
            rows[row].half = 1 << (bits - 1);
        }
        row += 1;
    }
    rows
};

impl TypeCode {
    /// The code for a struct in braces.
    pub(crate) const STRUCT: TypeCode = TypeCode {
        letter: b'{',
        kind: Kind::Struct,
        scalar: None,
        narrow: 0,
    };

    /// The description of a letter on this platform, whose compilers give `long` its width.
    const fn described(letter: u8) -> Option<TypeCode> {
        const LONG_IS_64: bool = size_of::<c_long>() == 8;
        use Scalar::{F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        let (kind, scalar) = match letter {
            b'v' => (Kind::Void, None),
            b'b' => (Kind::Int, Some(I8)),
            b'B' => (Kind::Uint, Some(U8)),
            b'h' => (Kind::Int, Some(I16)),
            b'H' => (Kind::Uint, Some(U16)),
            b'i' => (Kind::Int, Some(I32)),
            b'I' => (Kind::Uint, Some(U32)),
            b'l' => (Kind::Int, Some(if LONG_IS_64 { I64 } else { I32 })),
            b'L' => (Kind::Uint, Some(if LONG_IS_64 { U64 } else { U32 })),
            b'q' => (Kind::Int, Some(I64)),
            b'Q' => (Kind::Uint, Some(U64)),
            b'f' => (Kind::Float, Some(F32)),
            b'd' => (Kind::Double, Some(F64)),
            b'p' | b'P' => (Kind::Pointer, POINTER),
            b's' => (Kind::Str, POINTER),
            b'S' => (Kind::Bytes, POINTER),
            b'O' => (Kind::Object, POINTER),
            b'C' => (Kind::Callback, POINTER),
            _ => return None,
        };
        let narrow = match scalar {
            Some(I8) => 1,
            Some(U8) => 2,
            Some(I16) => 3,
            Some(U16) => 4,
            Some(I32) => 5,
            Some(U32) => 6,
            _ => 0,
        };
        Some(TypeCode {
            letter,
            kind,
            scalar,
            narrow,
        })
    }

    /// The code for `letter`, if it is a type code.
    #[inline]
    pub fn new(letter: char) -> Option<TypeCode> {
        let row = (letter as usize).checked_sub(FIRST as usize)?;
        *CODES.get(row)?
    }

    /// The code for a letter, or an error if it is not a type code.
    pub(crate) fn known(got: char, position: Position) -> Result<TypeCode> {
        match TypeCode::new(got) {
            Some(code) => Ok(code),
            None => Err(Error::UnknownCode { position, got }),
        }
    }

    /// Reads `text` as a single code.
    ///
    /// # Errors
    /// [`Error::NotOneCode`] unless the text is one letter; [`Error::UnknownCode`] for a letter that is not a code.
    pub fn parse(text: &str, position: Position) -> Result<TypeCode> {
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(got), None) => TypeCode::known(got, position),
            _ => Err(Error::NotOneCode {
                position,
                got: try_string(text)?,
            }),
        }
    }

    /// The code of a variable's type.
    ///
    /// # Errors
    /// Those of [`TypeCode::parse`], and [`Error::MisplacedCode`] for `v`.
    pub fn of_variable(text: &str) -> Result<TypeCode> {
        let code = TypeCode::parse(text, Position::Variable)?;
        if code.kind == Kind::Void {
            return Err(misplaced('v', Position::Variable, "a variable"));
        }
        Ok(code)
    }

    /// The letter.
    pub fn letter(self) -> char {
        char::from(self.letter)
    }

    /// The kind of the values.
    #[inline]
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The range of an integer that is narrower than a slot; `None` for other types.
    #[inline(always)]
    pub fn narrow(self) -> Option<Narrow> {
        match self.narrow {
            0 => None,
            row => Some(NARROW[usize::from(row) % NARROW.len()]),
        }
    }

    /// The C type on this platform, whose compilers give `long` its width. For a struct it is [`Type::Void`]: [`crate::Codes::structure`]
    /// has the type.
    #[inline]
    pub fn ty(self) -> Type {
        self.scalar.map_or(Type::Void, Type::Scalar)
    }

    /// The C type as a scalar; `None` for `v` and for structs.
    #[inline]
    pub fn scalar(self) -> Option<Scalar> {
        self.scalar
    }
}

/// The scalar of a pointer.
const POINTER: Option<Scalar> = match Type::POINTER {
    Type::Scalar(scalar) => Some(scalar),
    _ => None,
};

/// The first and the last letter that may be a code.
const FIRST: u8 = b'A';
const LAST: u8 = b'z';

/// The codes of the letters from `FIRST` to `LAST`.
static CODES: [Option<TypeCode>; (LAST - FIRST) as usize + 1] = {
    let mut codes = [None; (LAST - FIRST) as usize + 1];
    let mut letter = FIRST;
    while letter <= LAST {
        codes[(letter - FIRST) as usize] = TypeCode::described(letter);
        letter += 1;
    }
    codes
};

pub(crate) fn misplaced(code: char, position: Position, role: &'static str) -> Error {
    Error::MisplacedCode {
        position,
        code,
        role,
    }
}
