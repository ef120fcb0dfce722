//! The data that guard and probe share with Rust: their notes, and the description of a convention.

use crate::cases::Case;
use crate::report::Fault;
use std::cell::UnsafeCell;

/// Words for registers that a callee gives back: Win64 has the most, 8 integer registers and 10 vectors of two words.
pub const REGISTERS: usize = 28;

/// Words for control registers.
pub const CONTROLS: usize = 3;

/// Words above the return address that are compared: the arguments on the stack, which a callee may change as it likes, and as many of the
/// caller's frame.
pub const WINDOW: usize = 96;

/// The guard's notes. The assembly reads and writes them by the offsets that [`guard_asm`] gives.
#[repr(C)]
pub struct GuardState {
    pub target: u64,
    pub return_address: u64,
    pub stack: u64,
    pub stack_after: u64,
    pub returns: u64,
    pub callers: [u64; REGISTERS],
    pub patterns: [u64; REGISTERS],
    pub after: [u64; REGISTERS],
    pub callers_control: [u64; CONTROLS],
    pub patterns_control: [u64; CONTROLS],
    pub after_control: [u64; CONTROLS],
    pub window: [u64; WINDOW],
    pub window_after: [u64; WINDOW],
}

/// The probe's notes.
#[repr(C)]
pub struct ProbeState {
    pub target: u64,
    pub return_address: u64,
    pub entries: u64,
    pub stack: u64,
    pub control: [u64; CONTROLS],
    /// The register that says something about the arguments without holding one: `al` under SysV.
    pub hidden: u64,
}

/// Memory that the assembly shares with the holder of the lock.
#[repr(transparent)]
pub struct Shared<T>(pub UnsafeCell<T>);

// SAFETY: only `Checker` gives access, and there is one at a time.
unsafe impl<T> Sync for Shared<T> {}

pub static GUARD: Shared<GuardState> = Shared(UnsafeCell::new(GuardState {
    target: 0,
    return_address: 0,
    stack: 0,
    stack_after: 0,
    returns: 0,
    callers: [0; REGISTERS],
    patterns: [0; REGISTERS],
    after: [0; REGISTERS],
    callers_control: [0; CONTROLS],
    patterns_control: [0; CONTROLS],
    after_control: [0; CONTROLS],
    window: [0; WINDOW],
    window_after: [0; WINDOW],
}));

pub static PROBE: Shared<ProbeState> = Shared(UnsafeCell::new(ProbeState {
    target: 0,
    return_address: 0,
    entries: 0,
    stack: 0,
    control: [0; CONTROLS],
    hidden: 0,
}));

/// A control register, or the part of one that a callee must give back.
pub struct Control {
    pub name: &'static str,
    /// The bits that count.
    pub mask: u64,
    /// Bits that are the same in every pattern: the exceptions stay masked.
    pub fixed: u64,
    /// Bits that a pattern may set or not.
    pub free: u64,
    /// Whether all code keeps it, and not only farcall's.
    pub is_kept_by_all: bool,
}

/// The description of a convention on an architecture.
pub struct Machine {
    pub guard: unsafe extern "C" fn(),
    pub probe: unsafe extern "C" fn(),
    /// The registers that a callee gives back, in the order of the state's words.
    pub saved: &'static [&'static str],
    /// The control registers, likewise.
    pub controls: &'static [Control],
    /// Bytes from a multiple of 16 to the stack pointer as the callee's first instruction finds it.
    pub stack_phase: u64,
    /// Bytes that a `return` takes off the stack.
    pub popped: u64,
    /// Words above the return address that every callee may use.
    pub shadow_words: usize,
    /// Words behind those that belong to the callee of this case of words alone: its arguments on the stack.
    pub stack_words: fn(&Case) -> usize,
    /// Checks the hidden register as a function of this case is entered.
    pub hidden: fn(&Case, u64) -> Option<Fault>,
}

/// The guard's assembly, which knows its notes as `state` and their fields by their offsets. ORDER notes
macro_rules! guard_asm {
    ($($line:tt)*) => {
        std::arch::global_asm!(
            $($line)*
            state = sym $crate::machine::notes::GUARD,
            target = const std::mem::offset_of!($crate::machine::notes::GuardState, target),
            return_address = const std::mem::offset_of!($crate::machine::notes::GuardState, return_address),
            stack = const std::mem::offset_of!($crate::machine::notes::GuardState, stack),
            stack_after = const std::mem::offset_of!($crate::machine::notes::GuardState, stack_after),
            returns = const std::mem::offset_of!($crate::machine::notes::GuardState, returns),
            callers = const std::mem::offset_of!($crate::machine::notes::GuardState, callers),
            patterns = const std::mem::offset_of!($crate::machine::notes::GuardState, patterns),
            after = const std::mem::offset_of!($crate::machine::notes::GuardState, after),
            callers_control = const std::mem::offset_of!($crate::machine::notes::GuardState, callers_control),
            patterns_control = const std::mem::offset_of!($crate::machine::notes::GuardState, patterns_control),
            after_control = const std::mem::offset_of!($crate::machine::notes::GuardState, after_control),
            window = const std::mem::offset_of!($crate::machine::notes::GuardState, window),
            window_after = const std::mem::offset_of!($crate::machine::notes::GuardState, window_after),
            window_words = const $crate::machine::notes::WINDOW,
        );
    };
}
pub(super) use guard_asm;

/// The probe's assembly, likewise. ORDER notes
macro_rules! probe_asm {
    ($($line:tt)*) => {
        std::arch::global_asm!(
            $($line)*
            state = sym $crate::machine::notes::PROBE,
            target = const std::mem::offset_of!($crate::machine::notes::ProbeState, target),
            return_address = const std::mem::offset_of!($crate::machine::notes::ProbeState, return_address),
            entries = const std::mem::offset_of!($crate::machine::notes::ProbeState, entries),
            stack = const std::mem::offset_of!($crate::machine::notes::ProbeState, stack),
            control = const std::mem::offset_of!($crate::machine::notes::ProbeState, control),
        );
    };
}
pub(super) use probe_asm;
