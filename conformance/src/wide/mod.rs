//! Values wider than a register: structures, complex numbers, `long double`, 128-bit integers.
//!
//! The types are told here anew, from C's side, so that a mistake in farcall's own layout shows: the C source asserts
//! sizes and alignments, and each side hands over bytes. A byte of padding is never compared.
//!
//! A type is a letter, that of its code or one of [`LETTERS`]; or members in braces, where a number before a member
//! makes an array of it: `{d3h{ff}}` is `struct { double; short [3]; struct { float; float; }; }`.

pub mod generate;
pub mod layout;
pub mod pages;
pub mod run;
pub mod source;
pub mod values;

use anyhow::{Context, Result, bail};
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Numbers that no code stands for: 128-bit integers, `long double`, `__float128`, and complex `float`, `double` and
/// `long double`.
pub const LETTERS: [(char, &str); 7] = [
    ('o', "__int128"),
    ('O', "unsigned __int128"),
    ('e', "long double"),
    ('g', "__float128"),
    ('F', "float _Complex"),
    ('D', "double _Complex"),
    ('E', "long double _Complex"),
];

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ty {
    /// By its letter.
    Number(char),
    /// By its members.
    Struct(Vec<Member>),
}

/// A member of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it is, or what it is an array of.
    pub ty: Ty,
    /// How long an array it is, if it is one.
    pub count: Option<u32>,
}

/// The types of a function. Where its `...` begins is the case's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The result, if there is one.
    pub ret: Option<Ty>,
    /// The arguments.
    pub args: Vec<Ty>,
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Number(letter) => write!(f, "{letter}"),
            Ty::Struct(members) => {
                f.write_str("{")?;
                for Member { ty, count } in members {
                    count.map_or(Ok(()), |count| write!(f, "{count}"))?;
                    ty.fmt(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

impl Signature {
    /// The result as text; `v` for none.
    pub fn ret_text(&self) -> String {
        self.ret.as_ref().map_or("v".to_owned(), Ty::to_string)
    }

    /// The arguments as text.
    pub fn args_text(&self) -> String {
        self.args.iter().map(Ty::to_string).collect()
    }

    /// What [`Signature::ret_text`] and [`Signature::args_text`] wrote.
    ///
    /// # Errors
    /// When they did not.
    pub fn parse(ret: &str, args: &str) -> Result<Signature> {
        let members = members(&mut args.chars().peekable(), None)?;
        let args = members.into_iter().map(|member| member.ty).collect();
        let mut ret = match ret {
            "v" => Vec::new(),
            _ => members_of(ret)?,
        };
        let ret = ret.pop().map(|member| member.ty);
        Ok(Signature { ret, args })
    }
}

fn members_of(text: &str) -> Result<Vec<Member>> {
    members(&mut text.chars().peekable(), None)
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
            Some(letter) => Ty::Number(known(letter)?),
            None => bail!("an open brace"),
        };
        list.push(Member { ty, count });
    }
}

fn known(letter: char) -> Result<char> {
    let is_wide = LETTERS.iter().any(|(wide, _)| *wide == letter);
    let is_code = crate::codes::VALUES
        .iter()
        .any(|code| code.letter == letter);
    (is_wide || is_code)
        .then_some(letter)
        .with_context(|| format!("no type: {letter:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_comes_back_as_it_was_written() {
        for (ret, args) in [("v", ""), ("{d3h{ff}}", "iO{b}F{2{ee}}"), ("E", "g")] {
            let signature = Signature::parse(ret, args).expect("our own text");
            assert_eq!(
                (signature.ret_text(), signature.args_text()),
                (ret.to_owned(), args.to_owned())
            );
        }
        for args in ["{", "{i", "}", "z", "v"] {
            assert!(Signature::parse("v", args).is_err(), "{args}");
        }
    }
}
