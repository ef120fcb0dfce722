//! An engine that plans and emits as farcall does, and then goes wrong in one way.

use anyhow::{Context, Result};
use conformance::codes::Case;
use conformance::run::engine::{Engine, Made, SlotFunction};
use farcall::{Codes, Handler, Role, Trampoline};
use farcall_arch::emit::{self, record};
use farcall_arch::{Abi, Plan, Signature, plan};
use memmap2::{Mmap, MmapMut};
use std::ffi::c_void;

/// What is changed.
#[derive(Clone, Copy)]
pub enum How {
    /// Nothing.
    Not,
    /// The plan of calls.
    CallPlan(fn(&mut Plan)),
    /// The trampoline's code.
    CallCode(fn(&Plan, Vec<u8>) -> Vec<u8>),
    /// The plan of callbacks.
    CallbackPlan(fn(&mut Plan)),
    /// The code that a callback enters by.
    CallbackCode(fn(&Plan, Vec<u8>) -> Vec<u8>),
    /// What a callback hands to its handler.
    Context,
}

/// The engine.
pub struct Saboteur(pub How);

fn planned(case: &Case) -> Result<Plan> {
    let ret = case.ret.letter.to_string();
    let signature: Signature = Codes::parse(&ret, &case.letters(), Role::Callback)?.signature()?;
    Ok(plan(&signature, Abi::SysV64)?)
}

fn publish(code: &[u8]) -> Result<Mmap> {
    let mut memory = MmapMut::map_anon(code.len())?;
    memory.copy_from_slice(code);
    memory.make_exec().context("no executable memory")
}

/// A callback's record, as aligned as the generated code may want it.
#[repr(align(32))]
struct Record([u64; record::SIZE / 8]);

impl Engine for Saboteur {
    fn trampoline(&self, case: &Case) -> Result<Made<Trampoline>> {
        let mut plan = planned(case)?;
        if let How::CallPlan(change) = self.0 {
            change(&mut plan);
        }
        let mut code = emit::call(&plan).bytes;
        if let How::CallCode(change) = self.0 {
            code = change(&plan, code);
        }
        let memory = publish(&code)?;
        // SAFETY: the bytes are a function of that type, or wrong on purpose, in a process that is there to crash.
        let trampoline = unsafe { std::mem::transmute::<*const u8, Trampoline>(memory.as_ptr()) };
        Ok(Made::new(trampoline, memory))
    }

    unsafe fn function(&self, _: &Case, _: *const c_void) -> Result<Option<SlotFunction>> {
        Ok(None)
    }

    unsafe fn callback(
        &self,
        case: &Case,
        handler: Handler,
        context: *mut c_void,
    ) -> Result<Made<*const c_void>> {
        let mut plan = planned(case)?;
        if let How::CallbackPlan(change) = self.0 {
            change(&mut plan);
        }
        let mut code = emit::callback_entry(&plan).bytes;
        if let How::CallbackCode(change) = self.0 {
            code = change(&plan, code);
        }
        let entry = publish(&code)?;
        let mut record = Box::new(Record([0; record::SIZE / 8]));
        record.0[usize::from(record::ENTRY) / 8] = entry.as_ptr() as u64;
        record.0[usize::from(record::HANDLER) / 8] = handler as *const c_void as u64;
        record.0[usize::from(record::CONTEXT) / 8] = match self.0 {
            How::Context => !(context as u64),
            _ => context as u64,
        };
        let thunk = publish(&thunk(&*record, entry.as_ptr()))?;
        let code = thunk.as_ptr().cast();
        Ok(Made::new(code, (thunk, entry, record)))
    }

    fn closure(&self, _: &Case) -> Result<Option<Made<*const c_void>>> {
        Ok(None)
    }
}

/// `mov r10, record; mov r11, entry; jmp r11`.
fn thunk(record: *const Record, entry: *const u8) -> Vec<u8> {
    let mut code = vec![0x49, 0xba];
    code.extend((record as u64).to_le_bytes());
    code.extend([0x49, 0xbb]);
    code.extend((entry as u64).to_le_bytes());
    code.extend([0x41, 0xff, 0xe3]);
    code
}
