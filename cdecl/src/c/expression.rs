//! Integer constant expressions (C11 6.6).

use super::constant::{Constant, Digits, Integer};
use super::declarations::{Declarations, Meaning};
use super::parser::{Parser, Result};
use super::token::{Kind, Token};
use super::types::{Basic, Ty};
use farcall_memory::TryVec;

/// The precedence of a binary operator. Operators with a higher one bind more tightly.
fn precedence(token: &Token) -> Option<u8> {
    if token.kind != Kind::Sign {
        return None;
    }
    Some(match token.text {
        "*" | "/" | "%" => 10,
        "+" | "-" => 9,
        "<<" | ">>" => 8,
        "<" | ">" | "<=" | ">=" => 7,
        "==" | "!=" => 6,
        "&" => 5,
        "^" => 4,
        "|" => 3,
        "&&" => 2,
        "||" => 1,
        _ => return None,
    })
}

impl<'t> Parser<'_, 't> {
    pub(super) fn constant_expression(&mut self) -> Result<Integer> {
        self.nested(|parser| {
            let condition = parser.binary(1)?;
            if !parser.accept("?")? {
                return Ok(condition);
            }
            let first = parser.constant_expression()?;
            parser.expect(":")?;
            let second = parser.constant_expression()?;
            let ty = parser.c.common(first, second);
            let chosen = if condition.value != 0 { first } else { second };
            Ok(parser.c.converted(chosen, ty))
        })
    }

    fn binary(&mut self, least: u8) -> Result<Integer> {
        let mut left = self.unary()?;
        while let Some(level) = precedence(&self.token).filter(|level| *level >= least) {
            let operator = self.advance()?;
            let right = self.nested(|parser| parser.binary(level + 1))?;
            left = self.operated(&operator, left, right)?;
        }
        Ok(left)
    }

    pub(super) fn operated(
        &mut self,
        operator: &Token,
        left: Integer,
        right: Integer,
    ) -> Result<Integer> {
        let is_shift = matches!(operator.text, "<<" | ">>");
        let ty = match is_shift {
            true => self.c.promoted(left.ty),
            false => self.c.common(left, right),
        };
        let (a, b) = match is_shift {
            true => (self.c.converted(left, ty).value, right.value),
            false => (
                self.c.converted(left, ty).value,
                self.c.converted(right, ty).value,
            ),
        };
        let truth = |value: bool| Integer {
            value: value.into(),
            ty: Basic::Int,
        };
        if matches!(operator.text, "/" | "%") && b == 0 {
            return Err(self.fault_at(
                operator,
                format_args!("expected a number to divide by, got 0"),
            ));
        }
        if is_shift && !(0..128).contains(&b) {
            return Err(self.fault_at(
                operator,
                format_args!("expected to shift by 0 to 127 bits, got {}", Digits(b)),
            ));
        }
        let value = match operator.text {
            "*" => a.wrapping_mul(b),
            "/" => a.wrapping_div(b),
            "%" => a.wrapping_rem(b),
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "<<" => a.wrapping_shl(b as u32),
            ">>" => a >> b,
            "&" => a & b,
            "^" => a ^ b,
            "|" => a | b,
            "<" => return Ok(truth(a < b)),
            ">" => return Ok(truth(a > b)),
            "<=" => return Ok(truth(a <= b)),
            ">=" => return Ok(truth(a >= b)),
            "==" => return Ok(truth(a == b)),
            "!=" => return Ok(truth(a != b)),
            "&&" => return Ok(truth(left.value != 0 && right.value != 0)),
            _ => return Ok(truth(left.value != 0 || right.value != 0)),
        };
        Ok(self.c.converted(Integer { value, ty }, ty))
    }

    pub(super) fn unary(&mut self) -> Result<Integer> {
        let token = self.token;
        if token.kind == Kind::Sign {
            match token.text {
                "+" | "-" | "~" | "!" => {
                    self.advance()?;
                    let operand = self.nested(Self::unary)?;
                    let ty = self.c.promoted(operand.ty);
                    let value = match token.text {
                        "-" => operand.value.wrapping_neg(),
                        "~" => !operand.value,
                        "!" => {
                            return Ok(Integer {
                                value: (operand.value == 0).into(),
                                ty: Basic::Int,
                            });
                        }
                        _ => operand.value,
                    };
                    return Ok(self.c.converted(Integer { value, ty }, ty));
                }
                "(" => {
                    let is_cast = self.begins_type(&self.peek());
                    self.advance()?;
                    return if is_cast {
                        self.cast()
                    } else {
                        self.in_brackets()
                    };
                }
                _ => return Err(self.expected(format_args!("a constant"))),
            }
        }
        match (token.kind, token.text) {
            (Kind::Word, "sizeof") => {
                self.advance()?;
                self.size_of()
            }
            (Kind::Word, "_Alignof" | "alignof" | "__alignof__" | "__alignof") => {
                self.advance()?;
                self.expect("(")?;
                let ty = self.type_name()?;
                self.expect(")")?;
                let value = self.sized(&token, ty)?.align.into();
                Ok(Integer {
                    value,
                    ty: self.c.platform.size(),
                })
            }
            (Kind::Word, "__builtin_offsetof" | "offsetof") => {
                self.advance()?;
                self.offset_of()
            }
            (Kind::Word, "__extension__") => {
                self.advance()?;
                self.nested(Self::unary)
            }
            (Kind::Number, _) => self.integer(),
            (Kind::Character, _) => self.character(),
            _ => self.named_constant(),
        }
    }

    /// Reads an expression in parentheses, after the opening one.
    fn in_brackets(&mut self) -> Result<Integer> {
        let value = self.constant_expression()?;
        self.expect(")")?;
        Ok(value)
    }

    /// Reads a cast, after its opening parenthesis.
    fn cast(&mut self) -> Result<Integer> {
        let at = self.token;
        let ty = self.type_name()?;
        self.expect(")")?;
        let operand = self.nested(Self::unary)?;
        match self.c.integer(ty) {
            Some(Basic::Bool) => Ok(Integer {
                value: (operand.value != 0).into(),
                ty: Basic::Bool,
            }),
            Some(basic) => Ok(self.c.converted(operand, basic)),
            // Headers have `((void *) -1)`: it becomes a number of that width.
            None if matches!(self.c.resolved(ty), Ty::Pointer { .. }) => {
                let word = self.c.platform.difference();
                Ok(self.c.converted(operand, word))
            }
            None => Err(self.fault_at(
                &at,
                format_args!("expected an integer type, got {}", self.c.show(ty)),
            )),
        }
    }

    /// Reads the operand of `sizeof`, after the word.
    fn size_of(&mut self) -> Result<Integer> {
        let size = if self.token.is("(") && self.begins_type(&self.peek()) {
            self.advance()?;
            let at = self.token;
            let ty = self.type_name()?;
            self.expect(")")?;
            self.sized(&at, ty)?.size
        } else if self.token.kind == Kind::Text {
            self.size_of_text()?
        } else {
            let operand = self.nested(Self::unary)?;
            u64::from(self.c.width(operand.ty).bits / 8).max(1)
        };
        Ok(Integer {
            value: size.into(),
            ty: self.c.platform.size(),
        })
    }

    /// The size of adjacent string literals, in the widest of their characters (C11 6.4.5p5).
    fn size_of_text(&mut self) -> Result<u64> {
        let (mut units, mut width) = (1, 1);
        while self.token.kind == Kind::Text {
            let piece = self.advance()?;
            let mut bytes = Vec::new();
            self.text_bytes(&piece, &mut bytes)?;
            let wide = match piece.text.as_bytes() {
                [b'L', ..] => self.c.width(self.c.platform.wchar).bits / 8,
                [b'u', b'8', ..] => 1,
                [b'u', ..] => 2,
                [b'U', ..] => 4,
                _ => 1,
            };
            units += match (wide, std::str::from_utf8(&bytes)) {
                (2, Ok(text)) => text.encode_utf16().count(),
                (4, Ok(text)) => text.chars().count(),
                _ => bytes.len(),
            };
            width = width.max(wide);
        }
        Ok(units as u64 * u64::from(width))
    }

    /// Reads the operands of `offsetof`, after the word: a member of a structure, or of a structure within it.
    fn offset_of(&mut self) -> Result<Integer> {
        self.expect("(")?;
        let mut ty = self.type_name()?;
        self.expect(",")?;
        let mut offset = 0_u64;
        loop {
            let at = self.advance()?;
            let found = self.c.member(ty, at.text);
            let Some((start, member)) = found else {
                return Err(self.fault_at(
                    &at,
                    format_args!(
                        "expected a member of {}, got '{}'",
                        self.c.show(ty),
                        at.text
                    ),
                ));
            };
            offset = offset.wrapping_add(start);
            ty = member;
            while self.accept("[")? {
                let index = self.constant_expression()?.value;
                self.expect("]")?;
                let Ty::Array { of, .. } = self.c.resolved(ty) else {
                    return Err(self.fault_at(
                        &at,
                        format_args!("expected an array, got {}", self.c.show(ty)),
                    ));
                };
                let size = self.sized(&at, of)?.size;
                offset = offset.wrapping_add(size.wrapping_mul(index as u64));
                ty = of;
            }
            if !self.accept(".")? {
                break;
            }
        }
        self.expect(")")?;
        Ok(Integer {
            value: offset.into(),
            ty: self.c.platform.size(),
        })
    }

    fn named_constant(&mut self) -> Result<Integer> {
        let Some(Meaning::Constant(index) | Meaning::Macro(index)) = self.meaning_of_token() else {
            return Err(self.expected(format_args!("a constant")));
        };
        let (_, value, ty) = self.c.constants.get(index);
        let (Constant::Integer(value), Some(ty)) = (value, ty) else {
            return Err(self.expected(format_args!("an integer")));
        };
        let found = Integer { value, ty };
        self.advance()?;
        Ok(found)
    }

    /// Reads an integer constant: digits with a base and a suffix (C11 6.4.4.1).
    fn integer(&mut self) -> Result<Integer> {
        let token = self.advance()?;
        let text = token.text;
        let digits = text.trim_end_matches(['u', 'U', 'l', 'L']);
        let suffix = &text[digits.len()..];
        let (radix, digits) = match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
            [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
            [b'0', _, ..] => (8, &digits[1..]),
            _ => (10, digits),
        };
        let is_plain = !digits.starts_with(['+', '-']);
        let Some(value) = u64::from_str_radix(digits, radix).ok().filter(|_| is_plain) else {
            return Err(self.fault_at(
                &token,
                format_args!("expected an integer of at most 64 bits, got '{text}'"),
            ));
        };
        let is_unsigned = suffix.contains(['u', 'U']);
        let longs = suffix.matches(['l', 'L']).count();
        use Basic::*;
        let candidates = [
            (Int, false, 0),
            (UInt, true, 0),
            (Long, false, 1),
            (ULong, true, 1),
            (LongLong, false, 2),
            (ULongLong, true, 2),
        ];
        let fits = |(basic, unsigned, rank): &(Basic, bool, usize)| {
            let allowed = if is_unsigned {
                *unsigned
            } else {
                radix != 10 || !unsigned
            };
            allowed && *rank >= longs && self.c.width(*basic).holds(value.into())
        };
        let ty = candidates.iter().find(|candidate| fits(candidate));
        Ok(Integer {
            value: value.into(),
            ty: ty.map_or(ULongLong, |found| found.0),
        })
    }

    /// Reads a character constant.
    fn character(&mut self) -> Result<Integer> {
        let token = self.advance()?;
        let mut bytes = Vec::new();
        self.text_bytes(&token, &mut bytes)?;
        let is_wide = !token.text.starts_with('\'');
        let value = match (&bytes[..], is_wide) {
            ([one], false) => self.c.width(Basic::Char).wrap((*one).into()),
            (many, true) => {
                let text = std::str::from_utf8(many).unwrap_or_default();
                text.chars()
                    .next()
                    .map_or(0, |first| u32::from(first).into())
            }
            // GCC: the last character is in the low byte.
            (many, false) if (1..=4).contains(&many.len()) => {
                let value = many
                    .iter()
                    .fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
                i128::from(value as i32)
            }
            _ => {
                return Err(self.fault_at(
                    &token,
                    format_args!("expected a character, got {}", token.text),
                ));
            }
        };
        Ok(Integer {
            value,
            ty: Basic::Int,
        })
    }

    /// Appends the bytes of a string literal or a character constant, without its prefix and quotes.
    pub(super) fn text_bytes(&mut self, token: &Token, bytes: &mut Vec<u8>) -> Result<()> {
        let quoted = token.text.trim_start_matches(['L', 'u', 'U', '8']);
        let inner = quoted
            .get(1..quoted.len().saturating_sub(1))
            .unwrap_or_default();
        let mut rest = inner.as_bytes();
        while let [first, more @ ..] = rest {
            rest = more;
            if *first != b'\\' {
                bytes.try_push(*first)?;
                continue;
            }
            let [escape, more @ ..] = rest else { break };
            rest = more;
            let byte = match *escape {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'a' => 7,
                b'b' => 8,
                b'f' => 12,
                b'v' => 11,
                b'e' => 27,
                b'x' => {
                    let len = rest
                        .iter()
                        .take_while(|byte| byte.is_ascii_hexdigit())
                        .count();
                    let (digits, more) = rest.split_at(len);
                    rest = more;
                    digits.iter().fold(0_u8, |value, digit| {
                        value << 4 | (*digit as char).to_digit(16).unwrap_or(0) as u8
                    })
                }
                b'0'..=b'7' => {
                    let len = rest
                        .iter()
                        .take(2)
                        .take_while(|byte| (b'0'..=b'7').contains(*byte))
                        .count();
                    let (digits, more) = rest.split_at(len);
                    rest = more;
                    digits.iter().fold(escape - b'0', |value, digit| {
                        value.wrapping_shl(3) | (digit - b'0')
                    })
                }
                other => other,
            };
            bytes.try_push(byte)?;
        }
        Ok(())
    }
}

impl Declarations {
    /// Promotes an integer type: types narrower than `int` become `int` (C11 6.3.1.1p2).
    fn promoted(&self, ty: Basic) -> Basic {
        if self.width(ty).bits < 32 {
            Basic::Int
        } else {
            ty
        }
    }

    /// The common type of two integers (C11 6.3.1.8).
    fn common(&self, left: Integer, right: Integer) -> Basic {
        let (a, b) = (self.promoted(left.ty), self.promoted(right.ty));
        let rank = |ty: Basic| match ty {
            Basic::Int | Basic::UInt => 0,
            Basic::Long | Basic::ULong => 1,
            Basic::LongLong | Basic::ULongLong => 2,
            _ => 3,
        };
        let unsigned = |ty: Basic| match ty {
            Basic::Int => Basic::UInt,
            Basic::Long => Basic::ULong,
            Basic::LongLong => Basic::ULongLong,
            Basic::Int128 => Basic::UInt128,
            other => other,
        };
        let (high, low) = if rank(a) >= rank(b) { (a, b) } else { (b, a) };
        let (high_width, low_width) = (self.width(high), self.width(low));
        if low_width.is_signed || !high_width.is_signed || high_width.bits > low_width.bits {
            // Within one rank, the unsigned type wins.
            return if rank(a) == rank(b) && !self.width(b).is_signed {
                b
            } else {
                high
            };
        }
        unsigned(high)
    }

    fn converted(&self, integer: Integer, ty: Basic) -> Integer {
        let value = self.width(ty).wrap(integer.value);
        Integer { value, ty }
    }
}
