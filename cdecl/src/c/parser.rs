//! The course of reading: tokens ahead, errors, and what stands at the outermost level of a text.

use super::attributes::Attributes;
use super::constant::Constant;
use super::declarations::{Declarations, Function, Meaning, Variable};
use super::declarator::Declared;
use super::error::{Error, Fault, Result};
use super::names::NameId;
use super::specifiers::{Specifiers, Storage};
use super::token::{Kind, Token, Tokens};
use super::types::{Basic, Ty, TypeId};
use farcall_memory::TryVec;
use std::fmt;

/// How deep parentheses, structures and pointers to functions may be nested. C promises 63 levels (C11 5.2.4.1).
const MAX_DEPTH: u32 = 100;

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
        }
    }

    /// Takes the next token.
    pub fn advance(&mut self) -> Result<Token<'t>> {
        let token = self.token;
        self.token = self.tokens.next();
        // What the preprocessor left may stand anywhere.
        while self.token.begins_line && self.token.is("#") {
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
    pub fn expected(&self, what: fmt::Arguments) -> Error {
        let found = Found(self.token);
        self.fault(format_args!("expected {what}, got {found}"))
    }

    /// Something is wrong with the next token.
    pub fn fault(&self, message: fmt::Arguments) -> Error {
        self.fault_at(&self.token, message)
    }

    /// Something is wrong with a token.
    pub fn fault_at(&self, token: &Token, message: fmt::Arguments) -> Error {
        if self.is_trial {
            return Fault::unread();
        }
        Fault::at(self.tokens.whole(), token.range(), message)
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

    /// All of a text.
    pub fn translation_unit(&mut self) -> Result<()> {
        while self.token.begins_line && self.token.is("#") {
            self.directive()?;
        }
        while self.token.kind != Kind::End {
            self.external_declaration()?;
        }
        Ok(())
    }

    /// A text that is the name of one type.
    pub fn whole_type_name(&mut self) -> Result<TypeId> {
        let ty = self.type_name()?;
        match self.token.kind {
            Kind::End => Ok(ty),
            _ => Err(self.expected(format_args!("the end of a type's name"))),
        }
    }

    /// A text that is one declaration, whose name may be missing.
    pub fn whole_declaration(&mut self) -> Result<(Option<NameId>, TypeId)> {
        let specifiers = self.specifiers()?;
        let declared = self.declarator(specifiers.ty, specifiers.is_const)?;
        self.accept(";")?;
        match self.token.kind {
            Kind::End => Ok((declared.name, declared.ty)),
            _ => Err(self.expected(format_args!("the end of a declaration"))),
        }
    }

    /// C11 6.9.
    fn external_declaration(&mut self) -> Result<()> {
        if self.accept(";")? {
            return Ok(());
        }
        if matches!(self.token.text, "_Static_assert" | "static_assert")
            && self.token.kind == Kind::Word
        {
            self.advance()?;
            self.skip_brackets()?;
            return self.expect(";");
        }
        if self.is_asm() {
            self.assembler_name()?;
            return self.expect(";");
        }
        let specifiers = self.specifiers()?;
        if self.accept(";")? {
            return Ok(());
        }
        loop {
            let at = self.token;
            let mut declared = self.declarator(specifiers.ty, specifiers.is_const)?;
            let is_function = matches!(self.c.resolved(declared.ty), Ty::Function(_));
            if self.token.is("{") && is_function {
                self.declare(&at, &specifiers, &declared, None, 0)?;
                return self.skip_brackets();
            }
            let symbol = self.assembler_name()?;
            let mut attributes = specifiers.attributes;
            self.attributes(&mut attributes)?;
            declared.ty = self.with_attributes(&at, declared.ty, &attributes)?;
            self.declare(&at, &specifiers, &declared, symbol, attributes.aligned)?;
            if self.accept("=")? {
                self.skip_initializer()?;
            }
            if !self.accept(",")? {
                break;
            }
            self.attributes(&mut Attributes::default())?;
        }
        self.expect(";")
    }

    /// Up to the comma or the semicolon behind a value.
    fn skip_initializer(&mut self) -> Result<()> {
        while !self.token.is(",") && !self.token.is(";") {
            match self.token {
                Token {
                    kind: Kind::Sign,
                    text: "(" | "[" | "{",
                    ..
                } => self.skip_brackets()?,
                Token {
                    kind: Kind::End, ..
                } => return Err(self.expected(format_args!("';'"))),
                _ => {
                    self.advance()?;
                }
            }
        }
        Ok(())
    }

    pub fn is_asm(&self) -> bool {
        self.token.kind == Kind::Word && matches!(self.token.text, "asm" | "__asm__" | "__asm")
    }

    /// `__asm__("name")`, if it is there. Only one string, or several in a row, is a name.
    fn assembler_name(&mut self) -> Result<Option<NameId>> {
        if !self.is_asm() {
            return Ok(None);
        }
        self.advance()?;
        while self.accept("volatile")? || self.accept("__volatile__")? {}
        if !self.token.is("(") {
            return Err(self.expected(format_args!("'('")));
        }
        let mut inner = self.tokens;
        let mut bytes = Vec::new();
        let mut piece = inner.next();
        while piece.kind == Kind::Text {
            self.text_bytes(&piece, &mut bytes)?;
            piece = inner.next();
        }
        self.skip_brackets()?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        Ok(match text {
            "" => None,
            text => Some(self.c.names.add(text)?),
        })
    }

    /// Has a name mean what was declared.
    fn declare(
        &mut self,
        at: &Token,
        specifiers: &Specifiers,
        declared: &Declared,
        symbol: Option<NameId>,
        align: u32,
    ) -> Result<()> {
        let Some(name) = declared.name else {
            return Err(self.fault_at(at, format_args!("expected a name, got none")));
        };
        let ty = declared.ty;
        if specifiers.storage == Storage::Typedef {
            return self.declare_typedef(at, name, ty, align);
        }
        let known = self.c.known_of(name).ordinary;
        if let Ty::Function(index) = self.c.resolved(ty) {
            let ret = self.c.function_types[index as usize].ret;
            match known {
                // The first declaration stays, unless it has no prototype and this one does.
                Some(Meaning::Function(known)) => {
                    let new_prototype = self.c.function_types[index as usize].has_prototype;
                    let old = &mut self.c.functions[known as usize];
                    old.symbol = old.symbol.or(symbol);
                    let before = self.c.functions[known as usize].ty;
                    let has_prototype = self
                        .c
                        .function_type(before)
                        .is_some_and(|old| old.has_prototype);
                    if new_prototype && !has_prototype {
                        let old = &mut self.c.functions[known as usize];
                        (old.ty, old.ret) = (ty, ret);
                    }
                    return Ok(());
                }
                None => {}
                Some(other) => return Err(self.declared_before(at, other)),
            }
            let index = self.c.functions.len() as u32;
            self.c.functions.try_push(Function {
                name,
                symbol,
                ty,
                ret,
            })?;
            self.c.known_mut(name)?.ordinary = Some(Meaning::Function(index));
            return Ok(());
        }
        match known {
            Some(Meaning::Variable(known)) => {
                let old = self.c.variables[known as usize].ty;
                let has_length = self.c.layout(old).is_some();
                let old = &mut self.c.variables[known as usize];
                old.symbol = old.symbol.or(symbol);
                if !has_length {
                    old.ty = ty;
                }
                return Ok(());
            }
            None => {}
            Some(other) => return Err(self.declared_before(at, other)),
        }
        let index = self.c.variables.len() as u32;
        self.c.variables.try_push(Variable { name, symbol, ty })?;
        self.c.known_mut(name)?.ordinary = Some(Meaning::Variable(index));
        Ok(())
    }

    fn declare_typedef(&mut self, at: &Token, name: NameId, ty: TypeId, align: u32) -> Result<()> {
        match self.c.known_of(name).ordinary {
            // C11 6.7p3: it may be declared again as the same type. Whether it is the same nobody needs to know.
            Some(Meaning::Type(_)) => return Ok(()),
            None => {}
            Some(other) => return Err(self.declared_before(at, other)),
        }
        let (of, before) = self.c.behind_names(ty);
        let align = if align == 0 { before } else { align };
        let ty = self.c.add_type(Ty::Alias { name, of, align })?;
        self.c.known_mut(name)?.ordinary = Some(Meaning::Type(ty));
        Ok(())
    }

    fn declared_before(&self, at: &Token, as_what: Meaning) -> Error {
        let what = match as_what {
            Meaning::Type(_) => "a type",
            Meaning::Function(_) => "a function",
            Meaning::Variable(_) => "a variable",
            Meaning::Constant(_) => "a constant",
        };
        self.fault_at(
            at,
            format_args!("expected a new name, got one that is {what} already"),
        )
    }

    /// Has a name mean a constant.
    pub fn declare_constant(
        &mut self,
        name: NameId,
        value: Constant,
        ty: Option<Basic>,
    ) -> Result<()> {
        let index = self.c.constants.len() as u32;
        self.c.constants.try_push((name, value, ty))?;
        self.c.known_mut(name)?.ordinary = Some(Meaning::Constant(index));
        Ok(())
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
