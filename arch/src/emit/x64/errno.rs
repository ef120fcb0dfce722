//! C's error numbers of a thread, which are kept while the interpreter runs: see [`ErrnoModel`].

use super::Emitter;
use super::access::{Address, COMPARE, Form, form, read, write};
use crate::abi::regs::Gpr;
use crate::endpoint::{ErrnoModel, LastError};
use dynasmrt::DynasmApi;

const LOAD: Form = form!(mov Rd DWORD);
const LOAD_ADDRESS: Form = form!(mov Rq QWORD);
const STORE: Form = form!(mov DWORD Rd);
const LOAD_IF_NOT_EQUAL: Form = form!(cmovne Rd DWORD);
const COMPARE_WITH_BYTE: Form = Form::new(&[0x83]);

/// How far from each other two numbers of a frame are.
const NUMBER: u32 = 4;

impl Emitter {
    /// Tells by "not equal" that calls begin with the numbers that are kept.
    pub(super) fn test_errno_given(&mut self, errno: &ErrnoModel) {
        self.access_of_thread(&COMPARE_WITH_BYTE, COMPARE, errno.given);
        self.ops.push(0);
    }

    /// Keeps the numbers, and stores them to the stack as well if there is a place.
    pub(super) fn keep_error_numbers(
        &mut self,
        errno: &ErrnoModel,
        through: Gpr,
        place: Option<Address>,
    ) {
        self.access_of_thread(&LOAD_ADDRESS, through.number(), errno.address);
        read!(self, mov Rd(through), DWORD at(through));
        self.access_of_thread(&STORE, through.number(), errno.kept);
        if let Some(place) = place {
            write!(self, mov DWORD place, Rd(through));
        }
        let Some(LastError { own, kept }) = errno.last_error else {
            return;
        };
        self.access_of_thread(&LOAD, through.number(), own);
        self.access_of_thread(&STORE, through.number(), kept);
        if let Some(place) = place {
            write!(self, mov DWORD place.plus(NUMBER), Rd(through));
        }
    }

    /// Gives C the numbers that are kept.
    pub(super) fn give_kept_numbers(&mut self, errno: &ErrnoModel, number: Gpr, address: Gpr) {
        self.access_of_thread(&LOAD, number.number(), errno.kept);
        self.store_errno(errno, number, address);
        if let Some(LastError { own, kept }) = errno.last_error {
            self.access_of_thread(&LOAD, number.number(), kept);
            self.access_of_thread(&STORE, number.number(), own);
        }
    }

    /// Gives C the numbers that are kept if calls begin with them, or else those that are on the stack.
    pub(super) fn give_error_numbers(
        &mut self,
        errno: &ErrnoModel,
        place: Address,
        number: Gpr,
        address: Gpr,
    ) {
        self.test_errno_given(errno);
        read!(self, mov Rd(number), DWORD place);
        self.access_of_thread(&LOAD_IF_NOT_EQUAL, number.number(), errno.kept);
        self.store_errno(errno, number, address);
        if let Some(LastError { own, kept }) = errno.last_error {
            read!(self, mov Rd(number), DWORD place.plus(NUMBER));
            self.access_of_thread(&LOAD_IF_NOT_EQUAL, number.number(), kept);
            self.access_of_thread(&STORE, number.number(), own);
        }
    }

    fn store_errno(&mut self, errno: &ErrnoModel, number: Gpr, address: Gpr) {
        self.access_of_thread(&LOAD_ADDRESS, address.number(), errno.address);
        write!(self, mov DWORD at(address), Rd(number));
    }
}

fn at(base: Gpr) -> Address {
    Address { base, offset: 0 }
}
