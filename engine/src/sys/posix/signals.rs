//! A thread's blocked signals, and whether it may be in a signal's handler just now.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr;

/// Changes which signals this thread blocks by `set`, unless that is null, and stores the ones blocked before in `before`, unless that is
/// null. True if this succeeded.
///
/// # Safety
/// * Each pointer is null or leads to a set, `before` to one that may be written.
pub(super) unsafe fn change_mask(
    how: libc::c_int,
    set: *const libc::sigset_t,
    before: *mut libc::sigset_t,
) -> bool {
    // Linux has both functions do the same. The other one moved from one library to another with glibc 2.32: programs that are linked with
    // that do not find it in an earlier one.
    #[cfg(target_os = "linux")]
    // SAFETY: each pointer is null or leads to a set, `before` to one that may be written, by the contract of this function.
    return unsafe { libc::sigprocmask(how, set, before) } == 0;
    #[cfg(not(target_os = "linux"))]
    // SAFETY: as above.
    return unsafe { libc::pthread_sigmask(how, set, before) } == 0;
}

thread_local! {
    /// The signals that this thread blocks outside of handlers, once that has been noted.
    static USUAL: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Notes the signals that this thread blocks as those that it usually blocks. Called when a user makes a function or a callback.
pub(crate) fn note_signal_mask() {
    if USUAL.get().is_none() {
        USUAL.set(Some(blocked()));
    }
}

/// Whether this thread may be running a signal's handler. It blocks signals then that it usually does not: the handler's own, and those of the
/// handler's mask. A thread that blocks signals which have no such handler is in none.
///
/// A handler may have interrupted an allocation, so nothing must be allocated in one.
pub fn may_be_in_signal_handler() -> bool {
    let blocked = blocked();
    let usual = USUAL.get();
    blocked != 0 && Some(blocked) != usual && has_handler(blocked, usual.unwrap_or(0))
}

/// Whether a signal that is not usually blocked has a handler which may run with these signals blocked.
fn has_handler(blocked: u64, usual: u64) -> bool {
    let unusual = blocked & !usual;
    let signals = (1..=64).filter(|signal| unusual >> (signal - 1) & 1 == 1);
    signals
        .filter_map(handler_mask)
        .any(|mask| mask & !blocked == 0)
}

/// The signals that the handler of `signal` blocks beside its own, a bit each; `None` if there is no handler.
fn handler_mask(signal: libc::c_int) -> Option<u64> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action this call only fills in the present one.
    let is_known = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) } == 0;
    // SAFETY: it has been filled in.
    let action = is_known.then(|| unsafe { action.assume_init() })?;
    let has_handler = ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction);
    // No signal is blocked for long that cannot be.
    has_handler.then(|| bits(&action.sa_mask) & blockable())
}

/// The signals that a thread can block, a bit each.
fn blockable() -> u64 {
    !(1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1))
}

/// The blocked signals, a bit each.
fn blocked() -> u64 {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: without a new set this call only fills in the old one.
    let set = unsafe {
        if !change_mask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr()) {
            return u64::MAX;
        }
        set.assume_init()
    };
    bits(&set)
}

/// A set as a number.
#[cfg(target_os = "linux")]
fn bits(set: &libc::sigset_t) -> u64 {
    const { assert!(size_of::<libc::sigset_t>() >= size_of::<u64>()) };
    // SAFETY: the set is a whole one, and begins with the kernel's: a bit for each of 64 signals.
    unsafe { ptr::from_ref(set).cast::<u64>().read() }
}

/// As above.
#[cfg(not(target_os = "linux"))]
fn bits(set: &libc::sigset_t) -> u64 {
    // SAFETY: the set is a whole one. A number that is no signal is in no set.
    let is_in = |signal: &i32| unsafe { libc::sigismember(set, *signal) } == 1;
    let bits = (1..=64).filter(is_in).map(|signal| 1_u64 << (signal - 1));
    bits.fold(0, |all, bit| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes which signals this thread blocks.
    fn change(how: libc::c_int, signals: &[libc::c_int]) {
        // SAFETY: the set is initialised ahead of its use, and only this thread's mask is changed.
        unsafe {
            let mut set = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), *signal);
            }
            libc::pthread_sigmask(how, set.as_ptr(), ptr::null_mut());
        }
    }

    /// Sets a handler that blocks one more signal while it runs.
    fn set_handler(signal: libc::c_int, handler: extern "C" fn(libc::c_int), more: libc::c_int) {
        // SAFETY: the action is a whole one, and no other test uses these signals.
        unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = handler as *const () as usize;
            libc::sigaddset(&mut action.sa_mask, more);
            assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
        }
    }

    extern "C" fn does_nothing(_: libc::c_int) {}

    /// What a new thread says of itself that blocks `signals`. `note_at` is the number of them that it blocks usually.
    fn answer(note_at: Option<usize>, signals: &'static [libc::c_int]) -> bool {
        let thread = std::thread::spawn(move || {
            for (count, signal) in signals.iter().enumerate() {
                if Some(count) == note_at {
                    note_signal_mask();
                }
                change(libc::SIG_BLOCK, &[*signal]);
            }
            if Some(signals.len()) == note_at {
                note_signal_mask();
            }
            may_be_in_signal_handler()
        });
        thread.join().expect("no panic")
    }

    #[test]
    fn thread_that_blocks_what_a_handler_blocks_may_be_in_it_unless_it_usually_does() {
        set_handler(libc::SIGUSR2, does_nothing, libc::SIGURG);
        assert!(answer(None, &[libc::SIGURG, libc::SIGUSR2]));
        assert!(answer(Some(0), &[libc::SIGURG, libc::SIGUSR2]));
        assert!(answer(Some(1), &[libc::SIGURG, libc::SIGUSR2]));
        assert!(!answer(Some(2), &[libc::SIGURG, libc::SIGUSR2]));
        // The handler would block the other one as well, and the other one has no handler.
        assert!(!answer(None, &[libc::SIGUSR2]));
        assert!(!answer(None, &[libc::SIGURG]));
        assert!(!answer(None, &[]));
    }

    #[test]
    fn thread_in_a_handler_of_any_mask_may_be_in_it() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static SAID: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn asks(_: libc::c_int) {
            SAID.fetch_add(usize::from(may_be_in_signal_handler()), Ordering::Relaxed);
        }
        for (more, blocked) in [
            (libc::SIGWINCH, &[][..]),
            (libc::SIGSTOP, &[libc::SIGURG][..]),
        ] {
            set_handler(libc::SIGIO, asks, more);
            let thread = std::thread::spawn(|| {
                change(libc::SIG_BLOCK, blocked);
                // SAFETY: the signal has a handler.
                unsafe { libc::raise(libc::SIGIO) };
                assert!(!may_be_in_signal_handler());
            });
            thread.join().expect("no panic");
        }
        assert_eq!(SAID.load(Ordering::Relaxed), 2);
    }
}
