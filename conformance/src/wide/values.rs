//! Bytes for values.

use super::layout::{Byte, Layout};
use crate::rng::Rng;

/// A value of random bits, padding included. An x87 number is a normal one: loading others may change them.
pub fn random(layout: &Layout, rng: &mut Rng) -> Vec<u8> {
    let byte = |kind: &Byte| {
        let byte = (rng.next() >> 32) as u8;
        match kind {
            Byte::Padding | Byte::Value => byte,
            Byte::X87Fraction => byte | 0x80,
            // Not all ones, nor all zeros, whatever the rest of the exponent is.
            Byte::X87Exponent => byte & 0x7f | 0x01,
        }
    };
    layout.bytes.iter().map(byte).collect()
}

/// The bytes at which two values differ that ought to be the same, padding aside.
pub fn differences(layout: &Layout, wanted: &[u8], got: &[u8]) -> Vec<usize> {
    let counts = layout.bytes.iter().map(|kind| *kind != Byte::Padding);
    let pairs = wanted.iter().zip(got).zip(counts).enumerate();
    let differs = pairs.filter(|(_, ((wanted, got), counts))| *counts && wanted != got);
    differs.map(|(index, _)| index).collect()
}
