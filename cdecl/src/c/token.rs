//! Tokens of C (C11 6.4), read one at a time.

use super::steps::count;
use std::ops::Range;
use winnow::Parser;
use winnow::ascii::digit1;
use winnow::combinator::{alt, delimited, opt, preceded, repeat};
use winnow::error::EmptyError;
use winnow::token::{any, none_of, one_of, take_while};

type Input<'t> = &'t str;
type Read<T> = winnow::Result<T, EmptyError>;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A preprocessing number.
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

/// A token, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    pub text: &'t str,
    pub start: usize,
    /// Whether it is the first token of its line.
    pub begins_line: bool,
}

impl Token<'_> {
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text == text
    }

    /// Whether it begins a directive.
    pub fn is_directive(&self) -> bool {
        self.begins_line && self.is("#") || self.kind == Kind::Word && self.text == "_Pragma"
    }
}

/// Signs of more than one character, longer ones first.
const SIGNS: [&str; 24] = [
    "...", "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "*=",
    "/=", "%=", "+=", "-=", "&=", "^=", "|=", "##", "::",
];

/// Other spellings of signs (C11 6.4.6p3), longer ones first.
const DIGRAPHS: [(&str, &str); 6] = [
    ("%:%:", "##"),
    ("<%", "{"),
    ("%>", "}"),
    ("<:", "["),
    (":>", "]"),
    ("%:", "#"),
];

/// A reader for the tokens of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens<'t> {
    whole: &'t str,
    rest: &'t str,
    at_line_start: bool,
    open: Open,
}

/// Constructs that are known not to end, as lengths of the rest of the text. Searching again for the end of each would not be linear.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Whether no comment ends from here on.
    comment: bool,
    /// The ranges in which no character constant and no string literal ends: the length of the rest at the start and at the end of the range.
    quoted: [(usize, usize); 2],
}

impl<'t> Tokens<'t> {
    pub fn new(whole: &'t str) -> Tokens<'t> {
        Tokens {
            whole,
            rest: whole,
            at_line_start: true,
            open: Open {
                comment: false,
                quoted: [(0, 0); 2],
            },
        }
    }

    /// The whole text.
    pub fn whole(&self) -> &'t str {
        self.whole
    }

    /// Reads the next token. Text that is not a token, such as a comment or a string that does not end, becomes a sign of one character.
    pub fn next(&mut self) -> Token<'t> {
        let before = self.rest;
        self.skip_space();
        let skipped = before.len() - self.rest.len();
        let begins_line = self.at_line_start || before.as_bytes()[..skipped].contains(&b'\n');
        self.at_line_start = false;
        let start = self.whole.len() - self.rest.len();
        let (kind, text) = match plain(self.rest) {
            Some((kind, len)) => {
                let (text, rest) = self.rest.split_at(len);
                self.rest = rest;
                (kind, text)
            }
            None => match self.literal() {
                Some(literal) => literal,
                None => token(&mut self.rest).unwrap_or((Kind::End, "")),
            },
        };
        count(skipped + text.len() + 1);
        Token {
            kind,
            text,
            start,
            begins_line,
        }
    }

    /// Skips the rest of the line and returns it. A backslash at the end of a line, or a comment across it, continues the line.
    pub fn rest_of_line(&mut self) -> &'t str {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        let mut quote = None;
        while let Some(byte) = bytes.get(end) {
            let behind = &bytes[end + 1..];
            end += match (byte, quote) {
                (b'\n', _) => break,
                (b'\\', _) if behind.starts_with(b"\r\n") => 3,
                (b'\\', _) if behind.first() == Some(&b'\n') || quote.is_some() => 2,
                (b'"' | b'\'', None) => {
                    quote = Some(byte);
                    1
                }
                (byte, Some(open)) if byte == open => {
                    quote = None;
                    1
                }
                (b'/', None) if behind.first() == Some(&b'*') => {
                    let comment = &self.rest[end..];
                    self.comment_end(comment).unwrap_or(2)
                }
                _ => 1,
            };
        }
        let (line, rest) = self.rest.split_at(end.min(bytes.len()));
        self.rest = rest;
        count(line.len());
        line
    }

    /// Skips white space and comments.
    fn skip_space(&mut self) {
        loop {
            let blank =
                |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r' | b'\x0b' | b'\x0c');
            let blanks = self.rest.bytes().take_while(blank).count();
            self.rest = &self.rest[blanks..];
            let is_skipped = match self.rest.as_bytes() {
                [b'/', b'*', ..] => match self.comment_end(self.rest) {
                    Some(len) => {
                        self.rest = &self.rest[len..];
                        true
                    }
                    None => false,
                },
                [b'/' | b'\\' | 0xef, ..] => space(&mut self.rest).is_ok(),
                _ => false,
            };
            if !is_skipped {
                return;
            }
        }
    }

    /// The length in bytes of the comment at the start of a text, if it ends.
    fn comment_end(&mut self, comment: &str) -> Option<usize> {
        if self.open.comment {
            return None;
        }
        let len = comment.as_bytes()[2..]
            .windows(2)
            .position(|two| two == b"*/");
        count(len.unwrap_or(comment.len()));
        self.open.comment = len.is_none();
        Some(len? + 4)
    }

    /// Reads a character constant or a string literal, if one comes next.
    fn literal(&mut self) -> Option<(Kind, &'t str)> {
        let bytes = self.rest.as_bytes();
        let prefix = match bytes {
            [b'u', b'8', ..] => 2,
            [b'L' | b'u' | b'U', ..] => 1,
            _ => 0,
        };
        let (index, kind, quote) = match bytes.get(prefix)? {
            b'\'' => (0, Kind::Character, '\''),
            b'"' => (1, Kind::Text, '"'),
            _ => return None,
        };
        let here = bytes.len() - prefix;
        let (from, to) = self.open.quoted[index];
        // If a literal does not end, no literal that begins within it does: both see the same escapes.
        if (to..=from).contains(&here) {
            return None;
        }
        let mut rest = self.rest;
        let found = prefixed(quoted(quote)).parse_next(&mut rest);
        match found {
            Ok(text) => {
                self.rest = rest;
                Some((kind, text))
            }
            Err(EmptyError) => {
                let mut inner = &self.rest[prefix + 1..];
                let _ = content(quote).parse_next(&mut inner);
                self.open.quoted[index] = (here, inner.len());
                count(here - inner.len());
                None
            }
        }
    }
}

/// The kind and the length of a simple token: a name, or a character that cannot begin a longer sign. Nearly all tokens are simple.
fn plain(input: &str) -> Option<(Kind, usize)> {
    let bytes = input.as_bytes();
    match bytes.first()? {
        b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',' | b';' | b'~' | b'?' => {
            Some((Kind::Sign, 1))
        }
        // The letter may be the prefix of a literal.
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

/// Skips what is neither a blank nor a block comment (C11 6.4p3): line comments, escaped ends of lines, and a byte order mark.
fn space(input: &mut Input) -> Read<()> {
    let line = preceded("//", take_while(0.., |c| c != '\n')).void();
    let spliced = alt(("\\\n", "\\\r\n")).void();
    alt((line, spliced, "\u{feff}".void())).parse_next(input)
}

fn token<'t>(input: &mut Input<'t>) -> Read<(Kind, &'t str)> {
    alt((
        word.map(|text| (Kind::Word, text)),
        number.map(|text| (Kind::Number, text)),
        sign.map(|text| (Kind::Sign, text)),
        any.take().map(|text| (Kind::Sign, text)),
    ))
    .parse_next(input)
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == '$' || is_letter_beyond_ascii(c)
}

/// Whether names may contain a character beyond ASCII (C11 annex D.1). The byte order mark and the sign of what is no character are left out.
fn is_letter_beyond_ascii(c: char) -> bool {
    const LETTERS: [(u16, u16); 29] = [
        (0xa8, 0xa8),
        (0xaa, 0xaa),
        (0xad, 0xad),
        (0xaf, 0xaf),
        (0xb2, 0xb5),
        (0xb7, 0xba),
        (0xbc, 0xbe),
        (0xc0, 0xd6),
        (0xd8, 0xf6),
        (0xf8, 0x167f),
        (0x1681, 0x180d),
        (0x180f, 0x1fff),
        (0x200b, 0x200d),
        (0x202a, 0x202e),
        (0x203f, 0x2040),
        (0x2054, 0x2054),
        (0x2060, 0x218f),
        (0x2460, 0x24ff),
        (0x2776, 0x2793),
        (0x2c00, 0x2dff),
        (0x2e80, 0x2fff),
        (0x3004, 0x3007),
        (0x3021, 0x302f),
        (0x3031, 0xd7ff),
        (0xf900, 0xfd3d),
        (0xfd40, 0xfdcf),
        (0xfdf0, 0xfe44),
        (0xfe47, 0xfefe),
        (0xff00, 0xfffc),
    ];
    let code = u32::from(c);
    match u16::try_from(code) {
        Ok(code) => LETTERS
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&code)),
        // All planes but for private use, and their last two numbers.
        Err(_) => code < 0xf0000 && code & 0xffff <= 0xfffd,
    }
}

fn word<'t>(input: &mut Input<'t>) -> Read<&'t str> {
    let more = take_while(0.., |c: char| is_letter(c) || c.is_ascii_digit());
    (one_of(is_letter), more).take().parse_next(input)
}

/// Reads a preprocessing number: digits, letters, dots, and a sign after an exponent's letter (C11 6.4.8).
fn number<'t>(input: &mut Input<'t>) -> Read<&'t str> {
    let exponent = (one_of(['e', 'E', 'p', 'P']), one_of(['+', '-'])).void();
    let other = one_of(|c: char| is_letter(c) || c.is_ascii_digit() || c == '.').void();
    let more = repeat::<_, _, (), _, _>(0.., alt((exponent, other)));
    (opt('.'), digit1, more).take().parse_next(input)
}

/// Parses a character constant or a string literal, on one line.
fn quoted<'t>(quote: char) -> impl Parser<Input<'t>, (), EmptyError> {
    delimited(quote, content(quote), quote)
}

/// Parses the text between quotes.
fn content<'t>(quote: char) -> impl Parser<Input<'t>, (), EmptyError> {
    let escape = ('\\', any).void();
    let plain = none_of(['\\', '\n', quote]).void();
    repeat(0.., alt((escape, plain)))
}

/// Parses a literal with an optional `L`, `u`, `U` or `u8` before it.
fn prefixed<'t>(
    inner: impl Parser<Input<'t>, (), EmptyError>,
) -> impl Parser<Input<'t>, &'t str, EmptyError> {
    (opt(alt(("L", "u8", "u", "U"))), inner).take()
}

fn sign<'t>(input: &mut Input<'t>) -> Read<&'t str> {
    let mut digraphs = DIGRAPHS.iter();
    if let Some((digraph, sign)) = digraphs.find(|(digraph, _)| input.starts_with(digraph)) {
        *input = &input[digraph.len()..];
        return Ok(sign);
    }
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
    fn digraphs_are_the_signs_that_they_stand_for() {
        let texts = |text| all(text).into_iter().map(|(_, text)| text);
        assert!(texts("<% %><::>%: %:%:").eq(["{", "}", "[", "]", "#", "##"]));
        assert!(texts("a<b %c ::<<=").eq(["a", "<", "b", "%", "c", "::", "<<="]));
    }

    #[test]
    fn lines_go_on_behind_backslashes_and_comments() {
        let rest = |text| Tokens::new(text).rest_of_line();
        assert_eq!(rest("a \\\n b \\\r\n c\nd"), "a \\\n b \\\r\n c");
        assert_eq!(rest("a /* b\n c */ d\ne"), "a /* b\n c */ d");
        assert_eq!(rest("\"/*\" '\\'/*' a\n*/"), "\"/*\" '\\'/*' a");
        assert_eq!(rest("a /* b\n c"), "a /* b");
        assert_eq!(rest("a \"\\"), "a \"\\");
    }

    #[test]
    fn what_does_not_end_is_a_sign_by_itself() {
        assert_eq!(all("\"a")[0], (Kind::Sign, "\""));
        assert_eq!(all("/* a")[0], (Kind::Sign, "/"));
        assert_eq!(all("@é")[0], (Kind::Sign, "@"));
        assert_eq!(all("naïve_名前2")[0], (Kind::Word, "naïve_名前2"));
        assert_eq!(all("a·b×c")[0], (Kind::Word, "a·b"));
        assert_eq!(all("🦀\u{fffd}")[0], (Kind::Word, "🦀"));
        assert_eq!(all("L'\\'")[0], (Kind::Word, "L"));
        assert_eq!(all(r#""\"a" x "b"#).last(), Some(&(Kind::Word, "b")));
    }
}
