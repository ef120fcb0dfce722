//! Conversion of words on the command line to values of C types, as bytes in memory.

use std::ffi::CString;

use farcall_cdecl::BeyondFloat;
use farcall_cdecl::c::{Basic, Constant, Declarations, Field, Ty, TypeId};

/// The reason why a word is not a value of its type.
#[derive(Debug)]
pub struct Misfit {
    pub wanted: String,
    pub got: String,
    pub hint: Option<String>,
}

impl Misfit {
    fn new(wanted: impl Into<String>, got: &str) -> Misfit {
        Misfit {
            wanted: wanted.into(),
            got: format!("'{got}'"),
            hint: None,
        }
    }

    fn with_hint(self, hint: impl Into<String>) -> Misfit {
        Misfit {
            hint: Some(hint.into()),
            ..self
        }
    }
}

type Bytes = Result<Vec<u8>, Misfit>;

/// Makes values, and keeps the memory that they point to.
pub struct Values<'c> {
    c: &'c Declarations,
    texts: Vec<CString>,
    /// The memory of arrays, in words of 16 bytes, so that every type is aligned.
    arrays: Vec<Vec<u128>>,
}

impl<'c> Values<'c> {
    pub fn new(c: &'c Declarations) -> Values<'c> {
        Values {
            c,
            texts: Vec::new(),
            arrays: Vec::new(),
        }
    }

    /// Converts `text` to the bytes of a value of a type.
    pub fn bytes(&mut self, ty: TypeId, text: &str) -> Bytes {
        match self.c.resolved(ty) {
            Ty::Basic(basic) => self.of_basic(ty, basic, text),
            Ty::Enum(_) => self.of_enum(ty, text),
            Ty::Pointer { to, to_const } => self.of_pointer(to, to_const, text),
            Ty::Record(_) => self.of_record(ty, text),
            Ty::Array { of, len, .. } => self.of_array(of, len.unwrap_or(0), text),
            _ => Err(self.untypable(ty, text)),
        }
    }

    fn untypable(&self, ty: TypeId, text: &str) -> Misfit {
        let name = self.c.show(ty);
        Misfit::new(
            format!("a type whose values can be typed, not {name}"),
            text,
        )
        .with_hint("the crate farcall and MicroPython's ffi module pass it as bytes")
    }

    fn of_basic(&self, ty: TypeId, basic: Basic, text: &str) -> Bytes {
        match basic {
            Basic::Bool => match text {
                "0" | "false" => Ok(vec![0]),
                "1" | "true" => Ok(vec![1]),
                _ => Err(Misfit::new("true, false, 1 or 0", text)),
            },
            Basic::Float => {
                let bytes = narrow(number(text)?);
                bytes.ok_or_else(|| Misfit::new("a number in the range of float", text))
            }
            Basic::Double => Ok(number(text)?.to_le_bytes().to_vec()),
            Basic::ComplexFloat => {
                let (re, im) = complex(text)?;
                let bytes = narrow(re)
                    .zip(narrow(im))
                    .map(|both| [both.0, both.1].concat());
                bytes.ok_or_else(|| Misfit::new("a complex number in the range of float", text))
            }
            Basic::ComplexDouble => {
                let (re, im) = complex(text)?;
                Ok([re.to_le_bytes(), im.to_le_bytes()].concat())
            }
            _ if basic.is_integer() => self.of_integer(ty, basic, text),
            _ => Err(self.untypable(ty, text)),
        }
    }

    fn of_integer(&self, ty: TypeId, basic: Basic, text: &str) -> Bytes {
        let is_char = matches!(basic, Basic::Char | Basic::SChar | Basic::UChar);
        let mut characters = text.chars();
        let number = match (integer(text), characters.next(), characters.next()) {
            (Some(number), ..) => number,
            // A character that is not a digit stands for itself if a character is expected.
            (None, Some(c), None) if is_char && c.is_ascii() => Number::of(c as u8),
            _ => return Err(Misfit::new("an integer", text)),
        };
        self.in_range(ty, number, text)
    }

    fn of_enum(&self, ty: TypeId, text: &str) -> Bytes {
        if let Some(number) = integer(text) {
            return self.in_range(ty, number, text);
        }
        match self.c.constant(text) {
            Some(Constant::Integer(value)) => self.in_range(ty, Number::of(value), text),
            _ => {
                let names = self.enumerators(ty).join(", ");
                let wanted = match names.as_str() {
                    "" => "an integer".to_owned(),
                    names => format!("one of {names}, or an integer"),
                };
                Err(Misfit::new(wanted, text))
            }
        }
    }

    fn enumerators(&self, ty: TypeId) -> Vec<String> {
        let Some(enumeration) = self.c.enumeration(ty) else {
            return Vec::new();
        };
        let names = self.c.enumerators(enumeration);
        names
            .map(|(name, _)| self.c.name(name).to_owned())
            .collect()
    }

    fn in_range(&self, ty: TypeId, number: Number, text: &str) -> Bytes {
        let Some((size, is_signed)) = self.c.integer_shape(ty) else {
            return Err(self.untypable(ty, text));
        };
        bits_in_range(number, size * 8, is_signed, text)
            .map(|bits| bits.to_le_bytes()[..size as usize].to_vec())
    }

    fn of_pointer(&mut self, to: TypeId, to_const: bool, text: &str) -> Bytes {
        let target = self.c.resolved(to);
        let is_character = matches!(target, Ty::Basic(Basic::Char | Basic::SChar | Basic::UChar));
        if text == "NULL" {
            return Ok(vec![0; 8]);
        }
        // If text is expected, everything else is text.
        if let (Some(address), false) = (address(text), to_const && is_character) {
            return Ok(address.to_le_bytes().to_vec());
        }
        if matches!(target, Ty::Function(_)) {
            return Err(Misfit::new("NULL or an address, as a callback cannot be typed", text)
                .with_hint("in a script, ffi.callback(prototype, function) makes one; in Rust, farcall::Callback"));
        }
        if !to_const {
            let name = match target {
                Ty::Basic(Basic::Void) => "char".to_owned(),
                _ => self.c.show(to).to_string(),
            };
            let wanted = "NULL or an address, as the function may write there";
            return Err(Misfit::new(wanted, text).with_hint(format!(
                "a script has memory for that, by ffi.cdef(\"\").new(\"{name}[1]\"); what is only read is declared const"
            )));
        }
        let is_list = text.starts_with('[') && text.ends_with(']');
        match target {
            _ if is_character || matches!(target, Ty::Basic(Basic::Void)) => self.of_text(text),
            _ if is_list => self.of_list(to, text),
            _ => Err(Misfit::new(
                "NULL, an address, or values as in '[1, 2]'",
                text,
            )),
        }
    }

    fn of_text(&mut self, text: &str) -> Bytes {
        let bytes = match unquoted(text, '"') {
            Some(bytes) => bytes,
            None => text.as_bytes().to_vec(),
        };
        let text = CString::new(bytes).map_err(|_| Misfit::new("a string without a NUL", text))?;
        let address = text.as_ptr() as u64;
        self.texts.push(text);
        Ok(address.to_le_bytes().to_vec())
    }

    /// The address of an array with these values.
    fn of_list(&mut self, of: TypeId, text: &str) -> Bytes {
        let mut all = Vec::new();
        for item in items(&text[1..text.len() - 1]) {
            all.extend(self.bytes(of, item)?);
        }
        let words = all.chunks(16).map(|chunk| {
            let mut word = [0; 16];
            word[..chunk.len()].copy_from_slice(chunk);
            u128::from_le_bytes(word)
        });
        let array: Vec<u128> = words.collect();
        let address = array.as_ptr() as u64;
        self.arrays.push(array);
        Ok(address.to_le_bytes().to_vec())
    }

    fn of_array(&mut self, of: TypeId, len: u64, text: &str) -> Bytes {
        let size = self.c.layout(of).map_or(0, |layout| layout.size) as usize;
        let total = size * len as usize;
        let mut bytes = match (unquoted(text, '"'), self.c.resolved(of)) {
            (Some(bytes), Ty::Basic(Basic::Char | Basic::SChar | Basic::UChar)) => bytes,
            _ => {
                let mut bytes = Vec::new();
                for item in items(self.inside(text, "values in braces, as in '{1, 2}'")?) {
                    bytes.extend(self.bytes(of, item)?);
                }
                bytes
            }
        };
        if bytes.len() > total {
            return Err(Misfit::new(format!("at most {len} elements"), text));
        }
        bytes.resize(total, 0);
        Ok(bytes)
    }

    fn inside<'t>(&self, text: &'t str, wanted: &str) -> Result<&'t str, Misfit> {
        let text = text.trim();
        let within = |open, close| text.strip_prefix(open)?.strip_suffix(close);
        let inside = within('{', '}').or_else(|| within('[', ']'));
        inside.ok_or_else(|| Misfit::new(wanted, text))
    }

    fn of_record(&mut self, ty: TypeId, text: &str) -> Bytes {
        let c = self.c;
        let name = c.show(ty);
        let Some((record, fields)) = c.record(ty).and_then(|r| Some((r, c.fields(r)?))) else {
            return Err(Misfit::new(
                format!("a type with members, not {name}"),
                text,
            ));
        };
        let mut bytes = vec![0; record.size as usize];
        let wanted = format!("members in braces, as in '{{1, 2.5}}', for {name}");
        let mut next = 0;
        for item in items(self.inside(text, &wanted)?) {
            let (index, value) = match item.strip_prefix('.').and_then(|it| it.split_once('=')) {
                Some((member, value)) => (named(c, fields, member.trim(), text)?, value.trim()),
                None => (next, item),
            };
            let most = if record.is_union { 1 } else { fields.len() };
            let Some(field) = fields.get(index).filter(|_| next < most) else {
                return Err(Misfit::new(
                    format!(
                        "at most {most} value{} for {name}",
                        if most == 1 { "" } else { "s" }
                    ),
                    text,
                ));
            };
            next = index + 1;
            self.put(field, value, &mut bytes)?;
        }
        Ok(bytes)
    }

    fn put(&mut self, field: &Field, text: &str, to: &mut [u8]) -> Result<(), Misfit> {
        let offset = field.offset() as usize;
        let Some((first, width)) = field.bits() else {
            let bytes = self.bytes(field.ty, text)?;
            to[offset..offset + bytes.len()].copy_from_slice(&bytes);
            return Ok(());
        };
        let (_, is_signed) = self.c.integer_shape(field.ty).unwrap_or((0, false));
        let number = integer(text).ok_or_else(|| Misfit::new("an integer", text))?;
        let bits = bits_in_range(number, width.into(), is_signed, text)?;
        for bit in 0..u32::from(width) {
            let at = u32::from(first) + bit;
            let byte = &mut to[offset + (at / 8) as usize];
            *byte |= ((bits >> bit & 1) as u8) << (at % 8);
        }
        Ok(())
    }
}

fn named(c: &Declarations, fields: &[Field], member: &str, text: &str) -> Result<usize, Misfit> {
    let is_it = |field: &Field| field.name.is_some_and(|name| c.name(name) == member);
    let found = fields.iter().position(is_it);
    found.ok_or_else(|| Misfit::new(format!("a member's name, not '{member}'"), text))
}

/// An integer in its written form.
#[derive(Clone, Copy)]
struct Number {
    negative: bool,
    magnitude: u128,
}

impl Number {
    fn of(value: impl Into<i128>) -> Number {
        let value = value.into();
        Number {
            negative: value < 0,
            magnitude: value.unsigned_abs(),
        }
    }
}

/// Reads an address: 0, or the form in which addresses are shown.
fn address(text: &str) -> Option<u64> {
    if text != "0" && !text.starts_with("0x") {
        return None;
    }
    u64::try_from(integer(text)?.magnitude).ok()
}

/// The bits of a number, if it fits into this number of bits.
fn bits_in_range(number: Number, bits: u32, is_signed: bool, text: &str) -> Result<u128, Misfit> {
    let all = u128::MAX >> (128 - bits);
    let (lowest, highest) = match is_signed {
        true => (all / 2 + 1, all / 2),
        false => (0, all),
    };
    let most = if number.negative { lowest } else { highest };
    if number.magnitude <= most {
        let bits = number.magnitude;
        return Ok(if number.negative {
            bits.wrapping_neg()
        } else {
            bits
        });
    }
    let sign = if is_signed { "-" } else { "" };
    Err(Misfit::new(
        format!("an integer from {sign}{lowest} to {highest}"),
        text,
    ))
}

/// Reads an integer: decimal, `0x…`, `0…` for octal, `0b…`, or a character in quotes.
fn integer(text: &str) -> Option<Number> {
    if let Some(bytes) = unquoted(text, '\'') {
        return match bytes[..] {
            [byte] => Some(Number::of(byte)),
            _ => None,
        };
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'0'..=b'9', ..] => (&lower[1..], 8),
        _ => (&lower[..], 10),
    };
    // A second sign is not allowed.
    let is_digits = digits.starts_with(|c: char| c.is_ascii_hexdigit());
    let magnitude = u128::from_str_radix(digits, radix)
        .ok()
        .filter(|_| is_digits)?;
    Some(Number {
        negative,
        magnitude,
    })
}

/// Reads a number, with or without a fraction.
pub fn number(text: &str) -> Result<f64, Misfit> {
    if let (true, Some(number)) = (text.contains(['x', 'X']), integer(text)) {
        let magnitude = number.magnitude as f64;
        return Ok(if number.negative {
            -magnitude
        } else {
            magnitude
        });
    }
    text.parse().map_err(|_| Misfit::new("a number", text))
}

/// The bytes of a number that is rounded to `float`, unless it is beyond its range.
fn narrow(number: f64) -> Option<Vec<u8>> {
    match BeyondFloat::new(number) {
        Some(_) => None,
        None => Some((number as f32).to_le_bytes().to_vec()),
    }
}

/// Reads a complex number: `1+2i`, `2i` or `1`.
fn complex(text: &str) -> Result<(f64, f64), Misfit> {
    let misfit = || Misfit::new("a complex number, as in 1+2i", text);
    let Some(both) = text.strip_suffix(['i', 'j']).filter(|_| text != "-inf") else {
        return Ok((number(text).map_err(|_| misfit())?, 0.0));
    };
    // The last sign that does not belong to an exponent.
    let is_sign = |(at, c): &(usize, char)| {
        *at > 0 && matches!(c, '+' | '-') && !both[..*at].ends_with(['e', 'E'])
    };
    let split = both.char_indices().rfind(is_sign).map_or(0, |(at, _)| at);
    let (re, im) = both.split_at(split);
    let part = |text: &str| match text {
        "" | "+" => Ok(1.0),
        "-" => Ok(-1.0),
        text => number(text).map_err(|_| misfit()),
    };
    let re = if re.is_empty() {
        0.0
    } else {
        number(re).map_err(|_| misfit())?
    };
    Ok((re, part(im)?))
}

/// The text between quotes, with its escapes replaced; `None` without quotes.
fn unquoted(text: &str, quote: char) -> Option<Vec<u8>> {
    let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut bytes = Vec::new();
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        let c = match c {
            '\\' => match rest.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    bytes.push(u8::from_str_radix(&digits, 16).ok()?);
                    continue;
                }
                other => other,
            },
            other => other,
        };
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(bytes)
}

/// Splits a text at commas outside brackets and quotes.
fn items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut depth, mut quote, mut start) = (0_usize, None, 0);
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                items.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() || !items.is_empty() {
        items.push(last);
    }
    items
}
