//! A declaration's text, and the structures that are read from it.

use crate::layout::{Byte, Layout};
use anyhow::{Context, Result};
use farcall_arch::{Signature, Type};

/// The text of a declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The types, a declaration a line.
    pub types: String,
    /// The prototype. The function is named as the C side's callee; its parameters are `a0`, `a1` and so on.
    pub prototype: String,
    /// The types of the arguments behind the `...`, as a prototype; empty if there are none.
    pub more: String,
}

/// A text, and what farcall reads in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The text.
    pub text: Text,
    /// The signature that farcall plans and calls.
    pub signature: Signature,
}

/// A structure or a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// C's name.
    pub name: String,
    /// The planner's form of it.
    pub ty: Type,
    /// Its bytes.
    pub layout: Layout,
    /// Its members that have no members themselves.
    pub leaves: Vec<Leaf>,
}

/// A member without members of its own, or an array of such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The text behind the value's name: `.m1.m2[3]`.
    pub path: String,
    /// Bytes from the start.
    pub offset: usize,
    /// The size in bytes; for a bit-field, the number of bytes that it touches.
    pub size: usize,
    /// For a bit-field, its first bit, from the start of its bytes, and its width.
    pub bits: Option<(u32, u32)>,
}

impl Record {
    /// Adds a member that is a number.
    ///
    /// # Errors
    /// When it is not within the structure.
    pub fn number(&mut self, path: String, offset: usize, layout: &Layout) -> Result<()> {
        let size = layout.bytes.len();
        let bytes = self.layout.bytes.get_mut(offset..offset + size);
        for (byte, kind) in bytes
            .context("a member within")?
            .iter_mut()
            .zip(&layout.bytes)
        {
            *byte = byte.shared(*kind);
        }
        self.leaves.push(Leaf {
            path,
            offset,
            size,
            bits: None,
        });
        Ok(())
    }

    /// Adds a bit-field of `width` bits from bit `first` of the byte at `offset` on.
    pub fn bit_field(&mut self, path: String, offset: usize, first: u32, width: u32) {
        for bit in first..first + width {
            let byte = &mut self.layout.bytes[offset + bit as usize / 8];
            *byte = byte.shared(Byte::Bits(1 << (bit % 8)));
        }
        self.leaves.push(Leaf {
            path,
            offset,
            size: (first + width).div_ceil(8) as usize,
            bits: Some((first, width)),
        });
    }
}
