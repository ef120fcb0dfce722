//! The text of values of C types. [`crate::value`] reads the same text, as far as it can be read.

use std::ffi::{CStr, c_char};

use farcall_cdecl::c::{Basic, Constant, Declarations, Field, Ty, TypeId};

/// The depth of a value within a result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The result itself: its text is shown without quotes.
    Whole,
    /// A member of it.
    Member,
}

/// The text of a value of a type, from its bytes.
///
/// # Safety
/// * If the type is a pointer to `char`, the bytes are NULL or the address of a string. For members they may be any address.
pub unsafe fn shown(c: &Declarations, ty: TypeId, bytes: &[u8], depth: Depth) -> String {
    match c.resolved(ty) {
        Ty::Basic(basic) => of_basic(c, ty, basic, bytes),
        Ty::Enum(_) => of_enum(c, ty, bytes),
        Ty::Pointer { to, .. } => {
            let address = word(bytes);
            let is_text = matches!(c.resolved(to), Ty::Basic(Basic::Char));
            match (address, is_text && depth == Depth::Whole) {
                (0, _) => "NULL".to_owned(),
                // SAFETY: a pointer to `char` that is not NULL is the address of a string, by the contract of this function.
                (_, true) => unsafe { CStr::from_ptr(address as *const c_char) }
                    .to_string_lossy()
                    .into_owned(),
                _ => format!("{address:#x}"),
            }
        }
        Ty::Record(_) => {
            let Some(record) = c.record(ty) else {
                return hex(bytes);
            };
            let fields = c.fields(record).unwrap_or_default().iter();
            let members: Vec<String> = fields.map(|field| of_member(c, field, bytes)).collect();
            format!("{{{}}}", members.join(", "))
        }
        Ty::Array { of, len, .. } => of_array(c, of, len.unwrap_or(0), bytes),
        _ => hex(bytes),
    }
}

fn of_member(c: &Declarations, field: &Field, bytes: &[u8]) -> String {
    let value = match field.bits() {
        Some((first, width)) => {
            let from = &bytes[field.offset() as usize..];
            let is_signed = c.integer_shape(field.ty).is_some_and(|(_, signed)| signed);
            let bits = word(&from[..from.len().min(16)]) >> first;
            let shift = 128 - u32::from(width);
            match is_signed {
                true => ((bits << shift) as i128 >> shift).to_string(),
                false => (bits << shift >> shift).to_string(),
            }
        }
        None => {
            let size = c.layout(field.ty).map_or(0, |layout| layout.size) as usize;
            let offset = field.offset() as usize;
            // SAFETY: pointers in members are not followed.
            unsafe { shown(c, field.ty, &bytes[offset..offset + size], Depth::Member) }
        }
    };
    match field.name {
        Some(name) => format!(".{} = {value}", c.name(name)),
        None => value,
    }
}

fn of_array(c: &Declarations, of: TypeId, len: u64, bytes: &[u8]) -> String {
    if matches!(c.resolved(of), Ty::Basic(Basic::Char)) {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        return format!("{:?}", String::from_utf8_lossy(text));
    }
    let size = c.layout(of).map_or(0, |layout| layout.size) as usize;
    let elements = (0..len as usize).map(|index| {
        let element = &bytes[index * size..(index + 1) * size];
        // SAFETY: pointers in elements are not followed.
        unsafe { shown(c, of, element, Depth::Member) }
    });
    format!("{{{}}}", elements.collect::<Vec<_>>().join(", "))
}

fn of_basic(c: &Declarations, ty: TypeId, basic: Basic, bytes: &[u8]) -> String {
    let part = |at: usize, len: usize| word(&bytes[at..at + len]);
    let single = |at: usize| f32::from_bits(part(at, 4) as u32);
    let double = |at: usize| f64::from_bits(part(at, 8) as u64);
    match basic {
        Basic::Bool => (bytes[0] != 0).to_string(),
        Basic::Float => fraction(&format!("{:e}", single(0))),
        Basic::Double => fraction(&format!("{:e}", double(0))),
        Basic::ComplexFloat => format!("{}{:+}i", single(0), single(4)),
        Basic::ComplexDouble => format!("{}{:+}i", double(0), double(8)),
        _ => integer(c, ty, bytes).map_or_else(|| hex(bytes), |(text, _)| text),
    }
}

fn of_enum(c: &Declarations, ty: TypeId, bytes: &[u8]) -> String {
    let Some((text, value)) = integer(c, ty, bytes) else {
        return hex(bytes);
    };
    let mut names = c
        .enumeration(ty)
        .into_iter()
        .flat_map(|it| c.enumerators(it));
    match names.find(|(_, constant)| *constant == Constant::Integer(value)) {
        Some((name, _)) => c.name(name).to_owned(),
        None => text,
    }
}

fn integer(c: &Declarations, ty: TypeId, bytes: &[u8]) -> Option<(String, i128)> {
    let (size, is_signed) = c.integer_shape(ty)?;
    let bits = word(&bytes[..size as usize]);
    let shift = 128 - size * 8;
    Some(match is_signed {
        true => {
            let value = (bits << shift) as i128 >> shift;
            (value.to_string(), value)
        }
        false => (bits.to_string(), bits as i128),
    })
}

/// Up to 16 bytes as a number.
fn word(bytes: &[u8]) -> u128 {
    let mut word = [0; 16];
    word[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(word)
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("bytes {digits}")
}

/// Converts a number's shortest digits in scientific notation to Python's form: `1024.0`, `1e+16`, `0.0001`, `1e-05`.
pub fn fraction(scientific: &str) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific.replace("NaN", "nan");
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits = digits.replace('.', "");
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = exponent as usize + 1;
    let padded = format!("{digits:0<width$}", width = point + 1);
    format!("{sign}{}.{}", &padded[..point], &padded[point..])
}

#[cfg(test)]
mod tests {
    use super::fraction;

    #[test]
    fn fractions_are_as_python_shows_them() {
        for (number, text) in [
            (1024.0, "1024.0"),
            (0.0, "0.0"),
            (-2.5, "-2.5"),
            (1e16, "1e+16"),
            (123_456.789, "123456.789"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(fraction(&format!("{number:e}")), text);
        }
    }
}
