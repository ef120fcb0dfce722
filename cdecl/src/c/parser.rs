//! The parser's state: the next token, the nesting depth, and errors.

use super::declarations::Declarations;
use super::error::{Error, Fault};
use super::names::NameId;
use super::token::{Kind, Token, Tokens};
use farcall_memory::OutOfMemory;
use std::cell::Cell;
use std::fmt;

/// The most nested parentheses, structures and pointers to functions. C requires 63 levels (C11 5.2.4.1).
const MAX_DEPTH: u32 = 100;

/// The reason why parsing stopped. Every parsing function returns it, so it is small: the [`Parser`] holds the message.
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

/// A parser that reads a text into [`Declarations`].
pub(super) struct Parser<'c, 't> {
    pub c: &'c mut Declarations,
    tokens: Tokens<'t>,
    /// The next token.
    pub token: Token<'t>,
    depth: u32,
    /// The number of nested parameters that are being read.
    pub in_parameters: u32,
    /// Whether an error only makes the parser try something else. Its message is not made then, because that takes time.
    pub is_trial: bool,
    /// The value of `#pragma pack`: the largest alignment of members, or 0 for none. `packs` has the pushed values.
    pub pack: u32,
    pub packs: Vec<u32>,
    /// The first fault, once there is one.
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
        // Directives may stand anywhere.
        while self.token.is_directive() {
            // A trial may be read again, but directives must take effect only once.
            if self.is_trial {
                return Err(Failed::Text);
            }
            self.directive()?;
        }
        Ok(token)
    }

    /// Skips the rest of a directive's line and returns it.
    pub fn skip_line(&mut self) -> &'t str {
        self.tokens.rest_of_line()
    }

    /// Moves to the next token, even if it begins a directive.
    pub fn load(&mut self) -> Token<'t> {
        self.token = self.tokens.next();
        self.token
    }

    /// The current position, for [`Parser::go_back`].
    pub fn place(&self) -> (Tokens<'t>, Token<'t>, u32) {
        (self.tokens, self.token, self.depth)
    }

    /// Returns to a position.
    pub fn go_back(&mut self, place: (Tokens<'t>, Token<'t>, u32)) {
        (self.tokens, self.token, self.depth) = place;
    }

    /// The token after the next one.
    pub fn peek(&self) -> Token<'t> {
        let mut tokens = self.tokens;
        tokens.next()
    }

    /// Takes the next token if it is `text`.
    pub fn accept(&mut self, text: &str) -> Result<bool> {
        let is_it = self.token.is(text);
        if is_it {
            self.advance()?;
        }
        Ok(is_it)
    }

    /// Takes the next token, which must be `text`.
    pub fn expect(&mut self, text: &str) -> Result<()> {
        match self.accept(text)? {
            true => Ok(()),
            false => Err(self.expected(format_args!("'{text}'"))),
        }
    }

    /// Reports that `what` was expected in place of the next token.
    pub fn expected(&self, what: fmt::Arguments) -> Failed {
        let found = Found(self.token);
        self.fault(format_args!("expected {what}, got {found}"))
    }

    /// Reports a fault at the next token.
    pub fn fault(&self, message: fmt::Arguments) -> Failed {
        self.fault_at(&self.token, message)
    }

    /// Reports a fault at a token.
    pub fn fault_at(&self, token: &Token, message: fmt::Arguments) -> Failed {
        if !self.is_trial {
            match Fault::at(self.tokens.whole(), token.range(), message) {
                Ok(fault) => self.wrong.set(Some(fault)),
                Err(_) => return Failed::OutOfMemory,
            }
        }
        Failed::Text
    }

    /// The error for the parser's caller.
    pub fn error(&self, failed: Failed) -> Error {
        match (failed, self.wrong.take()) {
            (Failed::Text, Some(fault)) => Error::Text(fault),
            _ => Error::OutOfMemory(OutOfMemory),
        }
    }

    /// Runs `read` one level deeper, unless that is too deep.
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

    /// Skips from the opening bracket, which is next, to its closing bracket.
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

    /// The name of a token, which is added if it is new.
    pub fn name(&mut self, token: &Token) -> Result<NameId> {
        Ok(self.c.names.add(token.text)?)
    }

    /// Whether `asm` or one of its variants comes next.
    pub fn is_asm(&self) -> bool {
        self.token.kind == Kind::Word && matches!(self.token.text, "asm" | "__asm__" | "__asm")
    }
}

/// A token, as messages show it.
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
