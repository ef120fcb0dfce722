//! Ties a thunk to one signature, for good.

use super::address::Thunk;
use super::closed::closed_entry;
use crate::epoch::{Entered, Inside, Left, Place, Thing};
use crate::levels::{self, LEVELS, Level};
use crate::record::{Handler, ObjectHandler, Record};
use farcall_memory::OutOfMemory;
use farcall_memory::try_box;
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::RefUnwindSafe;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// How a callback's handler gets its context. A thunk never changes its kind: an entry may have read one word of a record already when the
/// others change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the callback's own context.
    Slots,
    /// There is no handler: the entry is a function of the signature.
    Bare,
    /// By a context that is the thunk's for good.
    Lasting,
    /// As `Lasting`, and with an entry on objects as well.
    Objects,
    /// By the [`Seat`], which is the context.
    Owned,
    /// As `Owned`, with a function as the handler that takes C's arguments as they are, and the seat behind them.
    Behind,
}

const KINDS: usize = 6;

impl Kind {
    /// Whether the callback owns something.
    #[inline(always)]
    fn has_owner(self) -> bool {
        // All kinds are named, so that a new one is thought of here.
        match self {
            Kind::Owned | Kind::Behind => true,
            Kind::Slots | Kind::Bare | Kind::Lasting | Kind::Objects => false,
        }
    }
}

/// The bit that marks an owned value that no thread has looked at yet. No address of ours has it set. By itself it marks a closed callback: so
/// one look tells what most calls find from all else.
const FRESH: usize = 1;

const CLOSED: *mut c_void = ptr::without_provenance_mut(FRESH);

/// The signature of a thunk. It stays for as long as the process.
#[derive(Debug)]
pub(crate) struct Owner {
    /// A [`crate::Compiled`], as records have it.
    pub signature: *const c_void,
    /// Its closed thunks.
    pub seats: &'static Seats,
}

// SAFETY: this file never follows the address.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

/// A thunk with its signature. It is never freed, so a thread that has come through the thunk may look at it whatever has been closed.
#[derive(Debug)]
pub struct Seat {
    thunk: Thunk,
    owner: Owner,
    kind: Kind,
    /// What the callback owns, with [`FRESH`] added until a thread has entered, or [`CLOSED`]. Or the context that is the thunk's
    /// for good, null before the first callback.
    owned: AtomicPtr<c_void>,
    /// The level whose queues the thunk rests in, or [`NO_HOME`].
    home: Cell<usize>,
    /// The seat that was closed after this one.
    next: Cell<Option<&'static Seat>>,
}

/// The home of a thunk that was made without a level. It gets one when it has been closed.
pub(super) const NO_HOME: usize = LEVELS;

// SAFETY: all is atomic or never changes, but for `home` and `next`, which only the holder of a level's token touches, or who gives the
// seat up without one.
unsafe impl Sync for Seat {}

impl Seat {
    pub(super) fn new(
        thunk: Thunk,
        owner: impl FnOnce() -> Owner,
        kind: Kind,
        home: usize,
    ) -> Result<&'static Seat, OutOfMemory> {
        let place = try_box(MaybeUninit::uninit())?;
        Ok(Box::leak(Box::write(
            place,
            Seat {
                thunk,
                owner: owner(),
                kind,
                owned: AtomicPtr::new(ptr::null_mut()),
                home: Cell::new(home),
                next: Cell::new(None),
            },
        )))
    }

    /// The function pointer.
    pub(crate) fn code(&self) -> NonNull<u8> {
        self.thunk.code
    }

    /// Makes the thunk lead to a handler. The seat is the caller's, and closed.
    pub(crate) fn open(
        &'static self,
        entry: NonNull<u8>,
        handler: Handler,
        object_handler: Option<ObjectHandler>,
        context: *mut c_void,
    ) {
        let context = match self.kind {
            Kind::Slots | Kind::Bare => context,
            Kind::Lasting | Kind::Objects => {
                self.owned.store(context, Ordering::Release);
                context
            }
            Kind::Owned | Kind::Behind => {
                let fresh = context.map_addr(|address| address | FRESH);
                self.owned.store(fresh, Ordering::Release);
                ptr::from_ref(self).cast_mut().cast()
            }
        };
        let record = self.thunk.record.as_ptr();
        // SAFETY: the record is data of this size, and nobody else writes it. A thread that came in before the thunk was closed may still
        // read it: of a kind with an owner it finds the words that are there already.
        unsafe {
            (&raw mut (*record).context).write(context);
            (&raw mut (*record).handler).write(handler);
            (&raw mut (*record).object_handler).write(object_handler);
            (&raw mut (*record).compiled).write(self.owner.signature);
        }
        self.entry().store(entry.as_ptr(), Ordering::Release);
    }

    /// Makes calls through the thunk be reported from now on. The other fields stay: a call that is just passing through may still read them.
    /// True if no thread has found the owned value: then no thread inside uses it.
    pub(crate) fn shut(&self) -> bool {
        self.entry()
            .store(closed_entry().as_ptr(), Ordering::Release);
        if !self.kind.has_owner() {
            return false;
        }
        let owned = self.owned.swap(CLOSED, Ordering::AcqRel);
        owned.addr() & FRESH != 0
    }

    /// Gives the thunk back for another callback of the same signature. No thread is inside its last callback.
    #[inline(never)]
    pub(crate) fn put_back(&'static self) {
        match levels::hold_this(self.home.get()) {
            Some(mut level) => self.owner.seats.queue(&mut level, self.kind).push(self),
            None => self.owner.seats.leave(self),
        }
    }

    /// The context that is the thunk's for good.
    pub(crate) fn context(&self) -> Option<NonNull<c_void>> {
        match self.kind {
            Kind::Slots | Kind::Owned | Kind::Behind | Kind::Bare => None,
            Kind::Lasting | Kind::Objects => NonNull::new(self.owned.load(Ordering::Acquire)),
        }
    }

    fn entry(&self) -> &AtomicPtr<u8> {
        // SAFETY: records are never unmapped. Thunks read this one word as a whole.
        unsafe {
            let entry = &raw mut (*self.thunk.record.as_ptr()).entry;
            AtomicPtr::from_ptr(entry.cast::<*mut u8>())
        }
    }

    /// The thing that a thread is inside of while it runs the handler.
    #[inline(always)]
    pub fn thing(&self) -> Thing {
        Thing::entered(self)
    }

    /// Announces that this thread runs the callback's handler; see [`Inside::enter`].
    #[inline(always)]
    pub fn enter(&self, place: &Place) -> Inside {
        Inside::enter(self.thing(), place)
    }

    /// The same, in the plain case; see [`Entered::enter`].
    #[inline(always)]
    pub fn enter_plainly(&self) -> Option<Entered> {
        Entered::enter(self.thing())
    }

    /// What the callback owns; `None` if it is closed. A thread that has entered before it looks may use it until it leaves.
    #[inline(always)]
    pub fn owned(&self) -> Option<NonNull<c_void>> {
        match self.owned_again() {
            Some(owned) => Some(owned),
            None => self.owned_first(),
        }
    }

    /// The same; `None` as well if no thread has looked yet.
    #[inline(always)]
    pub fn owned_again(&self) -> Option<NonNull<c_void>> {
        let owned = self.owned.load(Ordering::Acquire);
        match owned.addr() & FRESH {
            // SAFETY: what is owned is not null, by the contract of `Callback::owning` and `Callback::behind`.
            0 => Some(unsafe { NonNull::new_unchecked(owned) }),
            _ => None,
        }
    }

    /// The first look at the owned value: a thread that closes the callback at the same time learns of it, or this finds the callback closed.
    #[cold]
    #[inline(never)]
    fn owned_first(&self) -> Option<NonNull<c_void>> {
        let mut fresh = self.owned.load(Ordering::Acquire);
        while fresh.addr() & FRESH != 0 {
            if fresh == CLOSED {
                return None;
            }
            let used = fresh.map_addr(|address| address & !FRESH);
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            match self.owned.compare_exchange(fresh, used, success, failure) {
                Ok(_) => return NonNull::new(used),
                // Another thread was first, or the callback is closed, or the seat is another callback's by now, which is as good.
                Err(other) => fresh = other,
            }
        }
        NonNull::new(fresh)
    }

    /// Whether it is closed.
    #[inline(always)]
    pub fn is_closed(&self) -> bool {
        self.owned.load(Ordering::Acquire) == CLOSED
    }
}

impl Left for Seat {
    fn left(&'static self) {
        self.put_back();
    }
}

/// Closed thunks, the longest closed first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    first: Option<&'static Seat>,
    last: Option<&'static Seat>,
    len: usize,
}

impl Queue {
    fn push(&mut self, seat: &'static Seat) {
        seat.next.set(None);
        match self.last.replace(seat) {
            Some(last) => last.next.set(Some(seat)),
            None => self.first = Some(seat),
        }
        self.len += 1;
    }

    fn pop(&mut self) -> Option<&'static Seat> {
        let seat = self.first?;
        self.first = seat.next.take();
        if self.first.is_none() {
            self.last = None;
        }
        self.len -= 1;
        Some(seat)
    }
}

/// The closed thunks of one signature.
///
/// A thunk always rests in the queues of the same level, whichever level is free when it is closed. If it moved, one level's queues could
/// get what another level makes anew each time, and the number of thunks would have no bound.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    queues: [[UnsafeCell<Queue>; LEVELS]; KINDS],
    /// The thunks that were given up while another thread held their level, by their home, the last first. Whoever holds the level next
    /// puts them into its queues, and with them those that have no home.
    left: [AtomicPtr<Seat>; LEVELS + 1],
}

// SAFETY: `queue` wants the level's token, which one thread has at a time.
unsafe impl Sync for Seats {}

// No step of a queue can panic.
impl RefUnwindSafe for Seats {}

impl Seats {
    fn queue<'a>(&'a self, level: &'a mut Level, kind: Kind) -> &'a mut Queue {
        // SAFETY: the token is lent for as long as the result lives, and there is one.
        unsafe { &mut *self.queues[kind as usize][level.index()].get() }
    }

    /// Leaves a closed thunk to whoever holds its level next.
    #[cold]
    #[inline(never)]
    fn leave(&self, seat: &'static Seat) {
        let push = |first: *mut Seat| {
            // SAFETY: what is on the list is never freed.
            seat.next.set(unsafe { first.as_ref() });
            Some(ptr::from_ref(seat).cast_mut())
        };
        let (success, failure) = (Ordering::Release, Ordering::Relaxed);
        let _ = self.left[seat.home.get()].fetch_update(success, failure, push);
    }

    /// The lists of what was left for a level.
    fn left_for(&self, level: &Level) -> [&AtomicPtr<Seat>; 2] {
        [&self.left[NO_HOME], &self.left[level.index()]]
    }

    fn has_left(&self, level: &Level) -> bool {
        let lists = self.left_for(level);
        lists
            .iter()
            .any(|list| !list.load(Ordering::Relaxed).is_null())
    }

    #[cold]
    #[inline(never)]
    fn collect(&self, level: &mut Level) {
        for list in self.left_for(level) {
            let first = list.swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: what is on the list is never freed.
            let mut rest = unsafe { first.cast_const().as_ref() };
            let mut oldest_first = None;
            while let Some(seat) = rest {
                rest = seat.next.replace(oldest_first);
                oldest_first = Some(seat);
            }
            while let Some(seat) = oldest_first {
                oldest_first = seat.next.take();
                seat.home.set(level.index());
                self.queue(level, seat.kind).push(seat);
            }
        }
    }

    /// The thunk that has been closed for longest, if more than `rest` are closed.
    pub(super) fn take_rested(
        &self,
        level: &mut Level,
        kind: Kind,
        rest: usize,
    ) -> Option<&'static Seat> {
        let queue = self.queue(level, kind);
        if queue.len > rest {
            return queue.pop();
        }
        if !self.has_left(level) {
            return None;
        }
        self.collect(level);
        let queue = self.queue(level, kind);
        match queue.len > rest {
            true => queue.pop(),
            false => None,
        }
    }
}

/// Changes a thunk's entry from `old` to `new`, unless the thunk has been closed meanwhile.
///
/// # Safety
/// * `record` is a thunk's, and `new` serves its signature and kind as well as `old`.
pub(crate) unsafe fn enter_by(record: *mut Record, old: NonNull<u8>, new: NonNull<u8>) {
    // SAFETY: the record is a thunk's, by the contract of this function, so it is never freed. Thunks read this one word as a whole,
    // and so it is exchanged.
    let entry = unsafe { AtomicPtr::from_ptr((&raw mut (*record).entry).cast::<*mut u8>()) };
    let (old, new) = (old.as_ptr(), new.as_ptr());
    let _ = entry.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed);
}
