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

/// Whether this thread blocks signals that it usually does not: a handler has its own signal blocked while it runs.
///
/// A handler may have interrupted an allocation, so nothing must be allocated in one.
pub fn may_be_in_signal_handler() -> bool {
    let blocked = blocked();
    blocked != 0 && Some(blocked) != USUAL.get()
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

    #[test]
    fn thread_with_a_signal_blocked_may_be_in_its_handler_unless_it_usually_blocks_that() {
        let block = |how| {
            // SAFETY: the set is initialised ahead of its use, and only this thread's mask is changed.
            unsafe {
                let mut set = MaybeUninit::<libc::sigset_t>::uninit();
                libc::sigemptyset(set.as_mut_ptr());
                libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR2);
                libc::pthread_sigmask(how, set.as_ptr(), ptr::null_mut());
            }
        };
        let in_a_thread = |note_first: bool| {
            let thread = std::thread::spawn(move || {
                if note_first {
                    note_signal_mask();
                }
                block(libc::SIG_BLOCK);
                note_signal_mask();
                may_be_in_signal_handler()
            });
            thread.join().expect("no panic")
        };
        assert!(in_a_thread(true));
        assert!(!in_a_thread(false));
    }
}
