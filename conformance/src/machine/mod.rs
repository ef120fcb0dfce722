//! Assembly around the code under test, which checks that the code leaves alone what it must.
//!
//! Both pieces stand in for a function of any signature: they pass through registers and stack as they find them.
//!
//! * The **guard** is called in place of farcall's code. It fills the registers and control words that a callee
//!   must give back with patterns, copies the words above the return address, and goes on to farcall's code. On the
//!   way back it notes what it finds, restores everything (so that one fault does not hide the next),
//!   overwrites the registers that a callee may use up, and returns to its caller.
//! * The **probe** is called by farcall's code in place of the real target. It notes the stack pointer and the control words, overwrites
//!   the stack that a callee may use, goes on to the real target, and on the way back overwrites the registers that a callee may use up.
//!
//! Neither uses the stack: each exchanges the return address for its own and keeps the old one in its state. So one call can be in each at
//! a time, and both states belong to the holder of the [`Checker`].
//!
//! A convention's file has a `Machine`, and the two pieces or their differences; this file interprets the notes.

#[cfg(target_arch = "aarch64")]
mod aapcs64;
mod notes;
#[cfg(target_arch = "x86_64")]
mod sysv64;
#[cfg(target_arch = "x86_64")]
mod win64;
#[cfg(target_arch = "x86_64")]
mod x64;

use crate::cases::Case;
use crate::layout::Layout;
use crate::report::{Fault, Place};
use crate::rng::Rng;
use crate::target::Target;
use farcall_arch::Abi;
use notes::{GUARD, GuardState, Machine, PROBE, ProbeState, WINDOW};
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

static LOCK: Mutex<()> = Mutex::new(());

/// The description of `abi`, if this machine has its instructions.
fn of(abi: Abi) -> Option<&'static Machine> {
    match abi {
        #[cfg(target_arch = "x86_64")]
        Abi::SysV64 => Some(&sysv64::MACHINE),
        #[cfg(target_arch = "x86_64")]
        Abi::Win64 => Some(&win64::MACHINE),
        #[cfg(target_arch = "aarch64")]
        Abi::Aapcs64(_) => Some(&aapcs64::MACHINE),
        #[allow(unreachable_patterns, reason = "each machine lacks others")]
        _ => None,
    }
}

/// The right to use guard and probe.
pub struct Checker {
    machine: &'static Machine,
    target: &'static Target,
    _lock: MutexGuard<'static, ()>,
}

/// The code between guard and probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// A trampoline: the guard's caller is ours, with arguments in registers; the probe's is called with the case's.
    Trampoline,
    /// A callback: the guard's caller is C, with the case's arguments; the probe's target is a handler.
    Callback,
    /// A callback whose handler cannot be probed.
    Closure,
}

impl Checker {
    /// Waits until no other thread uses guard and probe. `None` on a machine without the instructions of the target's convention.
    pub fn new(target: &'static Target) -> Option<Checker> {
        let machine = of(target.abi)?;
        // A panic in between leaves notes that the next arming overwrites.
        let lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Checker {
            machine,
            target,
            _lock: lock,
        })
    }

    /// Sets the guard before `target`, with patterns from `rng`. Returns the address to call instead.
    pub fn guard(&mut self, target: *const c_void, rng: &mut Rng) -> *const c_void {
        // SAFETY: `self` has the lock, and no call is under way.
        let state = unsafe { &mut *GUARD.0.get() };
        state.target = target as u64;
        state.returns = 0;
        state.patterns = std::array::from_fn(|_| rng.next());
        for (word, control) in state.patterns_control.iter_mut().zip(self.machine.controls) {
            *word = control.fixed | control.free & rng.next();
        }
        self.machine.guard as *const c_void
    }

    /// Sets the probe before `target`. Returns the address to call instead.
    pub fn probe(&mut self, target: *const c_void) -> *const c_void {
        // SAFETY: `self` has the lock, and no call is under way.
        let state = unsafe { &mut *PROBE.0.get() };
        state.target = target as u64;
        state.entries = 0;
        self.machine.probe as *const c_void
    }

    /// The faults in the notes of the call that has just ended.
    pub fn faults(&self, case: &Case, under: Under) -> Vec<Fault> {
        // SAFETY: `self` has the lock, and no call is under way.
        let (guard, probe) = unsafe { (&*GUARD.0.get(), &*PROBE.0.get()) };
        let mut faults = Vec::new();
        if guard.returns != 1 {
            faults.push(Fault::new(Place::GuardReturns, 1, guard.returns));
            return faults;
        }
        self.judge_guard(guard, case, under, &mut faults);
        if under == Under::Closure {
            return faults;
        }
        if probe.entries != 1 {
            faults.push(Fault::new(Place::Entries, 1, probe.entries));
            return faults;
        }
        self.judge_probe(probe, guard, case, under, &mut faults);
        faults
    }

    fn judge_guard(&self, state: &GuardState, case: &Case, under: Under, faults: &mut Vec<Fault>) {
        for (n, name) in self.machine.saved.iter().enumerate() {
            let place = Place::Saved(name);
            faults.extend(Fault::unless_equal(
                place,
                state.patterns[n],
                state.after[n],
            ));
        }
        for (n, control) in self.machine.controls.iter().enumerate() {
            if under == Under::Closure && !control.is_kept_by_all {
                continue;
            }
            let wanted = state.patterns_control[n] & control.mask;
            let got = state.after_control[n] & control.mask;
            faults.extend(Fault::unless_equal(
                Place::ControlAfter(control.name),
                wanted,
                got,
            ));
        }
        let stack = state.stack + self.machine.popped;
        faults.extend(Fault::unless_equal(
            Place::StackPointer,
            stack,
            state.stack_after,
        ));
        let arguments = match under {
            Under::Trampoline => 0,
            Under::Callback | Under::Closure => self.stack_words(case),
        };
        for word in self.machine.shadow_words + arguments..WINDOW {
            let (wanted, got) = (state.window[word], state.window_after[word]);
            faults.extend(Fault::unless_equal(Place::CallersFrame(word), wanted, got));
        }
    }

    /// Words of the caller's frame that belong to the callee; for a case with wide types, as many as all its arguments could
    /// take there.
    fn stack_words(&self, case: &Case) -> usize {
        if case.is_of_words() {
            return (self.machine.stack_words)(case);
        }
        let cells = case.args.iter().map(|ty| Layout::cell(ty, self.target));
        // One more for the alignment of each.
        cells.map(|cell| cell.bytes.len().div_ceil(8) + 1).sum()
    }

    fn judge_probe(
        &self,
        state: &ProbeState,
        guard: &GuardState,
        case: &Case,
        under: Under,
        faults: &mut Vec<Fault>,
    ) {
        faults.extend(Fault::unless_equal(
            Place::StackAlignment,
            self.machine.stack_phase,
            state.stack % 16,
        ));
        for (n, control) in self.machine.controls.iter().enumerate() {
            let wanted = guard.patterns_control[n] & control.mask;
            let got = state.control[n] & control.mask;
            faults.extend(Fault::unless_equal(
                Place::ControlInside(control.name),
                wanted,
                got,
            ));
        }
        if under == Under::Trampoline {
            faults.extend((self.machine.hidden)(case, state.hidden));
        }
    }
}
