//! farcall's planner and emitters for any convention of this machine's instructions, without farcall's own memory
//! and cache: what they make is put into memory here, and may be changed on the way, to see that it shows.

use super::engine::{Engine, Made, SlotFunction};
use crate::codes::{Case, Code, Shape};
use crate::target::Model;
use anyhow::{Context, Result};
use farcall_arch::emit::{self, THUNK_SIZE, record};
use farcall_arch::{Abi, Plan, Signature, Type, plan};
use memmap2::{Mmap, MmapMut};
use std::ffi::c_void;

/// What changes plans and code between the steps; without methods of its own, nothing.
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
    /// Changes what a callback hands to its handler.
    fn context(&self, context: u64) -> u64 {
        context
    }
}

impl Alter for () {}

/// The engine.
pub struct Bare<A: Alter> {
    /// The convention.
    pub abi: Abi,
    /// How long a `long` is.
    pub model: Model,
    /// What is changed.
    pub alter: A,
}

/// A type's shape.
pub(crate) fn shape(code: &Code, model: Model) -> Type {
    let is_signed = code.is_signed();
    match (code.shape, code.bytes(model)) {
        (Shape::Void, _) => Type::Void,
        (Shape::Float, _) => Type::F32,
        (Shape::Double, _) => Type::F64,
        (_, 1) if is_signed => Type::I8,
        (_, 1) => Type::U8,
        (_, 2) if is_signed => Type::I16,
        (_, 2) => Type::U16,
        (_, 4) if is_signed => Type::I32,
        (_, 4) => Type::U32,
        _ if is_signed => Type::I64,
        _ => Type::U64,
    }
}

/// A case's signature, as the planner wants it.
///
/// # Errors
/// When the planner's types refuse it.
pub fn signature(case: &Case, model: Model) -> Result<Signature> {
    let ret = shape(case.ret, model);
    let args = case.args.iter().map(|code| shape(code, model)).collect();
    Ok(match case.fixed {
        Some(fixed) => Signature::variadic(ret, args, fixed)?,
        None => Signature::new(ret, args)?,
    })
}

impl<A: Alter> Bare<A> {
    fn planned(&self, case: &Case) -> Result<Plan> {
        Ok(plan(&signature(case, self.model)?, self.abi)?)
    }
}

impl<A: Alter> Engine for Bare<A> {
    fn trampoline(&self, case: &Case) -> Result<Made<*const c_void>> {
        let mut plan = self.planned(case)?;
        self.alter.call_plan(&mut plan);
        let code = self.alter.call_code(&plan, emit::call(&plan).bytes);
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
        let code = emit::callback_entry(&plan).bytes;
        let entry = publish(&self.alter.callback_code(&plan, code))?;
        let mut words = [0; record::SIZE / 8];
        words[usize::from(record::ENTRY) / 8] = entry.as_ptr() as u64;
        words[usize::from(record::HANDLER) / 8] = handler as u64;
        words[usize::from(record::CONTEXT) / 8] = self.alter.context(context as u64);
        let thunk = publish(&thunk(self.abi, words))?;
        Ok(Made::new(thunk.as_ptr().cast(), (thunk, entry)))
    }

    fn closure(&self, _: &Case) -> Result<Option<Made<*const c_void>>> {
        Ok(None)
    }
}

/// One thunk, and behind it its record, which nothing writes.
pub(crate) fn thunk(abi: Abi, words: [u64; record::SIZE / 8]) -> Vec<u8> {
    let distance = THUNK_SIZE.next_multiple_of(record::SIZE);
    let mut bytes = emit::thunks(abi, 1, distance).bytes;
    bytes.resize(distance, emit::filler(abi));
    bytes.extend(words.into_iter().flat_map(u64::to_le_bytes));
    bytes
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

/// Has instructions fetched from now on be those that lie in `code`.
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

/// The machine does it by itself.
#[cfg(target_arch = "x86_64")]
fn synchronize(_: &[u8]) {}
