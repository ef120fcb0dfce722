//! GNU C's attributes, Microsoft's `__declspec` and C23's `[[…]]`, as far as they change a layout.

use super::constant::Digits;
use super::declarations::Declarations;
use super::parser::{Parser, Result};
use super::token::{Kind, Token};
use super::types::{Basic, Ty, TypeId};
use farcall_arch::structs::MAX_ALIGN;

/// The attributes of a declaration or a type.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes {
    /// `packed`.
    pub packed: bool,
    /// The largest `aligned(n)` or `_Alignas`; 0 for none.
    pub aligned: u32,
    /// The largest `_Alignas`; 0 for none.
    pub alignas: u32,
    /// `mode(M)`.
    pub mode: Option<Mode>,
    /// `vector_size(n)`; 0 for none.
    pub vector: u32,
    /// clang's `overloadable`: functions of the same name may have different types.
    pub overloadable: bool,
    /// `ms_struct` or `gcc_struct`.
    pub microsoft: Option<bool>,
}

/// A width that replaces that of a number's type (GCC's machine modes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Bytes(u32),
    Word,
}

/// The alignment that `aligned` without a number asks for: the largest that any C type needs.
const LARGEST: u32 = 16;

impl Parser<'_, '_> {
    /// Reads all attributes that come next.
    pub(super) fn attributes(&mut self, all: &mut Attributes) -> Result<()> {
        loop {
            match (self.token.kind, self.token.text) {
                (Kind::Word, "__attribute__" | "__attribute" | "__declspec") => {
                    self.advance()?;
                    self.expect("(")?;
                    self.attribute_list(all)?;
                }
                (Kind::Word, "_Alignas" | "alignas") => self.alignas(all)?,
                (Kind::Word, "__extension__") => {
                    self.advance()?;
                }
                (Kind::Sign, "[") if self.peek().is("[") => self.skip_brackets()?,
                _ => return Ok(()),
            }
        }
    }

    /// Reads attributes up to the closing bracket, with any nested brackets.
    fn attribute_list(&mut self, all: &mut Attributes) -> Result<()> {
        loop {
            if self.accept(")")? {
                return Ok(());
            }
            match self.token.kind {
                Kind::End => return Err(self.expected(format_args!("')'"))),
                Kind::Sign if self.token.text == "(" => {
                    self.advance()?;
                    self.nested(|parser| parser.attribute_list(all))?;
                }
                Kind::Word => self.attribute(all)?,
                _ => {
                    self.advance()?;
                }
            }
        }
    }

    fn attribute(&mut self, all: &mut Attributes) -> Result<()> {
        let word = self.advance()?;
        let has_arguments = self.token.is("(");
        match word.text.trim_matches('_') {
            "packed" => all.packed = true,
            "overloadable" => all.overloadable = true,
            "ms_struct" => all.microsoft = Some(true),
            "gcc_struct" => all.microsoft = Some(false),
            "aligned" | "align" if !has_arguments => all.aligned = all.aligned.max(LARGEST),
            "aligned" | "align" => {
                let align = self.alignment()?;
                all.aligned = all.aligned.max(align);
            }
            "mode" if has_arguments => {
                self.advance()?;
                let mode = self.advance()?;
                all.mode = Some(match mode.text.trim_matches('_') {
                    "QI" | "byte" => Mode::Bytes(1),
                    "HI" => Mode::Bytes(2),
                    "SI" | "SF" => Mode::Bytes(4),
                    "DI" | "DF" => Mode::Bytes(8),
                    "TI" | "TF" => Mode::Bytes(16),
                    "word" | "pointer" | "unwind_word" => Mode::Word,
                    other => {
                        return Err(self.fault_at(
                            &mode,
                            format_args!("expected a mode of a number, got '{other}'"),
                        ));
                    }
                });
                self.expect(")")?;
            }
            "vector_size" if has_arguments => all.vector = self.alignment()?,
            _ if has_arguments => self.skip_brackets()?,
            _ => {}
        }
        Ok(())
    }

    /// Reads `_Alignas(n)` or `_Alignas(type)`.
    fn alignas(&mut self, all: &mut Attributes) -> Result<()> {
        self.advance()?;
        let align = if self.token.is("(") && self.begins_type(&self.peek()) {
            self.advance()?;
            let at = self.token;
            let ty = self.type_name()?;
            self.expect(")")?;
            self.sized(&at, ty)?.align
        } else {
            self.alignment()?
        };
        all.aligned = all.aligned.max(align);
        all.alignas = all.alignas.max(align);
        Ok(())
    }

    /// Reads a power of two in parentheses; 0 counts as none.
    fn alignment(&mut self) -> Result<u32> {
        self.expect("(")?;
        let at = self.token;
        let value = self.constant_expression()?.value;
        self.expect(")")?;
        match u32::try_from(value) {
            Ok(align) if align == 0 || align.is_power_of_two() && align <= 1 << 28 => Ok(align),
            _ => Err(self.fault_at(
                &at,
                format_args!("expected a power of two, got {}", Digits(value)),
            )),
        }
    }

    /// Applies the attributes of a declaration to its type.
    pub(super) fn with_attributes(
        &mut self,
        at: &Token,
        ty: TypeId,
        attributes: &Attributes,
    ) -> Result<TypeId> {
        let mut ty = ty;
        if let Some(mode) = attributes.mode {
            ty = self.c.in_mode(ty, mode).ok_or_else(|| {
                self.fault_at(
                    at,
                    format_args!("expected a number for a mode, got another type"),
                )
            })?;
        }
        if attributes.vector != 0 {
            ty = self.c.add_type(Ty::Vector {
                of: ty,
                size: attributes.vector,
            })?;
        }
        if attributes.aligned > MAX_ALIGN.max(1 << 16) {
            return Err(self.fault_at(
                at,
                format_args!(
                    "expected an alignment of at most 65,536, got {}",
                    attributes.aligned
                ),
            ));
        }
        Ok(ty)
    }
}

impl Declarations {
    /// The number type of the same kind with the width of a mode.
    fn in_mode(&self, ty: TypeId, mode: Mode) -> Option<TypeId> {
        let Ty::Basic(basic) = self.resolved(ty) else {
            return self.integer(ty).map(|_| ty);
        };
        let bytes = match mode {
            Mode::Bytes(bytes) => bytes,
            Mode::Word => 8,
        };
        let is_float = matches!(basic, Basic::Float | Basic::Double | Basic::LongDouble);
        if !is_float && !basic.is_integer() {
            return None;
        }
        let is_signed = self.width(basic).is_signed;
        let long = if self.platform.long == 8 {
            (Basic::Long, Basic::ULong)
        } else {
            (Basic::LongLong, Basic::ULongLong)
        };
        let (signed, unsigned) = match (bytes, is_float) {
            (4, true) => (Basic::Float, Basic::Float),
            (8, true) => (Basic::Double, Basic::Double),
            (_, true) => (Basic::Float128, Basic::Float128),
            (1, _) => (Basic::SChar, Basic::UChar),
            (2, _) => (Basic::Short, Basic::UShort),
            (4, _) => (Basic::Int, Basic::UInt),
            (8, _) => long,
            _ => (Basic::Int128, Basic::UInt128),
        };
        Some(Declarations::basic(if is_signed {
            signed
        } else {
            unsigned
        }))
    }
}
