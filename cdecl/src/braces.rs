//! Structs by value in type codes: `{id}` is `struct { int; double; }`.
//!
//! Within braces, a decimal number repeats the letter or the braces after it: `{3h}` is `struct { short v[3]; }`. The layout is that of C.

use crate::code::{TypeCode, misplaced};
use crate::error::{Error, Result};
use crate::kind::{Kind, Position};
use farcall_arch::structs::{MAX_ALIGN, MAX_DEPTH, MAX_SIZE};
use farcall_arch::{Member, Struct, StructError, Type};
use farcall_memory::{TryVec, try_string};

/// A struct in type codes: its text, with the braces, and its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructCode {
    text: String,
    ty: Type,
}

impl StructCode {
    /// Reads the braces at the start of `text`, and returns the struct with the number of bytes that were read.
    ///
    /// # Errors
    /// [`Error::UnknownMember`], [`Error::Repeats`], [`Error::OpenBraces`] and [`Error::Struct`].
    pub(crate) fn parse(text: &str, position: Position) -> Result<(StructCode, usize)> {
        let mut reader = Reader {
            rest: text.strip_prefix('{').unwrap_or(text),
            position,
        };
        let ty = reader.members(1)?;
        let len = text.len() - reader.rest.len();
        let text = try_string(&text[..len])?;
        Ok((StructCode { text, ty }, len))
    }

    /// The codes, with the braces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The C type on this platform: always a [`Type::Struct`].
    pub fn ty(&self) -> &Type {
        &self.ty
    }
}

/// A single code. It has one letter or braces, and nothing else, so a `match` may name both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A letter.
    Letter(TypeCode),
    /// A struct in braces.
    Struct(StructCode),
}

impl Code {
    /// Reads `text` as a single code.
    ///
    /// # Errors
    /// Those of [`TypeCode::parse`], and the errors of braces: see [`crate::Codes::parse`].
    pub fn parse(text: &str, position: Position) -> Result<Code> {
        if text.as_bytes().first() != Some(&b'{') {
            return Ok(Code::Letter(TypeCode::parse(text, position)?));
        }
        let (structure, len) = StructCode::parse(text, position)?;
        if len < text.len() {
            let got = try_string(text)?;
            return Err(Error::NotOneCode { position, got });
        }
        Ok(Code::Struct(structure))
    }

    /// The code of a variable's type.
    ///
    /// # Errors
    /// Those of [`Code::parse`], and [`Error::MisplacedCode`] for `v`.
    pub fn of_variable(text: &str) -> Result<Code> {
        if text.as_bytes().first() != Some(&b'{') {
            return Ok(Code::Letter(TypeCode::of_variable(text)?));
        }
        Code::parse(text, Position::Variable)
    }

    /// The kind of the values.
    pub fn kind(&self) -> Kind {
        match self {
            Code::Letter(code) => code.kind(),
            Code::Struct(_) => Kind::Struct,
        }
    }

    /// The C type.
    pub fn ty(&self) -> Type {
        match self {
            Code::Letter(code) => code.ty(),
            Code::Struct(code) => code.ty().clone(),
        }
    }
}

/// A reader for the rest of a text, from within braces.
struct Reader<'t> {
    rest: &'t str,
    position: Position,
}

/// Every convention passes a structure of more bytes in memory, regardless of its members (psABI 3.2.3; AAPCS64 6.8.2 B.4; Microsoft's from 8
/// on). So this many members are enough, besides those that decide the alignment.
const LARGE: usize = 64;

/// The members of a structure that have been read.
#[derive(Default)]
struct Members {
    members: Vec<Member>,
    end: u64,
    align: u32,
}

impl Members {
    /// Adds `count` consecutive members of one type.
    fn add(&mut self, count: u32, ty: Type) -> std::result::Result<(), StructError> {
        let (size, align) = (u64::from(ty.size()), u64::from(ty.align()));
        let first = self.end.next_multiple_of(align);
        // No overflow: the end so far, the type and the count are each at most MAX_SIZE.
        let end = first + size * u64::from(count);
        if end > u64::from(MAX_SIZE) {
            return Err(StructError::TooLarge { got: end });
        }
        let widens = self.align < ty.align();
        let room = LARGE.saturating_sub(self.members.len()) as u32;
        for index in 0..count.min(room.max(u32::from(widens))) {
            self.members.try_push(Member {
                offset: first as u32 + index * ty.size(),
                ty: ty.clone(),
            })?;
        }
        self.end = end;
        self.align = self.align.max(ty.align());
        Ok(())
    }

    fn finish(self) -> std::result::Result<Type, StructError> {
        let align = self.align.clamp(1, MAX_ALIGN);
        let size = self.end.next_multiple_of(align.into());
        let size = u32::try_from(size).map_err(|_| StructError::TooLarge { got: size })?;
        Ok(Type::try_from(Struct::placed(self.members, size, align)?)?)
    }
}

impl Reader<'_> {
    /// Reads members up to the closing brace, and the brace.
    fn members(&mut self, depth: u32) -> Result<Type> {
        if depth > MAX_DEPTH {
            return Err(self.fault(StructError::TooDeep));
        }
        let mut members = Members::default();
        loop {
            let count = self.count()?;
            let ty = match self.next()? {
                '{' => self.members(depth + 1)?,
                '}' if count.is_none() => break,
                letter => self.letter(letter)?,
            };
            let added = members.add(count.unwrap_or(1), ty);
            added.map_err(|source| self.fault(source))?;
        }
        members.finish().map_err(|source| self.fault(source))
    }

    fn letter(&self, got: char) -> Result<Type> {
        let position = self.position;
        match TypeCode::new(got) {
            Some(code) if code.kind() == Kind::Void => Err(misplaced(got, position, "a member")),
            Some(code) => Ok(code.ty()),
            None => Err(Error::UnknownMember { position, got }),
        }
    }

    /// Reads the next number, if there is one.
    fn count(&mut self) -> Result<Option<u32>> {
        let end = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(end);
        if digits.is_empty() {
            return Ok(None);
        }
        self.rest = rest;
        match digits.parse() {
            Ok(count @ 1..=MAX_SIZE) => Ok(Some(count)),
            _ => Err(Error::Repeats {
                position: self.position,
                got: try_string(digits)?,
            }),
        }
    }

    fn next(&mut self) -> Result<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next.ok_or(Error::OpenBraces {
            position: self.position,
        })
    }

    fn fault(&self, source: StructError) -> Error {
        match source {
            StructError::OutOfMemory => Error::OutOfMemory(farcall_memory::OutOfMemory),
            source => Error::Struct {
                position: self.position,
                source,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StructCode> {
        StructCode::parse(text, Position::Argument(1)).map(|(code, len)| {
            assert_eq!(len, code.text().len());
            code
        })
    }

    fn error(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn members_lie_as_c_lays_them_out() {
        for (text, shape, size, align) in [
            ("{id}", "{int32, double}", 16, 8),
            ("{b3h}", "{int8, 3 x int16}", 8, 2),
            ("{2{bi}C}", "{2 x {int8, int32}, uint64}", 24, 8),
            ("{{{B}}}", "{{{uint8}}}", 1, 1),
            ("{007f}", "{7 x float}", 28, 4),
        ] {
            let code = parse(text).expect(text);
            let ty = code.ty();
            assert_eq!(
                (ty.to_string().as_str(), ty.size(), ty.align()),
                (shape, size, align),
                "{text}"
            );
        }
    }

    #[test]
    fn large_structs_take_no_memory_for_their_members() {
        let code = parse("{268435447bd}").expect("it is just small enough");
        assert_eq!((code.ty().size(), code.ty().align()), (1 << 28, 8));
        let Type::Struct(inner) = code.ty() else {
            unreachable!("braces are structs");
        };
        assert_eq!(inner.natural_align(), 8);
        assert!(inner.members().len() <= LARGE + 1);
        let inner = parse("{16384{16384b}}").expect("it is just small enough");
        assert_eq!(inner.ty().size(), 1 << 28);
    }

    #[test]
    fn what_is_no_struct_is_an_error_that_names_the_argument() {
        let codes = "b B h H i I l L q Q f d p P s S O C";
        let unknown = format!("argument 2: expected a number, '{{', or one of the codes {codes}");
        for (text, wanted) in [
            (
                "{}",
                "argument 2: expected a structure with members, got an empty one".to_owned(),
            ),
            (
                "{i{}}",
                "argument 2: expected a structure with members, got an empty one".to_owned(),
            ),
            (
                "{iv}",
                "argument 2: 'v' is no type for a member".to_owned(),
            ),
            ("{i.}", format!("{unknown}, got '.'")),
            ("{3}", format!("{unknown}, got '}}'")),
            ("{-1h}", format!("{unknown}, got '-'")),
            ("{i é}", format!("{unknown}, got ' '")),
            ("{", "argument 2: '{' is never closed".to_owned()),
            ("{i{d}", "argument 2: '{' is never closed".to_owned()),
            ("{3", "argument 2: '{' is never closed".to_owned()),
            (
                "{0h}",
                "argument 2: expected a number of members from 1 to 268435456, got 0".to_owned(),
            ),
            (
                "{99999999999999999999999b}",
                "argument 2: expected a number of members from 1 to 268435456, got 99999999999999999999999".to_owned(),
            ),
            (
                "{134217729h}",
                "argument 2: expected a structure of at most 268435456 bytes, got 268435458"
                    .to_owned(),
            ),
            (
                "{268435456{268435456q}}",
                "argument 2: expected a structure of at most 268435456 bytes, got 2147483648"
                    .to_owned(),
            ),
            (
                "{268435449bd}",
                "argument 2: expected a structure of at most 268435456 bytes, got 268435464"
                    .to_owned(),
            ),
        ] {
            assert_eq!(error(text), wanted, "{text}");
        }
    }

    #[test]
    fn nesting_ends_where_structures_may_not_be_deeper() {
        let nested = |depth| format!("{}i{}", "{".repeat(depth), "}".repeat(depth));
        assert!(parse(&nested(64)).is_ok());
        for depth in [65, 66, 100_000] {
            assert_eq!(
                error(&nested(depth)),
                "argument 2: expected structures nested at most 64 deep, got more"
            );
        }
    }
}
