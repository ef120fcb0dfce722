//! One type, as a letter of a signature string spells it.

use crate::error::{Error, Result};
use crate::kind::{Kind, Position};
use farcall_arch::Type;
use farcall_memory::try_string;
use std::ffi::c_long;

/// One letter of a signature string, known to be one. In [`crate::Codes`], one stands for a struct's braces as well: its letter is `{`, its kind
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
    /// The row of [`NARROW`] that tells its range; 0 for what fills a slot, or is no integer.
    narrow: u8,
}

/// The integers that are narrower than a slot, as a slot holds them, extended to all 64 bits: `word` is one of the type if
/// `word + half <= range`, with the sum taken without its carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// How many of them are negative.
    pub half: u64,
    /// How many there are, less one.
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
    /// What stands for a struct's braces.
    pub(crate) const STRUCT: TypeCode = TypeCode {
        letter: b'{',
        kind: Kind::Struct,
        narrow: 0,
    };

    /// The code that `letter` is, if it is one.
    pub fn new(letter: char) -> Option<TypeCode> {
        let kind = match letter {
            'v' => Kind::Void,
            'b' | 'h' | 'i' | 'l' | 'q' => Kind::Int,
            'B' | 'H' | 'I' | 'L' | 'Q' => Kind::Uint,
            'f' => Kind::Float,
            'd' => Kind::Double,
            'p' | 'P' => Kind::Pointer,
            's' => Kind::Str,
            'S' => Kind::Bytes,
            'O' => Kind::Object,
            'C' => Kind::Callback,
            _ => return None,
        };
        let code = TypeCode {
            letter: letter as u8,
            kind,
            narrow: 0,
        };
        let narrow = match code.ty() {
            Type::I8 => 1,
            Type::U8 => 2,
            Type::I16 => 3,
            Type::U16 => 4,
            Type::I32 => 5,
            Type::U32 => 6,
            _ => 0,
        };
        Some(TypeCode { narrow, ..code })
    }

    /// The code that `text` consists of.
    ///
    /// # Errors
    /// [`Error::NotOneCode`] unless it is one letter, [`Error::UnknownCode`] for another letter.
    pub fn parse(text: &str, position: Position) -> Result<TypeCode> {
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(got), None) => TypeCode::new(got).ok_or(Error::UnknownCode { position, got }),
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

    /// How values are treated.
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

    /// The C type's shape in this process: `long` has the width that its compilers give it. Of a struct it is [`Type::Void`]: the shape is
    /// [`crate::Codes::structure`]'s.
    pub fn ty(self) -> Type {
        const LONG_IS_64: bool = size_of::<c_long>() == 8;
        match self.letter {
            b'v' | b'{' => Type::Void,
            b'b' => Type::I8,
            b'B' => Type::U8,
            b'h' => Type::I16,
            b'H' => Type::U16,
            b'i' => Type::I32,
            b'I' => Type::U32,
            b'l' if LONG_IS_64 => Type::I64,
            b'l' => Type::I32,
            b'L' if LONG_IS_64 => Type::U64,
            b'L' => Type::U32,
            b'q' => Type::I64,
            b'Q' => Type::U64,
            b'f' => Type::F32,
            b'd' => Type::F64,
            _ => Type::POINTER,
        }
    }
}

pub(crate) fn misplaced(code: char, position: Position, role: &'static str) -> Error {
    Error::MisplacedCode {
        position,
        code,
        role,
    }
}
