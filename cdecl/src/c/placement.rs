//! The layout of a structure's members, like GCC's: by the psABI, AAPCS64, and Microsoft's rules for bit-fields on Windows.

use super::layout::Layout;

/// A member to place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// The layout of its type.
    pub layout: Layout,
    /// The alignment that its own attributes ask for, in bytes; 0 for none.
    pub asked: u32,
    /// Whether its own attributes pack it.
    pub packed: bool,
}

/// A structure that is being laid out. Offsets are in bits.
pub(super) struct Plan {
    pub is_union: bool,
    pub is_microsoft: bool,
    pub unnamed_align: bool,
    pub packed: bool,
    /// The largest alignment of a member, in bytes; 0 for none.
    pub pack: u32,
    pub align: u32,
    /// The offset from which the next member may begin.
    pub end: u64,
    /// The size of the largest member of a union.
    pub size: u64,
    /// For Microsoft's rules: the bits left in the unit of the last bit-field, and the bits of that unit; 0 if the last member was not a bit-field.
    pub unit: (u64, u64),
}

impl Plan {
    /// The alignment of a member in bytes: that of its type, changed by packing and its own attributes.
    fn align_of(&self, member: Member) -> u32 {
        let natural = if self.packed || member.packed {
            1
        } else {
            member.layout.align
        };
        let align = natural.max(member.asked);
        match self.pack {
            0 => align,
            pack => align.min(pack),
        }
    }

    /// Places a member that is not a bit-field. Returns its offset in bytes.
    pub fn place(&mut self, member: Member) -> Option<u64> {
        let align = self.align_of(member);
        self.align = self.align.max(align);
        // GCC checks the alignment of the last bit-field's end, and then goes on after its unit.
        let (left, _) = self.unit;
        let is_aligned = left != 0 && (self.end - left).is_multiple_of(u64::from(align) * 8);
        let align = if is_aligned { 1 } else { align };
        self.unit = (0, 0);
        let bits = member.layout.size.checked_mul(8)?;
        if self.is_union {
            self.size = self.size.max(bits);
            return Some(0);
        }
        let start = self.end.checked_next_multiple_of(u64::from(align) * 8)?;
        self.end = start.checked_add(bits)?;
        Some(start / 8)
    }

    /// Places a bit-field of `width` bits. Returns its first bit.
    pub fn place_bits(&mut self, member: Member, width: u64, is_named: bool) -> Option<u64> {
        match self.is_microsoft {
            true => self.place_bits_in_unit(member, width),
            false => self.place_bits_anywhere(member, width, is_named),
        }
    }

    /// Places a bit-field by the rules of GCC and the psABI: where the last member ended, unless the field would cross a boundary of its type.
    fn place_bits_anywhere(&mut self, member: Member, width: u64, is_named: bool) -> Option<u64> {
        let Member {
            layout,
            asked,
            packed,
        } = member;
        // `packed` counts only if no pragma packs (GCC).
        let own = match self.pack {
            0 if self.packed || packed => 1,
            0 => layout.align,
            pack => layout.align.min(pack),
        };
        let asked = match self.pack {
            0 => asked,
            pack => asked.min(pack),
        };
        let align = own.max(asked);
        let counts = is_named || self.unnamed_align;
        if width == 0 {
            // It closes the unit of its type, even in a packed structure.
            let boundary = u64::from(layout.align.max(asked)) * 8;
            if counts {
                self.align = self.align.max(layout.align);
            }
            if !self.is_union {
                self.end = self.end.checked_next_multiple_of(boundary)?;
            }
            return Some(self.end);
        }
        if counts {
            self.align = self.align.max(align);
        }
        if self.is_union {
            self.size = self.size.max(width);
            return Some(0);
        }
        let mut start = self.end;
        if asked != 0 {
            start = start.checked_next_multiple_of(u64::from(asked) * 8)?;
        }
        // Any pragma that packs lets fields cross boundaries (GCC).
        let is_tight = self.packed || packed || self.pack != 0;
        let unit = layout.size * 8;
        let boundary = u64::from(align) * 8;
        if !is_tight && start % boundary + width > unit.max(boundary) {
            start = start.checked_next_multiple_of(boundary)?;
        }
        self.end = start.checked_add(width)?;
        Some(start)
    }

    /// Places a bit-field by Microsoft's rules: in the unit of the last bit-field if that has the same size and room, otherwise in a new one.
    fn place_bits_in_unit(&mut self, member: Member, width: u64) -> Option<u64> {
        let Member { layout, packed, .. } = member;
        let bits = layout.size * 8;
        let align = self.align_of(member);
        // A packed field gets the requested alignment, but does not raise that of the structure (GCC).
        let is_tight = self.packed || packed;
        if width == 0 {
            // It has an effect only after another bit-field.
            if self.unit.1 != 0 && !self.is_union {
                let own = match self.pack {
                    0 => layout.align,
                    pack => layout.align.min(pack),
                };
                self.align = self.align.max(own);
                if !is_tight {
                    self.end = self.end.checked_next_multiple_of(u64::from(own) * 8)?;
                }
            }
            self.unit = (0, 0);
            return Some(self.end);
        }
        if !is_tight {
            self.align = self.align.max(align);
        }
        if self.is_union {
            self.size = self.size.max(width);
            return Some(0);
        }
        let (left, unit) = self.unit;
        if unit == bits && left >= width {
            self.unit.0 -= width;
            return Some(self.end - left);
        }
        let start = self.end.checked_next_multiple_of(u64::from(align) * 8)?;
        self.end = start.checked_add(bits)?;
        self.unit = (bits - width, bits);
        Some(start)
    }
}
