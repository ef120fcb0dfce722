//! An engine that changes one thing between farcall's planner and emitters and the memory that their code runs in.

use conformance::run::bare::Alter;
use farcall_arch::{Abi, Plan};

/// A change of code.
pub type CodeChange = fn(&Plan, Vec<u8>) -> Vec<u8>;

/// The change.
#[derive(Clone, Copy)]
pub enum How {
    /// Nothing.
    Not,
    /// The plan of calls.
    CallPlan(fn(&mut Plan)),
    /// The trampoline's code.
    CallCode(CodeChange),
    /// The plan of callbacks.
    CallbackPlan(fn(&mut Plan)),
    /// The code of a callback's entry.
    CallbackCode(CodeChange),
    /// The context that a callback hands to its handler.
    Context,
    /// The convention.
    Abi(Abi),
}

impl Alter for How {
    fn call_plan(&self, plan: &mut Plan) {
        if let How::CallPlan(change) = self {
            change(plan);
        }
    }

    fn call_code(&self, plan: &Plan, code: Vec<u8>) -> Vec<u8> {
        match self {
            How::CallCode(change) => change(plan, code),
            _ => code,
        }
    }

    fn callback_plan(&self, plan: &mut Plan) {
        if let How::CallbackPlan(change) = self {
            change(plan);
        }
    }

    fn callback_code(&self, plan: &Plan, code: Vec<u8>) -> Vec<u8> {
        match self {
            How::CallbackCode(change) => change(plan, code),
            _ => code,
        }
    }

    fn context(&self, context: u64) -> u64 {
        match self {
            How::Context => !context,
            _ => context,
        }
    }
}
