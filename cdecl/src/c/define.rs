//! `#define` of constants (C11 6.10.3): integers, floating-point numbers, strings.

use super::constant::{Constant, Integer};
use super::decimal;
use super::declarations::Meaning;
use super::names::NameId;
use super::parser::{Failed, Parser, Result};
use super::token::{Kind, Token, Tokens};
use super::types::{Basic, Ty};

/// A number in an expression of integers and floating-point numbers.
#[derive(Clone, Copy, Debug)]
enum Number {
    Integer(Integer),
    Float(f64),
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Number::Integer(integer) => integer.value as f64,
            Number::Float(float) => float,
        }
    }
}

/// A constant that is not stored yet.
enum Value {
    Integer(i128),
    Float(f64),
    Text(Vec<u8>),
}

impl Value {
    fn borrowed(&self) -> Constant<'_> {
        match self {
            Value::Integer(value) => Constant::Integer(*value),
            Value::Float(value) => Constant::Float(*value),
            Value::Text(bytes) => Constant::Text(bytes),
        }
    }
}

impl<'t> Parser<'_, 't> {
    /// Reads `#define NAME value`. Macros with parameters, and values that are not constants, such as code, are ignored: headers are full of them.
    pub(super) fn define(&mut self, word: &Token<'t>, line: &'t str) -> Result<()> {
        let (name, end) = self.defined_name(word, line)?;
        let value = &line[end..];
        if value.starts_with('(') {
            return Ok(());
        }
        let mut inner = Parser::new(self.c, value);
        inner.is_trial = true;
        let constant = match inner.token.kind {
            Kind::End => return Ok(()),
            _ => inner.constant(),
        };
        let (value, ty) = match constant {
            Ok(Some(constant)) => constant,
            Err(Failed::OutOfMemory) => return Err(Failed::OutOfMemory),
            Ok(None) | Err(_) => return Ok(()),
        };
        let value = value.borrowed();
        let id = self.name(&name)?;
        if let Some(Meaning::Constant(index) | Meaning::Macro(index)) = self.c.meaning_of(id) {
            let (_, before, _) = self.c.constants.get(index);
            return match before == value {
                true => Ok(()),
                false => Err(self.fault_at(
                    word,
                    format_args!(
                        "expected the value that '{}' has already, {before}, got {value}",
                        name.text
                    ),
                )),
            };
        }
        self.declare_constant(id, &value, ty, Meaning::Macro)
    }

    /// Reads `#undef NAME`. It removes only constants of a `#define`.
    pub(super) fn undefine(&mut self, word: &Token<'t>, line: &'t str) -> Result<()> {
        let (name, _) = self.defined_name(word, line)?;
        let id = self.name(&name)?;
        if let Some(Meaning::Macro(_)) = self.c.meaning_of(id) {
            self.c.set_meaning(id, None)?;
        }
        Ok(())
    }

    /// The name in a directive, and its end within the line.
    fn defined_name(&self, word: &Token<'t>, line: &'t str) -> Result<(Token<'t>, usize)> {
        let name = Tokens::new(line).next();
        let fault = |got: &str| {
            self.fault_at(
                word,
                format_args!("expected a name behind '#{}', got {got}", word.text),
            )
        };
        match name.kind {
            Kind::Word => Ok((name, name.range().end)),
            Kind::End => Err(fault("none")),
            _ => Err(fault(name.text)),
        }
    }

    /// Reads the whole text as a constant, if it is one.
    fn constant(&mut self) -> Result<Option<(Value, Option<Basic>)>> {
        let start = self.place();
        if let Some(text) = self.string()? {
            return Ok(Some((Value::Text(text), None)));
        }
        self.go_back(start);
        let integer = self.constant_expression();
        if let (Ok(integer), Kind::End) = (&integer, self.token.kind) {
            return Ok(Some((Value::Integer(integer.value), Some(integer.ty))));
        }
        self.go_back(start);
        let float = self.sum()?.float();
        let is_all = self.token.kind == Kind::End;
        Ok(is_all.then_some((Value::Float(float), None)))
    }

    /// Reads adjacent strings of bytes, with or without parentheses.
    fn string(&mut self) -> Result<Option<Vec<u8>>> {
        let mut brackets = 0_usize;
        while self.accept("(")? {
            brackets += 1;
        }
        if self.token.kind != Kind::Text {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        while self.token.kind == Kind::Text {
            let piece = self.advance()?;
            if !piece.text.starts_with('"') && !piece.text.starts_with("u8") {
                return Ok(None);
            }
            self.text_bytes(&piece, &mut bytes)?;
        }
        while brackets > 0 && self.accept(")")? {
            brackets -= 1;
        }
        let is_all = brackets == 0 && self.token.kind == Kind::End;
        Ok(is_all.then_some(bytes))
    }

    fn sum(&mut self) -> Result<Number> {
        let mut left = self.product()?;
        while self.token.is("+") || self.token.is("-") {
            let operator = self.advance()?;
            let right = self.product()?;
            left = self.calculated(&operator, left, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Number> {
        let mut left = self.factor()?;
        while self.token.is("*") || self.token.is("/") {
            let operator = self.advance()?;
            let right = self.factor()?;
            left = self.calculated(&operator, left, right)?;
        }
        Ok(left)
    }

    fn calculated(&mut self, operator: &Token<'t>, left: Number, right: Number) -> Result<Number> {
        if let (Number::Integer(left), Number::Integer(right)) = (left, right) {
            return Ok(Number::Integer(self.operated(operator, left, right)?));
        }
        let (left, right) = (left.float(), right.float());
        Ok(Number::Float(match operator.text {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            _ => left / right,
        }))
    }

    fn factor(&mut self) -> Result<Number> {
        if self.accept("+")? {
            return self.nested(Self::factor);
        }
        if self.token.is("-") {
            let sign = self.advance()?;
            let operand = self.nested(Self::factor)?;
            return match operand {
                Number::Float(float) => Ok(Number::Float(-float)),
                Number::Integer(integer) => {
                    let zero = Integer {
                        value: 0,
                        ty: Basic::Int,
                    };
                    Ok(Number::Integer(self.operated(&sign, zero, integer)?))
                }
            };
        }
        if self.token.is("(") {
            let is_cast = self.begins_type(&self.peek());
            self.advance()?;
            if is_cast {
                return self.float_cast();
            }
            let value = self.nested(Self::sum)?;
            self.expect(")")?;
            return Ok(value);
        }
        if let Some(Meaning::Constant(index) | Meaning::Macro(index)) = self.meaning_of_token()
            && let (_, Constant::Float(float), _) = self.c.constants.get(index)
        {
            self.advance()?;
            return Ok(Number::Float(float));
        }
        if self.token.kind == Kind::Number
            && let Some(float) = float(self.token.text)
        {
            self.advance()?;
            return Ok(Number::Float(float));
        }
        Ok(Number::Integer(self.unary()?))
    }

    /// Reads a cast to a floating-point type, after its opening parenthesis.
    fn float_cast(&mut self) -> Result<Number> {
        let ty = self.type_name()?;
        self.expect(")")?;
        let operand = self.nested(Self::factor)?;
        match self.c.resolved(ty) {
            Ty::Basic(Basic::Float) => Ok(Number::Float(f64::from(operand.float() as f32))),
            Ty::Basic(Basic::Double | Basic::LongDouble) => Ok(Number::Float(operand.float())),
            _ => Err(self.expected(format_args!("a number with a fraction"))),
        }
    }
}

impl Parser<'_, '_> {
    /// Declares a name as a constant.
    pub(super) fn declare_constant(
        &mut self,
        name: NameId,
        value: &Constant<'_>,
        ty: Option<Basic>,
        meaning: fn(u32) -> Meaning,
    ) -> Result<()> {
        let index = self.c.constants.len() as u32;
        self.c.constants.push(name, value, ty)?;
        Ok(self.c.set_meaning(name, Some(meaning(index)))?)
    }
}

/// Reads a token as a floating-point constant (C11 6.4.4.2).
fn float(text: &str) -> Option<f64> {
    let is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    let digits = match is_hexadecimal {
        true if !text.contains(['p', 'P']) => return None,
        false if !text.contains(['.', 'e', 'E']) => return None,
        _ => text.trim_end_matches(['f', 'F', 'l', 'L']),
    };
    let suffix = &text[digits.len()..];
    if suffix.len() > 1 {
        return None;
    }
    let value = match is_hexadecimal {
        true => hexadecimal(&digits[2..])?,
        false => decimal::parse(digits)?,
    };
    let is_single = matches!(suffix, "f" | "F");
    Some(if is_single {
        f64::from(value as f32)
    } else {
        value
    })
}

/// Reads hexadecimal digits with a point and a binary exponent. Digits beyond 30 are dropped: a `double` has room for 14.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let mut exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0_u128;
    for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let digit = char::from(digit).to_digit(16)?;
        let is_fraction = index >= whole.len();
        if value >> 120 == 0 {
            value = value << 4 | u128::from(digit);
            exponent = exponent.checked_sub(if is_fraction { 4 } else { 0 })?;
        } else if !is_fraction {
            exponent = exponent.checked_add(4)?;
        }
    }
    // In two steps, so that the smallest and the largest powers can be reached.
    let half = exponent.clamp(-1_200, 1_200) / 2;
    let rest = exponent.clamp(-1_200, 1_200) - half;
    Some(value as f64 * 2_f64.powi(half) * 2_f64.powi(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_fraction_are_the_compilers() {
        for (text, wanted) in [
            ("1.5", Some(1.5)),
            (".5e-3L", Some(0.0005)),
            ("0.1f", Some(0.10000000149011612)),
            ("0x1.8p+3", Some(12.0)),
            ("0x.0000000000000000000000000000000000001p148", Some(1.0)),
            ("0x100000000000000000000000000000000p-128F", Some(1.0)),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x1p-1074", Some(5e-324)),
            ("1", None),
            ("0x1.8", None),
            ("0xp1", None),
            ("1.5ff", None),
            ("1e", None),
        ] {
            assert_eq!(float(text), wanted, "{text}");
        }
    }
}
