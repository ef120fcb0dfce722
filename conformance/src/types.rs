//! C's types, stated from C's side, so that a mistake in farcall's own layout shows.
//!
//! A type is the letter of a number; or members in braces, where a count before a member makes an array of it:
//! `{d3h{ff}}` is `struct { double; short [3]; struct { float; float; }; }`. A structure that a text declares has no such writing.

use crate::codes::Code;
use crate::record::Record;
use anyhow::{Context, Result, bail, ensure};
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ty {
    /// A number.
    Number(&'static Code),
    /// A structure.
    Struct(Vec<Member>),
    /// A structure or a union that a text declares.
    Declared(Arc<Record>),
}

/// A member of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its type, or the type of an array's elements.
    pub ty: Ty,
    /// The length of the array, if it is one.
    pub count: Option<u32>,
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Number(code) => write!(f, "{}", code.letter),
            Ty::Struct(members) => {
                f.write_str("{")?;
                for Member { ty, count } in members {
                    count.map_or(Ok(()), |count| write!(f, "{count}"))?;
                    ty.fmt(f)?;
                }
                f.write_str("}")
            }
            Ty::Declared(record) => f.write_str(&record.name),
        }
    }
}

impl Ty {
    /// The number with this letter.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(letter: char) -> Ty {
        Ty::Number(Code::of(letter).expect("a number's letter"))
    }

    /// The code of a value that fills a word.
    pub fn word(&self) -> Option<&'static Code> {
        match self {
            Ty::Number(code) if code.is_word() => Some(code),
            _ => None,
        }
    }

    /// Whether it is the number of this letter, or has one among its members.
    pub fn has(&self, letter: char) -> bool {
        match self {
            Ty::Number(code) => code.letter == letter,
            Ty::Struct(members) => members.iter().any(|member| member.ty.has(letter)),
            Ty::Declared(_) => false,
        }
    }

    /// Reads any number of types, as their display writes them.
    ///
    /// # Errors
    /// When the text is not of that form.
    pub fn parse_all(text: &str) -> Result<Vec<Ty>> {
        let members = members(&mut text.chars().peekable(), None)?;
        let is_array = members.iter().any(|member| member.count.is_some());
        ensure!(!is_array, "an array outside of a structure");
        Ok(members.into_iter().map(|member| member.ty).collect())
    }
}

fn members(letters: &mut Peekable<Chars<'_>>, end: Option<char>) -> Result<Vec<Member>> {
    let mut list = Vec::new();
    loop {
        let mut count: Option<u32> = None;
        while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
            count = Some(count.unwrap_or(0) * 10 + digit);
            letters.next();
        }
        let ty = match letters.next() {
            letter if letter == end => return Ok(list),
            Some('{') => Ty::Struct(members(letters, Some('}'))?),
            Some(letter) => {
                let code = Code::of(letter);
                Ty::Number(code.with_context(|| format!("no type: {letter:?}"))?)
            }
            None => bail!("an open brace"),
        };
        list.push(Member { ty, count });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_back_as_they_were_written() {
        for text in ["", "iO{b}F{2{ee}}", "{d3h{ff}}", "E"] {
            let types = Ty::parse_all(text).expect("our own text");
            assert_eq!(types.iter().map(Ty::to_string).collect::<String>(), text);
        }
        for text in ["{", "{i", "}", "z", "v", "3i"] {
            assert!(Ty::parse_all(text).is_err(), "{text}");
        }
    }
}
