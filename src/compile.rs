//! The cache: each signature is compiled once, however many functions and callbacks have it.
//!
//! It goes by what a signature says, never by where it lies. It is bounded: past [`LIMIT`] signatures, those that no function
//! and no callback uses are forgotten.

use crate::code::Published;
use crate::error::Result;
use crate::runtime;
use crate::sys;
use farcall_arch::{Plan, Signature, emit, plan};
use std::collections::HashMap;
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
    call: Published,
    entry: OnceLock<Published>,
}

impl Compiled {
    /// What was compiled.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The code that calls functions of this signature, valid for as long as `self`.
    pub fn trampoline(&self) -> Trampoline {
        // SAFETY: the code published here is a function of this type: emit::call says so.
        unsafe { std::mem::transmute::<NonNull<u8>, Trampoline>(self.call.start()) }
    }

    /// The code that callbacks of this signature enter by, made when the first of them is.
    pub(crate) fn entry(&self) -> Result<NonNull<u8>> {
        if let Some(entry) = self.entry.get() {
            return Ok(entry.start());
        }
        let code = emit::callback_entry(&host_plan(&self.signature)?);
        let published = runtime::lock().arena.publish(&code)?;
        // Another thread may have been faster; its entry is as good, and ours is dropped.
        Ok(self.entry.get_or_init(|| published).start())
    }
}

fn host_plan(signature: &Signature) -> Result<Plan> {
    Ok(plan(signature, sys::host_abi())?)
}

/// Every signature that is compiled.
#[derive(Default)]
pub(crate) struct Cache {
    compiled: HashMap<Signature, Arc<Compiled>>,
    /// The size at which unused signatures are looked for.
    threshold: usize,
}

impl Cache {
    /// Takes out what nobody uses, once there is too much. To be dropped after the lock.
    fn shrink(&mut self) -> Vec<Arc<Compiled>> {
        if self.compiled.len() < self.threshold.max(LIMIT) {
            return Vec::new();
        }
        // New references are made under the lock only, or from old ones: a count of one stays one.
        let unused = self
            .compiled
            .extract_if(|_, compiled| Arc::strong_count(compiled) == 1);
        let unused = unused.map(|(_, compiled)| compiled).collect();
        self.threshold = 2 * self.compiled.len();
        unused
    }
}

/// The machine code for a signature.
///
/// # Errors
/// [`crate::Error::Plan`] and [`crate::Error::ExecutableMemory`].
pub fn compile(signature: Signature) -> Result<Arc<Compiled>> {
    if let Some(compiled) = runtime::lock().cache.compiled.get(&signature) {
        return Ok(compiled.clone());
    }
    let code = emit::call(&host_plan(&signature)?);
    // Declared ahead of the guard, so dropped behind it: code that goes away takes the lock itself.
    let _unused;
    let mut runtime = runtime::lock();
    // Another thread may have compiled the same while this one did.
    if let Some(compiled) = runtime.cache.compiled.get(&signature) {
        return Ok(compiled.clone());
    }
    _unused = runtime.cache.shrink();
    let call = runtime.arena.publish(&code)?;
    let compiled = Arc::new(Compiled {
        signature: signature.clone(),
        call,
        entry: OnceLock::new(),
    });
    runtime.cache.compiled.insert(signature, compiled.clone());
    Ok(compiled)
}
