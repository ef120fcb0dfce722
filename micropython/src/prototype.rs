//! The C interface for signatures from C text: prototypes, and lists of types.

use crate::declared::{Declared, Source, of_function, of_sources, reading};
use crate::report::{Failure, Report, Status, guard};
use crate::scope::Scope;
use crate::signature::Signature;
use crate::text::text;
use farcall_cdecl::c::{Declarations, NameId, Ty, TypeId};
use farcall_cdecl::{Code, Codes, Position, Role, TypeCode};
use farcall_memory::{Shared, TryVec, try_with_capacity};
use std::ffi::c_char;

/// A function's name, its symbol in a library, and its type.
type Names = (Option<NameId>, Option<NameId>, TypeId);

fn role_of(is_callback: bool) -> Role {
    match is_callback {
        true => Role::Callback,
        false => Role::Function,
    }
}

/// Makes a signature and gives C a reference to it, until `farcall_signature_release()`.
///
/// # Safety
/// * `out` points to a place for the result.
unsafe fn give(declared: Declared, role: Role, out: *mut *const Signature) -> Result<(), Failure> {
    let signature = Shared::try_new(Signature::declared(declared, role, None)?)?;
    // SAFETY: `out` points to a place for the result, by the contract of this function.
    unsafe { out.write(signature.into_raw()) };
    Ok(())
}

/// # Safety
/// * `scope` is NULL, or a namespace that has not been released.
/// * `start` points to `len` bytes.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_prototype_new(
    scope: *const Scope,
    start: *const c_char,
    len: usize,
    is_callback: bool,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        let role = role_of(is_callback);
        // SAFETY: `start` points to `len` bytes, by the contract of this function.
        let text = unsafe { text(start, len)? };
        let read = |scope: &Shared<Scope>| {
            scope.with(|c| {
                let (name, ty) = c.prototype(text)?;
                of_function(c, scope, (name, None, ty), role)
            })
        };
        // SAFETY: `scope` is NULL or has not been released, and `out` points to a place for the result, by the contract of this
        // function.
        unsafe { give(reading(scope, Some(text), read)?, role, out) }
    })
}

/// Makes the signature of the function that `find` finds in a namespace.
///
/// # Safety
/// * As for [`farcall_declared_function_new`].
unsafe fn known(
    scope: *const Scope,
    role: Role,
    find: impl FnOnce(&Declarations) -> Option<Names>,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `scope` is a namespace that has not been released, by the contract of this function.
        let scope = unsafe { Scope::of(scope)? };
        let declared = scope.with(|c| {
            let names =
                find(c).ok_or_else(|| Failure::value("nothing is declared by that number"))?;
            of_function(c, &scope, names, role)
        })?;
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { give(declared, role, out) }
    })
}

/// Makes the signature of a numbered function in a namespace.
///
/// # Safety
/// * `scope` is a namespace that has not been released.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_declared_function_new(
    scope: *const Scope,
    index: u32,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    let find = |c: &Declarations| {
        let function = c.function_numbered(index)?;
        Some((Some(function.name), function.symbol, function.ty))
    };
    // SAFETY: the duties are the same.
    unsafe { known(scope, Role::Function, find, out, report) }
}

/// Makes the signature of the functions that a pointer type points to.
///
/// # Safety
/// * As for [`farcall_declared_function_new`]; `ty` is one of its types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_pointed_function_new(
    scope: *const Scope,
    ty: u32,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    let find = |c: &Declarations| Some((None, None, c.type_numbered(ty)?));
    // SAFETY: the duties are the same.
    unsafe { known(scope, Role::Callback, find, out, report) }
}

/// Makes the signature of one call of a variadic function. The codes are those of the arguments after the named ones, each `d` or `q`.
///
/// # Safety
/// * `signature` is a prototype's, and has not been released.
/// * `start` points to `len` bytes.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_extend(
    signature: *const Signature,
    start: *const c_char,
    len: usize,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `signature` has not been released, and `start` points to `len` bytes, by the contract of this function.
        let (signature, codes) = unsafe { (&*signature, text(start, len)?) };
        let Some(parts) = signature.parts() else {
            return Err(Failure::value("expected a prototype"));
        };
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { give(parts.extended(codes.as_bytes())?, Role::Function, out) }
    })
}

/// A text that C passes. ORDER farcall_text
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CText {
    start: *const c_char,
    len: usize,
}

/// Reads one text of a list: a letter, braces or a type's name.
fn source_of(c: &mut Declarations, text: &str, position: Position) -> Result<Source, Failure> {
    if text.len() <= 1 || text.starts_with('{') {
        return Ok(match Code::parse(text, position)? {
            Code::Letter(code) => Source::Letter(code),
            Code::Struct(code) => Source::Braces(code),
        });
    }
    match c.type_named(text) {
        Ok(ty) => Ok(Source::Type(ty)),
        // The port's own module reads only the first letter of a result's text.
        Err(error) => match (position, text.chars().next().and_then(TypeCode::new)) {
            (Position::Result, Some(code)) => Ok(Source::Letter(code)),
            _ => Err(Failure::value_of(&format_args!(
                "{position}: expected one type code or a C type, got '{text}'\n{error}"
            ))),
        },
    }
}

/// Makes a signature from texts, the result's first, each a code or a type's name. If `letters` is not NULL, it has the codes of
/// the arguments, and the result's is the only text.
///
/// # Safety
/// * `texts` points to `count` texts, at least one, and each of them to its bytes; `letters` is NULL or points to such a text.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_types_new(
    texts: *const CText,
    count: usize,
    letters: *const CText,
    is_callback: bool,
    out: *mut *const Signature,
    report: *mut Report,
) -> Status {
    guard(report, || {
        let role = role_of(is_callback);
        // SAFETY: `texts` points to `count` texts, by the contract of this function.
        let texts = unsafe { std::slice::from_raw_parts(texts, count) };
        // SAFETY: as above.
        let codes = match unsafe { letters.as_ref() } {
            None => None,
            Some(letters) => {
                // SAFETY: as above.
                let letters = unsafe { text(letters.start, letters.len)? };
                Some(Codes::parse("v", letters, role)?)
            }
        };
        let declared = Scope::in_newest(|scope| {
            let mut sources = try_with_capacity(texts.len())?;
            for (index, item) in texts.iter().enumerate() {
                // SAFETY: each text points to its bytes, by the contract of this function.
                let item = unsafe { text(item.start, item.len)? };
                let position = match index {
                    0 => Position::Result,
                    other => Position::Argument(other - 1),
                };
                sources.try_push(scope.with(|c| source_of(c, item, position))?)?;
            }
            let codes = codes.as_ref();
            for (index, code) in codes.iter().flat_map(|codes| codes.args.iter().enumerate()) {
                let structure = codes.and_then(|codes| codes.structure(Position::Argument(index)));
                sources.try_push(match structure {
                    Some(structure) => Source::Braces(structure.clone()),
                    None => Source::Letter(*code),
                })?;
            }
            // C's (void).
            if let [_, Source::Letter(code)] = &sources[..]
                && code.letter() == 'v'
            {
                sources.truncate(1);
            }
            if let [_, Source::Type(ty)] = sources[..]
                && scope.with(|c| is_void(c, ty))
            {
                sources.truncate(1);
            }
            let fixed = codes.and_then(|codes| codes.fixed);
            of_sources(Some(scope.clone()), sources, fixed, role)
        })?;
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { give(declared, role, out) }
    })
}

fn is_void(c: &Declarations, ty: TypeId) -> bool {
    c.resolved(ty) == Ty::Basic(farcall_cdecl::c::Basic::Void)
}
