//! One case in one direction.

use super::bridge::Bridge;
use super::engine::Engine;
use super::object::Object;
use crate::cases::{Case, Direction};
use crate::layout::Layout;
use crate::machine::Checker;
use crate::report::{Fault, Mismatch};
use crate::rng::Rng;
use crate::target::Target;
use crate::types::Ty;
use crate::values::Values;
use std::ffi::c_void;

/// A step, with the data that its parts share.
pub struct Step<'a> {
    pub engine: &'a dyn Engine,
    pub bridge: &'static Bridge,
    pub checker: &'a mut Checker,
    pub case: &'a Case,
    pub direction: Direction,
    pub target: &'static Target,
    pub seed: u64,
    pub rounds: u64,
    /// The C function of this case and direction.
    pub function: *const c_void,
    pub object: &'a Object,
    pub calls: u64,
    pub mismatches: Vec<Mismatch>,
}

/// How values lie on farcall's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Each in as many slots as it needs.
    Slots,
    /// Each anywhere, in C's form.
    Pointers,
}

impl Step<'_> {
    /// The values of a round, and a random stream for one purpose in it.
    pub fn round(&self, round: u64, purpose: u8) -> (Values, Rng) {
        let rng = Rng::new(&[self.seed, self.case.index, round, u64::from(purpose)]);
        let values = Values::new(self.case, self.target, self.seed, round);
        (values, rng)
    }

    /// Notes the faults of a round, if there are any.
    pub fn note(&mut self, route: &'static str, round: u64, faults: Vec<Fault>) {
        if !faults.is_empty() {
            self.mismatches.push(Mismatch {
                direction: self.direction,
                route,
                round,
                faults,
            });
        }
    }

    /// The bytes of a slot that are compared: integers fill it, but the upper half of a `float`'s may hold anything.
    pub fn in_slot(&self, ty: &Ty) -> Layout {
        match ty.word().filter(|code| !code.is_float()) {
            Some(_) => Layout::cell(ty, self.target),
            None => Layout::of(ty, self.target),
        }
    }

    /// The bytes of an argument that are compared on farcall's side.
    pub fn given(&self, ty: &Ty, endpoint: Endpoint) -> Layout {
        match endpoint {
            Endpoint::Slots => self.in_slot(ty),
            Endpoint::Pointers => Layout::of(ty, self.target),
        }
    }
}
