//! The signatures that programs have prepared, each known once, by its content.
//!
//! Many programs prepare a signature for every single call, and none says when it is done with one. So signatures are remembered
//! for ever, and there is a bound to how many: one beyond it is planned anew whenever it is used, and called without
//! generated code. Looking one up takes no lock; only making one known does.

use crate::cif::Token;
use crate::code;
use crate::key::{Key, ShortKey};
use crate::types::BadType;
use farcall_arch::Plan;
use farcall_engine::{self as engine, Compiled};
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

/// What is known of a signature beside its code.
#[derive(Debug)]
pub struct Detail {
    /// The arguments that have a value, where they go, and the code for that.
    pub compiled: Compiled,
    /// For each of these, its place among all arguments.
    pub positions: Vec<u32>,
    /// How many arguments are named, if it was prepared as variadic.
    pub fixed: Option<usize>,
    /// How many arguments there are.
    pub count: usize,
}

impl Detail {
    /// Where its values go.
    pub fn plan(&self) -> &Plan {
        self.compiled.plan()
    }

    /// Whether each pointer to an argument is at the argument's own place in the plan, as generated code takes them.
    pub fn is_dense(&self) -> bool {
        self.positions.len() == self.count
    }
}

/// A known signature. Everything but the code's addresses is written once, before the token.
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
    detail: AtomicPtr<Detail>,
}

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
pub fn find(
    key: &Key,
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
    Ok(engine::exclusively(|| add(key, detail)))
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

/// Makes a signature known, if there is room. The caller is the only one to do so.
fn add(key: &Key, detail: Box<Detail>) -> Found {
    // Another thread may have been faster.
    let bucket = match search(key) {
        Ok(entry) => return Found::Interned(entry),
        Err(bucket) => bucket,
    };
    let number = USED.load(Ordering::Relaxed);
    let Some(entry) = TABLE.get(number as usize) else {
        return Found::Passing(detail);
    };
    USED.store(number + 1, Ordering::Relaxed);
    let words = key.words().to_vec();
    entry.hash.store(key.hash(), Ordering::Relaxed);
    entry.len.store(words.len() as u32, Ordering::Relaxed);
    // Entries stay for as long as the process.
    entry
        .words
        .store(words.leak().as_mut_ptr(), Ordering::Relaxed);
    entry.detail.store(Box::into_raw(detail), Ordering::Relaxed);
    entry
        .call
        .store(code::FIRST_CALLS as *mut c_void, Ordering::Relaxed);
    // The upper half tells a token from numbers that programs may leave in its place.
    let check = (key.hash() ^ key.hash() << 32) & !(u64::from(u32::MAX));
    entry
        .token
        .store(check | u64::from(number), Ordering::Release);
    INDEX[bucket].store(number, Ordering::Release);
    Found::Interned(entry)
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
        // SAFETY: a number is in the index only when its entry is whole, and then this is a leaked list of that length.
        unsafe { std::slice::from_raw_parts(self.words.load(Ordering::Relaxed), len) }
    }

    /// What stands for it in a cif.
    #[inline(always)]
    pub fn token(&self) -> Token {
        self.token.load(Ordering::Relaxed)
    }

    /// What is known of the signature.
    pub fn detail(&self) -> &'static Detail {
        // SAFETY: entries are given out whole, and nothing of one is ever released.
        unsafe { &*self.detail.load(Ordering::Relaxed) }
    }

    /// The code that calls functions of the signature.
    #[inline(always)]
    pub fn call(&self) -> Call {
        // SAFETY: only functions of this type are stored there, and one is before anybody sees the entry.
        unsafe { std::mem::transmute::<*mut c_void, Call>(self.call.load(Ordering::Acquire)) }
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
