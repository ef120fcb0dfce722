//! Declaration specifiers (C11 6.7): the words before the declared names.

use super::attributes::Attributes;
use super::declarations::{Declarations, Meaning};
use super::names::NameId;
use super::parser::{Failed, Parser, Result};
use super::token::{Kind, Token};
use super::types::{Basic, Ty, TypeId};

/// The storage class of a declaration, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    Typedef,
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Specifiers<'t> {
    pub storage: Storage,
    /// The storage class specifier: `typedef`, `extern`, `static` and so on.
    pub storage_word: Option<Token<'t>>,
    /// A function specifier, which only functions may have.
    pub function_word: Option<Token<'t>>,
    pub ty: TypeId,
    pub is_const: bool,
    pub attributes: Attributes,
}

/// The words that make up the names of C's own types, with their counts.
#[derive(Clone, Copy, Debug, Default)]
struct Words {
    signed: u8,
    unsigned: u8,
    short: u8,
    long: u8,
    complex: u8,
    /// `char`, `int`, `float` and so on; at most one.
    base: Option<Basic>,
}

impl Words {
    fn any(&self) -> bool {
        self.base.is_some()
            || self.signed + self.unsigned + self.short + self.long + self.complex > 0
    }

    /// Counts a word. `None` if it is not one of these words.
    fn add(&mut self, word: &str) -> Option<()> {
        match word {
            "signed" | "__signed" | "__signed__" => self.signed += 1,
            "unsigned" => self.unsigned += 1,
            "short" => self.short += 1,
            "long" => self.long += 1,
            "_Complex" | "__complex__" | "__complex" => self.complex += 1,
            _ => {
                let base = base(word)?;
                // Two base words do not make a type: `ty` reports that.
                let is_second = self.base.replace(base).is_some();
                self.signed += if is_second { 100 } else { 0 };
            }
        }
        Some(())
    }

    /// The type that the words name (C11 6.7.2p2).
    fn ty(&self) -> Option<Basic> {
        use Basic::*;
        let Words {
            signed,
            unsigned,
            short,
            long,
            complex,
            base,
        } = *self;
        if signed > 1 || unsigned > 1 || signed + unsigned > 1 || complex > 1 {
            return None;
        }
        let has_sign = signed + unsigned > 0;
        let pick = |with: Basic, without: Basic| if unsigned > 0 { without } else { with };
        Some(match (base, short, long, complex) {
            (None | Some(Int), 0, 0, 0) => pick(Int, UInt),
            (None | Some(Int), 1, 0, 0) => pick(Short, UShort),
            (None | Some(Int), 0, 1, 0) => pick(Long, ULong),
            (None | Some(Int), 0, 2, 0) => pick(LongLong, ULongLong),
            (Some(Char), 0, 0, 0) => match (signed, unsigned) {
                (0, 0) => Char,
                (_, 0) => SChar,
                _ => UChar,
            },
            (Some(Int128), 0, 0, 0) => pick(Int128, UInt128),
            (Some(UInt128), 0, 0, 0) if !has_sign => UInt128,
            (Some(Float16), 0, 0, 0) if !has_sign => Float16,
            (Some(Float16), 0, 0, 1) if !has_sign => ComplexFloat16,
            (Some(BFloat16), 0, 0, 0) if !has_sign => BFloat16,
            (Some(LongLong), 0, 0, 0) => pick(LongLong, ULongLong),
            (Some(Short), 0, 0, 0) => pick(Short, UShort),
            (Some(Float), 0, 0, 0) if !has_sign => Float,
            (Some(Double), 0, 0, 0) if !has_sign => Double,
            (Some(Double), 0, 1, 0) if !has_sign => LongDouble,
            (Some(Float128), 0, 0, 0) if !has_sign => Float128,
            (Some(LongDouble), 0, 0, 0) if !has_sign => LongDouble,
            (Some(Float), 0, 0, 1) if !has_sign => ComplexFloat,
            // GNU C: `_Complex` alone means `double _Complex`.
            (Some(Double) | None, 0, 0, 1) if !has_sign => ComplexDouble,
            (Some(Double), 0, 1, 1) if !has_sign => ComplexLongDouble,
            (Some(LongDouble), 0, 0, 1) if !has_sign => ComplexLongDouble,
            (Some(Float128), 0, 0, 1) if !has_sign => ComplexFloat128,
            (Some(Void), 0, 0, 0) if !has_sign => Void,
            (Some(Bool), 0, 0, 0) if !has_sign => Bool,
            (Some(VaList), 0, 0, 0) if !has_sign => VaList,
            _ => return None,
        })
    }
}

/// The type of a keyword that names a type by itself.
fn base(word: &str) -> Option<Basic> {
    Some(match word {
        "void" => Basic::Void,
        "_Bool" => Basic::Bool,
        "char" | "__int8" => Basic::Char,
        "int" | "__int32" => Basic::Int,
        "__int16" => Basic::Short,
        "__int64" => Basic::LongLong,
        "__int128" | "__int128_t" => Basic::Int128,
        "__uint128_t" => Basic::UInt128,
        "_Float16" | "__fp16" => Basic::Float16,
        "__bf16" => Basic::BFloat16,
        "float" => Basic::Float,
        "double" => Basic::Double,
        "_Float128" | "__float128" => Basic::Float128,
        "__float80" => Basic::LongDouble,
        "__builtin_va_list" => Basic::VaList,
        _ => return None,
    })
}

/// The formats of ISO/IEC TS 18661-3. In C they are types of their own; here they are aliases of other types.
fn interchange(word: &str) -> Option<(Basic, &'static str)> {
    Some(match word {
        "_Float32" => (Basic::Float, "_Float32 _Complex"),
        "_Float32x" => (Basic::Double, "_Float32x _Complex"),
        "_Float64" => (Basic::Double, "_Float64 _Complex"),
        // The x87's format if the platform has it, otherwise binary128, like long double.
        "_Float64x" => (Basic::LongDouble, "_Float64x _Complex"),
        _ => return None,
    })
}

/// Whether a word is a qualifier other than `const`, or a calling convention. These have no effect here.
pub(super) fn is_qualifier(word: &str) -> bool {
    matches!(
        word,
        "volatile"
            | "__volatile"
            | "__volatile__"
            | "restrict"
            | "__restrict"
            | "__restrict__"
            | "_Atomic"
            | "_Nonnull"
            | "_Nullable"
            | "_Null_unspecified"
            | "__cdecl"
            | "_cdecl"
            | "__stdcall"
            | "__fastcall"
            | "__unaligned"
            | "__w64"
            | "__ptr64"
            | "__ptr32"
    )
}

/// Whether a word is a storage class specifier.
fn is_storage(word: &str) -> bool {
    matches!(
        word,
        "extern" | "static" | "auto" | "register" | "_Thread_local" | "__thread"
    )
}

/// Whether a word is a function specifier.
fn is_of_function(word: &str) -> bool {
    matches!(
        word,
        "inline" | "__inline" | "__inline__" | "__forceinline" | "_Noreturn"
    )
}

/// Whether a word is `restrict`, which qualifies only pointers.
fn is_restrict(word: &str) -> bool {
    matches!(word, "restrict" | "__restrict" | "__restrict__")
}

/// Whether a word is `const`.
pub(super) fn is_const(word: &str) -> bool {
    matches!(word, "const" | "__const" | "__const__")
}

impl<'t> Parser<'_, 't> {
    /// Reads specifiers, of which at least one must name a type.
    pub(super) fn specifiers(&mut self) -> Result<Specifiers<'t>> {
        let at = self.token;
        let mut words = Words::default();
        let mut named: Option<TypeId> = None;
        let mut restrict = None;
        let mut all = Specifiers {
            storage: Storage::Other,
            storage_word: None,
            function_word: None,
            ty: Declarations::basic(Basic::Int),
            is_const: false,
            attributes: Attributes::default(),
        };
        loop {
            self.attributes(&mut all.attributes)?;
            if self.token.kind != Kind::Word {
                break;
            }
            let text = self.token.text;
            let is_first = named.is_none() && !words.any();
            match text {
                "typedef" | "extern" | "static" | "auto" | "register" => {
                    if text == "typedef" {
                        all.storage = Storage::Typedef;
                    }
                    if let Some(first) = all.storage_word.replace(self.token) {
                        return Err(self.fault(format_args!(
                            "expected no more than one of these words, got '{text}' beside '{}'",
                            first.text
                        )));
                    }
                }
                _ if is_of_function(text) => all.function_word = Some(self.token),
                _ if is_restrict(text) => restrict = Some(self.token),
                _ if is_const(text) => all.is_const = true,
                "struct" | "union" if is_first => {
                    named = Some(self.record()?);
                    continue;
                }
                "enum" if is_first => {
                    named = Some(self.enumeration()?);
                    continue;
                }
                "typeof" | "__typeof__" | "__typeof" if is_first => {
                    named = Some(self.type_of()?);
                    continue;
                }
                "_Atomic" if self.peek().is("(") && is_first => {
                    self.advance()?;
                    self.advance()?;
                    named = Some(self.type_name()?);
                    self.expect(")")?;
                    continue;
                }
                _ if is_qualifier(text) || is_storage(text) => {}
                "_BitInt" | "_Decimal32" | "_Decimal64" | "_Decimal128" if is_first => {
                    return Err(self.fault(format_args!(
                        "expected a type with a calling convention here, got '{text}'"
                    )));
                }
                _ if is_first && interchange(text).is_some() => {
                    named = Some(self.interchange_type(false)?);
                    continue;
                }
                "_Complex" | "__complex__"
                    if is_first && interchange(self.peek().text).is_some() =>
                {
                    self.advance()?;
                    named = Some(self.interchange_type(true)?);
                    continue;
                }
                // glibc defines it for compilers that do not have it.
                "_Float128" if words.any() && all.storage == Storage::Typedef => break,
                _ if named.is_none() && words.add(text).is_some() => {}
                _ if is_first => match self.type_of_name() {
                    Some(ty) => named = Some(ty),
                    None => break,
                },
                _ => break,
            }
            self.advance()?;
        }
        all.ty = match named {
            Some(ty) => ty,
            None if words.any() => match words.ty() {
                Some(basic) => Declarations::basic(basic),
                None => {
                    return Err(self.fault_at(
                        &at,
                        format_args!("expected the name of a type, got words that make none"),
                    ));
                }
            },
            None => return Err(self.expected(format_args!("a type"))),
        };
        if let Some(word) = restrict
            && !matches!(
                self.c.resolved(all.ty),
                Ty::Pointer { .. } | Ty::Array { .. }
            )
        {
            return Err(self.fault_at(
                &word,
                format_args!(
                    "expected a pointer for '{}', got {}",
                    word.text,
                    self.c.show(all.ty)
                ),
            ));
        }
        if all.attributes.mode.is_some() || all.attributes.vector != 0 {
            all.ty = self.with_attributes(&at, all.ty, &all.attributes)?;
            (all.attributes.mode, all.attributes.vector) = (None, 0);
        }
        Ok(all)
    }

    /// Reads one of the interchange formats. It is complex if `_Complex` stands before or after it.
    fn interchange_type(&mut self, is_complex: bool) -> Result<TypeId> {
        let word = self.advance()?;
        let Some((basic, complex_name)) = interchange(word.text) else {
            return Err(self.expected(format_args!("a type")));
        };
        let is_complex = is_complex || self.accept("_Complex")? || self.accept("__complex__")?;
        let (of, text) = match (is_complex, basic) {
            (false, basic) => (basic, word.text),
            (true, Basic::Float) => (Basic::ComplexFloat, complex_name),
            (true, Basic::Double) => (Basic::ComplexDouble, complex_name),
            (true, _) => (Basic::ComplexLongDouble, complex_name),
        };
        let name = self.c.names.add(text)?;
        let of = Declarations::basic(of);
        Ok(self.c.add_type(Ty::Alias { name, of, align: 0 })?)
    }

    /// The type that the next token names: a typedef, or a type that the platform knows.
    fn type_of_name(&self) -> Option<TypeId> {
        self.c.typedef(self.token.text)
    }

    /// Whether a type begins with this token.
    pub(super) fn begins_type(&self, token: &Token<'t>) -> bool {
        if token.kind != Kind::Word {
            return false;
        }
        let word = token.text;
        matches!(
            word,
            "struct"
                | "union"
                | "enum"
                | "typedef"
                | "typeof"
                | "__typeof__"
                | "__typeof"
                | "_Atomic"
                | "__extension__"
                | "__attribute__"
                | "_Alignas"
                | "_BitInt"
        ) || is_const(word)
            || is_qualifier(word)
            || is_storage(word)
            || is_of_function(word)
            || Words::default().add(word).is_some()
            || interchange(word).is_some()
            || self.c.typedef(word).is_some()
    }

    /// Reads `typeof (type)` or `typeof (expression)`. Only integer expressions are supported.
    fn type_of(&mut self) -> Result<TypeId> {
        self.advance()?;
        self.expect("(")?;
        let ty = if self.begins_type(&self.token) {
            self.type_name()?
        } else if let Some(Meaning::Variable(index)) = self.meaning_of_token() {
            self.advance()?;
            self.c
                .variable_numbered(index)
                .map_or(Declarations::basic(Basic::Int), |found| found.ty)
        } else if let Some(Meaning::Function(index)) = self.meaning_of_token() {
            self.advance()?;
            self.c
                .function_numbered(index)
                .map_or(Declarations::basic(Basic::Int), |found| found.ty)
        } else {
            Declarations::basic(self.constant_expression()?.ty)
        };
        self.expect(")")?;
        Ok(ty)
    }

    /// The meaning of the next token, if it is a declared name.
    pub(super) fn meaning_of_token(&self) -> Option<Meaning> {
        if self.token.kind != Kind::Word {
            return None;
        }
        self.c.meaning_of(self.c.names.find(self.token.text)?)
    }

    /// Reads a type name, such as `int *` (C11 6.7.7).
    pub(super) fn type_name(&mut self) -> Result<TypeId> {
        self.nested(Self::type_name_within)
    }

    fn type_name_within(&mut self) -> Result<TypeId> {
        let specifiers = self.specifiers()?;
        self.expect_storage(&specifiers, &[], "the name of a type")?;
        let declared = self.declarator(specifiers.ty, specifiers.is_const)?;
        if declared.name.is_some() {
            return Err(self.fault_at(
                &declared.at,
                format_args!("expected a type without a name, got one with a name"),
            ));
        }
        Ok(declared.ty)
    }

    /// Reads a tag, if one comes next.
    pub(super) fn tag(&mut self) -> Result<(Token<'t>, Option<NameId>)> {
        let at = self.token;
        if at.kind != Kind::Word {
            return Ok((at, None));
        }
        self.advance()?;
        Ok((at, Some(self.name(&at)?)))
    }

    pub(super) fn defined_before(&self, at: &Token) -> Failed {
        self.fault_at(
            at,
            format_args!("expected a new tag, got one that is defined already"),
        )
    }

    /// The type with a tag, which is added if it is new.
    pub(super) fn tagged(
        &mut self,
        at: &Token,
        tag: Option<NameId>,
        is_defined: bool,
        is_right: impl Fn(Ty) -> bool,
        make: impl FnOnce(&mut Declarations, Option<NameId>) -> Result<Ty>,
    ) -> Result<TypeId> {
        let known = tag.and_then(|tag| self.c.tagged(tag));
        if let Some(known) = known {
            let ty = self.c.get(known);
            if !is_right(ty) {
                return Err(self.fault_at(
                    at,
                    format_args!("expected the tag of a type of this sort, got one of another"),
                ));
            }
            let is_complete = match ty {
                Ty::Enum(index) => self.c.enums[index as usize].ty.is_some(),
                Ty::Record(index) => self.c.records[index as usize].is_complete(),
                _ => false,
            };
            if is_defined && is_complete {
                return Err(self.defined_before(at));
            }
            return Ok(known);
        }
        if tag.is_none() && !is_defined {
            return Err(self.expected(format_args!("a tag or '{{'")));
        }
        let ty = make(self.c, tag)?;
        Ok(self.c.add_type(ty)?)
    }
}
