//! Shared sets of C declarations. Types, functions and signatures keep the set in which they were declared.

use crate::error::{Error, Result, Unpassable};
use crate::slots::Treatment;
use farcall_arch::{Float, Scalar, Type, Wide};
use farcall_cdecl::TypeCode;
use farcall_cdecl::c::{self, Basic, Declarations, FunctionType, NameId, Platform, Ty, TypeId};
use farcall_engine::Guarded;
use farcall_memory::{OutOfMemory, Shared, try_collect, try_format, try_string};

/// Declarations, which only grow. The engine's lock protects them, so that signal handlers and forks find them consistent.
#[derive(Debug)]
pub(crate) struct Scope {
    c: Guarded<Declarations>,
}

/// The declaration of a function or a variable.
#[derive(Debug)]
pub(crate) struct Declared {
    pub name: Option<String>,
    /// Its symbol in a library.
    pub symbol: Option<String>,
    pub ty: TypeId,
}

impl Scope {
    /// A set with C's own types and the platform's.
    pub fn new() -> Result<Shared<Scope>> {
        let c = Declarations::new(Platform::host())?;
        let c = Guarded::new(c);
        Ok(Shared::try_new(Scope { c })?)
    }

    /// Runs `work` on the declarations, under the lock. `work` must not use a scope, or run the user's code.
    pub fn with<R>(&self, work: impl FnOnce(&mut Declarations) -> R) -> R {
        self.c.with(work)
    }

    /// The text of a type, or of a declaration of `name` with this type.
    pub fn show(&self, ty: TypeId, name: &str) -> std::result::Result<String, OutOfMemory> {
        self.with(|c| try_format(format_args!("{}", c.show(ty).named(name))))
    }

    /// The function that `text` declares or, if `text` is a name, the declared function of that name.
    pub fn function(&self, text: &str) -> Result<Declared> {
        self.with(|c| {
            if let Some(function) = c.function(text) {
                return found(c, function.name, function.symbol, function.ty);
            }
            let (name, ty) = read(c, "function", text)?;
            if c.function_type(ty).is_some() {
                return anew(c, name, ty);
            }
            Err(Error::mismatch(
                format_args!("declaration"),
                format_args!("a function's prototype"),
                format_args!("{}", c.show(ty)),
            ))
        })
    }

    /// The variable that `text` declares or, if `text` is a name, the declared variable of that name.
    pub fn variable(&self, text: &str) -> Result<Declared> {
        self.with(|c| {
            if let Some(variable) = c.variable(text) {
                return found(c, variable.name, variable.symbol, variable.ty);
            }
            let (name, ty) = read(c, "variable", text)?;
            anew(c, name, ty)
        })
    }
}

/// The name and the type of a declaration. A single word that is not a type is taken for a name.
fn read(c: &mut Declarations, what: &'static str, text: &str) -> Result<(Option<NameId>, TypeId)> {
    match c.prototype(text) {
        Err(c::Error::Text(_)) if is_name(text) => Err(not_declared(what, text)),
        declared => Ok(declared?),
    }
}

/// A function or variable that was declared before.
fn found(c: &Declarations, name: NameId, symbol: Option<NameId>, ty: TypeId) -> Result<Declared> {
    Ok(Declared {
        name: Some(try_string(c.name(name))?),
        symbol: Some(try_string(c.name(symbol.unwrap_or(name)))?),
        ty,
    })
}

/// A function or variable from a text of its own.
fn anew(c: &Declarations, name: Option<NameId>, ty: TypeId) -> Result<Declared> {
    let copy = || name.map(|name| try_string(c.name(name))).transpose();
    Ok(Declared {
        name: copy()?,
        symbol: copy()?,
        ty,
    })
}

/// Whether a text is one word that has the form of a name. No declared name is one of C's keywords.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$';
    !text.is_empty() && text.bytes().all(is_part) && !text.as_bytes()[0].is_ascii_digit()
}

#[cold]
fn not_declared(what: &'static str, name: &str) -> Error {
    match try_string(name) {
        Ok(name) => Error::NotDeclared { what, name },
        Err(none) => none.into(),
    }
}

/// The treatment of a type's values, and the type that they are passed as.
pub(crate) fn treatment(
    c: &Declarations,
    ty: TypeId,
) -> std::result::Result<(Treatment, Type), Unpassable> {
    let passed = c.passed(ty)?;
    Ok((treatment_as(c, ty, &passed), passed))
}

/// Like [`treatment`], for a value in memory, where an array is bytes, too.
pub(crate) fn kept(
    c: &Declarations,
    ty: TypeId,
) -> std::result::Result<(Treatment, Type), Unpassable> {
    let is_in_memory_alone = matches!(
        c.resolved(ty),
        Ty::Array { .. } | Ty::Vector { .. } | Ty::Basic(_) | Ty::Record(_)
    );
    match c.passed(ty) {
        Ok(Type::Void) => Err(c::Unpassable::NoValue.into()),
        Ok(passed) => Ok((treatment_as(c, ty, &passed), passed)),
        Err(error) if is_in_memory_alone => {
            let layout = c.layout(ty).ok_or(error)?;
            let size = u32::try_from(layout.size).map_err(|_| c::Unpassable::NoValue)?;
            Ok((Treatment::Bytes(size), Type::Void))
        }
        Err(error) => Err(error.into()),
    }
}

/// Like [`treatment`], for the parameters of a function. An error comes with the index of its parameter.
pub(crate) fn treatments(
    c: &Declarations,
    function: &FunctionType,
) -> std::result::Result<(Vec<Treatment>, Vec<Type>), (usize, Unpassable)> {
    let passed = c
        .passed_params(function)
        .map_err(|(index, error)| (index, error.into()))?;
    let params = c.params(function).zip(&passed);
    let treated = params.map(|(param, passed)| treatment_as(c, param.ty, passed));
    match try_collect(treated) {
        Ok(treated) => Ok((treated, passed)),
        Err(none) => Err((0, none.into())),
    }
}

/// The treatment of values of the type `ty`, which are passed as `passed`.
fn treatment_as(c: &Declarations, ty: TypeId, passed: &Type) -> Treatment {
    let letter = match (c.resolved(ty), passed) {
        (Ty::Basic(Basic::Bool), _) => return Treatment::Bool,
        (Ty::Basic(Basic::LongDouble), _) => return Treatment::Float(c.platform().long_double),
        (_, Type::Wide(Wide::I128)) => return Treatment::Int128,
        (_, Type::Wide(Wide::U128)) => return Treatment::Uint128,
        (_, Type::Wide(Wide::F80)) => return Treatment::Float(Float::F80),
        (_, Type::Wide(Wide::F128)) => return Treatment::Float(Float::F128),
        (_, Type::Complex(part @ (Float::F32 | Float::F64))) => return Treatment::Complex(*part),
        (_, Type::Void) => 'v',
        (Ty::Pointer { .. } | Ty::Basic(Basic::VaList), Type::Scalar(_)) => 'p',
        (_, Type::Scalar(scalar)) => match scalar {
            Scalar::I8 => 'b',
            Scalar::U8 => 'B',
            Scalar::I16 => 'h',
            Scalar::U16 => 'H',
            Scalar::I32 => 'i',
            Scalar::U32 => 'I',
            Scalar::I64 => 'q',
            Scalar::U64 => 'Q',
            Scalar::F32 => 'f',
            Scalar::F64 => 'd',
        },
        (_, other) => return Treatment::Bytes(other.size()),
    };
    TypeCode::new(letter).map_or(Treatment::Bytes(passed.size()), Treatment::Code)
}
