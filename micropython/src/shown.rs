//! The text of C names and types, for messages and for printing.

use crate::declared::{Declared, Origin, Source};
use crate::signature::Signature;
use farcall_cdecl::c::{Declarations, NameId, TypeId};
use std::ffi::c_char;
use std::fmt::{self, Write};

/// The part of a signature to show. ORDER farcall_shown
const TEXT: u32 = 0;
const PARAMETERS: u32 = 1;
const NAME: u32 = 2;
const TYPE: u32 = 3;
const FUNCTION: u32 = 4;
const SYMBOL: u32 = 5;

/// A writer into C's memory. Text that does not fit is cut off, and a NUL ends it.
pub struct Fixed {
    start: *mut u8,
    size: usize,
    len: usize,
}

impl Fixed {
    /// # Safety
    /// * `start` points to `size` bytes, at least one, which nothing else uses while this value exists.
    pub unsafe fn new(start: *mut c_char, size: usize) -> Fixed {
        let start = start.cast();
        Fixed {
            start,
            size,
            len: 0,
        }
    }
}

impl Write for Fixed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.size - 1 - self.len;
        let fitting = &text[..text.floor_char_boundary(room)];
        // SAFETY: `start` points to `size` bytes, by the contract of `new`, and there is room left for these bytes.
        unsafe {
            let to = self.start.add(self.len);
            to.copy_from_nonoverlapping(fitting.as_ptr(), fitting.len());
        }
        self.len += fitting.len();
        match fitting.len() < text.len() {
            true => Err(fmt::Error),
            false => Ok(()),
        }
    }
}

impl Drop for Fixed {
    fn drop(&mut self) {
        // SAFETY: as above; room for the NUL is always left.
        unsafe { self.start.add(self.len).write(0) };
    }
}

/// # Safety
/// * `signature` has not been released.
/// * `start` points to `size` bytes, one at least.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_signature_show(
    signature: *const Signature,
    what: u32,
    index: usize,
    start: *mut c_char,
    size: usize,
) {
    // SAFETY: `start` points to `size` bytes, one at least, and `signature` has not been released, by the contract of this function.
    let (mut to, signature) = unsafe { (Fixed::new(start, size), &*signature) };
    if let Some(parts) = signature.parts() {
        // Text that does not fit is cut off.
        let _ = show(parts, what, index, &mut to);
    }
}

fn show(parts: &Declared, what: u32, index: usize, to: &mut Fixed) -> fmt::Result {
    match &parts.origin {
        Origin::Prototype {
            scope,
            ty,
            name,
            symbol,
        } => {
            let names = (*name, symbol.or(*name));
            scope.with(|c| show_prototype(c, *ty, names, what, index, to))
        }
        Origin::List { scope, sources } => match scope {
            None => show_list(None, sources, what, index, to),
            Some(scope) => scope.with(|c| show_list(Some(c), sources, what, index, to)),
        },
        Origin::Extended(_) => Ok(()),
    }
}

fn show_prototype(
    c: &Declarations,
    ty: TypeId,
    (name, symbol): (Option<NameId>, Option<NameId>),
    what: u32,
    index: usize,
    to: &mut Fixed,
) -> fmt::Result {
    let Some(function) = c.function_type(ty) else {
        return Ok(());
    };
    let params = c.params(&function);
    let param = index
        .checked_sub(1)
        .and_then(|index| params.clone().nth(index));
    let is_empty = params.len() == 0;
    match (what, param) {
        (TEXT, _) => write!(to, "{}", c.show(ty)),
        (PARAMETERS, _) => {
            for (number, param) in params.enumerate() {
                let comma = if number == 0 { "" } else { ", " };
                let name = param.name.map_or("", |name| c.name(name));
                write!(to, "{comma}{}", c.show(param.ty).named(name))?;
            }
            match (function.is_variadic, is_empty) {
                (true, false) => to.write_str(", ..."),
                (true, true) => to.write_str("..."),
                (false, true) => to.write_str("void"),
                (false, false) => Ok(()),
            }
        }
        (NAME, Some(param)) => to.write_str(param.name.map_or("", |name| c.name(name))),
        (TYPE, Some(param)) => write!(to, "{}", c.show(param.ty)),
        (TYPE, None) if index == 0 => write!(to, "{}", c.show(function.ret)),
        (FUNCTION, _) => to.write_str(name.map_or("", |name| c.name(name))),
        (SYMBOL, _) => to.write_str(symbol.map_or("", |name| c.name(name))),
        _ => Ok(()),
    }
}

fn show_list(
    c: Option<&mut Declarations>,
    sources: &[Source],
    what: u32,
    index: usize,
    to: &mut Fixed,
) -> fmt::Result {
    let c = c.as_deref();
    let has_types = |source: &Source| matches!(source, Source::Type(_));
    let comma = match sources.iter().any(has_types) {
        true => ", ",
        false => "",
    };
    match what {
        TEXT => {
            show_source(c, &sources[0], to)?;
            to.write_str("(")?;
            show_list_items(c, sources, comma, to)?;
            to.write_str(")")
        }
        PARAMETERS => show_list_items(c, sources, comma, to),
        TYPE => match sources.get(index) {
            Some(source) => show_source(c, source, to),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn show_list_items(
    c: Option<&Declarations>,
    sources: &[Source],
    comma: &str,
    to: &mut Fixed,
) -> fmt::Result {
    for (number, source) in sources[1..].iter().enumerate() {
        to.write_str(if number == 0 { "" } else { comma })?;
        show_source(c, source, to)?;
    }
    Ok(())
}

fn show_source(c: Option<&Declarations>, source: &Source, to: &mut Fixed) -> fmt::Result {
    match (source, c) {
        (Source::Letter(code), _) => to.write_char(code.letter()),
        (Source::Braces(code), _) => to.write_str(code.text()),
        (Source::Type(ty), Some(c)) => write!(to, "{}", c.show(*ty)),
        (Source::Type(_), None) => Ok(()),
    }
}
