//! Namespaces of C declarations, in which C texts are read.

use crate::report::{Failure, Report, Status, guard};
use crate::text::text;
use farcall_cdecl::c::{Declarations, Platform};
use farcall_engine as engine;
use farcall_memory::{OutOfMemory, Shared, TryVec};
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_void};
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The declarations of texts. The engine's lock protects them, so that signal handlers and forks find them consistent.
pub struct Scope {
    declarations: UnsafeCell<Declarations>,
    /// Its serial number, which is larger than those of older namespaces: see [`Scope::older`].
    serial: AtomicU64,
    /// An object that C keeps with it.
    object: AtomicPtr<c_void>,
}

// SAFETY: the declarations are accessed only in `with`, under a lock.
unsafe impl Send for Scope {}
// SAFETY: as above.
unsafe impl Sync for Scope {}

/// The namespaces of scripts with their serial numbers, the newest last. Each stays until its last owner is gone.
struct Known {
    scopes: Vec<(u64, *const Scope)>,
    count: u64,
}

// SAFETY: the list only holds addresses, and the namespaces at these addresses are `Sync`.
unsafe impl Send for Known {}

static KNOWN: engine::Guarded<Known> = engine::Guarded::new(Known {
    scopes: Vec::new(),
    count: 0,
});

/// The serial number of a namespace that no search finds.
const UNKNOWN: u64 = u64::MAX;

impl Scope {
    /// A namespace with C's own names, which [`Scope::newest`] does not find.
    pub fn new() -> Result<Scope, Failure> {
        Ok(Scope {
            declarations: UnsafeCell::new(Declarations::new(Platform::host())?),
            serial: AtomicU64::new(UNKNOWN),
            object: AtomicPtr::new(ptr::null_mut()),
        })
    }

    /// Runs `work` on the declarations, under the engine's lock. `work` must not make code, use any namespace, or call foreign code.
    pub fn with<R>(&self, work: impl FnOnce(&mut Declarations) -> R) -> R {
        // SAFETY: the lock is held, so the reference is the only one: a thread that holds the lock never takes it again.
        engine::exclusively(|| work(unsafe { &mut *self.declarations.get() }))
    }

    fn serial(&self) -> u64 {
        self.serial.load(Ordering::Relaxed)
    }

    /// The newest namespace of a script that is still in use.
    pub fn newest() -> Option<Shared<Scope>> {
        Scope::before(UNKNOWN)
    }

    /// The next older namespace.
    pub fn older(&self) -> Option<Shared<Scope>> {
        Scope::before(self.serial())
    }

    fn before(serial: u64) -> Option<Shared<Scope>> {
        KNOWN.with(|known| {
            let newer = known.scopes.partition_point(|(other, _)| *other < serial);
            let mut older = known.scopes[..newer].iter().rev();
            // SAFETY: each namespace is in the list until its destructor removes it, under this lock.
            older.find_map(|(_, scope)| unsafe { Shared::from_address(*scope) })
        })
    }

    /// Runs `read` on namespaces, the newest first and one with C's own names last, until it succeeds. An error is that of the newest one.
    pub fn in_newest<R>(
        mut read: impl FnMut(&Shared<Scope>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let mut first = None;
        let mut next = Scope::newest();
        while let Some(scope) = next {
            match read(&scope) {
                Ok(result) => return Ok(result),
                Err(failure) => first = first.or(Some(failure)),
            }
            next = scope.older();
        }
        let own = Shared::try_new(Scope::new()?)?;
        read(&own).map_err(|failure| first.unwrap_or(failure))
    }

    /// A namespace that [`Scope::newest`] finds.
    fn known(text: &str) -> Result<Shared<Scope>, Failure> {
        let mut scope = Scope::new()?;
        scope.declarations.get_mut().read(text)?;
        let scope = Shared::try_new(scope)?;
        KNOWN.with(|known| {
            known.scopes.try_push((known.count, scope.as_ptr()))?;
            scope.serial.store(known.count, Ordering::Relaxed);
            known.count += 1;
            Ok::<_, OutOfMemory>(())
        })?;
        Ok(scope)
    }

    /// A new reference to the namespace at C's pointer; for NULL, a new namespace with C's own names.
    ///
    /// # Safety
    /// * `scope` is NULL, or from [`farcall_scope_new`] and has not been released.
    pub unsafe fn of(scope: *const Scope) -> Result<Shared<Scope>, Failure> {
        if scope.is_null() {
            return Ok(Shared::try_new(Scope::new()?)?);
        }
        // SAFETY: `scope` is not NULL here, so it has not been released, by the contract of this function; it stays alive until this
        // returns.
        unsafe { Shared::from_address(scope) }
            .ok_or_else(|| Failure::value("the namespace is released"))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let serial = self.serial();
        if serial != UNKNOWN {
            KNOWN.with(|known| {
                let place = known.scopes.partition_point(|(other, _)| *other < serial);
                if known
                    .scopes
                    .get(place)
                    .is_some_and(|(other, _)| *other == serial)
                {
                    known.scopes.remove(place);
                }
            });
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.serial())
    }
}

/// # Safety
/// * `start` points to `len` bytes.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_new(
    start: *const c_char,
    len: usize,
    out: *mut *const Scope,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `start` points to `len` bytes, by the contract of this function.
        let scope = Scope::known(unsafe { text(start, len)? })?;
        // C's reference, until farcall_scope_release().
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { out.write(scope.into_raw()) };
        Ok(())
    })
}

/// # Safety
/// * `scope` is from [`farcall_scope_new`] and has not been released.
/// * `start` points to `len` bytes, `report` to a place for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_read(
    scope: *const Scope,
    start: *const c_char,
    len: usize,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `start` points to `len` bytes, by the contract of this function.
        let text = unsafe { text(start, len)? };
        // SAFETY: `scope` has not been released, by the contract of this function.
        Ok(unsafe { &*scope }.with(|c| c.read(text))?)
    })
}

/// # Safety
/// * `scope` is from [`farcall_scope_new`] and has not been released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_retain(scope: *const Scope) {
    // SAFETY: `scope` has not been released, by the contract of this function. The new reference is C's, until farcall_scope_release().
    if let Some(scope) = unsafe { Shared::from_address(scope) } {
        scope.into_raw();
    }
}

/// The object that C keeps with a namespace; NULL if there is none.
///
/// # Safety
/// * `scope` is a namespace in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_object(scope: *const Scope) -> *mut c_void {
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    unsafe { (*scope).object.load(Ordering::Acquire) }
}

/// Replaces the object that C keeps with a namespace, if it is `old`.
///
/// # Safety
/// * `scope` is a namespace in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_set_object(
    scope: *const Scope,
    old: *mut c_void,
    new: *mut c_void,
) -> bool {
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    let object = unsafe { &(*scope).object };
    object
        .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
        .is_ok()
}

/// # Safety
/// * `scope` is from [`farcall_scope_new`], or has been retained; the caller has not released it yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_release(scope: *const Scope) {
    // SAFETY: C has a reference that it has not released yet, by the contract of this function, and gives it up here.
    drop(unsafe { Shared::from_raw(scope) });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(scope: &Scope, name: &str) -> Result<u64, Failure> {
        scope.with(|c| {
            let ty = c.type_named(name)?;
            let layout = c.layout(ty);
            layout
                .map(|layout| layout.size)
                .ok_or_else(|| Failure::value("no size"))
        })
    }

    #[test]
    fn newest_namespace_in_use_that_knows_a_name_is_found_first() {
        let known = |text| Scope::known(text).expect("it is C");
        let size = |name| Scope::in_newest(|scope| size(scope, name)).ok();
        let first = known("typedef char in_both; typedef short in_first; struct later;");
        let second = known("typedef int in_both; struct later { long long x; };");
        assert_eq!(size("in_both"), Some(4));
        assert_eq!(size("in_first"), Some(2));
        assert_eq!(size("struct later"), Some(8));
        assert_eq!(size("char *"), Some(8));
        assert_eq!(size("in_none"), None);
        let user = second.clone();
        drop(second);
        assert_eq!(size("in_both"), Some(4));
        drop(user);
        assert_eq!(size("in_both"), Some(1));
        drop(first);
        assert_eq!(size("in_both"), None);
    }
}
