//! Declarators (C11 6.7.6): the syntax around a declared name.

use super::attributes::Attributes;
use super::constant::Digits;
use super::constraints::Named;
use super::layout::Layout;
use super::names::NameId;
use super::parser::{Failed, Parser, Result};
use super::specifiers::{is_const, is_qualifier};
use super::token::{Kind, Token};
use super::types::{Basic, Param, Ty, TypeId};
use farcall_memory::TryVec;

/// A declared type, with its name if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'t> {
    pub name: Option<NameId>,
    pub ty: TypeId,
    /// The name or, if there is none, the first token of the declarator.
    pub at: Token<'t>,
}

/// A part of a declarator, which derives one type from another.
#[derive(Clone, Debug)]
enum Step<'t> {
    /// A pointer, which may itself be `const`.
    Pointer {
        is_const: bool,
    },
    Array {
        len: Option<u64>,
        at: Token<'t>,
    },
    Function {
        params: Vec<Param>,
        is_variadic: bool,
        has_prototype: bool,
        at: Token<'t>,
    },
}

/// The most nested pointers, arrays and functions in a type between two typedefs. C requires 12 (C11 5.2.4.1).
const MAX_DEPTH: u8 = 200;

/// The largest size of an array, in bytes: the address space of all supported machines.
const MAX_ARRAY: u64 = 1 << 47;

impl<'t> Parser<'_, 't> {
    /// Reads a declarator, abstract or not, for a type that may be `const`.
    pub(super) fn declarator(&mut self, ty: TypeId, is_const: bool) -> Result<Declared<'t>> {
        let mut steps = Vec::new();
        let start = self.token;
        let name = self.steps(&mut steps)?;
        let (mut ty, mut is_const) = (ty, is_const);
        for step in steps.iter().rev() {
            ty = self.stepped(ty, is_const, step)?;
            is_const = match step {
                Step::Pointer { is_const } => *is_const,
                // An array is const if its elements are.
                Step::Array { .. } => is_const,
                Step::Function { .. } => false,
            };
        }
        Ok(Declared {
            name: name.map(|(name, _)| name),
            ty,
            at: name.map_or(start, |(_, at)| at),
        })
    }

    /// Reads the steps of a declarator, those next to the name first.
    fn steps(&mut self, steps: &mut Vec<Step<'t>>) -> Result<Option<Named<'t>>> {
        let mut pointers = Vec::new();
        loop {
            self.attributes(&mut Attributes::default())?;
            if self.accept("*")? || self.accept("^")? {
                pointers.try_push(false)?;
            } else if self.token.kind == Kind::Word && is_const(self.token.text) {
                self.advance()?;
                if let Some(last) = pointers.last_mut() {
                    *last = true;
                }
            } else if self.token.kind == Kind::Word && is_qualifier(self.token.text) {
                self.advance()?;
            } else {
                break;
            }
        }
        let name = self.direct(steps)?;
        for is_const in pointers.into_iter().rev() {
            steps.try_push(Step::Pointer { is_const })?;
        }
        Ok(name)
    }

    fn direct(&mut self, steps: &mut Vec<Step<'t>>) -> Result<Option<Named<'t>>> {
        let mut name = None;
        if self.token.kind == Kind::Word && !self.is_asm() {
            let token = self.advance()?;
            if is_keyword(token.text) {
                return Err(self.fault_at(
                    &token,
                    format_args!("expected a name, got '{}'", token.text),
                ));
            }
            name = Some((self.name(&token)?, token));
        } else if self.token.is("(") && self.is_nested(&self.peek()) {
            self.advance()?;
            name = self.nested(|parser| parser.steps(steps))?;
            self.expect(")")?;
        }
        loop {
            let at = self.token;
            if at.is("[") && self.peek().is("[") {
                self.attributes(&mut Attributes::default())?;
            } else if self.accept("[")? {
                let len = self.array_length()?;
                steps.try_push(Step::Array { len, at })?;
            } else if self.accept("(")? {
                let step = self.nested(|parser| parser.parameters(at))?;
                steps.try_push(step)?;
            } else {
                return Ok(name);
            }
        }
    }

    /// Whether an opening parenthesis begins a nested declarator, and not parameters.
    fn is_nested(&self, next: &Token<'t>) -> bool {
        match next.kind {
            Kind::Sign => matches!(next.text, "*" | "^" | "(" | "["),
            Kind::Word => {
                matches!(
                    next.text,
                    "__attribute__" | "__cdecl" | "_cdecl" | "__stdcall" | "__fastcall"
                ) || !self.begins_type(next)
            }
            _ => false,
        }
    }

    /// Reads the length of an array, after the opening bracket and up to the closing one.
    fn array_length(&mut self) -> Result<Option<u64>> {
        // Words that are allowed in a parameter (C11 6.7.6.2p1).
        let is_skipped = |token: &Token| {
            token.kind == Kind::Word
                && (token.is("static") || is_qualifier(token.text) || is_const(token.text))
        };
        let is_parameter = self.in_parameters > 0;
        if !is_parameter && is_skipped(&self.token) {
            return Err(self.expected(format_args!("a length")));
        }
        while is_skipped(&self.token) {
            self.advance()?;
        }
        if self.accept("]")? {
            return Ok(None);
        }
        if is_parameter && self.token.is("*") && self.peek().is("]") {
            self.advance()?;
            self.advance()?;
            return Ok(None);
        }
        let at = self.token;
        let before = self.place();
        let is_trial = is_parameter;
        let was_trial = std::mem::replace(&mut self.is_trial, is_trial);
        let len = self.constant_expression();
        self.is_trial = was_trial;
        let len = match len {
            Ok(len) => len.value,
            // A parameter's length may depend on another parameter. The parameter is a pointer in any case.
            Err(Failed::Text) if is_trial => {
                self.go_back(before);
                self.skip_to_end_of_length()?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.expect("]")?;
        match u64::try_from(len) {
            Ok(len) => Ok(Some(len)),
            Err(_) => Err(self.fault_at(
                &at,
                format_args!("expected a length of at least 0, got {}", Digits(len)),
            )),
        }
    }

    /// Skips a length, up to and including its closing bracket.
    fn skip_to_end_of_length(&mut self) -> Result<()> {
        while !self.accept("]")? {
            match self.token.text {
                "(" | "[" | "{" if self.token.kind == Kind::Sign => self.skip_brackets()?,
                _ if self.token.kind == Kind::End => return self.expect("]"),
                _ => {
                    self.advance()?;
                }
            }
        }
        Ok(())
    }

    /// Reads the parameters of a function, after the opening parenthesis and up to the closing one.
    fn parameters(&mut self, at: Token<'t>) -> Result<Step<'t>> {
        let mut params: Vec<Param> = Vec::new();
        let mut names: Vec<Named<'t>> = Vec::new();
        let (mut is_variadic, mut has_prototype) = (false, true);
        if self.accept(")")? {
            has_prototype = false;
        } else if self.token.is("void") && self.peek().is(")") {
            self.advance()?;
            self.advance()?;
        } else {
            loop {
                if self.accept("...")? {
                    is_variadic = true;
                    break;
                }
                self.in_parameters += 1;
                let param = self.parameter(&mut names);
                self.in_parameters -= 1;
                let param = param?;
                params.try_push(param)?;
                if !self.accept(",")? {
                    break;
                }
            }
            self.expect(")")?;
            self.expect_distinct(&mut names, "parameter")?;
        }
        Ok(Step::Function {
            params,
            is_variadic,
            has_prototype,
            at,
        })
    }

    fn parameter(&mut self, names: &mut Vec<Named<'t>>) -> Result<Param> {
        let at = self.token;
        let specifiers = self.specifiers()?;
        self.expect_storage(&specifiers, &["register"], "a parameter")?;
        self.expect_no_alignas(&at, &specifiers.attributes, "a parameter")?;
        let declared = self.declarator(specifiers.ty, specifiers.is_const)?;
        if let Some(name) = declared.name {
            names.try_push((name, declared.at))?;
        }
        let mut attributes = specifiers.attributes;
        self.attributes(&mut attributes)?;
        let ty = self.with_attributes(&at, declared.ty, &attributes)?;
        let ty = match self.c.resolved(ty) {
            Ty::Array { of, of_const, .. } => {
                // A `const` on a typedef of an array applies to its elements.
                let to_const = of_const || specifiers.is_const && declared.ty == specifiers.ty;
                self.c.add_type(Ty::Pointer { to: of, to_const })?
            }
            Ty::Function(_) => self.c.add_type(Ty::Pointer {
                to: ty,
                to_const: false,
            })?,
            Ty::Basic(Basic::Void) => {
                return Err(self.fault_at(
                    &at,
                    format_args!("expected a parameter with a value, got void"),
                ));
            }
            _ => ty,
        };
        Ok(Param {
            name: declared.name,
            ty,
        })
    }

    fn stepped(&mut self, ty: TypeId, is_const: bool, step: &Step<'t>) -> Result<TypeId> {
        let new = match step {
            Step::Pointer { .. } => Ty::Pointer {
                to: ty,
                to_const: is_const,
            },
            Step::Array { len, at } => {
                let element = self.sized(at, ty)?;
                let size = element.size.checked_mul(len.unwrap_or(0));
                if size.is_none_or(|size| size > MAX_ARRAY) {
                    return Err(self.fault_at(
                        at,
                        format_args!(
                            "expected an array of at most {MAX_ARRAY} bytes, got a larger one"
                        ),
                    ));
                }
                Ty::Array {
                    of: ty,
                    len: *len,
                    of_const: is_const,
                }
            }
            Step::Function {
                params,
                is_variadic,
                has_prototype,
                at,
            } => {
                if matches!(self.c.resolved(ty), Ty::Array { .. } | Ty::Function(_)) {
                    return Err(self.fault_at(at, format_args!("expected a function that returns a value, got one that returns an array or a function")));
                }
                let types = &mut self.c.types;
                Ty::Function(types.add_function(ty, params, *is_variadic, *has_prototype)?)
            }
        };
        let id = self.c.add_type(new)?;
        if self.c.depth(id) > MAX_DEPTH {
            return Err(self.fault(format_args!(
                "expected a type of at most {MAX_DEPTH} pointers, arrays and functions, got one of more"
            )));
        }
        Ok(id)
    }

    /// The layout of a type, or an error if it has none.
    pub(super) fn sized(&mut self, at: &Token, ty: TypeId) -> Result<Layout> {
        match self.c.layout(ty) {
            Some(layout) => Ok(layout),
            None => Err(self.fault_at(
                at,
                format_args!(
                    "expected a type whose size is known, got {}",
                    self.c.show(ty)
                ),
            )),
        }
    }
}

/// Whether a word is a keyword of C, which cannot be a name.
pub(super) fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "auto"
            | "break"
            | "case"
            | "char"
            | "const"
            | "continue"
            | "default"
            | "do"
            | "double"
            | "else"
            | "enum"
            | "extern"
            | "float"
            | "for"
            | "goto"
            | "if"
            | "inline"
            | "int"
            | "long"
            | "register"
            | "restrict"
            | "return"
            | "short"
            | "signed"
            | "sizeof"
            | "static"
            | "struct"
            | "switch"
            | "typedef"
            | "union"
            | "unsigned"
            | "void"
            | "volatile"
            | "while"
            | "_Alignas"
            | "_Alignof"
            | "_Atomic"
            | "_Bool"
            | "_Complex"
            | "_Generic"
            | "_Imaginary"
            | "_Noreturn"
            | "_Static_assert"
            | "_Thread_local"
    )
}
