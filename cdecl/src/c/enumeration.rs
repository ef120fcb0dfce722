//! Enumerations (C11 6.7.2.2).

use super::attributes::Attributes;
use super::constant::{Constant, Digits};
use super::declarations::{Declarations, Meaning};
use super::parser::{Parser, Result};
use super::token::Kind;
use super::types::{Basic, Enum, Ty, TypeId};
use farcall_memory::TryVec;

impl Parser<'_, '_> {
    /// Reads an `enum`, with or without its constants.
    pub(super) fn enumeration(&mut self) -> Result<TypeId> {
        self.advance()?;
        let mut attributes = Attributes::default();
        self.attributes(&mut attributes)?;
        let (at, tag) = self.tag()?;
        // C23: the underlying type.
        let has_type = self.token.is(":") && self.begins_type(&self.peek());
        let given = match has_type {
            true => {
                self.advance()?;
                let specifiers = self.nested(Self::specifiers)?;
                self.c.integer(specifiers.ty)
            }
            false => None,
        };
        let is_defined = self.token.is("{");
        let id = self.tagged(
            &at,
            tag,
            is_defined,
            |ty| matches!(ty, Ty::Enum(_)),
            |c, tag| {
                let index = c.enums.len() as u32;
                c.enums.try_push(Enum {
                    tag,
                    ty: None,
                    constants: 0..0,
                })?;
                Ok(Ty::Enum(index))
            },
        )?;
        if is_defined {
            let first = self.c.constants.len() as u32;
            let range = self.nested(|parser| parser.constants(given))?;
            self.attributes(&mut attributes)?;
            if self.c.enumeration(id).is_some_and(|this| this.ty.is_some()) && given.is_none() {
                return Err(self.defined_before(&at));
            }
            let ty = given.unwrap_or_else(|| self.c.enum_type(range, attributes.packed));
            if let Ty::Enum(index) = self.c.get(id) {
                let end = self.c.constants.len() as u32;
                let this = self.c.enum_mut(index)?;
                this.ty = Some(ty);
                this.constants = first..end;
            }
        } else if let (Some(given), Ty::Enum(index)) = (given, self.c.get(id)) {
            self.c.enum_mut(index)?.ty = Some(given);
        }
        Ok(id)
    }

    /// Reads the constants of an enumeration. Returns the smallest and the largest value.
    fn constants(&mut self, given: Option<Basic>) -> Result<(i128, i128)> {
        self.expect("{")?;
        let (mut next, mut range) = (0_i128, (0, 0));
        let mut ty = given.unwrap_or(Basic::Int);
        let mut is_first = true;
        while is_first || !self.accept("}")? {
            is_first = false;
            if self.token.kind != Kind::Word {
                return Err(self.expected(format_args!("the name of a constant")));
            }
            let at = self.advance()?;
            self.attributes(&mut Attributes::default())?;
            if self.accept("=")? {
                let value = self.constant_expression()?;
                next = value.value;
            }
            let holds = match given {
                Some(given) => self.c.width(given).holds(next),
                None => (i64::MIN.into()..=u64::MAX.into()).contains(&next),
            };
            if !holds {
                return Err(self.fault_at(
                    &at,
                    format_args!(
                        "expected a value in the range of the type, got {}",
                        Digits(next)
                    ),
                ));
            }
            // GNU C: an int, or the type that the value needs.
            if given.is_none() {
                ty = self.c.enum_type((next, next), false);
                if ty == Basic::UInt && next <= i128::from(i32::MAX) {
                    ty = Basic::Int;
                }
            }
            let name = self.name(&at)?;
            if self.c.meaning_of(name).is_some() {
                return Err(self.fault_at(
                    &at,
                    format_args!(
                        "expected a new name for a constant, got one that is declared already"
                    ),
                ));
            }
            self.declare_constant(name, &Constant::Integer(next), Some(ty), Meaning::Constant)?;
            range = (range.0.min(next), range.1.max(next));
            next += 1;
            if !self.accept(",")? {
                self.expect("}")?;
                break;
            }
        }
        Ok(range)
    }
}

impl Declarations {
    /// The type of an enumeration with values in this range: unsigned if none is negative, and as wide as needed (GCC; C11 leaves it open).
    fn enum_type(&self, (least, greatest): (i128, i128), is_packed: bool) -> Basic {
        let narrow: &[Basic] = match (is_packed, least < 0) {
            (true, true) => &[Basic::SChar, Basic::Short],
            (true, false) => &[Basic::UChar, Basic::UShort],
            _ => &[],
        };
        let wide: &[Basic] = match least < 0 {
            true => &[Basic::Int, Basic::Long, Basic::LongLong],
            false => &[Basic::UInt, Basic::ULong, Basic::ULongLong],
        };
        let holds = |basic: &&Basic| {
            let width = self.width(**basic);
            width.holds(least) && width.holds(greatest)
        };
        let widest = if least < 0 {
            Basic::LongLong
        } else {
            Basic::ULongLong
        };
        narrow
            .iter()
            .chain(wide)
            .find(holds)
            .copied()
            .unwrap_or(widest)
    }
}
