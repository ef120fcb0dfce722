//! The cache: each signature is compiled once, however many functions and callbacks have it.
//!
//! It goes by what a signature says, never by where it lies. It is bounded: past [`LIMIT`] signatures, those that no function
//! and no callback uses are forgotten.

use crate::activity;
use crate::code::Published;
use crate::error::Result;
use crate::generic;
use crate::runtime;
use crate::sys;
use farcall_arch::emit::{self, Code};
use farcall_arch::{Plan, Signature, plan};
use foldhash::fast::FixedState;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

/// How many signatures stay compiled though nobody uses them.
pub const LIMIT: usize = 1024;

/// The compiled form of C functions of one signature: `target(slots...)`, the result left in `*result`.
///
/// # Safety
/// Calling one calls `target`:
/// * `target` is a function of the trampoline's signature, and may be called by this thread now, with these arguments.
/// * `slots` points to as many 8-byte slots as there are arguments: an integer in the low bytes of its slot, a
///   `float` in the low four bytes, a `double` or a pointer in all.
/// * `result` points to a slot; for a `void` result it is not used. A narrow integer fills it, extended by its
///   sign; a `float` fills its low four bytes and leaves the others as they were.
pub type Trampoline =
    unsafe extern "C" fn(target: *const std::ffi::c_void, slots: *const u64, result: *mut u64);

/// A signature with the machine code for it.
#[derive(Debug)]
pub struct Compiled {
    signature: Signature,
    call: OnceLock<Served<generic::slots::Trampoline>>,
    entry: OnceLock<Served<Box<Plan>>>,
}

/// How a signature is served in one direction: by code of its own, or, where the system refuses that, by its plan.
#[derive(Debug)]
pub(crate) enum Served<T> {
    /// Code that was made for it.
    Code(Published),
    /// What follows the plan.
    Plan(T),
}

impl Compiled {
    /// What was compiled.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The code that calls functions of this signature, valid for as long as `self`. Made when it is first asked for. Where the system
    /// refuses executable memory, it is code of the program's own, which follows a plan.
    ///
    /// # Errors
    /// [`crate::Error::Plan`], and [`crate::Error::ExecutableMemory`] if there is no more of that code either.
    pub fn trampoline(&self) -> Result<Trampoline> {
        let start = match serve(&self.signature, &self.call, emit::call, follow_call)? {
            Served::Code(published) => published.start(),
            Served::Plan(trampoline) => trampoline.start(),
        };
        // SAFETY: either is a function of this type: emit::call and generic::slots say so.
        Ok(unsafe { std::mem::transmute::<NonNull<u8>, Trampoline>(start) })
    }

    /// What callbacks of this signature enter by, made when the first of them is.
    pub(crate) fn entry(&self) -> Result<&Served<Box<Plan>>> {
        serve(&self.signature, &self.entry, emit::callback_entry, |plan| {
            Some(Box::new(plan))
        })
    }
}

fn follow_call(plan: Plan) -> Option<generic::slots::Trampoline> {
    generic::slots::Trampoline::new(Box::new(plan))
}

/// Makes code for a signature, or `follow` of its plan what does without; once.
fn serve<'a, T>(
    signature: &Signature,
    place: &'a OnceLock<Served<T>>,
    emit: fn(&Plan) -> Code,
    follow: impl FnOnce(Plan) -> Option<T>,
) -> Result<&'a Served<T>> {
    if let Some(served) = place.get() {
        return Ok(served);
    }
    let plan = host_plan(signature)?;
    let code = emit(&plan);
    let published = runtime::lock().arena.publish(&code);
    let served = match published {
        Ok(published) => Served::Code(published),
        Err(refused) => Served::Plan(follow(plan).ok_or(refused)?),
    };
    // Another thread may have been faster; what it has is as good, and ours is dropped.
    Ok(place.get_or_init(|| served))
}

pub(crate) fn host_plan(signature: &Signature) -> Result<Plan> {
    Ok(plan(signature, sys::host_abi())?)
}

/// What is known by its content, each thing once.
pub(crate) struct Cache<K, V> {
    known: HashMap<K, Arc<V>, FixedState>,
    /// The size at which unused things are looked for.
    threshold: usize,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Cache<K, V> {
        Cache {
            known: HashMap::default(),
            threshold: LIMIT,
        }
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.known.get(key).cloned()
    }

    /// Adds a thing, unless it has been added meanwhile; returns the one that is in, and what nobody uses any more, once
    /// there is too much. That is for [`activity::forget`], after the lock.
    pub fn add(&mut self, key: K, value: Arc<V>) -> (Arc<V>, Vec<Arc<V>>) {
        let value = self.known.entry(key).or_insert(value).clone();
        if self.known.len() <= self.threshold {
            return (value, Vec::new());
        }
        // New references are made under the lock only, or from old ones: a count of one stays one.
        let unused = self
            .known
            .extract_if(|_, known| Arc::strong_count(known) == 1);
        let unused = unused.map(|(_, known)| known).collect();
        self.threshold = LIMIT.max(2 * self.known.len());
        (value, unused)
    }
}

/// The machine code for a signature. It is made when it is asked for.
pub fn compile(signature: Signature) -> Arc<Compiled> {
    if let Some(compiled) = runtime::lock().signatures.get(&signature) {
        return compiled;
    }
    let compiled = Compiled {
        signature: signature.clone(),
        call: OnceLock::new(),
        entry: OnceLock::new(),
    };
    let (compiled, unused) = runtime::lock()
        .signatures
        .add(signature, Arc::new(compiled));
    activity::forget(unused);
    compiled
}
