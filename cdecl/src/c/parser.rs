//! The course of reading: the token ahead, nesting, errors.

use super::declarations::Declarations;
use super::error::{Error, Fault};
use super::names::NameId;
use super::token::{Kind, Token, Tokens};
use farcall_memory::OutOfMemory;
use std::cell::Cell;
use std::fmt;

/// How deep parentheses, structures and pointers to functions may be nested. C promises 63 levels (C11 5.2.4.1).
const MAX_DEPTH: u32 = 100;

/// Why reading cannot go on. All that reads hands this on, so it is as small as can be: what is wrong is kept in the [`Parser`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    OutOfMemory,
    Text,
}

impl From<OutOfMemory> for Failed {
    fn from(_: OutOfMemory) -> Failed {
        Failed::OutOfMemory
    }
}

pub(super) type Result<T> = std::result::Result<T, Failed>;

/// A text on its way into [`Declarations`].
pub(super) struct Parser<'c, 't> {
    pub c: &'c mut Declarations,
    tokens: Tokens<'t>,
    /// The next token.
    pub token: Token<'t>,
    depth: u32,
    /// How many parameters, one within the other, are being read.
    pub in_parameters: u32,
    /// Whether an error only has something else tried: nobody reads its text then, which takes time to make.
    pub is_trial: bool,
    /// What `#pragma pack` says: the largest alignment of members, 0 for none; and what it said before.
    pub pack: u32,
    pub packs: Vec<u32>,
    /// What is wrong, once something is.
    pub wrong: Cell<Option<Fault>>,
}

impl<'c, 't> Parser<'c, 't> {
    pub fn new(c: &'c mut Declarations, text: &'t str) -> Parser<'c, 't> {
        let mut tokens = Tokens::new(text);
        let token = tokens.next();
        Parser {
            c,
            tokens,
            token,
            depth: 0,
            in_parameters: 0,
            is_trial: false,
            pack: 0,
            packs: Vec::new(),
            wrong: Cell::new(None),
        }
    }

    /// Takes the next token.
    pub fn advance(&mut self) -> Result<Token<'t>> {
        let token = self.token;
        self.token = self.tokens.next();
        // What the preprocessor left may stand anywhere.
        while self.token.is_directive() {
            // What is only tried is read again, and directives may be no more than once.
            if self.is_trial {
                return Err(Failed::Text);
            }
            self.directive()?;
        }
        Ok(token)
    }

    /// Goes on behind a directive, of which `line` is the rest.
    pub fn skip_line(&mut self) -> &'t str {
        self.tokens.rest_of_line()
    }

    /// Goes on with the next token, whatever it is.
    pub fn load(&mut self) -> Token<'t> {
        self.token = self.tokens.next();
        self.token
    }

    /// Where it is, to go back to.
    pub fn place(&self) -> (Tokens<'t>, Token<'t>, u32) {
        (self.tokens, self.token, self.depth)
    }

    /// Goes on where it was.
    pub fn go_back(&mut self, place: (Tokens<'t>, Token<'t>, u32)) {
        (self.tokens, self.token, self.depth) = place;
    }

    /// The token behind the next one.
    pub fn peek(&self) -> Token<'t> {
        let mut tokens = self.tokens;
        tokens.next()
    }

    /// Takes the next token if it is this one.
    pub fn accept(&mut self, text: &str) -> Result<bool> {
        let is_it = self.token.is(text);
        if is_it {
            self.advance()?;
        }
        Ok(is_it)
    }

    /// Takes the next token, which has to be this one.
    pub fn expect(&mut self, text: &str) -> Result<()> {
        match self.accept(text)? {
            true => Ok(()),
            false => Err(self.expected(format_args!("'{text}'"))),
        }
    }

    /// Something else was expected in the place of the next token.
    pub fn expected(&self, what: fmt::Arguments) -> Failed {
        let found = Found(self.token);
        self.fault(format_args!("expected {what}, got {found}"))
    }

    /// Something is wrong with the next token.
    pub fn fault(&self, message: fmt::Arguments) -> Failed {
        self.fault_at(&self.token, message)
    }

    /// Something is wrong with a token.
    pub fn fault_at(&self, token: &Token, message: fmt::Arguments) -> Failed {
        if !self.is_trial {
            match Fault::at(self.tokens.whole(), token.range(), message) {
                Ok(fault) => self.wrong.set(Some(fault)),
                Err(_) => return Failed::OutOfMemory,
            }
        }
        Failed::Text
    }

    /// What its caller's caller is told.
    pub fn error(&self, failed: Failed) -> Error {
        match (failed, self.wrong.take()) {
            (Failed::Text, Some(fault)) => Error::Text(fault),
            _ => Error::OutOfMemory(OutOfMemory),
        }
    }

    /// Reads what is nested, unless it is so too deep.
    pub fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.fault(format_args!(
                "expected at most {MAX_DEPTH} levels of nesting"
            )));
        }
        let before = self.depth;
        self.depth += 1;
        let result = read(self);
        self.depth = before;
        result
    }

    /// Skips from an opening bracket, which is next, to the one that closes it.
    pub fn skip_brackets(&mut self) -> Result<()> {
        let opening = self.token;
        let mut open = 0_u32;
        loop {
            match self.token {
                Token {
                    kind: Kind::End, ..
                } => {
                    let text = opening.text;
                    return Err(self.fault_at(&opening, format_args!("'{text}' is never closed")));
                }
                Token {
                    kind: Kind::Sign,
                    text: "(" | "[" | "{",
                    ..
                } => open += 1,
                Token {
                    kind: Kind::Sign,
                    text: ")" | "]" | "}",
                    ..
                } => open -= 1,
                _ => {}
            }
            self.advance()?;
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// The number of a name.
    pub fn name(&mut self, token: &Token) -> Result<NameId> {
        Ok(self.c.names.add(token.text)?)
    }

    /// Whether the word for assembly comes next.
    pub fn is_asm(&self) -> bool {
        self.token.kind == Kind::Word && matches!(self.token.text, "asm" | "__asm__" | "__asm")
    }
}

/// A token as messages have it.
struct Found<'t>(Token<'t>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            Kind::End => f.write_str("the end of the text"),
            Kind::Text | Kind::Character => f.write_str(self.0.text),
            Kind::Word | Kind::Number | Kind::Sign => write!(f, "'{}'", self.0.text),
        }
    }
}
