//! A thunk, as its two addresses.

use super::pool;
use crate::record::Record;
use std::ptr::NonNull;

/// A thunk and its record. They exist for as long as the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thunk {
    pub code: NonNull<u8>,
    pub record: NonNull<Record>,
}

// SAFETY: only the holder of a thunk writes its record; the code is never written.
unsafe impl Send for Thunk {}

impl From<pool::Pair> for Thunk {
    fn from(pair: pool::Pair) -> Thunk {
        Thunk {
            code: pair.thunk,
            record: pair.record().cast(),
        }
    }
}
