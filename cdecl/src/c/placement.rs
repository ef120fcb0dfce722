//! Where the members of a structure lie: as GCC has it, which is the psABI's way, AAPCS64's, and Microsoft's for bit-fields on Windows.

use super::layout::Layout;

/// A member that is to be placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its type's.
    pub layout: Layout,
    /// The alignment that its own attributes ask for, in bytes; 0 for none.
    pub asked: u32,
    /// Whether its own attributes pack it.
    pub packed: bool,
}

/// A structure that is being laid out. Places are counted in bits.
pub(super) struct Plan {
    pub is_union: bool,
    pub is_microsoft: bool,
    pub unnamed_align: bool,
    pub packed: bool,
    /// The largest alignment of a member, in bytes; 0 for none.
    pub pack: u32,
    pub align: u32,
    /// Where the next member may begin.
    pub end: u64,
    /// Of a union, the largest member.
    pub size: u64,
    /// Microsoft's: bits left in the unit of the last bit-field, and the unit's bits; 0 if the last member was none.
    pub unit: (u64, u64),
}

impl Plan {
    /// The alignment of a member in bytes: its type's, as packing and its own attributes have it.
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

    /// Places a member that is no bit-field; gives its offset in bytes.
    pub fn place(&mut self, member: Member) -> Option<u64> {
        let align = self.align_of(member);
        self.align = self.align.max(align);
        // GCC asks whether the last bit-field's end is aligned, and goes on behind its unit then.
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

    /// Places a bit-field of `width` bits; gives its first bit.
    pub fn place_bits(&mut self, member: Member, width: u64, is_named: bool) -> Option<u64> {
        match self.is_microsoft {
            true => self.place_bits_in_unit(member, width),
            false => self.place_bits_anywhere(member, width, is_named),
        }
    }

    /// GCC's and the psABI's way: where the last member ended, unless the field would cross a boundary of its type.
    fn place_bits_anywhere(&mut self, member: Member, width: u64, is_named: bool) -> Option<u64> {
        let Member {
            layout,
            asked,
            packed,
        } = member;
        // What is packed counts only where no pragma says more (GCC).
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
            // It closes the unit of its type, whatever is packed.
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
        // A pragma that packs lets fields cross boundaries, whatever it says (GCC).
        let is_tight = self.packed || packed || self.pack != 0;
        let unit = layout.size * 8;
        let boundary = u64::from(align) * 8;
        if !is_tight && start % boundary + width > unit.max(boundary) {
            start = start.checked_next_multiple_of(boundary)?;
        }
        self.end = start.checked_add(width)?;
        Some(start)
    }

    /// Microsoft's way: in the unit of the last bit-field, if that has the same size and room; or in a new one.
    fn place_bits_in_unit(&mut self, member: Member, width: u64) -> Option<u64> {
        let Member { layout, packed, .. } = member;
        let bits = layout.size * 8;
        let align = self.align_of(member);
        // What is packed is placed as somebody asked for, but that does not count for the whole (GCC).
        let is_tight = self.packed || packed;
        if width == 0 {
            // Only behind another bit-field does it mean anything.
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
