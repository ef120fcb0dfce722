//! C's constraints beyond the grammar (C11 6.7): names that are declared twice, and types that do not agree.

use super::attributes::Attributes;
use super::declarations::Declarations;
use super::names::NameId;
use super::parser::{Parser, Result};
use super::sort::sort_by_key;
use super::specifiers::Specifiers;
use super::steps::count;
use super::token::Token;
use super::types::{Field, FunctionType, Ty, TypeId};
use farcall_memory::{OutOfMemory, TryVec};

/// A name, with its place.
pub(super) type Named<'t> = (NameId, Token<'t>);

/// The most steps in the comparison of two types; types that agree so far count as the same. With typedefs, a short text can have huge types.
const STEPS: u32 = 1_000;

/// The number of members from which they are looked up by their order.
const MANY: usize = 16;

/// The most names of an anonymous member that are compared.
const INNER_NAMES: usize = 256;

impl<'t> Parser<'_, 't> {
    /// Refuses the first name that occurs twice. `what` is the kind of thing that it names.
    pub(super) fn expect_distinct(&self, names: &mut [Named<'t>], what: &str) -> Result<()> {
        sort_by_key(names, |(name, at)| (*name, at.start));
        let pairs = names.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        match pairs.map(|pair| pair[1]).min_by_key(|(_, at)| at.start) {
            None => Ok(()),
            Some((name, at)) => Err(self.fault_at(
                &at,
                format_args!(
                    "expected a new name for a {what}, got '{}' again",
                    self.c.name(name)
                ),
            )),
        }
    }

    /// Refuses storage class specifiers, except for the allowed ones.
    pub(super) fn expect_storage(
        &self,
        specifiers: &Specifiers<'t>,
        allowed: &[&str],
        what: &str,
    ) -> Result<()> {
        let words = [specifiers.storage_word, specifiers.function_word];
        let is_wrong = |word: &Token| !allowed.contains(&word.text);
        match words.into_iter().flatten().find(is_wrong) {
            None => Ok(()),
            Some(word) => Err(self.fault_at(
                &word,
                format_args!("expected no such word for {what}, got '{}'", word.text),
            )),
        }
    }

    /// Refuses `_Alignas` where it is not allowed (C11 6.7.5p2).
    pub(super) fn expect_no_alignas(
        &self,
        at: &Token<'t>,
        attributes: &Attributes,
        what: &str,
    ) -> Result<()> {
        match attributes.alignas {
            0 => Ok(()),
            _ => Err(self.fault_at(at, format_args!("expected no '_Alignas' for {what}"))),
        }
    }

    /// Refuses an `_Alignas` below the type's own alignment (C11 6.7.5p4).
    pub(super) fn expect_loose_alignment(
        &self,
        at: &Token<'t>,
        ty: TypeId,
        attributes: &Attributes,
    ) -> Result<()> {
        let asked = attributes.alignas;
        let own = match (self.c.layout(ty), self.c.resolved(ty)) {
            (Some(layout), _) => layout.align,
            (None, Ty::Array { of, .. }) => self.c.layout(of).map_or(1, |layout| layout.align),
            (None, _) => 1,
        };
        if asked == 0 || asked >= own {
            return Ok(());
        }
        Err(self.fault_at(
            at,
            format_args!("expected an alignment of at least {own} bytes, got {asked}"),
        ))
    }

    /// Refuses a type that does not agree with a name's existing type.
    pub(super) fn expect_same(&self, at: &Token<'t>, before: TypeId, now: TypeId) -> Result<()> {
        let mut steps = STEPS;
        if self.c.agree(before, now, &mut steps) {
            return Ok(());
        }
        let shown = |ty| self.c.record(ty).is_none_or(|record| record.tag.is_some());
        let another = if shown(before) || shown(now) {
            ""
        } else {
            "another "
        };
        Err(self.fault_at(
            at,
            format_args!(
                "expected the type that '{}' has already, {}, got {another}{}",
                at.text,
                self.c.show(self.c.behind_names(before).0),
                self.c.show(now)
            ),
        ))
    }
}

impl Declarations {
    /// Whether two types are compatible (C11 6.2.7). Only qualifiers that the texts spell out are compared: a typedef may hide some.
    fn agree(&self, a: TypeId, b: TypeId, steps: &mut u32) -> bool {
        count(1);
        let Some(left) = steps.checked_sub(1).filter(|_| a != b) else {
            return true;
        };
        *steps = left;
        match (self.resolved(a), self.resolved(b)) {
            (
                Ty::Pointer { to, to_const },
                Ty::Pointer {
                    to: other,
                    to_const: other_const,
                },
            ) => {
                let is_named = |ty| matches!(self.get(ty), Ty::Alias { .. });
                (to_const == other_const || is_named(to) || is_named(other))
                    && self.agree(to, other, steps)
            }
            (
                Ty::Array { of, len, .. },
                Ty::Array {
                    of: other,
                    len: other_len,
                    ..
                },
            ) => {
                let is_open = len.is_none() || other_len.is_none();
                (is_open || len == other_len) && self.agree(of, other, steps)
            }
            (Ty::Function(one), Ty::Function(other)) => {
                let (one, other) = (self.types.function(one), self.types.function(other));
                self.functions_agree(&one, &other, steps)
            }
            (
                Ty::Vector { of, size },
                Ty::Vector {
                    of: other,
                    size: other_size,
                },
            ) => size == other_size && self.agree(of, other, steps),
            (Ty::Enum(index), Ty::Basic(basic)) | (Ty::Basic(basic), Ty::Enum(index)) => {
                self.enums[index as usize].ty == Some(basic)
            }
            (one, other) => one == other,
        }
    }

    fn functions_agree(&self, one: &FunctionType, other: &FunctionType, steps: &mut u32) -> bool {
        if !self.agree(one.ret, other.ret, steps) {
            return false;
        }
        if !one.has_prototype || !other.has_prototype {
            return true;
        }
        let (params, others) = (self.params(one), self.params(other));
        one.is_variadic == other.is_variadic
            && params.len() == others.len()
            && params
                .zip(others)
                .all(|(param, other)| self.agree(param.ty, other.ty, steps))
    }

    /// Adds the names that an anonymous member brings into the enclosing structure.
    pub(super) fn inner_names<'t>(
        &self,
        ty: TypeId,
        at: Token<'t>,
        names: &mut Vec<Named<'t>>,
    ) -> std::result::Result<(), OutOfMemory> {
        let most = names.len() + INNER_NAMES;
        self.add_inner_names(ty, at, most, names)
    }

    fn add_inner_names<'t>(
        &self,
        ty: TypeId,
        at: Token<'t>,
        most: usize,
        names: &mut Vec<Named<'t>>,
    ) -> std::result::Result<(), OutOfMemory> {
        let fields = self.record(ty).and_then(|record| self.fields(record));
        for field in fields.unwrap_or_default() {
            if names.len() >= most {
                break;
            }
            count(1);
            match field.name {
                Some(name) => names.try_push((name, at))?,
                None => self.add_inner_names(field.ty, at, most, names)?,
            }
        }
        Ok(())
    }

    /// The offset and the type of a structure's member, by its name. Members of anonymous members are included.
    pub(super) fn member(&self, ty: TypeId, name: &str) -> Option<(u64, TypeId)> {
        self.member_within(ty, self.names.find(name)?, &mut { INNER_NAMES })
    }

    /// Searches a structure, and at most `most` anonymous members within it.
    fn member_within(&self, ty: TypeId, name: NameId, most: &mut usize) -> Option<(u64, TypeId)> {
        let record = self.record(ty)?;
        let fields = self.fields(record)?;
        count(1);
        if fields.len() < MANY {
            count(fields.len());
            if let Some(field) = fields.iter().find(|field| field.name == Some(name)) {
                return Some((field.offset(), field.ty));
            }
            let mut nameless = fields.iter().filter(|field| field.name.is_none());
            return nameless.find_map(|field| self.member_of(field, name, most));
        }
        let start = record.by_name as usize;
        let order = &self.by_name[start..start + fields.len()];
        let name_at = |place: &u32| fields.get(*place as usize).and_then(|field| field.name);
        if let Ok(found) = order.binary_search_by_key(&Some(name), name_at) {
            let field = fields.get(order[found] as usize)?;
            return Some((field.offset(), field.ty));
        }
        // Members without a name come first.
        let nameless = order.iter().take_while(|place| name_at(place).is_none());
        let mut nameless = nameless.filter_map(|place| fields.get(*place as usize));
        nameless.find_map(|field| self.member_of(field, name, most))
    }

    /// Searches an anonymous member.
    fn member_of(&self, field: &Field, name: NameId, most: &mut usize) -> Option<(u64, TypeId)> {
        *most = most.checked_sub(1)?;
        let (offset, ty) = self.member_within(field.ty, name, most)?;
        Some((field.offset() + offset, ty))
    }

    /// Adds the members of a structure and, if there are many, their order by name.
    pub(super) fn add_fields(
        &mut self,
        fields: &[Field],
    ) -> std::result::Result<(std::ops::Range<u32>, u32), OutOfMemory> {
        let (start, by_name) = (self.fields.len(), self.by_name.len());
        self.fields.try_extend_from_slice(fields)?;
        if fields.len() >= MANY {
            self.by_name.try_extend(0..fields.len() as u32)?;
            sort_by_key(&mut self.by_name[by_name..], |place| {
                (fields[*place as usize].name, *place)
            });
        }
        Ok((start as u32..self.fields.len() as u32, by_name as u32))
    }
}
