//! The signatures that programs have prepared, each once, by its content.
//!
//! Many programs prepare a signature for every single call, and none says when it is done with one. So the table remembers signatures
//! for ever, up to a bound. Each use of a signature beyond the bound reads the types again, and calls it without generated code.
//!
//! Looking up and adding take no lock and no memory. A key is enough to follow a signature; what code needs ([`Detail`]) is made with the
//! code.

use crate::key::{Key, KeyTypes, ShortKey};
use crate::types::Token;
use farcall_arch::abi::shape::Shape;
use farcall_arch::abi::{self, Bound};
use farcall_engine::interp::{Item, Shapes, Told};
use farcall_engine::{Compiled, uses_without_code};
use farcall_memory::{try_box, try_with_capacity};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The compiled form of a signature, with its code.
#[derive(Debug)]
pub struct Detail {
    /// The arguments that have a value, where they go, and the code for that.
    pub compiled: Compiled,
    /// Whether all arguments have a value. Only then is each pointer's number the number of its value in the plan, as generated code takes them.
    pub is_dense: bool,
}

/// The function that a signature's functions are called through.
///
/// # Safety
/// Calling one calls `target`:
/// * `target` is a function of the entry's signature, and may be called by this thread now, with these arguments.
/// * `values` points to as many pointers as there are arguments, each to a value of its type.
/// * `result` points to memory for the result, 8 bytes at least, even if the result is not wanted.
/// * `entry` is the entry that the address was taken from.
pub type Call = unsafe extern "C-unwind" fn(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
);

/// A known signature. Everything but the code's addresses, the counts and the detail is written once, before the token.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Entry {
    /// The number that stands for it, and for no other; 0 as long as there is none.
    token: AtomicU64,
    call: AtomicPtr<c_void>,
    closure: AtomicPtr<c_void>,
    hash: AtomicU64,
    words: AtomicPtr<u64>,
    /// Null until code is made.
    detail: AtomicPtr<Detail>,
    len: AtomicU16,
    /// The calls of functions and of closures without code. Threads that count at the same time may lose some.
    uses: [AtomicU16; 2],
    /// The [`Bound`] of its arguments.
    bound: AtomicU64,
}

const _: () = assert!(size_of::<Entry>() == 64);

/// The most signatures that are remembered.
const ENTRIES: usize = 4096;

/// The number of buckets for finding them: twice as many, so that a search ends soon.
const BUCKETS: usize = 2 * ENTRIES;

/// The most words that their keys have in all.
const WORDS: usize = 4 * ENTRIES;

static TABLE: [Entry; ENTRIES] = [const { Entry::unused() }; ENTRIES];

/// Numbers of entries by their hash, or 0. A search goes on with the next bucket until it finds a 0.
static INDEX: [AtomicU32; BUCKETS] = [const { AtomicU32::new(0) }; BUCKETS];

/// The keys, one after the other. Each is written before its entry has a token.
static KEYS: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// The number of entries in use, including the first, which never belongs to a signature.
static USED: AtomicU32 = AtomicU32::new(1);

/// The number of key words in use.
static WORDS_USED: AtomicU32 = AtomicU32::new(0);

/// The entry that a token stands for; `None` if the token is not one of ours.
#[inline(always)]
pub fn entry(token: Token) -> Option<&'static Entry> {
    let entry = &TABLE[token as usize % ENTRIES];
    // The token is the last word written to an entry. A program that passes a cif to another thread does so in order.
    (entry.token.load(Ordering::Acquire) == token && token != 0).then_some(entry)
}

/// The bit in the lower half that marks the token of a variadic signature without an entry; the bits below are the number of named
/// arguments. No entry has so high a number.
const VARIADIC: Token = 1 << 31;

/// The token of a signature without an entry.
pub fn passing(fixed: Option<u32>) -> Token {
    fixed.map_or(0, |fixed| VARIADIC | u64::from(fixed) & (VARIADIC - 1))
}

/// The meaning of a token that stands for no entry: it was overwritten, or the signature is not remembered.
pub enum Meaning {
    /// The entry whose number is left in it.
    Entry(&'static Entry),
    /// A variadic signature without an entry.
    Variadic {
        /// The number of named arguments.
        fixed: u32,
    },
    /// Nothing: it may be any number.
    Nothing,
}

/// Reads the meaning of a token that stands for no entry. Programs that write to a cif's last word leave the lower half.
pub fn meaning(token: Token) -> Meaning {
    let number = u64::from(token as u32);
    match TABLE.get(number as usize) {
        Some(entry) if entry.token.load(Ordering::Acquire) != 0 => Meaning::Entry(entry),
        None if number & VARIADIC != 0 => Meaning::Variadic {
            fixed: (number & !VARIADIC) as u32,
        },
        _ => Meaning::Nothing,
    }
}

/// The entry of a key that may be new; `None` if there is no room for another. Functions of a new one are called through `first` until there is code.
#[inline(always)]
pub fn intern(key: &Key, first: Call) -> Option<&'static Entry> {
    if key.is_oversized() {
        return None;
    }
    match search(key) {
        Ok(entry) => Some(entry),
        Err(bucket) => add(key, bucket, first),
    }
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

/// Makes a signature known, if there is room. Any number of threads and of signal handlers may be here at once, and a fork may copy any
/// state of this: only the room that one has taken and not shown yet is lost then.
#[inline(never)]
fn add(key: &Key, mut bucket: usize, first: Call) -> Option<&'static Entry> {
    let words = key.words();
    let start = reserve(&WORDS_USED, words.len(), WORDS)?;
    let number = reserve(&USED, 1, ENTRIES)?;
    let (entry, place) = (&TABLE[number], &KEYS[start..start + words.len()]);
    for (to, word) in place.iter().zip(words) {
        to.store(*word, Ordering::Relaxed);
    }
    entry.hash.store(key.hash(), Ordering::Relaxed);
    entry.len.store(words.len() as u16, Ordering::Relaxed);
    entry.words.store(place[0].as_ptr(), Ordering::Relaxed);
    entry.bound.store(key.bound.to_bits(), Ordering::Relaxed);
    entry.call.store(first as *mut c_void, Ordering::Relaxed);
    // The upper half tells a token from numbers that programs may leave in its place.
    let check = (key.hash() ^ key.hash() << 32) & !(u64::from(u32::MAX));
    entry.token.store(check | number as u64, Ordering::Release);
    loop {
        let place = &INDEX[bucket];
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match place.compare_exchange(0, number as u32, success, failure) {
            Ok(_) => return Some(entry),
            Err(other) => {
                let other = &TABLE[other as usize % ENTRIES];
                // Another thread has been faster.
                if other.has(key) {
                    return Some(other);
                }
            }
        }
        bucket = (bucket + 1) % BUCKETS;
    }
}

/// Takes `count` items of a supply of `limit`; returns the index of the first.
fn reserve(used: &AtomicU32, count: usize, limit: usize) -> Option<usize> {
    // Checked first, as the number would otherwise grow without end.
    if used.load(Ordering::Relaxed) as usize + count > limit {
        return None;
    }
    let start = used.fetch_add(count as u32, Ordering::Relaxed) as usize;
    (start + count <= limit).then_some(start)
}

impl Entry {
    const fn unused() -> Entry {
        Entry {
            token: AtomicU64::new(0),
            call: AtomicPtr::new(ptr::null_mut()),
            closure: AtomicPtr::new(ptr::null_mut()),
            hash: AtomicU64::new(0),
            words: AtomicPtr::new(ptr::null_mut()),
            detail: AtomicPtr::new(ptr::null_mut()),
            len: AtomicU16::new(0),
            uses: [const { AtomicU16::new(0) }; 2],
            bound: AtomicU64::new(0),
        }
    }

    #[inline]
    fn has(&self, key: &Key) -> bool {
        let words = key.words();
        let len = usize::from(self.len.load(Ordering::Relaxed));
        self.hash.load(Ordering::Relaxed) == key.hash()
            && len == words.len()
            // Word by word: they are few, and not worth a call of memcmp().
            && self.words(len).iter().eq(words)
    }

    /// Whether the key is the one-word key with this hash. No two one-word keys have the same hash.
    #[inline(always)]
    fn has_short(&self, hash: u64) -> bool {
        self.hash.load(Ordering::Relaxed) == hash && self.len.load(Ordering::Relaxed) == 1
    }

    #[inline(always)]
    fn words(&self, len: usize) -> &'static [u64] {
        // SAFETY: a number is in the index, or a token known, only when its entry is whole, and then this is a list of that length that
        // is not written again.
        unsafe { std::slice::from_raw_parts(self.words.load(Ordering::Relaxed), len) }
    }

    /// The number that stands for it in a cif.
    #[inline(always)]
    pub fn token(&self) -> Token {
        self.token.load(Ordering::Relaxed)
    }

    /// The description of the signature, to follow it without code.
    #[inline(always)]
    pub fn told(&self) -> Told<KeyTypes> {
        let shapes = KeyTypes::of(self.key());
        Told {
            abi: crate::shape::convention(shapes.abi).unwrap_or(farcall_engine::host_abi()),
            fixed: shapes.fixed,
            ret: shapes.ret,
            bound: Bound::from_bits(self.bound.load(Ordering::Relaxed)),
            shapes,
        }
    }

    /// The number of arguments.
    pub fn count(&self) -> usize {
        let mut count = 0;
        self.told().shapes.each(|_, _| count += 1);
        count
    }

    /// Counts a use without code; whether it is time for code.
    #[inline(always)]
    pub fn is_due(&self, direction: farcall_engine::Direction) -> bool {
        let uses = &self.uses[direction as usize];
        let so_far = uses.load(Ordering::Relaxed);
        if u32::from(so_far) >= uses_without_code() {
            return true;
        }
        uses.store(so_far + 1, Ordering::Relaxed);
        false
    }

    /// Restarts the count, as there was no memory for code.
    pub fn put_off(&self, direction: farcall_engine::Direction) {
        self.uses[direction as usize].store(0, Ordering::Relaxed);
    }

    /// The detail, if it has been made.
    pub fn known_detail(&self) -> Option<&'static Detail> {
        // SAFETY: it came from a box, and is never released.
        unsafe { self.detail.load(Ordering::Acquire).as_ref() }
    }

    /// The detail, made now if need be. `None` if there is no memory for it.
    #[cold]
    #[inline(never)]
    pub fn detail(&self) -> Option<&'static Detail> {
        if let Some(known) = self.known_detail() {
            return Some(known);
        }
        let ours = Box::into_raw(self.make_detail()?);
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let kept = self
            .detail
            .compare_exchange(ptr::null_mut(), ours, success, failure);
        if kept.is_err() {
            // SAFETY: `ours` came from a box just now, and no other thread has seen it.
            drop(unsafe { Box::from_raw(ours) });
        }
        self.known_detail()
    }

    fn make_detail(&self) -> Option<Box<Detail>> {
        let told = self.told();
        let count = self.count();
        let mut shapes = try_with_capacity(count).ok()?;
        told.shapes.each(|_, item| match item {
            Item::Scalar(scalar) => shapes.push(Shape::Scalar(scalar)),
            Item::Other(Shape::Void) => {}
            Item::Other(shape) => shapes.push(*shape),
        });
        let is_dense = shapes.len() == count;
        let shapes = &mut shapes.into_iter();
        let plan = abi::collect(told.abi, told.fixed, told.ret_shape(), shapes).ok()?;
        let compiled = Compiled::planned(plan);
        try_box(Detail { compiled, is_dense }).ok()
    }

    /// The words of its key.
    #[inline(always)]
    pub fn key(&self) -> &'static [u64] {
        self.words(usize::from(self.len.load(Ordering::Relaxed)))
    }

    /// The code that calls functions of the signature.
    #[inline(always)]
    pub fn call(&self) -> Call {
        // SAFETY: only functions of this type are stored there, and one is before anybody sees the entry.
        unsafe { std::mem::transmute::<*mut c_void, Call>(self.call.load(Ordering::Acquire)) }
    }

    /// Makes calls go through `new` from now on, if they go through `old`.
    pub fn replace_call(&self, old: Call, new: Call) {
        let (old, new) = (old as *mut c_void, new as *mut c_void);
        // On failure another thread has stored newer code.
        let _ = self
            .call
            .compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
    }

    /// Makes calls go through other code from now on.
    pub fn set_call(&self, call: Call) {
        self.call.store(call as *mut c_void, Ordering::Release);
    }

    /// The code that closures of the signature enter by, if there is any yet.
    pub fn closure(&self) -> *const c_void {
        self.closure.load(Ordering::Acquire)
    }

    /// Makes this code the entry of closures that are prepared from now on.
    pub fn set_closure(&self, code: *const c_void) {
        self.closure.store(code.cast_mut(), Ordering::Release);
    }
}
