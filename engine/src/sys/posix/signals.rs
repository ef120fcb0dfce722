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
    /// The bit of the signal that was last found to have a handler among those that this thread blocks.
    static HANDLED: Cell<u64> = const { Cell::new(0) };
}

/// Notes the signals that this thread blocks as those that it usually blocks. Called when a user makes a function or a callback.
pub(crate) fn note_signal_mask() {
    if USUAL.get().is_none() {
        USUAL.set(Some(blocked()));
    }
}

/// Whether this thread blocks signals that it usually does not, and one of them has a handler: a handler has its own signal blocked while it
/// runs. Threads that leave signals to others, and programs that were started with some blocked, as by `perf record`, block such as have none.
/// A handler that its signal removes (SA_RESETHAND) is not noticed while it runs.
///
/// A handler may have interrupted an allocation, so nothing must be allocated in one.
pub fn may_be_in_signal_handler() -> bool {
    let blocked = blocked();
    blocked != 0 && Some(blocked) != USUAL.get() && is_any_handled(blocked)
}

/// Whether one of these signals has a handler.
fn is_any_handled(mut signals: u64) -> bool {
    // The one that was found last comes first.
    let mut next = signals & HANDLED.get();
    while signals != 0 {
        if next == 0 {
            next = signals & signals.wrapping_neg();
        }
        if has_handler(next.trailing_zeros() as i32 + 1) {
            HANDLED.set(next);
            return true;
        }
        signals &= !next;
        next = 0;
    }
    false
}

/// Whether a function of the program's handles a signal. Numbers that are no signal, or one of the C library's own, have none.
fn has_handler(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action this call only fills in the old one, which is plain data, and so are zeros.
    let action = unsafe {
        if libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) != 0 {
            return false;
        }
        action.assume_init()
    };
    !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
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

    fn block(signal: i32) {
        // SAFETY: the set is initialised ahead of its use, and only this thread's mask is changed.
        unsafe {
            let mut set = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), signal);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
        }
    }

    extern "C" fn ignore(_: i32) {}

    fn handle(signal: i32) {
        let handler = ignore as extern "C" fn(i32);
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }

    #[test]
    fn thread_with_a_signal_blocked_that_nobody_handles_is_in_no_handler() {
        let thread = std::thread::spawn(|| {
            block(libc::SIGURG);
            let before = may_be_in_signal_handler();
            handle(libc::SIGURG);
            let handled = [may_be_in_signal_handler(), may_be_in_signal_handler()];
            // SAFETY: the signal is ignored again.
            unsafe { libc::signal(libc::SIGURG, libc::SIG_DFL) };
            (before, handled, may_be_in_signal_handler())
        });
        let seen = thread.join().expect("no panic");
        assert_eq!(seen, (false, [true, true], false));
    }

    #[test]
    fn thread_with_a_signal_blocked_may_be_in_its_handler_unless_it_usually_blocks_that() {
        handle(libc::SIGUSR2);
        let in_a_thread = |note_first: bool| {
            let thread = std::thread::spawn(move || {
                if note_first {
                    note_signal_mask();
                }
                block(libc::SIGUSR2);
                note_signal_mask();
                may_be_in_signal_handler()
            });
            thread.join().expect("no panic")
        };
        assert!(in_a_thread(true));
        assert!(!in_a_thread(false));
    }
}
