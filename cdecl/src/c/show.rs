//! The text of types in C syntax.

use super::declarations::Declarations;
use super::types::{Ty, TypeId};
use std::fmt::{self, Formatter};

/// The text of a type, or of a declaration of a name with this type.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'c> {
    c: &'c Declarations,
    ty: TypeId,
    name: &'c str,
}

impl Declarations {
    /// The text of a type in C syntax.
    pub fn show(&self, ty: TypeId) -> Shown<'_> {
        Shown::new(self, ty)
    }
}

impl<'c> Shown<'c> {
    fn new(c: &'c Declarations, ty: TypeId) -> Shown<'c> {
        Shown { c, ty, name: "" }
    }

    /// The declaration of `name` with this type.
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

/// The end of the text before a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Word,
    Sign,
}

/// Whether a pointer to this type needs parentheses.
fn binds_behind(c: &Declarations, ty: TypeId) -> bool {
    matches!(c.get(ty), Ty::Array { .. } | Ty::Function(_))
}

/// Writes the part before the name.
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
            // The `const` of a pointer follows it.
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

/// Writes the part after the name.
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
