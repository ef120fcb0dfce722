//! Lines that begin with `#`: the directives that a preprocessor leaves, and `#define`.

use super::parser::{Parser, Result};
use super::token::{Kind, Token, Tokens};
use farcall_memory::TryVec;

impl<'t> Parser<'_, 't> {
    /// Reads a directive whose `#` or `_Pragma` is the next token. Afterwards, the token after the directive is next.
    pub(super) fn directive(&mut self) -> Result<()> {
        let sign = self.token;
        if sign.kind == Kind::Word {
            return self.pragma_operator(&sign);
        }
        let word = self.load();
        if word.begins_line || word.kind == Kind::End {
            // A `#` alone (C11 6.10.7).
            return Ok(());
        }
        let line = self.skip_line();
        match (word.kind, word.text) {
            // Line numbers, as the preprocessor leaves them.
            (Kind::Number, _) | (Kind::Word, "line" | "ident") => {}
            (Kind::Word, "pragma") => self.pragma(&word, line)?,
            (Kind::Word, "define") => self.define(&word, line)?,
            (Kind::Word, "undef") => self.undefine(&word, line)?,
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

    /// Reads `_Pragma("text")`, which means `#pragma text` (C11 6.10.9). No pragma that matters contains escapes.
    fn pragma_operator(&mut self, word: &Token<'t>) -> Result<()> {
        let opening = self.load();
        let text = self.load();
        let closing = self.load();
        let line = match (text.kind, text.text.split_once('"')) {
            (Kind::Text, Some((_, line))) => line.strip_suffix('"'),
            _ => None,
        };
        match line {
            Some(line) if opening.is("(") && closing.is(")") => self.pragma(word, line)?,
            _ => {
                return Err(self.fault_at(
                    word,
                    format_args!("expected a string in brackets behind '_Pragma'"),
                ));
            }
        }
        self.load();
        Ok(())
    }

    /// Reads `pack(n)`, `pack()`, `pack(push[, name][, n])` and `pack(pop[, name][, n])`. Other pragmas do not change layouts.
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
}
