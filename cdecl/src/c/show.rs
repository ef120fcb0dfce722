//! Types as C writes them.

use super::declarations::Declarations;
use super::types::{Ty, TypeId};
use std::fmt::{self, Formatter};

/// A type's text, with a name in its place if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'c> {
    c: &'c Declarations,
    ty: TypeId,
    name: &'c str,
}

impl Declarations {
    /// A type as C writes it.
    pub fn show(&self, ty: TypeId) -> Shown<'_> {
        Shown::new(self, ty)
    }
}

impl<'c> Shown<'c> {
    fn new(c: &'c Declarations, ty: TypeId) -> Shown<'c> {
        Shown { c, ty, name: "" }
    }

    /// The declaration of something of that name and this type.
    pub fn named(self, name: &'c str) -> Shown<'c> {
        Shown { name, ..self }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let end = before(self.c, self.ty, f)?;
        if !self.name.is_empty() {
            write!(
                f,
                "{}{}",
                if end == End::Word { " " } else { "" },
                self.name
            )?;
        }
        after(self.c, self.ty, f)
    }
}

/// What the text ahead of a name ends in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Word,
    Sign,
}

/// Whether a pointer to such a type needs brackets around it.
fn binds_behind(c: &Declarations, ty: TypeId) -> bool {
    matches!(c.get(ty), Ty::Array { .. } | Ty::Function(_))
}

/// What stands ahead of the name.
fn before(c: &Declarations, ty: TypeId, f: &mut Formatter) -> Result<End, fmt::Error> {
    match c.get(ty) {
        Ty::Basic(basic) => f.write_str(basic.name())?,
        Ty::Alias { name, .. } => f.write_str(c.name(name))?,
        Ty::Record(index) => {
            let record = &c.records[index as usize];
            let keyword = if record.is_union { "union" } else { "struct" };
            match record.tag {
                Some(tag) => write!(f, "{keyword} {}", c.name(tag))?,
                None => write!(f, "{keyword} {{...}}")?,
            }
        }
        Ty::Enum(index) => match c.enums[index as usize].tag {
            Some(tag) => write!(f, "enum {}", c.name(tag))?,
            None => f.write_str("enum {...}")?,
        },
        Ty::Pointer { to, to_const } => {
            // Of a pointer it stands behind it.
            let is_behind = matches!(c.get(to), Ty::Pointer { .. });
            if to_const && !is_behind {
                f.write_str("const ")?;
            }
            if before(c, to, f)? == End::Word {
                f.write_str(" ")?;
            }
            if to_const && is_behind {
                f.write_str("const ")?;
            }
            let bracket = if binds_behind(c, to) { "(" } else { "" };
            write!(f, "{bracket}*")?;
            return Ok(End::Sign);
        }
        Ty::Array { of, .. } => return before(c, of, f),
        Ty::Function(index) => return before(c, c.types.function(index).ret, f),
        Ty::Vector { of, size } => {
            before(c, of, f)?;
            write!(f, " __attribute__((vector_size({size})))")?;
        }
    }
    Ok(End::Word)
}

/// What stands behind it.
fn after(c: &Declarations, ty: TypeId, f: &mut Formatter) -> fmt::Result {
    match c.get(ty) {
        Ty::Pointer { to, .. } => {
            if binds_behind(c, to) {
                f.write_str(")")?;
            }
            after(c, to, f)
        }
        Ty::Array { of, len, .. } => {
            match len {
                Some(len) => write!(f, "[{len}]")?,
                None => f.write_str("[]")?,
            }
            after(c, of, f)
        }
        Ty::Function(index) => {
            let function = c.types.function(index);
            f.write_str("(")?;
            let params = c.params(&function);
            let is_empty = params.len() == 0;
            for (number, param) in params.enumerate() {
                let comma = if number == 0 { "" } else { ", " };
                write!(f, "{comma}{}", Shown::new(c, param.ty))?;
            }
            match (is_empty, function.is_variadic, function.has_prototype) {
                (false, true, _) => f.write_str(", ...")?,
                (true, true, _) => f.write_str("...")?,
                (true, false, true) => f.write_str("void")?,
                _ => {}
            }
            f.write_str(")")?;
            after(c, function.ret, f)
        }
        _ => Ok(()),
    }
}
