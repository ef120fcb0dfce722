//! Tokens of C (C11 6.4), read one at a time.

use std::ops::Range;
use winnow::Parser;
use winnow::ascii::digit1;
use winnow::combinator::{alt, delimited, opt, preceded, repeat};
use winnow::error::EmptyError;
use winnow::token::{any, none_of, one_of, take_until, take_while};

type Input<'t> = &'t str;
type Read<T> = winnow::Result<T, EmptyError>;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A number, as the preprocessor has them.
    Number,
    /// A character constant, with its quotes.
    Character,
    /// A string literal, with its quotes.
    Text,
    /// Anything else: one of [`SIGNS`], or a character by itself.
    Sign,
    /// The end of the text.
    End,
}

/// A token, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    pub text: &'t str,
    pub start: usize,
    /// Whether it is the first of its line.
    pub begins_line: bool,
}

impl Token<'_> {
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text == text
    }
}

/// Signs of more than one character, longer ones first.
const SIGNS: [&str; 24] = [
    "...", "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "*=",
    "/=", "%=", "+=", "-=", "&=", "^=", "|=", "##", "::",
];

/// The rest of a text, token by token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'t> {
    whole: &'t str,
    rest: &'t str,
    at_line_start: bool,
}

impl<'t> Tokens<'t> {
    pub fn new(whole: &'t str) -> Tokens<'t> {
        Tokens {
            whole,
            rest: whole,
            at_line_start: true,
        }
    }

    /// The text they are from.
    pub fn whole(&self) -> &'t str {
        self.whole
    }

    /// The next token. What is no token, such as a comment or a string that does not end, is a sign of one character.
    pub fn next(&mut self) -> Token<'t> {
        let before = self.rest;
        skip_space(&mut self.rest);
        let skipped = before.len() - self.rest.len();
        let begins_line = self.at_line_start
            || before.as_bytes()[..skipped]
                .iter()
                .any(|byte| *byte == b'\n');
        self.at_line_start = false;
        let start = self.whole.len() - self.rest.len();
        let (kind, text) = match plain(self.rest) {
            Some((kind, len)) => {
                let (text, rest) = self.rest.split_at(len);
                self.rest = rest;
                (kind, text)
            }
            None => token(&mut self.rest).unwrap_or((Kind::End, "")),
        };
        Token {
            kind,
            text,
            start,
            begins_line,
        }
    }

    /// The rest of the line, which is skipped; lines that end in a backslash go on.
    pub fn rest_of_line(&mut self) -> &'t str {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while end < bytes.len() && (bytes[end] != b'\n' || self.rest[..end].ends_with('\\')) {
            end += 1;
        }
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        line
    }
}

/// Skips white space and comments.
fn skip_space(input: &mut Input) {
    loop {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r' | b'\x0b' | b'\x0c');
        let blanks = input.bytes().take_while(blank).count();
        *input = &input[blanks..];
        // Nothing else begins with any of these.
        let may_be_more = matches!(input.as_bytes(), [b'/' | b'\\' | 0xef, ..]);
        if !may_be_more || space(input).is_err() {
            return;
        }
    }
}

/// The kind and the length of a token that takes no more to find: nearly all are names, or characters that are part of no longer sign.
fn plain(input: &str) -> Option<(Kind, usize)> {
    let bytes = input.as_bytes();
    match bytes.first()? {
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',' | b';' | b'~' | b'?' => {
            Some((Kind::Sign, 1))
        }
        // These may be the prefix of a literal.
        b'L' | b'u' | b'U' if matches!(bytes.get(1), Some(b'\'' | b'"' | b'8')) => None,
        b'_' | b'$' | b'a'..=b'z' | b'A'..=b'Z' => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
            let len = bytes.iter().take_while(|byte| is_part(byte)).count();
            let is_all = bytes.get(len).is_none_or(u8::is_ascii);
            is_all.then_some((Kind::Word, len))
        }
        _ => None,
    }
}

/// What is skipped and is no blank (C11 6.4p3): comments, ends of lines that are none, and the mark ahead of UTF-8.
fn space(input: &mut Input) -> Read<()> {
    let line = preceded("//", take_while(0.., |c| c != '\n')).void();
    let block = delimited("/*", take_until(0.., "*/"), "*/").void();
    let spliced = alt(("\\\n", "\\\r\n")).void();
    alt((line, block, spliced, "\u{feff}".void())).parse_next(input)
}

fn token<'t>(input: &mut Input<'t>) -> Read<(Kind, &'t str)> {
    alt((
        prefixed(quoted('\'')).map(|text| (Kind::Character, text)),
        prefixed(quoted('"')).map(|text| (Kind::Text, text)),
        word.map(|text| (Kind::Word, text)),
        number.map(|text| (Kind::Number, text)),
        sign.map(|text| (Kind::Sign, text)),
        any.take().map(|text| (Kind::Sign, text)),
    ))
    .parse_next(input)
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn word<'t>(input: &mut Input<'t>) -> Read<&'t str> {
    let more = take_while(0.., |c: char| is_letter(c) || c.is_ascii_digit());
    (one_of(is_letter), more).take().parse_next(input)
}

/// C11 6.4.8: digits, letters, dots, and a sign behind an exponent's letter.
fn number<'t>(input: &mut Input<'t>) -> Read<&'t str> {
    let exponent = (one_of(['e', 'E', 'p', 'P']), one_of(['+', '-'])).void();
    let other = one_of(|c: char| is_letter(c) || c.is_ascii_digit() || c == '.').void();
    let more = repeat::<_, _, (), _, _>(0.., alt((exponent, other)));
    (opt('.'), digit1, more).take().parse_next(input)
}

/// A character constant or a string literal on one line.
fn quoted<'t>(quote: char) -> impl Parser<Input<'t>, (), EmptyError> {
    let escape = ('\\', any).void();
    let plain = none_of(['\\', '\n', quote]).void();
    delimited(quote, repeat(0.., alt((escape, plain))), quote)
}

/// With `L`, `u`, `U` or `u8` ahead of it.
fn prefixed<'t>(
    inner: impl Parser<Input<'t>, (), EmptyError>,
) -> impl Parser<Input<'t>, &'t str, EmptyError> {
    (opt(alt(("L", "u8", "u", "U"))), inner).take()
}

fn sign<'t>(input: &mut Input<'t>) -> Read<&'t str> {
    let first = input.as_bytes().first();
    let mut same = SIGNS.iter().filter(|sign| sign.as_bytes().first() == first);
    let found = same.find(|sign| input.starts_with(**sign));
    let length = found.map_or(0, |sign| sign.len());
    if length == 0 {
        return Err(EmptyError);
    }
    winnow::token::take(length).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(Kind, &str)> {
        let mut tokens = Tokens::new(text);
        let next = || Some(tokens.next()).filter(|token| token.kind != Kind::End);
        std::iter::from_fn(next)
            .map(|token| (token.kind, token.text))
            .collect()
    }

    #[test]
    fn tokens_of_every_kind_are_told_apart() {
        use Kind::*;
        let found = all("x1/* int */0x1.8p+3f L'\\'' u8\"a\\\"b\" ...<<=// end\n$");
        let wanted = [
            (Word, "x1"),
            (Number, "0x1.8p+3f"),
            (Character, "L'\\''"),
            (Text, "u8\"a\\\"b\""),
            (Sign, "..."),
            (Sign, "<<="),
            (Word, "$"),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_does_not_end_is_a_sign_by_itself() {
        assert_eq!(all("\"a")[0], (Kind::Sign, "\""));
        assert_eq!(all("/* a")[0], (Kind::Sign, "/"));
        assert_eq!(all("@é")[0], (Kind::Sign, "@"));
    }
}
