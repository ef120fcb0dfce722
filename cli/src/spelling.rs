//! The full C text of types, where a type's own text leaves something out.

use farcall_cdecl::c::{Declarations, Ty, TypeId};

/// The form in which enumerations are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enums {
    ByName,
    AsIntegers,
}

/// The declaration of a name with a type. A structure without a tag is written out.
pub fn declared(c: &Declarations, ty: TypeId, name: Option<&str>) -> String {
    spelled(c, ty, name.unwrap_or_default(), Enums::ByName)
}

/// Like [`declared`], with integer types in place of enumerations, so that it does not need their declarations.
pub fn portable(c: &Declarations, ty: TypeId, name: &str) -> String {
    spelled(c, ty, name, Enums::AsIntegers)
}

fn spelled(c: &Declarations, ty: TypeId, name: &str, enums: Enums) -> String {
    let text = c.show(ty).named(name).to_string();
    let mut inner = ty;
    while let Ty::Pointer { to: next, .. } | Ty::Array { of: next, .. } = c.get(inner) {
        inner = next;
    }
    match c.get(inner) {
        Ty::Record(_) => match members(c, inner, enums) {
            Some(members) => text.replacen("{...}", &format!("{{ {members}}}"), 1),
            None => text,
        },
        Ty::Enum(_) if enums == Enums::AsIntegers => {
            let Some(enumeration) = c.enumeration(inner) else {
                return text;
            };
            let shown = c.show(inner).to_string();
            match enumeration.ty {
                Some(basic) => text.replacen(&shown, basic.name(), 1),
                None => text,
            }
        }
        _ => text,
    }
}

/// The members of a structure that has no tag.
fn members(c: &Declarations, ty: TypeId, enums: Enums) -> Option<String> {
    let record = c.record(ty).filter(|record| record.tag.is_none())?;
    let members = c.fields(record)?.iter().map(|field| {
        let name = field.name.map_or("", |name| c.name(name));
        let width = field.bits().map(|(_, width)| format!(" : {width}"));
        let member = spelled(c, field.ty, name, enums);
        format!("{member}{}; ", width.unwrap_or_default())
    });
    Some(members.collect())
}
