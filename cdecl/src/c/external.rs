//! External declarations, at the outermost level of a text (C11 6.9).

use super::attributes::Attributes;
use super::declarations::{Declarations, Meaning};
use super::declarator::Declared;
use super::error;
use super::names::NameId;
use super::parser::{Failed, Parser, Result};
use super::specifiers::{Specifiers, Storage};
use super::token::{Kind, Token};
use super::types::{Basic, Ty, TypeId};
use farcall_memory::TryVec;

/// A type, with the name of the thing that has it.
type Named = (Option<NameId>, TypeId);

impl Declarations {
    /// Adds the declarations of a text. On an error, nothing is added.
    ///
    /// # Errors
    /// [`super::Error`]: the text is not C, or there is no memory.
    pub fn read(&mut self, text: &str) -> error::Result<()> {
        self.parsed(text, |parser| parser.translation_unit())?;
        Ok(())
    }

    /// The type that the text names, such as `const char *`, `struct tm` or `int (*)(int)`.
    ///
    /// # Errors
    /// [`super::Error`]: the text does not name a type, or there is no memory.
    pub fn type_named(&mut self, text: &str) -> error::Result<TypeId> {
        Ok(self.parsed(text, |parser| parser.whole_type_name())?.1)
    }

    /// Reads a text with one declaration, with or without a name and a semicolon. It is not added to the functions.
    ///
    /// # Errors
    /// [`super::Error`]: the text is not a declaration, or there is no memory.
    pub fn prototype(&mut self, text: &str) -> error::Result<(Option<NameId>, TypeId)> {
        self.parsed(text, |parser| parser.whole_declaration())
    }

    fn parsed(
        &mut self,
        text: &str,
        read: fn(&mut Parser) -> Result<Named>,
    ) -> error::Result<Named> {
        self.whole(|c| {
            let mut parser = Parser::new(c, text);
            read(&mut parser).map_err(|failed| parser.error(failed))
        })
    }
}

impl<'t> Parser<'_, 't> {
    /// Reads a whole text of declarations. Returns an empty result.
    fn translation_unit(&mut self) -> Result<Named> {
        while self.token.is_directive() {
            self.directive()?;
        }
        while self.token.kind != Kind::End {
            self.external_declaration()?;
        }
        Ok((None, Declarations::basic(Basic::Void)))
    }

    /// Reads a text that names one type.
    fn whole_type_name(&mut self) -> Result<Named> {
        let ty = self.type_name()?;
        match self.token.kind {
            Kind::End => Ok((None, ty)),
            _ => Err(self.expected(format_args!("the end of a type's name"))),
        }
    }

    /// Reads a text with one declaration, whose name may be missing.
    fn whole_declaration(&mut self) -> Result<Named> {
        let specifiers = self.specifiers()?;
        let declared = self.declarator(specifiers.ty, specifiers.is_const)?;
        self.expect_function_for(&specifiers, declared.ty)?;
        self.accept(";")?;
        match self.token.kind {
            Kind::End => Ok((declared.name, declared.ty)),
            _ => Err(self.expected(format_args!("the end of a declaration"))),
        }
    }

    /// Reads one external declaration (C11 6.9).
    fn external_declaration(&mut self) -> Result<()> {
        if self.accept(";")? {
            return Ok(());
        }
        if self.static_assertion()? {
            return Ok(());
        }
        if self.is_asm() {
            self.assembler_name()?;
            return self.expect(";");
        }
        let specifiers = self.specifiers()?;
        if self.token.is(";") {
            // C11 6.7p2, except for what GNU C accepts silently.
            if !matches!(self.c.get(specifiers.ty), Ty::Record(_) | Ty::Enum(_)) {
                return Err(self.expected(format_args!("a name")));
            }
            self.advance()?;
            return Ok(());
        }
        let mut is_first = true;
        loop {
            let mut declared = self.declarator(specifiers.ty, specifiers.is_const)?;
            let at = declared.at;
            let is_typedef = specifiers.storage == Storage::Typedef;
            let is_function = matches!(self.c.resolved(declared.ty), Ty::Function(_));
            self.expect_function_for(&specifiers, declared.ty)?;
            if self.token.is("{") && is_function && !is_typedef && is_first {
                self.declare(&at, &specifiers, &declared, None, &specifiers.attributes)?;
                return self.skip_brackets();
            }
            let symbol = self.assembler_name()?;
            let mut attributes = specifiers.attributes;
            self.attributes(&mut attributes)?;
            declared.ty = self.with_attributes(&at, declared.ty, &attributes)?;
            if is_function || is_typedef {
                let what = if is_typedef {
                    "a typedef"
                } else {
                    "a function"
                };
                self.expect_no_alignas(&at, &attributes, what)?;
            } else {
                self.expect_loose_alignment(&at, declared.ty, &attributes)?;
            }
            self.declare(&at, &specifiers, &declared, symbol, &attributes)?;
            if !is_function && !is_typedef && self.accept("=")? {
                self.skip_initializer()?;
            }
            if !self.accept(",")? {
                break;
            }
            is_first = false;
            self.attributes(&mut Attributes::default())?;
        }
        self.expect(";")
    }

    /// Reads `_Static_assert(condition, "text");`, if it comes next (C11 6.7.10). A condition that is not supported counts as true.
    pub(super) fn static_assertion(&mut self) -> Result<bool> {
        let at = self.token;
        let is_one = matches!(at.text, "_Static_assert" | "static_assert");
        if at.kind != Kind::Word || !is_one || !self.peek().is("(") {
            return Ok(false);
        }
        self.advance()?;
        let before = self.place();
        self.advance()?;
        let was_trial = std::mem::replace(&mut self.is_trial, true);
        let condition = self.constant_expression().map(|condition| {
            let text = self.peek();
            let has_text = self.token.is(",") && text.kind == Kind::Text;
            (condition, if has_text { text.text } else { "" })
        });
        self.is_trial = was_trial;
        self.go_back(before);
        match condition {
            Ok((condition, text)) if condition.value == 0 => {
                return Err(self.fault_at(
                    &at,
                    format_args!(
                        "expected a condition that holds{}{}",
                        if text.is_empty() { "" } else { ": " },
                        text
                    ),
                ));
            }
            Err(Failed::OutOfMemory) => return Err(Failed::OutOfMemory),
            _ => {}
        }
        self.skip_brackets()?;
        self.expect(";")?;
        Ok(true)
    }

    /// Refuses function specifiers for things that are not functions (C11 6.7.4p1).
    fn expect_function_for(&self, specifiers: &Specifiers<'t>, ty: TypeId) -> Result<()> {
        let is_function = matches!(self.c.resolved(ty), Ty::Function(_));
        match specifiers.function_word {
            Some(word) if !is_function || specifiers.storage == Storage::Typedef => Err(self
                .fault_at(
                    &word,
                    format_args!("expected a function for '{}'", word.text),
                )),
            _ => Ok(()),
        }
    }

    /// Skips an initialiser, up to the comma or the semicolon after it.
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

    /// Reads `__asm__("name")`, if it comes next. Only one string, or several adjacent ones, make a name.
    fn assembler_name(&mut self) -> Result<Option<NameId>> {
        if !self.is_asm() {
            return Ok(None);
        }
        self.advance()?;
        while self.accept("volatile")? || self.accept("__volatile__")? {}
        if !self.token.is("(") {
            return Err(self.expected(format_args!("'('")));
        }
        let (mut inner, ..) = self.place();
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

    /// Declares a name.
    fn declare(
        &mut self,
        at: &Token<'t>,
        specifiers: &Specifiers<'t>,
        declared: &Declared<'t>,
        symbol: Option<NameId>,
        attributes: &Attributes,
    ) -> Result<()> {
        let Some(name) = declared.name else {
            return Err(self.fault_at(at, format_args!("expected a name, got none")));
        };
        let ty = declared.ty;
        if specifiers.storage == Storage::Typedef {
            return self.declare_typedef(at, name, ty, attributes.aligned);
        }
        let known = self.c.meaning_of(name);
        if matches!(self.c.resolved(ty), Ty::Function(_)) {
            return match known {
                Some(Meaning::Function(known)) => {
                    self.declare_function_again(at, known, ty, symbol, attributes)
                }
                None => {
                    let index = self.c.functions.len() as u32;
                    let entry = self.c.entry(name, ty, symbol)?;
                    self.c.functions.try_push(entry)?;
                    let meaning = Some(Meaning::Function(index));
                    Ok(self.c.set_meaning(name, meaning)?)
                }
                Some(other) => Err(self.declared_before(at, other)),
            };
        }
        let is_extern = specifiers
            .storage_word
            .is_some_and(|word| word.is("extern"));
        if self.c.resolved(ty) == Ty::Basic(Basic::Void) && !is_extern {
            return Err(self.fault_at(
                at,
                format_args!("expected a variable with a value, got void"),
            ));
        }
        match known {
            Some(Meaning::Variable(known)) => {
                let Some(old) = self.c.variable_numbered(known) else {
                    return Ok(());
                };
                self.expect_same(at, old.ty, ty)?;
                let has_length = self.c.layout(old.ty).is_some();
                let ty = if has_length { old.ty } else { ty };
                if ty != old.ty || old.symbol.is_none() && symbol.is_some() {
                    let entry = self.c.entry(name, ty, old.symbol.or(symbol))?;
                    *self.c.variable_mut(known)? = entry;
                }
                return Ok(());
            }
            None => {}
            Some(other) => return Err(self.declared_before(at, other)),
        }
        let index = self.c.variables.len() as u32;
        let entry = self.c.entry(name, ty, symbol)?;
        self.c.variables.try_push(entry)?;
        Ok(self.c.set_meaning(name, Some(Meaning::Variable(index)))?)
    }

    /// Declares a function again. The first declaration stays, unless only the new one has a prototype.
    fn declare_function_again(
        &mut self,
        at: &Token<'t>,
        known: u32,
        ty: TypeId,
        symbol: Option<NameId>,
        attributes: &Attributes,
    ) -> Result<()> {
        let Some(old) = self.c.function_numbered(known) else {
            return Ok(());
        };
        if !attributes.overloadable {
            self.expect_same(at, old.ty, ty)?;
        }
        let has_prototype = |c: &Declarations, ty| {
            let function = c.function_type(ty);
            function.is_some_and(|function| function.has_prototype)
        };
        let is_better = has_prototype(self.c, ty) && !has_prototype(self.c, old.ty);
        let ty = if is_better { ty } else { old.ty };
        if is_better || old.symbol.is_none() && symbol.is_some() {
            let entry = self.c.entry(old.name, ty, old.symbol.or(symbol))?;
            *self.c.function_mut(known)? = entry;
        }
        Ok(())
    }

    fn declare_typedef(
        &mut self,
        at: &Token<'t>,
        name: NameId,
        ty: TypeId,
        align: u32,
    ) -> Result<()> {
        match self.c.meaning_of(name) {
            // C11 6.7p3: a typedef may be declared again with the same type.
            Some(Meaning::Type(before)) => return self.expect_same(at, before, ty),
            None => {}
            Some(other) => return Err(self.declared_before(at, other)),
        }
        let (of, before) = self.c.behind_names(ty);
        let align = if align == 0 { before } else { align };
        let ty = self.c.add_type(Ty::Alias { name, of, align })?;
        Ok(self.c.set_meaning(name, Some(Meaning::Type(ty)))?)
    }

    fn declared_before(&self, at: &Token, as_what: Meaning) -> Failed {
        let what = match as_what {
            Meaning::Type(_) => "a type",
            Meaning::Function(_) => "a function",
            Meaning::Variable(_) => "a variable",
            Meaning::Constant(_) | Meaning::Macro(_) => "a constant",
        };
        self.fault_at(
            at,
            format_args!("expected a new name, got one that is {what} already"),
        )
    }
}
