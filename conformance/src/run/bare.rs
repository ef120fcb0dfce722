//! farcall's planner and emitters for any convention of this machine's instructions, without farcall's own memory
//! and cache. This file puts the code into memory. Tests may change the code on the way, to see that the comparison notices.

use super::delivery::USER_DATA;
use super::engine::{Engine, Made, SlotFunction};
use crate::cases::Case;
use crate::planner;
use crate::target::Target;
use anyhow::{Context, Result};
use farcall_arch::emit::{self, THUNK_SIZE, record};
use farcall_arch::{Abi, Plan};
use memmap2::{Mmap, MmapMut};
use std::ffi::c_void;

/// Changes plans and code on slots between the steps. The default methods change nothing.
pub trait Alter {
    /// Changes the plan of a call.
    fn call_plan(&self, _plan: &mut Plan) {}
    /// Changes a trampoline.
    fn call_code(&self, _plan: &Plan, code: Vec<u8>) -> Vec<u8> {
        code
    }
    /// Changes the plan of a callback.
    fn callback_plan(&self, _plan: &mut Plan) {}
    /// Changes a callback's entry.
    fn callback_code(&self, _plan: &Plan, code: Vec<u8>) -> Vec<u8> {
        code
    }
    /// Changes the context that a callback hands to its handler.
    fn context(&self, context: u64) -> u64 {
        context
    }
}

impl Alter for () {}

/// The engine.
pub struct Bare<A: Alter> {
    /// The target that the C side was compiled for.
    pub target: &'static Target,
    /// The convention.
    pub abi: Abi,
    /// The changes.
    pub alter: A,
}

impl<A: Alter> Bare<A> {
    fn planned(&self, case: &Case) -> Result<Plan> {
        planner::plan(case, self.target, self.abi)
    }
}

/// A trampoline for arguments by pointers, and whether it accepts null for the result's memory. As with callbacks by pointers, nothing
/// alters it, and all engines use the same.
///
/// # Errors
/// When the planner refuses the signature.
pub fn pointers_trampoline(case: &Case, target: &Target) -> Result<Made<(*const c_void, bool)>> {
    let plan = planner::plan(case, target, target.abi)?;
    let memory = publish(&emit::call_pointers(&plan)?.bytes)?;
    let it = (memory.as_ptr().cast(), planner::returns_in_memory(&plan));
    Ok(Made::new(it, memory))
}

/// A function pointer whose code calls `handler` with the addresses of the arguments, `context`, and `USER_DATA`.
///
/// # Errors
/// When the planner refuses the signature.
pub fn pointers_callback(
    case: &Case,
    target: &Target,
    handler: *const c_void,
    context: u64,
) -> Result<Made<*const c_void>> {
    let plan = planner::plan(case, target, target.abi)?;
    let code = emit::callback_entry_pointers(&plan)?.bytes;
    entered(&code, target.abi, handler, context)
}

/// A thunk that leads to `handler` by an entry's code.
fn entered(
    code: &[u8],
    abi: Abi,
    handler: *const c_void,
    context: u64,
) -> Result<Made<*const c_void>> {
    let entry = publish(code)?;
    let mut words = [0; record::SIZE / 8];
    words[usize::from(record::ENTRY) / 8] = entry.as_ptr() as u64;
    words[usize::from(record::HANDLER) / 8] = handler as u64;
    words[usize::from(record::CONTEXT) / 8] = context;
    words[usize::from(record::USER_DATA) / 8] = USER_DATA;
    let thunk = publish(&thunk(abi, words)?)?;
    Ok(Made::new(thunk.as_ptr().cast(), (thunk, entry)))
}

impl<A: Alter> Engine for Bare<A> {
    fn trampoline(&self, case: &Case) -> Result<Made<*const c_void>> {
        let mut plan = self.planned(case)?;
        self.alter.call_plan(&mut plan);
        let code = self.alter.call_code(&plan, emit::call(&plan)?.bytes);
        let memory = publish(&code)?;
        Ok(Made::new(memory.as_ptr().cast(), memory))
    }

    unsafe fn function(&self, _: &Case, _: *const c_void) -> Result<Option<SlotFunction>> {
        Ok(None)
    }

    unsafe fn callback(
        &self,
        case: &Case,
        handler: *const c_void,
        context: *mut c_void,
    ) -> Result<Made<*const c_void>> {
        let mut plan = self.planned(case)?;
        self.alter.callback_plan(&mut plan);
        let code = emit::callback_entry(&plan)?.bytes;
        let code = self.alter.callback_code(&plan, code);
        let context = self.alter.context(context as u64);
        entered(&code, self.abi, handler, context)
    }

    fn closure(&self, _: &Case) -> Result<Option<Made<*const c_void>>> {
        Ok(None)
    }
}

/// One thunk, and behind it its record, which nothing writes.
fn thunk(abi: Abi, words: [u64; record::SIZE / 8]) -> Result<Vec<u8>> {
    let distance = THUNK_SIZE.next_multiple_of(record::SIZE);
    let mut bytes = emit::thunks(abi, 1, distance)?.bytes;
    bytes.resize(distance, emit::filler(abi));
    bytes.extend(words.into_iter().flat_map(u64::to_le_bytes));
    Ok(bytes)
}

/// Makes `code` executable.
///
/// # Errors
/// When the system gives no memory for it.
pub fn publish(code: &[u8]) -> Result<Mmap> {
    let mut memory = MmapMut::map_anon(code.len())?;
    memory.copy_from_slice(code);
    let memory = memory.make_exec().context("no executable memory")?;
    synchronize(&memory);
    Ok(memory)
}

/// Synchronises the instruction cache with `code`.
#[cfg(target_arch = "aarch64")]
fn synchronize(code: &[u8]) {
    unsafe extern "C" {
        /// The compiler's runtime library has it.
        fn __clear_cache(start: *const u8, end: *const u8);
    }
    let range = code.as_ptr_range();
    // SAFETY: the range is mapped.
    unsafe { __clear_cache(range.start, range.end) };
}

/// Does nothing: the processor does this by itself.
#[cfg(target_arch = "x86_64")]
fn synchronize(_: &[u8]) {}
