//! Things known by their content, each once.
//!
//! A cache is bounded: past [`LIMIT`] things, it forgets those that nobody uses.

use farcall_memory::Shared;
use farcall_memory::TryVec;
use foldhash::fast::FixedState;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// How many unused things stay.
pub const LIMIT: usize = 1024;

/// Things by their content.
#[derive(Debug)]
pub struct Cache<K, V> {
    known: HashMap<K, Shared<V>, FixedState>,
    /// The size at which unused things are looked for.
    threshold: usize,
}

impl<K, V> Cache<K, V> {
    /// An empty cache.
    pub const fn new() -> Cache<K, V> {
        Cache {
            known: HashMap::with_hasher(FixedState::with_seed(0)),
            threshold: LIMIT,
        }
    }
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Cache<K, V> {
        Cache::new()
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    /// The thing with this content, if it is known.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Shared<V>>
    where
        K: Borrow<Q>,
    {
        self.known.get(key).cloned()
    }

    /// Adds a thing, unless another thread has added it or there is no memory. Returns the thing that is in the cache, or would be, and the
    /// things that are no longer needed: the given one if another thread was faster and, past the limit, those that nobody uses. Drop those
    /// after the lock that guards the cache is released: no destructor runs under it. Where threads may use things without an owner, give
    /// them to [`crate::epoch::forget`].
    pub fn add(&mut self, key: K, value: Shared<V>) -> (Shared<V>, Unused<K, V>) {
        let mut unused = Unused::default();
        if self.known.try_reserve(1).is_err() {
            unused.key = Some(key);
            return (value, unused);
        }
        let known = match self.known.entry(key) {
            Entry::Occupied(known) => {
                unused.thing = Some(value);
                return (known.get().clone(), unused);
            }
            Entry::Vacant(place) => place.insert(value).clone(),
        };
        if self.known.len() <= self.threshold {
            return (known, unused);
        }
        // New owners come under the lock only, or from old ones: a sole one stays the sole one.
        let are_unused = |known: &Shared<V>| known.is_sole();
        let count = self
            .known
            .values()
            .filter(|known| are_unused(known))
            .count();
        if unused.things.try_reserve_exact(count).is_ok() {
            for thing in self.known.extract_if(|_, known| are_unused(known)) {
                // There is room for all of them.
                let _ = unused.things.try_push(thing);
            }
            self.threshold = LIMIT.max(2 * self.known.len());
        }
        (known, unused)
    }
}

/// Things that a cache no longer needs.
#[derive(Debug)]
pub struct Unused<K, V> {
    key: Option<K>,
    thing: Option<Shared<V>>,
    things: Vec<(K, Shared<V>)>,
}

impl<K, V> Unused<K, V> {
    /// Whether no other thread can have seen any of the things.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }
}

impl<K, V> Default for Unused<K, V> {
    fn default() -> Unused<K, V> {
        Unused {
            key: None,
            thing: None,
            things: Vec::new(),
        }
    }
}
