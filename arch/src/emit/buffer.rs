//! The lists that emitters write to. Memory may run out, and emitters need not test for that each time.
//!
//! A list without memory for an item drops it and all that follow, and reports that at its end. So emission needs no test after each
//! instruction.

use dynasmrt::components::PatchLoc;
use dynasmrt::relocations::Relocation;
use dynasmrt::{AssemblyOffset, DynasmApi};
use farcall_memory::{OutOfMemory, TryVec};
use std::ops::Deref;

/// A list that grows while there is memory.
pub(super) struct List<T> {
    items: Vec<T>,
    is_complete: bool,
}

impl<T> List<T> {
    pub(super) const fn new() -> List<T> {
        List {
            items: Vec::new(),
            is_complete: true,
        }
    }

    pub(super) fn push(&mut self, item: T) {
        self.is_complete = self.is_complete && self.items.try_push(item).is_ok();
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// All items.
    pub(super) fn finish(self) -> Result<Vec<T>, OutOfMemory> {
        match self.is_complete {
            true => Ok(self.items),
            false => Err(OutOfMemory),
        }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

/// A place in code that branches lead to, known by its number.
#[derive(Clone, Copy)]
pub(super) struct Label(usize);

/// The code assembled so far: the target of `dynasm!`.
pub(super) struct Buffer<R: Relocation> {
    bytes: List<u8>,
    /// The place of each label, once it is known.
    labels: List<Option<usize>>,
    references: List<(Label, PatchLoc<R>)>,
    /// The place of a loop's label. Loops do not nest.
    loop_start: usize,
}

impl<R: Relocation> Buffer<R> {
    pub(super) const fn new() -> Buffer<R> {
        Buffer {
            bytes: List::new(),
            labels: List::new(),
            references: List::new(),
            loop_start: 0,
        }
    }

    pub(super) fn new_label(&mut self) -> Label {
        self.labels.push(None);
        // Without memory it is the number of no label, or of a wrong one. Then there is no code, either.
        Label(self.labels.len().wrapping_sub(1))
    }

    /// Whether there has been memory for everything.
    pub(super) fn check(&self) -> Result<(), OutOfMemory> {
        match self.bytes.is_complete && self.labels.is_complete && self.references.is_complete {
            true => Ok(()),
            false => Err(OutOfMemory),
        }
    }

    /// The place of a label.
    pub(super) fn resolve(&self, label: Label) -> Option<usize> {
        self.labels.get(label.0).copied().flatten()
    }

    /// The code, with all branches leading to their labels.
    ///
    /// # Panics
    /// If a label is used that is not placed or out of reach, which is a mistake of the emitter.
    pub(super) fn finish(self) -> Result<Vec<u8>, OutOfMemory> {
        let Buffer {
            bytes,
            labels,
            references,
            loop_start: _,
        } = self;
        let (labels, references) = (labels.finish()?, references.finish()?);
        let mut bytes = bytes.finish()?;
        for (label, reference) in references {
            let target = labels[label.0].expect("a label that is used is placed");
            let field = &mut bytes[reference.range(0)];
            reference
                .patch(field, 0, target)
                .expect("a label is within a branch's reach");
        }
        Ok(bytes)
    }
}

/// The labels that `dynasm!` names, by the names that it gives these methods.
impl<R: Relocation> Buffer<R> {
    /// `=>label`.
    pub(super) fn dynamic_label(&mut self, label: Label) {
        let here = self.bytes.len();
        if let Some(place) = self.labels.items.get_mut(label.0) {
            debug_assert!(place.is_none() || !self.labels.is_complete);
            *place = Some(here);
        }
    }

    /// An instruction that refers to `=>label`.
    pub(super) fn dynamic_reloc(
        &mut self,
        label: Label,
        target_offset: isize,
        field_offset: u8,
        ref_offset: u8,
        kind: u8,
    ) {
        let kind = R::from_encoding(kind);
        let here = self.offset();
        let reference = PatchLoc::new(here, target_offset, field_offset, ref_offset, kind);
        self.references.push((label, reference));
    }

    /// `next:`, where a loop begins.
    pub(super) fn local_label(&mut self, _: &'static str) {
        self.loop_start = self.bytes.len();
    }

    /// An instruction that refers to `<next`.
    pub(super) fn backward_reloc(
        &mut self,
        _: &'static str,
        target_offset: isize,
        field_offset: u8,
        ref_offset: u8,
        kind: u8,
    ) {
        let kind = R::from_encoding(kind);
        let here = self.offset();
        let reference = PatchLoc::new(here, target_offset, field_offset, ref_offset, kind);
        if self.bytes.is_complete {
            let field = &mut self.bytes.items[reference.range(0)];
            reference
                .patch(field, 0, self.loop_start)
                .expect("a loop is short");
        }
    }
}

impl<R: Relocation> DynasmApi for Buffer<R> {
    fn offset(&self) -> AssemblyOffset {
        AssemblyOffset(self.bytes.len())
    }

    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn align(&mut self, alignment: usize, with: u8) {
        while !self.bytes.len().is_multiple_of(alignment) && self.bytes.is_complete {
            self.push(with);
        }
    }
}

impl<R: Relocation> Extend<u8> for Buffer<R> {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        for byte in bytes {
            self.push(byte);
        }
    }
}

impl<'a, R: Relocation> Extend<&'a u8> for Buffer<R> {
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, bytes: T) {
        self.extend(bytes.into_iter().copied());
    }
}
