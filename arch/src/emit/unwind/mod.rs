//! Unwind information for emitted code: without it no debugger, profiler or C++ exception gets past a trampoline.
//!
//! Emitters note how the frame changes, once. The formats are written from the same notes, each on any host: code of one
//! system's convention can then be unwound where it runs on the other.

mod dwarf;
mod object;
mod shadow;
mod windows;

pub use dwarf::{eh_frame, eh_frame_behind};
pub use object::debug_object;
pub use shadow::{Shadow, shadow};
pub use windows::{UnwindInfo, unwind_info};

/// One change of the stack frame. Registers go by their DWARF number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameChange {
    /// The offset of the first instruction for which it holds.
    pub offset: u32,
    /// What changed.
    pub kind: FrameChangeKind,
}

/// What an instruction did to the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameChangeKind {
    /// The caller's frame (the CFA) now begins this many bytes above the stack pointer.
    CfaOffset(u32),
    /// The caller's value of a register now lies this many bytes below the CFA.
    Saved(u16, u32),
    /// The register holds the caller's value again.
    Restored(u16),
}
