//! A summary of a type in a few bytes: its size, its alignment, and as much of its content as decides where it goes.
//!
//! A [`Shape`] is made of a [`Type`] or, where types are described otherwise, of the [`Content`] that a walk over them finds. Both ways
//! share the rules here: the eightbytes of the psABI for x86-64 (section 3.2.3) and the homogeneous aggregates of AAPCS64 (section 5.10.5.1).

use crate::layout::Number;
use crate::types::{Float, Scalar, Type, Wide};

/// A type as a convention sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No value.
    Void,
    /// A value of one register.
    Scalar(Scalar),
    /// Any other.
    Other(Aggregate),
}

/// The kinds of values other than scalars that conventions distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer of 16 bytes.
    Integer,
    /// A complex number of two of the x87's.
    ComplexX87,
    /// A structure, a union, or another number.
    Other,
}

/// A value that is no scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    pub(super) size: u32,
    pub(super) align: u32,
    /// The largest alignment of a member; of a number its own.
    pub(super) natural_align: u32,
    pub(super) kind: Kind,
    /// The classes of its two eightbytes; `None` is class MEMORY.
    pub(super) eightbytes: Option<[Eightbyte; 2]>,
    pub(super) homogeneous: Option<Homogeneous>,
    pub(super) has_x87: bool,
}

/// The largest homogeneous aggregate. Of anything larger, size and alignment say all.
pub const MAX_TELLING: u32 = MAX_MEMBERS * 16;

/// A homogeneous aggregate has no more members.
const MAX_MEMBERS: u32 = 4;

/// Up to four numbers of one format and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Homogeneous {
    pub format: Float,
    pub count: u32,
}

/// The classes of the psABI (NO_CLASS is `Nothing`), except MEMORY, which applies to a whole value, and COMPLEX_X87, which applies to one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Nothing,
    Integer,
    Sse,
    SseUp,
    X87,
    X87Up,
}

/// The class of eight bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Eightbyte {
    pub class: Class,
    /// Bytes up to the end of the last number in it.
    pub used: u32,
}

pub(super) const EIGHTBYTE: u32 = 8;

impl Eightbyte {
    const NOTHING: Eightbyte = Eightbyte {
        class: Class::Nothing,
        used: 0,
    };

    /// Both in one; `None` is MEMORY.
    fn merge(self, other: Eightbyte) -> Option<Eightbyte> {
        Some(Eightbyte {
            class: merge(self.class, other.class)?,
            used: self.used.max(other.used),
        })
    }
}

/// The classes of a number's eightbytes.
fn classes(number: Number) -> (Class, Option<Class>) {
    match number {
        Number::Integer(0..=EIGHTBYTE) => (Class::Integer, None),
        Number::Integer(_) => (Class::Integer, Some(Class::Integer)),
        Number::Float(Float::F32 | Float::F64) => (Class::Sse, None),
        Number::Float(Float::F80) => (Class::X87, Some(Class::X87Up)),
        Number::Float(Float::F128) => (Class::Sse, Some(Class::SseUp)),
    }
}

/// The class of an eightbyte that two numbers share; `None` is MEMORY.
fn merge(one: Class, other: Class) -> Option<Class> {
    match (one, other) {
        _ if one == other => Some(one),
        (Class::Nothing, class) | (class, Class::Nothing) => Some(class),
        (Class::Integer, _) | (_, Class::Integer) => Some(Class::Integer),
        (Class::X87 | Class::X87Up, _) | (_, Class::X87 | Class::X87Up) => None,
        _ => Some(Class::Sse),
    }
}

/// The content of a value, put together number by number and structure by structure.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    /// `None` once a number lies across the border of its alignment, or two do not go together: class MEMORY.
    eightbytes: Option<[Eightbyte; 2]>,
    format: Option<Float>,
    /// A bit for each place of the format at which a number lies.
    seen: u8,
    is_mixed: bool,
    has_x87: bool,
    align: u32,
}

impl Content {
    /// Nothing yet.
    pub const NOTHING: Content = Content {
        eightbytes: Some([Eightbyte::NOTHING; 2]),
        format: None,
        seen: 0,
        is_mixed: false,
        has_x87: false,
        align: 1,
    };

    /// Adds a number, `offset` bytes from the start of the whole value.
    #[inline]
    pub fn add_number(&mut self, offset: u32, number: Number) {
        self.eightbytes = self
            .eightbytes
            .and_then(|eightbytes| with_number(eightbytes, offset, number));
        self.align = self.align.max(number.size());
        let Number::Float(format) = number else {
            self.is_mixed = true;
            return;
        };
        self.has_x87 |= format == Float::F80;
        let place = offset / format.size();
        let is_other = self.format.is_some_and(|known| known != format);
        self.format = Some(format);
        if is_other || !offset.is_multiple_of(format.size()) || place >= MAX_MEMBERS {
            self.is_mixed = true;
        } else {
            // Members of unions may meet at one place.
            self.seen |= 1 << place;
        }
    }

    /// Adds a member that is a structure itself, of this alignment. Members are classified each by itself, with the clean-up at the end, and
    /// then merged: what is MEMORY within a union stays so, whatever is beside it.
    #[inline]
    pub fn add_struct(&mut self, member: Content, align: u32) {
        self.eightbytes = match (self.eightbytes, member.cleaned_up()) {
            (Some([first, second]), Some([other, next])) => {
                let merged = first.merge(other).zip(second.merge(next));
                merged.map(|(first, second)| [first, second])
            }
            _ => None,
        };
        let formats = self.format.zip(member.format);
        self.is_mixed |= member.is_mixed | formats.is_some_and(|(one, other)| one != other);
        self.format = self.format.or(member.format);
        self.seen |= member.seen;
        self.has_x87 |= member.has_x87;
        self.align = self.align.max(align);
    }

    /// Clean-up, psABI 3.2.3: an upper half without its lower one.
    fn cleaned_up(&self) -> Option<[Eightbyte; 2]> {
        let mut eightbytes = self.eightbytes?;
        match eightbytes.map(|eightbyte| eightbyte.class) {
            [first, Class::X87Up] if first != Class::X87 => return None,
            [first, Class::SseUp] if first != Class::Sse => eightbytes[1].class = Class::Sse,
            _ => {}
        }
        Some(eightbytes)
    }

    fn homogeneous(&self, size: u32) -> Option<Homogeneous> {
        let format = self.format.filter(|_| !self.is_mixed)?;
        let count = self.seen.count_ones();
        // Padding would make it an ordinary composite.
        (count * format.size() == size).then_some(Homogeneous { format, count })
    }
}

/// Adds a number to the eightbytes that it lies in.
fn with_number(
    mut eightbytes: [Eightbyte; 2],
    offset: u32,
    number: Number,
) -> Option<[Eightbyte; 2]> {
    if !offset.is_multiple_of(number.size()) {
        return None;
    }
    let (first, second) = classes(number);
    let used = offset % EIGHTBYTE + number.size().min(EIGHTBYTE);
    let from = eightbytes.get_mut((offset / EIGHTBYTE) as usize..)?;
    for (class, eightbyte) in [Some(first), second].into_iter().flatten().zip(from) {
        *eightbyte = eightbyte.merge(Eightbyte { class, used })?;
    }
    Some(eightbytes)
}

impl Aggregate {
    /// A structure or a union of this size, and of an alignment that is a power of two. Of more than [`MAX_TELLING`] bytes, nobody asks for the
    /// content.
    #[inline]
    pub fn of_struct(size: u32, align: u32, content: &Content) -> Aggregate {
        let natural_align = content.align;
        Aggregate::new(Kind::Other, size, align, natural_align, content)
    }

    #[inline]
    fn new(kind: Kind, size: u32, align: u32, natural_align: u32, content: &Content) -> Aggregate {
        let fits = size <= 2 * EIGHTBYTE;
        Aggregate {
            size,
            align,
            natural_align,
            kind,
            eightbytes: content.cleaned_up().filter(|_| fits),
            homogeneous: content.homogeneous(size),
            has_x87: content.has_x87,
        }
    }

    fn of_numbers(kind: Kind, ty: &Type) -> Aggregate {
        let mut content = Content::NOTHING;
        ty.for_each_number(0, &mut |offset, number| content.add_number(offset, number));
        Aggregate::new(kind, ty.size(), ty.align(), ty.align(), &content)
    }

    /// Bytes, padding included.
    #[inline]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The alignment of values.
    #[inline]
    pub fn align(&self) -> u32 {
        self.align
    }

    /// All of it as a number; see [`Aggregate::from_bits`].
    pub fn to_bits(self) -> u64 {
        let mut bits = Bits(0, 0);
        bits.put(self.size.into(), 32);
        bits.put(self.align.trailing_zeros().into(), 5);
        bits.put(self.natural_align.trailing_zeros().into(), 5);
        bits.put(self.kind as u64, 2);
        let [first, second] = self.eightbytes.map_or([(MEMORY, 0); 2], |eightbytes| {
            eightbytes.map(|eightbyte| (eightbyte.class as u64, eightbyte.used))
        });
        for (class, used) in [first, second] {
            bits.put(class, 3);
            bits.put(used.into(), 4);
        }
        let (format, count) = self
            .homogeneous
            .map_or((0, 0), |all| (all.format as u64, all.count));
        bits.put(format, 2);
        bits.put(count.into(), 3);
        bits.put(self.has_x87.into(), 1);
        bits.0
    }

    /// The inverse of [`Aggregate::to_bits`].
    #[inline]
    pub fn from_bits(bits: u64) -> Aggregate {
        let mut bits = Bits(bits, 0);
        let size = bits.take(32) as u32;
        let align = 1 << bits.take(5);
        let natural_align = 1 << bits.take(5);
        let kind = [Kind::Integer, Kind::ComplexX87, Kind::Other, Kind::Other];
        let kind = kind[bits.take(2) as usize];
        let mut eightbyte = || {
            const CLASSES: [Class; 6] = [
                Class::Nothing,
                Class::Integer,
                Class::Sse,
                Class::SseUp,
                Class::X87,
                Class::X87Up,
            ];
            let class = CLASSES.get(bits.take(3) as usize).copied();
            let used = bits.take(4) as u32;
            class.map(|class| Eightbyte { class, used })
        };
        let [first, second] = [(); 2].map(|()| eightbyte());
        let format = Float::ALL[bits.take(2) as usize];
        let count = bits.take(3) as u32;
        Aggregate {
            size,
            align,
            natural_align,
            kind,
            eightbytes: first.zip(second).map(|(first, second)| [first, second]),
            homogeneous: (count > 0).then_some(Homogeneous { format, count }),
            has_x87: bits.take(1) != 0,
        }
    }
}

/// Stands for class MEMORY among the numbers of classes.
const MEMORY: u64 = 7;

/// Fields of a number, the lowest first, and the bits that are done with.
struct Bits(u64, u32);

impl Bits {
    fn put(&mut self, value: u64, width: u32) {
        self.0 |= value << self.1;
        self.1 += width;
    }

    #[inline]
    fn take(&mut self, width: u32) -> u64 {
        let value = self.0 >> self.1 & ((1 << width) - 1);
        self.1 += width;
        value
    }
}

impl Shape {
    /// The shape of a type.
    #[inline]
    pub fn of(ty: &Type) -> Shape {
        match ty {
            Type::Void => Shape::Void,
            Type::Scalar(scalar) => Shape::Scalar(*scalar),
            other => of_other(other),
        }
    }

    /// The number of slots that a value takes.
    #[inline]
    pub fn slots(&self) -> u32 {
        match self {
            Shape::Void => 0,
            Shape::Scalar(_) => 1,
            Shape::Other(aggregate) => aggregate.size.div_ceil(crate::layout::SLOT),
        }
    }
}

#[inline(never)]
fn of_other(ty: &Type) -> Shape {
    Shape::Other(match ty {
        Type::Struct(members) => {
            let content = content_at(ty, 0);
            let natural_align = members.natural_align();
            let (size, align) = (members.size(), members.align());
            Aggregate::new(Kind::Other, size, align, natural_align, &content)
        }
        Type::Wide(Wide::I128 | Wide::U128) => Aggregate::of_numbers(Kind::Integer, ty),
        Type::Complex(Float::F80) => Aggregate::of_numbers(Kind::ComplexX87, ty),
        Type::Void | Type::Scalar(_) | Type::Wide(_) | Type::Complex(_) => {
            Aggregate::of_numbers(Kind::Other, ty)
        }
    })
}

/// The content of a value of this type that begins `base` bytes behind the start of the whole.
fn content_at(ty: &Type, base: u32) -> Content {
    let mut content = Content::NOTHING;
    let Type::Struct(members) = ty else {
        ty.for_each_number(base, &mut |offset, number| {
            content.add_number(offset, number)
        });
        return content;
    };
    content.is_mixed = members.is_mixed();
    for member in members.members() {
        let offset = base + member.offset;
        if let Type::Struct(_) = member.ty {
            content.add_struct(content_at(&member.ty, offset), member.ty.align());
        } else {
            let mut add = |offset, number| content.add_number(offset, number);
            member.ty.for_each_number(offset, &mut add);
        }
    }
    content
}
