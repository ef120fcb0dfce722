//! The type codes, as C has them: told here anew, so that a mistake in farcall's own table shows.

use crate::target::Model;
use crate::wide;
use std::fmt;

/// A type code with what C makes of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The letter.
    pub letter: char,
    /// The C type.
    pub c_type: &'static str,
    /// What values look like.
    pub shape: Shape,
}

/// What values of a type look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No value.
    Void,
    /// An integer with a sign, of so many bytes.
    Signed(u32),
    /// An integer without.
    Unsigned(u32),
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
}

const fn code(letter: char, c_type: &'static str, shape: Shape) -> Code {
    Code {
        letter,
        c_type,
        shape,
    }
}

/// No value: a result only.
pub static VOID: Code = code('v', "void", Shape::Void);

/// The codes with values.
pub static VALUES: [Code; 13] = [
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

impl Code {
    /// The code that `letter` stands for.
    pub fn of(letter: char) -> Option<&'static Code> {
        VALUES
            .iter()
            .chain([&VOID])
            .find(|code| code.letter == letter)
    }

    /// The size of a value.
    pub fn bytes(&self, model: Model) -> u32 {
        match self.shape {
            Shape::Void => 0,
            Shape::Signed(bytes) | Shape::Unsigned(bytes) => bytes,
            Shape::Long | Shape::UnsignedLong => model.long_bytes(),
            Shape::Float => 4,
            Shape::Double | Shape::Pointer => 8,
        }
    }

    /// The code of what an argument behind `...` is passed as.
    pub fn promoted(&'static self) -> &'static Code {
        let letter = match self.letter {
            'b' | 'h' => 'i',
            'B' | 'H' => 'I',
            'f' => 'd',
            letter => letter,
        };
        Code::of(letter).unwrap_or(self)
    }

    /// Whether a value fills its slot by copies of its sign.
    pub fn is_signed(&self) -> bool {
        matches!(self.shape, Shape::Signed(_) | Shape::Long)
    }

    /// Whether values are floating-point numbers.
    pub fn is_float(&self) -> bool {
        matches!(self.shape, Shape::Float | Shape::Double)
    }

    /// The bits of a 64-bit word that a value has.
    pub fn mask(&self, model: Model) -> u64 {
        match self.bytes(model) {
            0 => 0,
            bytes => u64::MAX >> (64 - 8 * bytes),
        }
    }

    /// A value's bits, widened to 64 as C widens its type; a `float` gets zeros.
    pub fn widened(&self, bits: u64, model: Model) -> u64 {
        let kept = bits & self.mask(model);
        let sign = (self.mask(model) >> 1) + 1;
        if self.is_signed() && kept & sign != 0 {
            kept | !self.mask(model)
        } else {
            kept
        }
    }
}

/// A signature, and how C is to go about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Which one it is of its seed: values follow from seed and index.
    pub index: u64,
    /// The result's type.
    pub ret: &'static Code,
    /// The arguments' types.
    pub args: Vec<&'static Code>,
    /// How many of them have names, where the function is variadic.
    pub fixed: Option<usize>,
    /// The C function that farcall calls returns a wider type, with dirt above the value.
    pub wide_return: bool,
    /// The C function that calls a callback passes wider types, with dirt above the values.
    pub wide_args: bool,
    /// The types of a case of wide values, which has no codes.
    pub wide: Option<wide::Signature>,
}

impl Case {
    /// Whether the argument at `position` stands behind the `...`.
    pub fn is_unnamed(&self, position: usize) -> bool {
        self.fixed.is_some_and(|fixed| position >= fixed)
    }

    /// The arguments' letters.
    pub fn letters(&self) -> String {
        self.args.iter().map(|code| code.letter).collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(wide) = &self.wide {
            return write!(
                f,
                "wide \"{}\" \"{}\"{}",
                wide.ret_text(),
                wide.args_text(),
                match self.fixed {
                    Some(fixed) => format!(", {fixed} named"),
                    None => String::new(),
                }
            );
        }
        let mut types: Vec<&str> = self.args.iter().map(|code| code.c_type).collect();
        let mut letters = self.letters();
        if let Some(fixed) = self.fixed {
            types.insert(fixed, "...:");
            letters.insert(fixed, '.');
        }
        let types = if types.is_empty() {
            "void".to_owned()
        } else {
            types.join(", ")
        };
        write!(
            f,
            "{} f({types}), \"{}\" \"{letters}\"",
            self.ret.c_type, self.ret.letter
        )
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
        assert_eq!(widened('v', u64::MAX), 0);
    }
}
