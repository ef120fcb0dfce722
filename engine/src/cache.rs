//! What is known by its content, each thing once.
//!
//! A cache is bounded: past [`LIMIT`] things, those that nobody uses are forgotten.

use foldhash::fast::FixedState;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

/// How many things stay though nobody uses them.
pub const LIMIT: usize = 1024;

/// Things by their content.
#[derive(Debug)]
pub struct Cache<K, V> {
    known: HashMap<K, Arc<V>, FixedState>,
    /// The size at which unused things are looked for.
    threshold: usize,
}

impl<K, V> Cache<K, V> {
    /// One with nothing in it.
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
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.known.get(key).cloned()
    }

    /// Adds a thing, unless it has been added meanwhile; returns the one that is in, and what is not needed any more: the thing
    /// itself if another was faster, and, once there is too much, what nobody uses. That is to be dropped behind the lock that guards
    /// the cache: no destructor runs under it. Where threads may use things without a reference, it is for [`crate::epoch::forget`].
    pub fn add(&mut self, key: K, value: Arc<V>) -> (Arc<V>, Vec<Arc<V>>) {
        let known = match self.known.entry(key) {
            Entry::Occupied(known) => return (known.get().clone(), vec![value]),
            Entry::Vacant(place) => place.insert(value).clone(),
        };
        if self.known.len() <= self.threshold {
            return (known, Vec::new());
        }
        // New references are made under the lock only, or from old ones: a count of one stays one.
        let unused = self
            .known
            .extract_if(|_, known| Arc::strong_count(known) == 1);
        let unused = unused.map(|(_, known)| known).collect();
        self.threshold = LIMIT.max(2 * self.known.len());
        (known, unused)
    }
}
