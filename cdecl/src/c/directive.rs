//! What begins with `#`: what the preprocessor leaves, and `#define` of constants.

use super::constant::Constant;
use super::decimal;
use super::parser::{Failed, Parser, Result};
use super::token::{Kind, Token, Tokens};
use super::types::Basic;
use farcall_memory::TryVec;

impl<'t> Parser<'_, 't> {
    /// A directive, whose `#` is the next token; the one behind its line is next then.
    pub(super) fn directive(&mut self) -> Result<()> {
        let sign = self.token;
        let word = self.load();
        if word.begins_line || word.kind == Kind::End {
            // Nothing but the sign (C11 6.10.7).
            return Ok(());
        }
        let line = self.skip_line();
        match (word.kind, word.text) {
            // A line's number, as the preprocessor leaves it.
            (Kind::Number, _) | (Kind::Word, "line" | "ident") => {}
            (Kind::Word, "pragma") => self.pragma(&word, line)?,
            (Kind::Word, "define") => self.define(&word, line)?,
            (Kind::Word, "undef") => {}
            _ => {
                let text = word.text;
                return Err(self.fault_at(
                    &sign,
                    format_args!(
                        "expected preprocessed text, '#pragma' or '#define', got '#{text}'"
                    ),
                ));
            }
        }
        self.load();
        Ok(())
    }

    /// `pack(n)`, `pack()`, `pack(push[, name][, n])`, `pack(pop[, name][, n])`; others change no layout.
    fn pragma(&mut self, word: &Token<'t>, line: &'t str) -> Result<()> {
        let mut tokens = Tokens::new(line);
        if !tokens.next().is("pack") || !tokens.next().is("(") {
            return Ok(());
        }
        let mut token = tokens.next();
        if token.is(")") {
            self.pack = 0;
            return Ok(());
        }
        loop {
            match (token.kind, token.text) {
                (Kind::Word, "push") => self.packs.try_push(self.pack)?,
                (Kind::Word, "pop") => self.pack = self.packs.pop().unwrap_or(0),
                (Kind::Word, _) => {}
                (Kind::Number, digits) => match digits.parse() {
                    Ok(0) => self.pack = 0,
                    Ok(pack @ (1 | 2 | 4 | 8 | 16)) => self.pack = pack,
                    _ => {
                        return Err(self.fault_at(
                            word,
                            format_args!("expected an alignment of 1, 2, 4, 8 or 16 in '#pragma pack', got '{digits}'"),
                        ));
                    }
                },
                _ => break,
            }
            if !tokens.next().is(",") {
                break;
            }
            token = tokens.next();
        }
        Ok(())
    }

    /// `#define NAME value`. What is no constant, such as code, is left out: headers are full of it. Macros with parameters are, too.
    fn define(&mut self, word: &Token<'t>, line: &'t str) -> Result<()> {
        let mut tokens = Tokens::new(line);
        let name = tokens.next();
        if name.kind != Kind::Word {
            return Err(self.fault_at(
                word,
                format_args!("expected a name behind '#define', got '{}'", name.text),
            ));
        }
        let value = &line[name.range().end..];
        if value.starts_with('(') || value.trim().is_empty() {
            return Ok(());
        }
        let Some((value, ty)) = self.constant_in(value)? else {
            return Ok(());
        };
        let id = self.name(&name)?;
        self.declare_constant(id, value, ty)
    }

    /// The constant that a text is, if it is one.
    fn constant_in(&mut self, text: &str) -> Result<Option<(Constant, Option<Basic>)>> {
        let mut inner = Parser::new(self.c, text);
        let constant = inner.whole_constant();
        let wrong = inner.wrong.take();
        self.wrong.set(wrong);
        constant
    }

    fn whole_constant(&mut self) -> Result<Option<(Constant, Option<Basic>)>> {
        if self.token.kind == Kind::Text {
            let mut bytes = Vec::new();
            while self.token.kind == Kind::Text {
                let piece = self.token;
                self.text_bytes(&piece, &mut bytes)?;
                self.advance()?;
            }
            let is_all = self.token.kind == Kind::End;
            return Ok(is_all.then_some((Constant::Text(bytes), None)));
        }
        if let Some(float) = self.float()? {
            return Ok(Some((Constant::Float(float), None)));
        }
        // Nobody is told why it is none.
        self.is_trial = true;
        match self.constant_expression() {
            Ok(value) if self.token.kind == Kind::End => {
                Ok(Some((Constant::Integer(value.value), Some(value.ty))))
            }
            Err(Failed::OutOfMemory) => Err(Failed::OutOfMemory),
            _ => Ok(None),
        }
    }

    /// A number with a fraction or an exponent, with or without a sign, that is all of the text.
    fn float(&mut self) -> Result<Option<f64>> {
        let is_negative = self.token.is("-");
        let number = if is_negative { self.peek() } else { self.token };
        if number.kind != Kind::Number {
            return Ok(None);
        }
        let digits = number.text.trim_end_matches(['f', 'F', 'l', 'L']);
        let is_decimal = !digits.starts_with("0x") && !digits.starts_with("0X");
        if !is_decimal || !digits.contains(['.', 'e', 'E']) {
            return Ok(None);
        }
        let Some(value) = decimal::parse(digits) else {
            return Ok(None);
        };
        if is_negative {
            self.advance()?;
        }
        self.advance()?;
        let is_all = self.token.kind == Kind::End;
        Ok(is_all.then_some(if is_negative { -value } else { value }))
    }
}
