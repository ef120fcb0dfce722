//! Structures and unions, with the places of their members.

use super::attributes::Attributes;
use super::constant::Digits;
use super::constraints::Named;
use super::declarator::Declared;
use super::layout::Layout;
use super::parser::{Failed, Parser, Result};
use super::placement::{Member, Plan};
use super::platform::BitFields;
use super::token::Token;
use super::types::{Field, Record, Ty, TypeId};
use farcall_memory::TryVec;

/// A member that is not placed yet: its token for messages, the field, its attributes, and the width of a bit-field.
type MemberDeclared<'t> = (Token<'t>, Field, Attributes, Option<u64>);

/// The most structures that may be nested by their names. C requires 63 levels (C11 5.2.4.1).
const MAX_DEPTH: u8 = 100;

/// The largest size of a structure in bytes, the same as for arrays.
const MAX_SIZE: u64 = 1 << 47;

impl<'t> Parser<'_, 't> {
    /// Reads a `struct` or a `union`, with or without its members.
    pub(super) fn record(&mut self) -> Result<TypeId> {
        let is_union = self.advance()?.is("union");
        let mut attributes = Attributes::default();
        self.attributes(&mut attributes)?;
        let (at, tag) = self.tag()?;
        self.attributes(&mut attributes)?;
        let is_defined = self.token.is("{");
        let is_right = |_: Ty| true;
        let id = self.tagged(&at, tag, is_defined, is_right, |c, tag| {
            let index = c.records.len() as u32;
            c.records.try_push(Record {
                tag,
                is_union,
                fields: 0..0,
                size: 0,
                align: 1,
                has_flexible_array: false,
                by_name: 0,
                depth: 0,
                natural_align: 1,
                unnamed: 0,
                has_unnamed: false,
                has_empty_bits: false,
                has_odd_bits: false,
            })?;
            Ok(Ty::Record(index))
        })?;
        let Ty::Record(index) = self.c.get(id) else {
            return Err(self.fault_at(
                &at,
                format_args!("expected the tag of a structure or a union, got an enumeration's"),
            ));
        };
        if self.c.records[index as usize].is_union != is_union {
            return Err(self.fault_at(
                &at,
                format_args!("expected the tag of a type of this sort, got one of another"),
            ));
        }
        if is_defined {
            // Within a structure the lengths of arrays count, even if the structure is in a parameter.
            let outer = std::mem::take(&mut self.in_parameters);
            let read = self.nested(|parser| parser.members(&at, index, attributes));
            self.in_parameters = outer;
            read?;
        }
        Ok(id)
    }

    /// Reads the members of a structure. `at` is its tag, if it has one.
    fn members(&mut self, at: &Token<'t>, index: u32, attributes: Attributes) -> Result<()> {
        let opening = self.token;
        self.expect("{")?;
        let pack = self.pack;
        let mut declared: Vec<MemberDeclared<'t>> = Vec::new();
        let mut names: Vec<Named<'t>> = Vec::new();
        while !self.accept("}")? {
            if self.accept(";")? {
                continue;
            }
            if self.static_assertion()? {
                continue;
            }
            self.member_declaration(&mut declared, &mut names)?;
        }
        self.expect_distinct(&mut names, "member")?;
        if self.c.records[index as usize].is_complete() {
            return Err(self.defined_before(at));
        }
        // Attributes after the closing brace are also the structure's.
        let mut attributes = attributes;
        self.attributes(&mut attributes)?;
        let mut plan = self.plan(index, &attributes);
        plan.pack = pack;
        let count = declared.len();
        let mut fields: Vec<Field> = Vec::new();
        let mut has_flexible_array = false;
        let (mut unnamed, mut has_unnamed, mut has_empty_bits) = (0, false, false);
        let mut has_odd_bits = false;
        for (number, member) in declared.iter().enumerate() {
            has_flexible_array |= self.is_open_array(member.1.ty);
            let placed = self.placed(&mut plan, member, number + 1 == count)?;
            let is_padding = placed.bits().is_some() && placed.name.is_none();
            has_empty_bits |= member.3 == Some(0);
            let has_own = member.2.packed || member.2.aligned != 0;
            has_odd_bits |= plan.is_microsoft && member.3.is_some() && has_own;
            if !is_padding {
                fields.try_push(placed)?;
            } else if plan.is_union || member.3 != Some(0) {
                // In a union, GCC counts an unnamed bit-field as its whole type, even one of width 0.
                let width = match plan.is_union {
                    true => self.sized(&member.0, placed.ty)?.size * 8,
                    false => member.3.unwrap_or(0),
                };
                unnamed |= touched(&placed, width);
                has_unnamed = true;
            }
        }
        let align = plan.align.max(attributes.aligned);
        let bytes = plan.size.max(plan.end).div_ceil(8);
        let size = bytes.checked_next_multiple_of(align.into());
        let Some(size) = size.filter(|size| *size <= MAX_SIZE) else {
            return Err(self.too_large(&opening));
        };
        let nesting = fields.iter().map(|field| self.c.nesting(field.ty)).max();
        let depth = nesting.unwrap_or(0) + 1;
        if depth > MAX_DEPTH {
            return Err(self.fault_at(
                &opening,
                format_args!("expected structures nested at most {MAX_DEPTH} deep, got more"),
            ));
        }
        let (fields, by_name) = self.c.add_fields(&fields)?;
        let record = self.c.record_mut(index)?;
        record.by_name = by_name;
        record.fields = fields;
        (record.size, record.align, record.depth) = (size, align, depth);
        record.has_flexible_array = has_flexible_array;
        record.natural_align = plan.align;
        (record.unnamed, record.has_unnamed) = (unnamed, has_unnamed);
        (record.has_empty_bits, record.has_odd_bits) = (has_empty_bits, has_odd_bits);
        Ok(())
    }

    /// The plan for a structure, before its first member.
    fn plan(&self, index: u32, attributes: &Attributes) -> Plan {
        let bit_fields = self.c.platform.bit_fields;
        let unnamed_align = BitFields::Gnu {
            unnamed_align: true,
        };
        Plan {
            is_union: self.c.records[index as usize].is_union,
            is_microsoft: attributes
                .microsoft
                .unwrap_or(bit_fields == BitFields::Microsoft),
            unnamed_align: bit_fields == unnamed_align,
            packed: attributes.packed,
            pack: 0,
            align: 1,
            end: 0,
            size: 0,
            unit: (0, 0),
        }
    }

    fn is_open_array(&self, ty: TypeId) -> bool {
        matches!(self.c.resolved(ty), Ty::Array { len: None, .. })
    }

    fn too_large(&self, at: &Token<'t>) -> Failed {
        self.fault_at(
            at,
            format_args!("expected a structure of at most {MAX_SIZE} bytes, got a larger one"),
        )
    }

    /// Places a member.
    fn placed(
        &mut self,
        plan: &mut Plan,
        (at, field, own, bits): &MemberDeclared<'t>,
        is_last: bool,
    ) -> Result<Field> {
        let layout = match self.c.resolved(field.ty) {
            // C11 6.7.2.1p18; GNU C allows it in unions, too.
            Ty::Array { of, len: None, .. } if is_last || plan.is_union => Layout {
                size: 0,
                align: self.sized(at, of)?.align,
            },
            _ => self.sized(at, field.ty)?,
        };
        let member = Member {
            layout,
            asked: own.aligned,
            packed: own.packed,
        };
        let placed = match *bits {
            None => plan.place(member).map(|offset| field.at(offset)),
            Some(width) => plan
                .place_bits(member, width, field.name.is_some())
                .map(|bit| field.at_bit(bit, width as u8)),
        };
        placed.ok_or_else(|| self.too_large(at))
    }

    fn member_declaration(
        &mut self,
        all: &mut Vec<MemberDeclared<'t>>,
        names: &mut Vec<Named<'t>>,
    ) -> Result<()> {
        let at = self.token;
        let specifiers = self.specifiers()?;
        self.expect_storage(&specifiers, &[], "a member")?;
        if self.accept(";")? {
            // An anonymous structure or union (C11 6.7.2.1p13); on Windows also one with a tag or a typedef name (`-fms-extensions`). Anything
            // else declares nothing.
            let is_microsoft = self.c.platform.is_microsoft();
            let is_named = matches!(self.c.get(specifiers.ty), Ty::Alias { .. });
            if let Some(record) = self.c.record(specifiers.ty)
                && (record.tag.is_none() && !is_named || is_microsoft && record.is_complete())
            {
                self.c.inner_names(specifiers.ty, at, names)?;
                let field = Field::new(None, specifiers.ty);
                all.try_push((at, field, specifiers.attributes, None))?;
            }
            return Ok(());
        }
        loop {
            let declared = match self.token.is(":") {
                true => Declared {
                    name: None,
                    ty: specifiers.ty,
                    at: self.token,
                },
                false => self.declarator(specifiers.ty, specifiers.is_const)?,
            };
            let at = declared.at;
            if let Some(name) = declared.name {
                names.try_push((name, at))?;
            }
            let bits = match self.accept(":")? {
                true => Some(self.bit_width(&at, declared)?),
                false => None,
            };
            let mut attributes = specifiers.attributes;
            self.attributes(&mut attributes)?;
            let ty = self.with_attributes(&at, declared.ty, &attributes)?;
            match bits {
                None => self.expect_loose_alignment(&at, ty, &attributes)?,
                Some(_) => self.expect_no_alignas(&at, &attributes, "a bit-field")?,
            }
            if matches!(self.c.resolved(ty), Ty::Function(_)) {
                return Err(self.fault_at(
                    &at,
                    format_args!("expected a member with a value, got a function"),
                ));
            }
            if declared.name.is_none() && bits.is_none() {
                return Err(
                    self.fault_at(&at, format_args!("expected the name of a member, got none"))
                );
            }
            let field = Field::new(declared.name, ty);
            all.try_push((at, field, attributes, bits))?;
            if !self.accept(",")? {
                break;
            }
            self.attributes(&mut Attributes::default())?;
        }
        self.expect(";")
    }

    /// Reads the width of a bit-field, after the colon.
    fn bit_width(&mut self, at: &Token, declared: Declared<'t>) -> Result<u64> {
        let here = self.token;
        let width = self.constant_expression()?.value;
        let Some(basic) = self.c.integer(declared.ty) else {
            return Err(self.fault_at(
                at,
                format_args!(
                    "expected a bit-field of an integer type, got {}",
                    self.c.show(declared.ty)
                ),
            ));
        };
        let most = i128::from(self.c.width(basic).bits);
        // Only an unnamed bit-field may have a width of 0 (C11 6.7.2.1p4).
        let least = i128::from(declared.name.is_some());
        if !(least..=most).contains(&width) {
            return Err(self.fault_at(
                &here,
                format_args!(
                    "expected a width of {} to {} bits, got {}",
                    Digits(least),
                    Digits(most),
                    Digits(width)
                ),
            ));
        }
        Ok(width as u64)
    }
}

/// A bit for each of the first 16 bytes of a structure that a bit-field touches.
fn touched(field: &Field, width: u64) -> u16 {
    let (first, _) = field.bits().unwrap_or_default();
    let bytes = (u32::from(first) + width as u32).div_ceil(8);
    let all = u32::MAX >> (32 - bytes);
    match field.offset() {
        offset @ 0..16 => (all << offset) as u16,
        _ => 0,
    }
}
