//! The signatures that programs have prepared, each known once, by its content.
//!
//! Many programs prepare a signature for every single call, and none says when it is done with one. So signatures are remembered
//! for ever, and there is a bound to how many: one beyond it is planned anew whenever it is used, and called without
//! generated code. Looking one up takes no lock; only making one known does.
//!
//! Many signatures are used once. So one of scalars is remembered by its key alone, which says all of it, and [`Detail`] is made when
//! it is asked for: a first call does without.

use crate::key::{Key, ShortKey};
use crate::shape::{self, Detail};
use crate::types::{BadType, Token};
use farcall_engine as engine;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// What a signature's functions are called through.
///
/// # Safety
/// Calling one calls `target`:
/// * `target` is a function of the entry's signature, and may be called by this thread now, with these arguments.
/// * `values` points to as many pointers as there are arguments, each to a value of its type.
/// * `result` points to memory for the result, 8 bytes at least, even if the result is not wanted.
/// * `entry` is the entry that the address is from.
pub type Call = unsafe extern "C-unwind" fn(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
);

/// A known signature. Everything but the code's addresses and the detail is written once, before the token.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Entry {
    /// The number that stands for it, and for no other; 0 as long as there is none.
    token: AtomicU64,
    call: AtomicPtr<c_void>,
    closure: AtomicPtr<c_void>,
    hash: AtomicU64,
    len: AtomicU32,
    words: AtomicPtr<u64>,
    /// The key's word, if it has one only.
    word: AtomicU64,
    /// Null until it is asked for, in an entry of scalars.
    detail: AtomicPtr<Detail>,
}

const _: () = assert!(size_of::<Entry>() == 64);

/// How many signatures are remembered.
const ENTRIES: usize = 4096;

/// How many buckets there are for finding them: twice as many, so that a search ends soon.
const BUCKETS: usize = 2 * ENTRIES;

static TABLE: [Entry; ENTRIES] = [const { Entry::unused() }; ENTRIES];

/// Numbers of entries by their hash, or 0. A search goes on with the next bucket until it finds a 0.
static INDEX: [AtomicU32; BUCKETS] = [const { AtomicU32::new(0) }; BUCKETS];

/// How many entries are in use, the first included, which never is any signature's. Changed under the lock.
static USED: AtomicU32 = AtomicU32::new(1);

/// A signature that has been found: remembered, or planned for this once.
pub enum Found {
    /// It has an entry.
    Interned(&'static Entry),
    /// There was no room for another.
    Passing(Box<Detail>),
}

impl Found {
    /// What to leave in a cif.
    pub fn token(&self) -> Token {
        match self {
            Found::Interned(entry) => entry.token(),
            Found::Passing(detail) => match detail.fixed.map(u32::try_from) {
                Some(Ok(fixed)) => VARIADIC | u64::from(fixed),
                _ => 0,
            },
        }
    }

    /// What is known of it.
    pub fn detail(&self) -> &Detail {
        match self {
            Found::Interned(entry) => entry.detail(),
            Found::Passing(detail) => detail,
        }
    }

    /// Its entry, if it has one.
    pub fn entry(&self) -> Option<&'static Entry> {
        match self {
            Found::Interned(entry) => Some(entry),
            Found::Passing(_) => None,
        }
    }

    /// Does `work` with what is known of it. `work` may be left by an exception or a jump, as no frame has anything to be dropped
    /// then: what was planned for this once is lost.
    #[inline(always)]
    pub fn lend(self, work: impl FnOnce(&Detail)) {
        let found = ManuallyDrop::new(self);
        work(found.detail());
        give_up(found);
    }
}

#[inline(never)]
fn give_up(found: ManuallyDrop<Found>) {
    drop(ManuallyDrop::into_inner(found));
}

/// The entry that a token stands for. A token that is none of ours stands for nothing.
#[inline(always)]
pub fn entry(token: Token) -> Option<&'static Entry> {
    let entry = &TABLE[token as usize % ENTRIES];
    // The token is the last thing that is written to an entry, and a program that passes a cif to another thread orders
    // that itself.
    (entry.token.load(Ordering::Acquire) == token && token != 0).then_some(entry)
}

/// Marks, in the lower half, what stands for a variadic signature without an entry; the rest of it is the number of named
/// arguments. No entry has so high a number.
const VARIADIC: Token = 1 << 31;

/// What a token says that is no entry's: it was overwritten, or the signature is not remembered.
pub enum Meaning {
    /// An entry's number is left of it.
    Entry(&'static Detail),
    /// It is a variadic signature's.
    Variadic {
        /// How many arguments are named.
        fixed: usize,
    },
    /// It is anything.
    Nothing,
}

/// What may be read from a token that is no entry's. Programs that write to a cif's last word leave the lower half.
pub fn meaning(token: Token) -> Meaning {
    let number = u64::from(token as u32);
    match TABLE.get(number as usize) {
        Some(entry) if entry.token.load(Ordering::Acquire) != 0 => Meaning::Entry(entry.detail()),
        None if number & VARIADIC != 0 => Meaning::Variadic {
            fixed: (number & !VARIADIC) as usize,
        },
        _ => Meaning::Nothing,
    }
}

/// The entry of a key that may be new. `describe` is asked for what is to be kept if it is not known yet.
///
/// Its functions are called through `first` until there is something better.
pub fn find(
    key: &Key,
    first: Call,
    describe: impl FnOnce() -> Result<Detail, BadType>,
) -> Result<Found, BadType> {
    if let Ok(entry) = search(key) {
        return Ok(Found::Interned(entry));
    }
    // A fault of ours must not unwind through C.
    let described = panic::catch_unwind(AssertUnwindSafe(describe));
    let detail = Box::new(described.unwrap_or(Err(BadType))?);
    if key.is_oversized() {
        return Ok(Found::Passing(detail));
    }
    Ok(
        match engine::exclusively(|| add(key, Some(detail), first)) {
            Ok(entry) => Found::Interned(entry),
            Err(Some(detail)) => Found::Passing(detail),
            Err(None) => return Err(BadType),
        },
    )
}

/// Makes a signature of scalars known that all have a value, under this process's own convention. `None` if there is no room.
///
/// Its functions are called through `first` until there is something better.
pub fn add_scalars(key: &Key, first: Call) -> Option<&'static Entry> {
    engine::exclusively(|| add(key, None, first)).ok()
}

/// The key's entry, or the bucket where its number belongs.
#[inline(always)]
pub fn search(key: &Key) -> Result<&'static Entry, usize> {
    let mut bucket = first_bucket(key.hash());
    loop {
        match INDEX[bucket].load(Ordering::Acquire) {
            0 => return Err(bucket),
            number => {
                let entry = &TABLE[number as usize % ENTRIES];
                if entry.has(key) {
                    return Ok(entry);
                }
            }
        }
        bucket = (bucket + 1) % BUCKETS;
    }
}

/// The key's entry, if its number is in the first bucket where it may be, as nearly all are.
#[inline(always)]
pub fn search_short(key: ShortKey) -> Option<&'static Entry> {
    let hash = key.hash();
    // A number 0 leads to the first entry, which has no key.
    let number = INDEX[first_bucket(hash)].load(Ordering::Acquire);
    let entry = &TABLE[number as usize % ENTRIES];
    entry.has_short(hash).then_some(entry)
}

#[inline(always)]
fn first_bucket(hash: u64) -> usize {
    (hash >> 32) as usize % BUCKETS
}

/// Makes a signature known, if there is room, or else gives the detail back. The caller is the only one to do so.
fn add(
    key: &Key,
    detail: Option<Box<Detail>>,
    first: Call,
) -> Result<&'static Entry, Option<Box<Detail>>> {
    // Another thread may have been faster.
    let bucket = match search(key) {
        Ok(entry) => return Ok(entry),
        Err(bucket) => bucket,
    };
    let number = USED.load(Ordering::Relaxed);
    let Some(entry) = TABLE.get(number as usize) else {
        return Err(detail);
    };
    USED.store(number + 1, Ordering::Relaxed);
    // Entries stay for as long as the process.
    let words = match key.words() {
        [word] => {
            entry.word.store(*word, Ordering::Relaxed);
            entry.word.as_ptr()
        }
        words => words.to_vec().leak().as_mut_ptr(),
    };
    entry.hash.store(key.hash(), Ordering::Relaxed);
    let len = key.words().len() as u32;
    entry.len.store(len, Ordering::Relaxed);
    entry.words.store(words, Ordering::Relaxed);
    let detail = detail.map_or(ptr::null_mut(), Box::into_raw);
    entry.detail.store(detail, Ordering::Relaxed);
    entry.call.store(first as *mut c_void, Ordering::Relaxed);
    // The upper half tells a token from numbers that programs may leave in its place.
    let check = (key.hash() ^ key.hash() << 32) & !(u64::from(u32::MAX));
    entry
        .token
        .store(check | u64::from(number), Ordering::Release);
    INDEX[bucket].store(number, Ordering::Release);
    Ok(entry)
}

impl Entry {
    const fn unused() -> Entry {
        Entry {
            token: AtomicU64::new(0),
            call: AtomicPtr::new(ptr::null_mut()),
            closure: AtomicPtr::new(ptr::null_mut()),
            hash: AtomicU64::new(0),
            len: AtomicU32::new(0),
            words: AtomicPtr::new(ptr::null_mut()),
            word: AtomicU64::new(0),
            detail: AtomicPtr::new(ptr::null_mut()),
        }
    }

    #[inline]
    fn has(&self, key: &Key) -> bool {
        let words = key.words();
        let len = self.len.load(Ordering::Relaxed) as usize;
        self.hash.load(Ordering::Relaxed) == key.hash()
            && len == words.len()
            // Word by word: they are few, and not worth a call of memcmp().
            && self.words(len).iter().eq(words)
    }

    /// Whether the key is the one of a single word that has this hash. No two of these have the same.
    #[inline(always)]
    fn has_short(&self, hash: u64) -> bool {
        self.hash.load(Ordering::Relaxed) == hash && self.len.load(Ordering::Relaxed) == 1
    }

    #[inline(always)]
    fn words(&self, len: usize) -> &'static [u64] {
        // SAFETY: a number is in the index only when its entry is whole, and then this is a list of that length that is never
        // released nor written again: a leaked one, or the entry's own word.
        unsafe { std::slice::from_raw_parts(self.words.load(Ordering::Relaxed), len) }
    }

    /// What stands for it in a cif.
    #[inline(always)]
    pub fn token(&self) -> Token {
        self.token.load(Ordering::Relaxed)
    }

    /// What is known of the signature.
    pub fn detail(&self) -> &'static Detail {
        let detail = self.detail.load(Ordering::Acquire);
        if detail.is_null() {
            return self.describe();
        }
        // SAFETY: it came from a box, and is never released.
        unsafe { &*detail }
    }

    /// Makes the detail of a signature of scalars.
    #[cold]
    fn describe(&self) -> &'static Detail {
        let ours = Box::into_raw(Box::new(shape::describe_scalars(self.key())));
        let kept = self.detail.compare_exchange(
            ptr::null_mut(),
            ours,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        let kept = match kept {
            Ok(_) => ours,
            Err(theirs) => {
                // SAFETY: it is the box of a moment ago, and nobody has seen it.
                drop(unsafe { Box::from_raw(ours) });
                theirs
            }
        };
        // SAFETY: it came from a box, and is never released.
        unsafe { &*kept }
    }

    /// The words of its key.
    pub fn key(&self) -> &'static [u64] {
        self.words(self.len.load(Ordering::Relaxed) as usize)
    }

    /// The code that calls functions of the signature.
    #[inline(always)]
    pub fn call(&self) -> Call {
        // SAFETY: only functions of this type are stored there, and one is before anybody sees the entry.
        unsafe { std::mem::transmute::<*mut c_void, Call>(self.call.load(Ordering::Acquire)) }
    }

    /// Has calls go through `new` from now on, if they go through `old`.
    pub fn replace_call(&self, old: Call, new: Call) {
        let (old, new) = (old as *mut c_void, new as *mut c_void);
        // Otherwise another thread has got further.
        let _ = self
            .call
            .compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
    }

    /// Has calls go through other code from now on.
    pub fn set_call(&self, call: Call) {
        self.call.store(call as *mut c_void, Ordering::Release);
    }

    /// The code that closures of the signature enter by, if there is any yet.
    pub fn closure(&self) -> *const c_void {
        self.closure.load(Ordering::Acquire)
    }

    /// Has closures that are prepared from now on enter by this code.
    pub fn set_closure(&self, code: *const c_void) {
        self.closure.store(code.cast_mut(), Ordering::Release);
    }
}
