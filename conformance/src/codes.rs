//! C's types of numbers, stated independently, so that a mistake in farcall's own table shows.

use crate::target::Model;

/// A number's type: that of a type code, or a further one.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The letter.
    pub letter: char,
    /// The C type.
    pub c_type: &'static str,
    /// The kind of its values.
    pub shape: Shape,
}

/// The kind of a type's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A signed integer, with its size in bytes.
    Signed(usize),
    /// An unsigned integer, with its size in bytes.
    Unsigned(usize),
    /// A `long`, whose size is the platform's choice.
    Long,
    /// An `unsigned long`.
    UnsignedLong,
    /// A `float`.
    Float,
    /// A `double`.
    Double,
    /// A data pointer.
    Pointer,
    /// A `long double`.
    LongDouble,
    /// A `__float128`.
    Quad,
    /// A `_Bool`: 0 or 1 in a byte.
    Bool,
    /// A complex number, whose parts are of the code with this letter.
    Complex(char),
}

const fn code(letter: char, c_type: &'static str, shape: Shape) -> Code {
    Code {
        letter,
        c_type,
        shape,
    }
}

/// The type codes with values: each fills a word.
pub static WORDS: [Code; 13] = [
    code('b', "signed char", Shape::Signed(1)),
    code('B', "unsigned char", Shape::Unsigned(1)),
    code('h', "short", Shape::Signed(2)),
    code('H', "unsigned short", Shape::Unsigned(2)),
    code('i', "int", Shape::Signed(4)),
    code('I', "unsigned int", Shape::Unsigned(4)),
    code('l', "long", Shape::Long),
    code('L', "unsigned long", Shape::UnsignedLong),
    code('q', "long long", Shape::Signed(8)),
    code('Q', "unsigned long long", Shape::Unsigned(8)),
    code('f', "float", Shape::Float),
    code('d', "double", Shape::Double),
    code('p', "void *", Shape::Pointer),
];

/// A `_Bool`. It has no type code, but fills a word as the types of those do.
pub static BOOL: Code = code('?', "_Bool", Shape::Bool);

/// Numbers that no type code stands for.
pub static WIDE: [Code; 7] = [
    code('o', "__int128", Shape::Signed(16)),
    code('O', "unsigned __int128", Shape::Unsigned(16)),
    code('e', "long double", Shape::LongDouble),
    code('g', "__float128", Shape::Quad),
    code('F', "float _Complex", Shape::Complex('f')),
    code('D', "double _Complex", Shape::Complex('d')),
    code('E', "long double _Complex", Shape::Complex('e')),
];

impl Code {
    /// The code that `letter` stands for.
    pub fn of(letter: char) -> Option<&'static Code> {
        let mut all = WORDS.iter().chain(&WIDE).chain([&BOOL]);
        all.find(|code| code.letter == letter)
    }

    /// Whether a value fills a word. The side that hands it over widens it to that.
    pub fn is_word(&self) -> bool {
        WORDS.contains(self) || self.shape == Shape::Bool
    }

    /// The size of a value.
    pub fn bytes(&self, model: Model) -> usize {
        match self.shape {
            Shape::Signed(bytes) | Shape::Unsigned(bytes) => bytes,
            Shape::Long | Shape::UnsignedLong => model.long_bytes(),
            Shape::Bool => 1,
            Shape::Float => 4,
            Shape::Double | Shape::Pointer => 8,
            Shape::LongDouble | Shape::Quad => 16,
            Shape::Complex(part) => Code::of(part).map_or(0, |part| 2 * part.bytes(model)),
        }
    }

    /// The code of the type that C promotes an argument behind `...` to.
    pub fn promoted(&'static self) -> &'static Code {
        let letter = match self.letter {
            '?' | 'b' | 'h' => 'i',
            'B' | 'H' => 'I',
            'f' => 'd',
            letter => letter,
        };
        Code::of(letter).unwrap_or(self)
    }

    /// Whether a value fills its word by copies of its sign.
    pub fn is_signed(&self) -> bool {
        matches!(self.shape, Shape::Signed(_) | Shape::Long)
    }

    /// Whether values are a `float` or a `double`.
    pub fn is_float(&self) -> bool {
        matches!(self.shape, Shape::Float | Shape::Double)
    }

    /// The bits of a word that a value has.
    pub fn mask(&self, model: Model) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes(model).clamp(1, 8))
    }

    /// A value's bits, widened to a word as C widens its type; a `float` gets zeros.
    pub fn widened(&self, bits: u64, model: Model) -> u64 {
        let kept = match self.shape {
            Shape::Bool => bits & 1,
            _ => bits & self.mask(model),
        };
        let sign = (self.mask(model) >> 1) + 1;
        if self.is_signed() && kept & sign != 0 {
            kept | !self.mask(model)
        } else {
            kept
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widening_follows_the_sign_of_the_type() {
        let widened = |letter, bits| {
            Code::of(letter)
                .expect("a code")
                .widened(bits, Model::Llp64)
        };
        assert_eq!(widened('b', 0x1280), 0xffff_ffff_ffff_ff80);
        assert_eq!(widened('B', 0x1280), 0x80);
        assert_eq!(widened('l', 0x8000_0000), 0xffff_ffff_8000_0000);
        assert_eq!(widened('f', 0xffff_ffff_8000_0000), 0x8000_0000);
        assert_eq!(widened('q', u64::MAX), u64::MAX);
    }
}
