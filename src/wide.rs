//! Values that take more than one slot: the bytes of structures, complex numbers, and `long double`.

use crate::error::{Error, OutOfMemory, Result};
use farcall_arch::{Float, Type};
use farcall_memory::{Shared, try_to_vec, try_with_capacity};
use std::arch::asm;
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Deref;

/// The bytes of a structure or a union by value. Clones share the bytes.
///
/// ```
/// use farcall::{StructBytes, Value};
///
/// #[repr(C)]
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// struct Point {
///     x: f64,
///     tag: u8,
/// }
///
/// let point = Point { x: 1.5, tag: 7 };
/// let bytes = StructBytes::of(&point)?;
/// assert_eq!(bytes.len(), 16);
/// // SAFETY: these are the bytes of a Point.
/// assert_eq!(unsafe { bytes.read::<Point>()? }, point);
/// let argument = Value::Struct(bytes);
/// # assert_eq!(argument.to_string(), "structure of 16 bytes");
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone)]
pub struct StructBytes {
    content: Shared<Content>,
}

struct Content {
    bytes: Vec<u8>,
    /// The type that the bytes are passed as, if it is known.
    ty: Option<Type>,
}

impl PartialEq for StructBytes {
    fn eq(&self, other: &StructBytes) -> bool {
        **self == **other
    }
}

impl Eq for StructBytes {}

impl StructBytes {
    /// A copy of `bytes`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// ```
    /// let bytes = farcall::StructBytes::new(&[1, 0, 2, 0])?;
    /// // SAFETY: all bytes are good for numbers.
    /// assert_eq!(unsafe { bytes.read::<[u16; 2]>()? }, [1_u16.to_le(), 2_u16.to_le()]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn new(bytes: &[u8]) -> Result<StructBytes> {
        Ok(StructBytes::from_vec(try_to_vec(bytes)?)?)
    }

    /// A copy of the bytes of `value`, whose type should have `#[repr(C)]`. The content of padding is unspecified.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    ///
    /// ```
    /// let bytes = farcall::StructBytes::of(&[1_u8, 2, 3])?;
    /// assert_eq!(&*bytes, [1, 2, 3]);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn of<T: Copy>(value: &T) -> Result<StructBytes> {
        // SAFETY: there are as many bytes of a value as its type has.
        Ok(unsafe { StructBytes::copied(std::ptr::from_ref(value).cast(), size_of::<T>())? })
    }

    pub(crate) fn from_vec(bytes: Vec<u8>) -> std::result::Result<StructBytes, OutOfMemory> {
        let content = Shared::try_new(Content { bytes, ty: None })?;
        Ok(StructBytes { content })
    }

    /// A copy of the bytes of a value that is passed as `ty`.
    pub(crate) fn of_type(bytes: &[u8], ty: Type) -> std::result::Result<StructBytes, OutOfMemory> {
        let (bytes, ty) = (try_to_vec(bytes)?, Some(ty));
        let content = Shared::try_new(Content { bytes, ty })?;
        Ok(StructBytes { content })
    }

    /// The type that the value is passed as, if it is known.
    pub(crate) fn ty(&self) -> Option<&Type> {
        self.content.ty.as_ref()
    }

    /// A copy of `len` bytes, which may include padding.
    ///
    /// # Safety
    /// * `len` bytes are readable at `from`.
    pub(crate) unsafe fn copied(
        from: *const MaybeUninit<u8>,
        len: usize,
    ) -> std::result::Result<StructBytes, OutOfMemory> {
        let mut bytes = try_with_capacity::<u8>(len)?;
        let to = bytes.as_mut_ptr();
        // SAFETY: `len` bytes are readable at `from`, by the contract of this function, and there is room for them. As far as the
        // compiler knows, the assembly has written all of them: padding has some content from then on.
        unsafe {
            to.cast::<MaybeUninit<u8>>().copy_from(from, len);
            asm!("/* {0} */", in(reg) to, options(nostack, preserves_flags));
            bytes.set_len(len);
        }
        StructBytes::from_vec(bytes)
    }

    /// The bytes as a value of a Rust type of the same layout.
    ///
    /// # Errors
    /// [`Error::Mismatch`] unless the type has exactly this size.
    ///
    /// # Safety
    /// * The bytes are a valid value of `T`. If all members are numbers, all bytes are.
    ///
    /// ```
    /// let bytes = farcall::StructBytes::of(&(1.5_f64.to_bits()))?;
    /// // SAFETY: all bytes are good for numbers.
    /// unsafe {
    ///     assert_eq!(bytes.read::<f64>()?, 1.5);
    ///     assert!(bytes.read::<f32>().is_err());
    /// }
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub unsafe fn read<T: Copy>(&self) -> Result<T> {
        if size_of::<T>() != self.len() {
            return Err(Error::mismatch(
                format_args!("structure"),
                format_args!("{} bytes", size_of::<T>()),
                format_args!("{}", self.len()),
            ));
        }
        // SAFETY: there are as many bytes as `T` has, and they are a valid value of it, by the contract of this method.
        Ok(unsafe { self.as_ptr().cast::<T>().read_unaligned() })
    }
}

impl Deref for StructBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.content.bytes
    }
}

impl AsRef<[u8]> for StructBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for StructBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StructBytes({:02x?})", &**self)
    }
}

/// A complex number with the layout of a C `double _Complex`. For a `float _Complex`, both parts are converted from and to `float`.
///
/// ```
/// use farcall::{Complex, Value};
///
/// let i = Complex { re: 0.0, im: 1.0 };
/// assert_eq!(Value::from(i), Value::Complex(i));
/// assert_eq!(i.to_string(), "0+1i");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl fmt::Display for Complex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:+}i", self.re, self.im)
    }
}

/// A C `long double`, in any platform's format, or a `_Float128`.
///
/// It is held as IEEE 754 binary128, the largest of the formats, which has all values of the others. So no digits are lost on the way from C.
/// On the way to C, a number with more digits than the C type is rounded to the nearest.
///
/// ```
/// use farcall::LongDouble;
///
/// let third = LongDouble::from(1.0 / 3.0);
/// assert_eq!(third.to_f64(), 1.0 / 3.0);
/// assert_eq!(LongDouble::from_bits(0x3fff << 112).to_f64(), 1.0);
/// ```
#[derive(Clone, Copy)]
pub struct LongDouble(u128);

/// The bits of a fraction in binary128, in the x87's format after its first bit, and in a `double`.
const FRACTION: u32 = 112;
const X87_FRACTION: u32 = 63;
const DOUBLE_FRACTION: u32 = 52;

/// The exponents of infinity and NaN, and the exponent of 1, in binary128 and in a `double`.
const SPECIAL: u32 = 0x7fff;
const BIAS: u32 = 0x3fff;
const DOUBLE_SPECIAL: u32 = 0x7ff;
const DOUBLE_BIAS: u32 = 0x3ff;

/// `bits` without the lowest `count`, rounded to the nearest, and to even in the middle.
fn rounded(bits: u128, count: u32) -> u128 {
    let half = 1 << (count - 1);
    let rest = bits & ((1 << count) - 1);
    let kept = bits >> count;
    let is_up = rest > half || rest == half && kept & 1 == 1;
    kept + u128::from(is_up)
}

impl LongDouble {
    /// The number with these bits in IEEE 754 binary128.
    ///
    /// ```
    /// assert_eq!(farcall::LongDouble::from_bits(0x3fff << 112).to_f64(), 1.0);
    /// ```
    pub const fn from_bits(bits: u128) -> LongDouble {
        LongDouble(bits)
    }

    /// Its bits in IEEE 754 binary128: the sign, 15 bits of the exponent, 112 of the fraction.
    ///
    /// ```
    /// assert_eq!(farcall::LongDouble::from(1.0).to_bits(), 0x3fff << 112);
    /// ```
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    fn sign(self) -> u128 {
        self.0 >> 127
    }

    fn exponent(self) -> u32 {
        (self.0 >> FRACTION) as u32 & SPECIAL
    }

    fn fraction(self) -> u128 {
        self.0 & ((1 << FRACTION) - 1)
    }

    fn is_nan(self) -> bool {
        self.exponent() == SPECIAL && self.fraction() != 0
    }

    fn new(sign: u128, exponent: u32, fraction: u128) -> LongDouble {
        LongDouble(sign << 127 | u128::from(exponent) << FRACTION | fraction)
    }

    /// The nearest `double`, or the even one in the middle between two. Infinity if the number is beyond the largest, and zero if it is nearer to
    /// zero than to the smallest.
    ///
    /// ```
    /// assert_eq!(farcall::LongDouble::from(0.1).to_f64(), 0.1);
    /// ```
    pub fn to_f64(self) -> f64 {
        let sign = (self.sign() as u64) << 63;
        let exponent = self.exponent();
        let drop = FRACTION - DOUBLE_FRACTION;
        if self.is_nan() {
            let payload = (self.fraction() >> drop) as u64 | 1 << (DOUBLE_FRACTION - 1);
            return f64::from_bits(sign | u64::from(DOUBLE_SPECIAL) << DOUBLE_FRACTION | payload);
        }
        let infinity = u64::from(DOUBLE_SPECIAL) << DOUBLE_FRACTION;
        // The exponent in a double's representation, less than 1 if the double is denormal.
        let biased = exponent as i32 - (BIAS - DOUBLE_BIAS) as i32;
        let bits = if biased >= DOUBLE_SPECIAL as i32 {
            infinity
        } else if biased > 0 {
            // A carry out of the fraction increments the exponent, up to infinity.
            let bits = u128::from(biased as u32) << FRACTION | self.fraction();
            rounded(bits, drop) as u64
        } else {
            let shift = drop + 1 + biased.unsigned_abs();
            match exponent {
                // A denormal binary128 is nearer to zero than to any other double.
                0 => 0,
                _ if shift > FRACTION + 2 => 0,
                _ => rounded(1 << FRACTION | self.fraction(), shift) as u64,
            }
        };
        f64::from_bits(sign | bits)
    }

    /// Loads the number from `bytes` in a format.
    pub(crate) fn load(format: Float, bytes: &[u8; 16]) -> LongDouble {
        let bits = u128::from_le_bytes(*bytes);
        match format {
            Float::F128 => LongDouble(bits),
            Float::F80 => LongDouble::from_x87(bits),
            Float::F64 => f64::from_bits(bits as u64).into(),
            Float::F32 => f64::from(f32::from_bits(bits as u32)).into(),
        }
    }

    /// The bytes of the number in a format, followed by zeros.
    pub(crate) fn store(self, format: Float) -> [u8; 16] {
        let bits = match format {
            Float::F128 => self.0,
            Float::F80 => self.to_x87(),
            Float::F64 => self.to_f64().to_bits().into(),
            Float::F32 => (self.to_f64() as f32).to_bits().into(),
        };
        bits.to_le_bytes()
    }

    /// Converts from the x87's format (Intel's manual, volume 1, 4.2.2 and 8.2.2). The first bit of the significand is explicit. Encodings that the
    /// x87 rejects become NaN.
    fn from_x87(bits: u128) -> LongDouble {
        let (sign, exponent) = (bits >> 79 & 1, (bits >> 64) as u32 & SPECIAL);
        let is_normal = bits >> X87_FRACTION & 1 == 1;
        let fraction = (bits & ((1 << X87_FRACTION) - 1)) << (FRACTION - X87_FRACTION);
        match (exponent, is_normal) {
            (0, true) => LongDouble::new(sign, 1, fraction),
            (0, false) | (_, true) => LongDouble::new(sign, exponent, fraction),
            (_, false) => LongDouble::new(sign, SPECIAL, 1 << (FRACTION - 1)),
        }
    }

    fn to_x87(self) -> u128 {
        let drop = FRACTION - X87_FRACTION;
        let whole = self.0 & (u128::MAX >> 1);
        let rounded = match self.is_nan() {
            true => whole >> drop | 1 << (X87_FRACTION - 1),
            false => rounded(whole, drop),
        };
        let (exponent, fraction) = (rounded >> X87_FRACTION, rounded & ((1 << X87_FRACTION) - 1));
        let first = u128::from(exponent != 0) << X87_FRACTION;
        self.sign() << 79 | exponent << 64 | first | fraction
    }
}

impl From<f64> for LongDouble {
    fn from(number: f64) -> LongDouble {
        let bits = number.to_bits();
        let sign = u128::from(bits >> 63);
        let exponent = (bits >> DOUBLE_FRACTION) as u32 & DOUBLE_SPECIAL;
        let fraction = bits & ((1 << DOUBLE_FRACTION) - 1);
        let widened = u128::from(fraction) << (FRACTION - DOUBLE_FRACTION);
        match (exponent, fraction) {
            (0, 0) => LongDouble::new(sign, 0, 0),
            (0, _) => {
                // The highest set bit becomes the implicit one.
                let shift = fraction.leading_zeros() - (63 - DOUBLE_FRACTION);
                let fraction = widened << shift & ((1 << FRACTION) - 1);
                LongDouble::new(sign, BIAS - DOUBLE_BIAS + 1 - shift, fraction)
            }
            (DOUBLE_SPECIAL, _) => LongDouble::new(sign, SPECIAL, widened),
            _ => LongDouble::new(sign, exponent + BIAS - DOUBLE_BIAS, widened),
        }
    }
}

/// Compares as numbers: zeros are equal regardless of their signs, and NaN equals nothing.
impl PartialEq for LongDouble {
    fn eq(&self, other: &LongDouble) -> bool {
        let are_zero = (self.0 | other.0) << 1 == 0;
        !self.is_nan() && (self.0 == other.0 || are_zero)
    }
}

/// Shows the nearest `double`.
impl fmt::Display for LongDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f64().fmt(f)
    }
}

impl fmt::Debug for LongDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LongDouble({:?})", self.to_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> impl Iterator<Item = f64> {
        let edges = [
            0.0,
            1.0,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            f64::from_bits((1 << 52) - 1),
            f64::MAX,
            f64::INFINITY,
        ];
        let any = (1..2_000_u64).map(|n| f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        edges
            .into_iter()
            .chain(any)
            .flat_map(|number| [number, -number])
    }

    #[test]
    fn doubles_are_kept_in_every_format_of_long_double() {
        for number in numbers() {
            for format in [Float::F64, Float::F80, Float::F128] {
                let stored = LongDouble::from(number).store(format);
                let back = LongDouble::load(format, &stored).to_f64();
                assert!(
                    back.to_bits() == number.to_bits() || number.is_nan() && back.is_nan(),
                    "{number:e} in {format:?}: {back:e}"
                );
            }
        }
    }

    #[test]
    fn what_no_double_is_rounds_to_the_nearest_one() {
        let one = LongDouble::from(1.0).to_bits();
        let half_unit = 1_u128 << (FRACTION - DOUBLE_FRACTION - 1);
        assert_eq!(LongDouble::from_bits(one + half_unit).to_f64(), 1.0);
        assert_eq!(
            LongDouble::from_bits(one + half_unit + 1).to_f64(),
            1.0_f64.next_up()
        );
        let beyond = LongDouble::new(0, BIAS + 1024, 0);
        assert_eq!(beyond.to_f64(), f64::INFINITY);
        let almost = LongDouble::new(0, BIAS + 1023, (1 << FRACTION) - 1);
        assert_eq!(almost.to_f64(), f64::INFINITY);
        // Half of the smallest double is as near to zero, which is even.
        assert_eq!(LongDouble::new(0, BIAS - 1075, 0).to_f64(), 0.0);
        assert_eq!(
            LongDouble::new(0, BIAS - 1075, 1).to_f64(),
            f64::from_bits(1)
        );
        assert_eq!(
            LongDouble::new(1, BIAS - 1076, 1).to_f64().to_bits(),
            1 << 63
        );
    }

    #[test]
    fn numbers_of_the_x87_come_back_with_every_bit() {
        let any = (1..2_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for significand in any.chain([0, 1, u64::MAX]) {
            for exponent in [0_u128, 1, 0x3fff, 0x7ffe, 0x8001] {
                let is_denormal = exponent & 0x7fff == 0;
                let significand = significand & (u64::MAX >> 1) | u64::from(!is_denormal) << 63;
                let bits = exponent << 64 | u128::from(significand);
                assert_eq!(LongDouble::from_x87(bits).to_x87(), bits, "{bits:#x}");
            }
        }
        assert!(LongDouble::from_x87(0x7fff << 64).is_nan());
        let infinity = LongDouble::from(f64::INFINITY);
        assert_eq!(infinity.to_x87(), 0x7fff_8000_0000_0000_0000);
    }
}
