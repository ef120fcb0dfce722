//! The letters of MicroPython's `ffi` module, and the signatures they spell.
//!
//! One letter is one type. [`TypeCode`] says of each what C type it stands for and how a value of it is treated
//! ([`Kind`]). What a shape looks like in registers is `farcall_arch`'s matter.

use crate::error::{Error, Result};
use crate::kind::{Kind, Position};
use farcall_arch::{Signature, Type};
use farcall_memory::{OutOfMemory, try_collect, try_string, try_with_capacity};
use std::ffi::c_long;
use std::fmt;

/// Stands in a string of argument codes where a variadic function's prototype has its `...`.
pub const VARIADIC: char = '.';

/// The argument codes of a function whose prototype has `(void)`; no codes at all say the same.
const NO_ARGUMENTS: &str = "v";

/// One letter of a signature string, known to be one.
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

    /// The C type's shape in this process: `long` has the width that its compilers give it.
    pub fn ty(self) -> Type {
        const LONG_IS_64: bool = size_of::<c_long>() == 8;
        match self.letter {
            b'v' => Type::Void,
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

/// Which way values go: it decides which codes make sense where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We call C.
    Function,
    /// C calls us.
    Callback,
}

/// The codes of a function's result and arguments, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Codes {
    /// The result's code.
    pub ret: TypeCode,
    /// The arguments' codes, variadic ones included.
    pub args: Vec<TypeCode>,
    /// How many arguments come before the [`VARIADIC`] mark, if there is one.
    pub fixed: Option<usize>,
}

impl Codes {
    /// Reads a result code and a string of argument codes. A [`VARIADIC`] mark among these stands where the function's
    /// prototype has its `...`, and a `v` alone is C's `(void)`.
    ///
    /// # Errors
    /// [`Error::UnknownCode`], [`Error::NotOneCode`], and [`Error::MisplacedCode`] for `v` as one of several arguments, and for a
    /// mark in a callback, which could not know what it was called with.
    pub fn parse(ret: &str, args: &str, role: Role) -> Result<Codes> {
        let args = if args == NO_ARGUMENTS { "" } else { args };
        let mut codes = Codes {
            ret: TypeCode::parse(ret, Position::Result)?,
            args: try_with_capacity(args.len())?,
            fixed: None,
        };
        for got in args.chars() {
            let position = Position::Argument(codes.args.len());
            match got {
                VARIADIC if codes.fixed.is_none() && role == Role::Function => {
                    codes.fixed = Some(codes.args.len());
                }
                VARIADIC if role == Role::Callback => {
                    return Err(misplaced(VARIADIC, position, "an argument of a callback"));
                }
                _ => codes.args.push(argument(got, position)?),
            }
        }
        Ok(codes)
    }

    /// The signature they spell.
    ///
    /// # Errors
    /// [`Error::Signature`] for too many arguments, and for a variadic one of a type that C promotes.
    pub fn signature(&self) -> Result<Signature> {
        let args = try_collect(self.args.iter().map(|code| code.ty()))?;
        Ok(match self.fixed {
            None => Signature::new(self.ret.ty(), args)?,
            Some(fixed) => Signature::variadic(self.ret.ty(), args, fixed)?,
        })
    }

    /// The arguments' letters, with the mark.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn args_text(&self) -> std::result::Result<String, OutOfMemory> {
        let mut text = String::new();
        text.try_reserve_exact(self.args.len() + 1)?;
        self.args_letters().for_each(|letter| text.push(letter));
        Ok(text)
    }

    fn args_letters(&self) -> impl Iterator<Item = char> {
        let (fixed, variadic) = self.args.split_at(self.fixed.unwrap_or(self.args.len()));
        let mark = self.fixed.map(|_| VARIADIC);
        let letters = fixed.iter().map(|code| code.letter());
        letters
            .chain(mark)
            .chain(variadic.iter().map(|code| code.letter()))
    }
}

/// The code of an argument.
fn argument(got: char, position: Position) -> Result<TypeCode> {
    let code = TypeCode::new(got).ok_or(Error::UnknownCode { position, got })?;
    match code.kind {
        Kind::Void => Err(misplaced(got, position, "an argument")),
        _ => Ok(code),
    }
}

fn misplaced(code: char, position: Position, role: &'static str) -> Error {
    Error::MisplacedCode {
        position,
        code,
        role,
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.ret.letter())?;
        self.args_letters()
            .try_for_each(|letter| write!(f, "{letter}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::ALL_CODES;

    #[test]
    fn all_codes_are_the_letters_that_parse() {
        let parsed: Vec<String> = (' '..='~')
            .filter_map(TypeCode::new)
            .map(|code| code.letter().to_string())
            .collect();
        let mut listed: Vec<String> = ALL_CODES.split(' ').map(str::to_owned).collect();
        listed.sort();
        assert_eq!(parsed, listed);
    }

    #[test]
    fn unknown_letter_is_an_error_that_names_it_and_its_place() {
        let error = Codes::parse("i", "idZ", Role::Function)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("argument 3: ") && error.ends_with("got 'Z'"),
            "{error}"
        );
        let error = Codes::parse("é", "", Role::Function)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("result: ") && error.ends_with("got 'é'"),
            "{error}"
        );
    }

    #[test]
    fn variadic_mark_divides_the_arguments_and_counts_as_none() {
        let codes = Codes::parse("i", "s.id", Role::Function).expect("good codes");
        assert_eq!((codes.args.len(), codes.fixed), (3, Some(1)));
        assert_eq!(codes.to_string(), "i(s.id)");
        assert_eq!(codes.signature().expect("a signature").fixed(), Some(1));
        let none_given = Codes::parse("i", "s.", Role::Function).expect("good codes");
        assert_eq!((none_given.args.len(), none_given.fixed), (1, Some(1)));
    }

    #[test]
    fn variadic_mark_is_refused_twice_and_in_callbacks_and_before_what_c_promotes() {
        let error = |text: &str, role| {
            let codes = Codes::parse("i", text, role).and_then(|codes| codes.signature());
            codes.unwrap_err().to_string()
        };
        let twice = error("s.i.d", Role::Function);
        assert!(
            twice.starts_with("argument 3: ") && twice.ends_with("got '.'"),
            "{twice}"
        );
        let callback = error("s.i", Role::Callback);
        assert_eq!(
            callback,
            "argument 2: '.' is no type for an argument of a callback"
        );
        let promoted = error("s.if", Role::Function);
        assert!(
            promoted.starts_with("argument 3: expected int"),
            "{promoted}"
        );
    }

    #[test]
    fn result_of_no_or_two_letters_is_an_error() {
        for text in ["", "ii"] {
            let error = Codes::parse(text, "", Role::Function)
                .unwrap_err()
                .to_string();
            assert_eq!(
                error,
                format!("result: expected one type code, got {text:?}")
            );
        }
    }

    #[test]
    fn void_is_no_argument_but_alone_stands_for_none() {
        for role in [Role::Function, Role::Callback] {
            let none = Codes::parse("v", "v", role).expect("good codes");
            assert_eq!(none, Codes::parse("v", "", role).expect("good codes"));
            for args in ["vv", "iv", "vi"] {
                let error = Codes::parse("v", args, role).unwrap_err().to_string();
                assert!(error.ends_with("'v' is no type for an argument"), "{error}");
            }
        }
    }

    #[test]
    fn function_code_is_a_type_everywhere() {
        for role in [Role::Function, Role::Callback] {
            let codes = Codes::parse("C", "C", role).expect("good codes");
            assert_eq!(codes.ret.kind(), Kind::Callback);
            assert_eq!(codes.args[0].ty(), Type::POINTER);
        }
    }
}
