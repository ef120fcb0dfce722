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

/// What its parts have in common.
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
    /// Each anywhere, as C has it.
    Pointers,
}

impl Step<'_> {
    /// The values of a round, and random numbers for a purpose in it.
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

    /// What counts of a slot: integers fill it, nothing is promised of the upper half of a `float`'s.
    pub fn in_slot(&self, ty: &Ty) -> Layout {
        match ty.word().filter(|code| !code.is_float()) {
            Some(_) => Layout::cell(ty, self.target),
            None => Layout::of(ty, self.target),
        }
    }

    /// What counts of an argument on farcall's side.
    pub fn given(&self, ty: &Ty, endpoint: Endpoint) -> Layout {
        match endpoint {
            Endpoint::Slots => self.in_slot(ty),
            Endpoint::Pointers => Layout::of(ty, self.target),
        }
    }
}
