//! Makes cases from C text: the signature that farcall reads in a declaration, and where it finds each part of a value.
//!
//! The C compiler reads the same text. It is told only in which cell each part is handed over. So a member at another place than farcall
//! computes shows as a wrong value.

use crate::cases::Case;
use crate::codes::Code;
use crate::layout::{Byte, Layout};
use crate::record::{Declared, Record, Text};
use crate::target::Target;
use crate::types::Ty;
use anyhow::{Context, Result, bail};
use farcall_arch::{Signature, Type};
use farcall_cdecl::c::{self, Basic, Declarations, Field, TypeId};
use std::sync::Arc;

impl Case {
    /// The case that a text declares.
    ///
    /// # Errors
    /// The outer error when the text is no C, or not of the kind that [`crate::declare`] writes; the inner one, with the reason in words,
    /// when farcall does not pass the declared types by value.
    pub fn declared(index: u64, text: Text, target: &Target) -> Result<Result<Case, String>> {
        let platform = target.platform.context("no declarations here")?;
        let mut c = Declarations::new(platform)?;
        c.read(&text.types)?;
        let (_, prototype) = c.prototype(&text.prototype)?;
        let more = match &text.more[..] {
            "" => None,
            more => Some(c.prototype(more)?.1),
        };
        Reader { c: &c, target }.case(index, text, prototype, more)
    }
}

struct Reader<'a> {
    c: &'a Declarations,
    target: &'a Target,
}

impl Reader<'_> {
    fn case(
        &self,
        index: u64,
        text: Text,
        prototype: TypeId,
        more: Option<TypeId>,
    ) -> Result<Result<Case, String>> {
        let c = self.c;
        let function = c.function_type(prototype).context("no function")?;
        let mut types = Vec::new();
        let mut ids = Vec::new();
        let behind = more.and_then(|more| c.function_type(more));
        for function in [Some(function), behind].iter().flatten() {
            match c.passed_params(function) {
                Ok(more) => types.extend(more),
                Err((_, reason)) => return Ok(Err(reason.to_string())),
            }
            ids.extend(c.params(function).map(|param| param.ty));
        }
        let ret = match c.passed(function.ret) {
            Ok(ret) => ret,
            Err(reason) => return Ok(Err(reason.to_string())),
        };
        let named = c.params(&function).len();
        let fixed = function.is_variadic.then_some(named);
        let signature = match fixed {
            Some(fixed) => Signature::variadic(ret.clone(), types.clone(), fixed)?,
            None => Signature::new(ret.clone(), types.clone())?,
        };
        if let Err(reason) = farcall_arch::plan(&signature, self.target.abi) {
            return Ok(Err(reason.to_string()));
        }
        let args = ids.iter().zip(types).map(|(id, ty)| self.ty(*id, ty));
        let ret = match ret {
            Type::Void => None,
            ret => Some(self.ty(function.ret, ret)?),
        };
        Ok(Ok(Case {
            index,
            ret,
            args: args.collect::<Result<_>>()?,
            fixed,
            declared: Some(Arc::new(Declared { text, signature })),
            ..Case::default()
        }))
    }

    /// The type `id`, which farcall passes as `ty`.
    fn ty(&self, id: TypeId, ty: Type) -> Result<Ty> {
        let Some(_) = self.c.record(id) else {
            return Ok(Ty::Number(self.code(id)?));
        };
        let layout = self.c.layout(id).context("a size")?;
        let mut record = Record {
            name: self.c.show(id).to_string(),
            ty,
            layout: Layout {
                align: layout.align as usize,
                bytes: vec![Byte::Padding; layout.size as usize],
            },
            leaves: Vec::new(),
        };
        self.members(id, 0, "", &mut record)?;
        Ok(Ty::Declared(Arc::new(record)))
    }

    /// Adds the members of the structure `id` that begins `base` bytes from the start and is reached by `path`.
    fn members(&self, id: TypeId, base: u64, path: &str, whole: &mut Record) -> Result<()> {
        let record = self.c.record(id).context("a structure")?;
        for field in self.c.fields(record).context("members")? {
            let path = match field.name {
                Some(name) => format!("{path}.{}", self.c.name(name)),
                None => path.to_owned(),
            };
            let offset = base + field.offset();
            match field.bits() {
                Some((first, width)) => {
                    whole.bit_field(path, offset as usize, first.into(), width.into());
                }
                None => self.member(field.at(offset), path, whole)?,
            }
        }
        Ok(())
    }

    fn member(&self, field: Field, path: String, whole: &mut Record) -> Result<()> {
        match self.c.resolved(field.ty) {
            c::Ty::Record(_) => self.members(field.ty, field.offset(), &path, whole),
            c::Ty::Array { of, len, .. } => {
                let size = self.c.layout(of).context("a size")?.size;
                for index in 0..len.unwrap_or(0) {
                    let element = field.element(of, index * size);
                    self.member(element, format!("{path}[{index}]"), whole)?;
                }
                Ok(())
            }
            _ => {
                let layout = Layout::of(&Ty::Number(self.code(field.ty)?), self.target);
                whole.number(path, field.offset() as usize, &layout)
            }
        }
    }

    /// The code of a type that is no structure.
    fn code(&self, id: TypeId) -> Result<&'static Code> {
        let c = self.c;
        let basic = match c.resolved(id) {
            c::Ty::Basic(basic) => basic,
            c::Ty::Enum(_) => {
                let ty = c.enumeration(id).and_then(|declared| declared.ty);
                ty.context("an enumeration's type")?
            }
            c::Ty::Pointer { .. } => return Code::of('p').context("a pointer"),
            other => bail!("no value: {other:?}"),
        };
        let letter = match basic {
            Basic::Bool => '?',
            Basic::Char if !c.platform().char_is_signed => 'B',
            Basic::Char | Basic::SChar => 'b',
            Basic::UChar => 'B',
            Basic::Short => 'h',
            Basic::UShort => 'H',
            Basic::Int => 'i',
            Basic::UInt => 'I',
            Basic::Long => 'l',
            Basic::ULong => 'L',
            Basic::LongLong => 'q',
            Basic::ULongLong => 'Q',
            Basic::Int128 => 'o',
            Basic::UInt128 => 'O',
            Basic::Float => 'f',
            Basic::Double => 'd',
            Basic::LongDouble => 'e',
            Basic::Float128 => 'g',
            Basic::ComplexFloat => 'F',
            Basic::ComplexDouble => 'D',
            Basic::ComplexLongDouble => 'E',
            other => bail!("no values of {other:?} are made here"),
        };
        Code::of(letter).context("a code")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ALL;

    fn argument(types: &str) -> Arc<Record> {
        let text = Text {
            types: types.to_owned(),
            prototype: "void callee_0(struct s a0)".to_owned(),
            more: String::new(),
        };
        let case = Case::declared(0, text, ALL[0]).expect("C").expect("values");
        match &case.args[..] {
            [Ty::Declared(record)] => record.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_member_has_its_bytes_and_each_bit_field_its_bits() {
        use Byte::*;
        let record = argument("struct s { char a; int b : 5, : 2, c : 9; _Bool d[2]; };");
        let bytes = [
            Value,
            Bits(0x9f),
            Bits(0xff),
            Bool,
            Bool,
            Padding,
            Padding,
            Padding,
        ];
        assert_eq!(record.layout.bytes, bytes);
        let leaves = record.leaves.iter();
        let leaves: Vec<_> = leaves
            .map(|leaf| (&leaf.path[..], leaf.offset, leaf.bits))
            .collect();
        let wanted = [
            (".a", 0, None),
            (".b", 1, Some((0, 5))),
            (".c", 1, Some((7, 9))),
            (".d[0]", 3, None),
            (".d[1]", 4, None),
        ];
        assert_eq!(leaves, wanted);
    }

    #[test]
    fn what_is_not_passed_by_value_is_refused_in_words() {
        let text = |types: &str| Text {
            types: types.to_owned(),
            prototype: "void callee_0(struct s a0)".to_owned(),
            more: String::new(),
        };
        for types in [
            "struct s { int : 3; };",
            "struct s { int : 32; float x; };",
            "struct s;",
        ] {
            let read = Case::declared(0, text(types), ALL[0]);
            assert!(read.expect("C").is_err(), "{types}");
        }
        assert!(Case::declared(0, text("struct s {"), ALL[0]).is_err());
    }
}
