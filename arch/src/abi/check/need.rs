//! The registers of each kind and the stack that a value needs under a convention, judged by its bytes.

use super::{Abi, Convention, Fpr, Gpr, Place, Variadics};
use crate::layout::{Number, SLOT};
use crate::types::{Float, Signature, Type, Wide};

/// What a byte of a value belongs to. Padding belongs to nothing. Of the things that a byte of a union may be, the last of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Byte {
    /// A floating-point number that vector registers hold.
    Float,
    X87,
    Integer,
}

impl Byte {
    fn of(number: Number) -> Byte {
        match number {
            Number::Integer(_) => Byte::Integer,
            Number::Float(Float::F80) => Byte::X87,
            Number::Float(_) => Byte::Float,
        }
    }
}

/// A value, byte by byte.
pub(super) fn bytes(ty: &Type) -> Vec<Option<Byte>> {
    let mut bytes = vec![None; ty.size() as usize];
    ty.for_each_number(0, &mut |offset, number| {
        let count = match number {
            Number::Float(Float::F80) => 10,
            _ => number.size(),
        };
        for byte in bytes.iter_mut().skip(offset as usize).take(count as usize) {
            *byte = (*byte).max(Some(Byte::of(number)));
        }
    });
    bytes
}

/// The registers that a value wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Need {
    pub ints: usize,
    pub fps: usize,
    pub x87s: u8,
    /// By class, in the order of the value's bytes: true for a floating-point register.
    classes: Vec<bool>,
    /// It is on the stack whatever registers are left.
    pub is_memory: bool,
    /// Its first integer register has an even number.
    pub begins_even: bool,
    /// Finding no room for it, later values do not look in its registers either.
    pub closes: bool,
    /// A part of it may be in registers, the rest on the stack.
    pub may_split: bool,
}

impl Need {
    fn of(classes: Vec<bool>) -> Need {
        let fps = classes.iter().filter(|is_fp| **is_fp).count();
        Need {
            ints: classes.len() - fps,
            fps,
            classes,
            ..Need::default()
        }
    }

    fn memory() -> Need {
        Need {
            is_memory: true,
            ..Need::default()
        }
    }

    /// The places it takes from what is left of each list.
    pub fn places_from(&self, ints: &[Gpr], fps: &[Fpr]) -> Vec<Place> {
        let (mut ints, mut fps) = (ints.iter(), fps.iter());
        let place = |&is_fp: &bool| match is_fp {
            true => fps.next().map(|&register| Place::Fp(register)),
            false => ints.next().map(|&register| Place::Int(register)),
        };
        self.classes.iter().filter_map(place).collect()
    }

    /// The places of a result.
    pub fn places(&self, row: &Convention) -> Vec<Place> {
        let mut places = self.places_from(row.int_rets, row.fp_rets);
        places.extend((0..self.x87s).map(Place::X87));
        places
    }
}

/// The registers of an argument.
pub(super) fn argument(abi: Abi, signature: &Signature, index: usize) -> Need {
    let row = abi.convention();
    let ty = &signature.args()[index];
    match (abi, row.variadics, signature.fixed()) {
        (_, Variadics::OnStack(_), Some(fixed)) if index >= fixed => Need::memory(),
        #[cfg(feature = "x64")]
        (Abi::SysV64, ..) => eightbytes(ty).unwrap_or_else(Need::memory),
        #[cfg(feature = "x64")]
        (Abi::Win64, ..) => Need::of(vec![is_plain_float(ty)]),
        #[cfg(feature = "a64")]
        (Abi::Aapcs64(_), Variadics::InIntegers, Some(_)) => Need {
            may_split: ty.size() > 8 && ty.size() <= 16,
            ..words(row, ty)
        },
        #[cfg(feature = "a64")]
        (Abi::Aapcs64(_), ..) => vector(ty).unwrap_or_else(|| words(row, ty)),
    }
}

/// The registers of a result, or `None` if it is in memory.
pub(super) fn result(abi: Abi, ty: &Type) -> Option<Need> {
    let row = abi.convention();
    match (abi, ty) {
        (_, Type::Void) => Some(Need::default()),
        #[cfg(feature = "x64")]
        (Abi::SysV64, Type::Complex(Float::F80)) => Some(Need {
            x87s: 2,
            ..Need::default()
        }),
        #[cfg(feature = "x64")]
        (Abi::SysV64, _) if is_x87(ty) => Some(Need {
            x87s: 1,
            ..Need::default()
        }),
        #[cfg(feature = "x64")]
        (Abi::SysV64, _) => eightbytes(ty),
        #[cfg(feature = "x64")]
        (Abi::Win64, Type::Wide(Wide::I128 | Wide::U128)) => Some(Need::of(vec![true])),
        #[cfg(feature = "x64")]
        (Abi::Win64, _) => {
            let fits = [1, 2, 4, 8].contains(&ty.size());
            fits.then(|| Need::of(vec![is_plain_float(ty)]))
        }
        #[cfg(feature = "a64")]
        (Abi::Aapcs64(_), _) => vector(ty).or_else(|| (ty.size() <= 16).then(|| words(row, ty))),
    }
}

/// What an argument on the stack takes, and what its place is a multiple of.
pub(super) struct StackNeed {
    pub size: u32,
    pub align: u32,
}

pub(super) fn on_stack(abi: Abi, signature: &Signature, index: usize) -> StackNeed {
    let row = abi.convention();
    let ty = &signature.args()[index];
    let word = match (row.variadics, signature.fixed()) {
        (Variadics::OnStack(word), Some(fixed)) if index >= fixed => word,
        _ => row.stack_word,
    };
    let goes_by_number = match abi {
        #[cfg(feature = "x64")]
        Abi::SysV64 => false,
        #[cfg(feature = "x64")]
        Abi::Win64 => true,
        #[cfg(feature = "a64")]
        Abi::Aapcs64(_) => matches!(ty, Type::Scalar(_)),
    };
    let in_integers = row.variadics == Variadics::InIntegers && signature.fixed().is_some();
    let (size, align) = match vector(ty).filter(|_| !in_integers) {
        _ if goes_by_number && ty.size() <= 8 => (ty.size(), ty.size()),
        #[cfg(feature = "x64")]
        _ if abi == Abi::SysV64 => (ty.size(), ty.align()),
        #[cfg(feature = "x64")]
        _ if abi == Abi::Win64 => (8, 8),
        Some(need) => (ty.size(), declared(row, ty, ty.size() / need.fps as u32)),
        None if ty.size() > 16 => (8, 8),
        None => (
            ty.size().next_multiple_of(8),
            declared(row, ty, ty.align()).max(8),
        ),
    };
    StackNeed {
        size: size.next_multiple_of(word),
        align: align.clamp(word, row.stack_align),
    }
}

/// The alignment that counts: that of the members where the convention says so, or else the `usual` one.
fn declared(row: &Convention, ty: &Type, usual: u32) -> u32 {
    match ty {
        Type::Struct(members) if row.natural_alignment => members.natural_align(),
        _ => usual,
    }
}

fn is_plain_float(ty: &Type) -> bool {
    matches!(ty, Type::Scalar(scalar) if scalar.is_float())
}

/// Whether a value is one x87 number, or several in one place.
fn is_x87(ty: &Type) -> bool {
    let mut is_x87 = ty.size() == 16;
    ty.for_each_number(0, &mut |_, number| {
        is_x87 &= number == Number::Float(Float::F80)
    });
    is_x87
}

/// SysV: up to two eightbytes of aligned numbers, an integer register for each that has an integer in it.
fn eightbytes(ty: &Type) -> Option<Need> {
    let bytes = bytes(ty);
    let mut is_aligned = true;
    let mut is_quad = true;
    ty.for_each_number(0, &mut |offset, number| {
        is_aligned &= offset.is_multiple_of(number.size());
        is_quad &= number == Number::Float(Float::F128) || offset + number.size() <= 8;
    });
    // In a union an integer takes an eightbyte over from an x87 number. One that is left belongs in memory.
    let is_x87 = |half: &[Option<Byte>]| {
        half.contains(&Some(Byte::X87)) && !half.contains(&Some(Byte::Integer))
    };
    if bytes.len() > 16 || !is_aligned || bytes.chunks(8).any(is_x87) || clashes(ty, 0) {
        return None;
    }
    let halves = bytes.chunks(8).map(|half| {
        let has = |wanted| half.contains(&Some(wanted));
        match (has(Byte::Integer), has(Byte::Float)) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        }
    });
    let mut classes: Vec<Option<bool>> = halves.collect();
    // One register holds both halves of a binary128 number, if nothing but a half of another number is beside it.
    if is_quad && classes == [Some(true), Some(true)] {
        classes.truncate(1);
    }
    Some(Need::of(classes.into_iter().flatten().collect()))
}

/// Whether vector and x87 numbers meet in one half of a union, with no integer there before them, or the upper half of an x87
/// number is left without its lower one.
fn clashes(ty: &Type, start: u32) -> bool {
    let Type::Struct(aggregate) = ty else {
        return false;
    };
    let mut halves = [None; 2];
    for member in aggregate.members() {
        let at = start + member.offset;
        if clashes(&member.ty, at) {
            return true;
        }
        for (index, half) in (0..).zip(&mut halves) {
            let next = most_in_half(&member.ty, at, index);
            if matches!(
                (*half).min(next).zip((*half).max(next)),
                Some((Byte::Float, Byte::X87))
            ) {
                return true;
            }
            *half = (*half).max(next);
        }
    }
    halves[1] == Some(Byte::X87) && halves[0] != Some(Byte::X87)
}

/// What counts most of the numbers in one half of a value that begins `start` bytes into it.
fn most_in_half(ty: &Type, start: u32, half: u32) -> Option<Byte> {
    let mut most = None;
    ty.for_each_number(start, &mut |offset, number| {
        if (offset / 8..=(offset + number.size() - 1) / 8).contains(&half) {
            most = most.max(Some(Byte::of(number)));
        }
    });
    most
}

/// AAPCS64: up to four numbers of one format without padding.
fn vector(ty: &Type) -> Option<Need> {
    let mut sizes = Vec::new();
    ty.for_each_number(0, &mut |_, number| sizes.push(number));
    let Some(&Number::Float(format)) = sizes.first() else {
        return None;
    };
    let same = sizes.iter().all(|number| *number == Number::Float(format));
    let unpadded = bytes(ty).iter().all(Option::is_some);
    let count = ty.size() / format.size();
    let is_aligned = ty.size().is_multiple_of(format.size());
    (same && unpadded && is_aligned && !is_mixed(ty) && (1..=4).contains(&count)).then(|| Need {
        closes: true,
        ..Need::of(vec![true; count as usize])
    })
}

/// Whether a structure, or one within it, has something without a value that is no floating-point number.
fn is_mixed(ty: &Type) -> bool {
    let Type::Struct(aggregate) = ty else {
        return false;
    };
    let mut members = aggregate.members().iter();
    aggregate.is_mixed() || members.any(|member| is_mixed(&member.ty))
}

/// AAPCS64: one or two words, or the address of a copy.
fn words(row: &Convention, ty: &Type) -> Need {
    let count = if ty.size() > 16 {
        1
    } else {
        ty.size().div_ceil(SLOT)
    };
    let is_pair_aligned = ty.size() <= 16 && declared(row, ty, ty.align()) >= 16;
    Need {
        begins_even: row.even_pairs && is_pair_aligned,
        closes: !matches!(ty, Type::Scalar(_)),
        ..Need::of(vec![false; count as usize])
    }
}
