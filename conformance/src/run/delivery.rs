//! The handlers: each notes what it is called with, and returns a preset value.
//!
//! They compute with integers only, as they run with the caller's floating-point control words.

use std::cell::RefCell;
use std::ffi::c_void;

/// The context in a callback's record.
pub const CONTEXT: u64 = 0x0fac_a110_0c0d_e5e5;
/// The user data in the record, for a handler on pointers.
pub const USER_DATA: u64 = 0x0fac_a110_05e4_da7a;

/// The arguments that a handler expects, the result that it gives, and its notes.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Size and alignment of each argument.
    pub args: Vec<(usize, usize)>,
    /// The result's bytes; none for `void`.
    pub give: Vec<u8>,
    /// The same as a slot, if it fits one; made beforehand, as a copy in the handler would leave it in a vector register that a
    /// wrong entry returns as the result.
    pub word: Option<u64>,
    /// How often it was called.
    pub calls: u64,
    /// The context that it got.
    pub context: u64,
    /// The user data that it got.
    pub user_data: u64,
    /// The pointers that were not aligned for their values.
    pub misaligned: u64,
    /// The result's word before the handler fills it.
    pub fresh_result: u64,
    /// The arguments' bytes.
    pub seen: Vec<Vec<u8>>,
}

thread_local! {
    static DELIVERY: RefCell<Delivery> = RefCell::default();
}

impl Delivery {
    /// Makes handlers on this thread expect it from now on.
    pub fn expect(mut self) {
        let mut word = self.give.clone();
        word.resize(word.len().max(8), 0);
        self.word = word.try_into().ok().map(u64::from_le_bytes);
        DELIVERY.set(self);
    }

    /// Takes the delivery back, with the handler's notes.
    pub fn done() -> Delivery {
        DELIVERY.take()
    }

    /// Notes an argument.
    ///
    /// # Safety
    /// * `at` points to as many bytes as the argument has.
    unsafe fn take(&mut self, n: usize, at: *const u8) {
        let size = self.args[n].0;
        // SAFETY: `at` points to as many bytes as the argument has, by the contract of this function.
        let bytes = unsafe { std::slice::from_raw_parts(at, size) };
        self.seen.push(bytes.to_vec());
    }

    /// Notes the slots of all arguments.
    ///
    /// # Safety
    /// * They are those of the arguments.
    unsafe fn take_slots(&mut self, mut slots: *const u64) {
        self.calls += 1;
        for n in 0..self.args.len() {
            // SAFETY: the slots are those of the arguments, by the contract of this function, and hold all their bytes.
            unsafe {
                self.take(n, slots.cast());
                slots = slots.add(self.args[n].0.div_ceil(8));
            }
        }
    }

    /// Writes the result.
    ///
    /// # Safety
    /// * There is memory for it.
    unsafe fn write(&self, result: *mut u8) {
        // SAFETY: `result` has room for the result, by the contract of this function.
        unsafe { std::ptr::copy_nonoverlapping(self.give.as_ptr(), result, self.give.len()) };
    }
}

/// The body of the closures that callbacks are made of.
pub fn deliver(slots: &[u64], result: &mut u64) {
    DELIVERY.with_borrow_mut(|delivery| {
        delivery.fresh_result = *result;
        if slots.len() == delivery.args.len() {
            // SAFETY: each argument has one slot, as none is wide: those have no closures.
            unsafe { delivery.take_slots(slots.as_ptr()) };
        }
        if let Some(word) = delivery.word.filter(|_| !delivery.give.is_empty()) {
            *result = word;
        }
    });
}

/// A handler on slots.
///
/// # Safety
/// * The slots are those of the arguments that the delivery expects, and there is memory for a result of several.
pub unsafe fn handle_slots(context: *const c_void, slots: *const u64, result: *mut u64) -> u64 {
    DELIVERY.with_borrow_mut(|delivery| {
        delivery.context = context as u64;
        // SAFETY: the slots are those of the arguments that the delivery expects, by the contract of this function.
        unsafe { delivery.take_slots(slots) };
        delivery.word.unwrap_or_else(|| {
            delivery.misaligned += u64::from(!(result as usize).is_multiple_of(16));
            // SAFETY: a result of several slots has memory, by the contract of this function.
            unsafe { delivery.write(result.cast()) };
            0
        })
    })
}

/// A handler on pointers.
///
/// # Safety
/// * The pointers are to the arguments that the delivery expects, and there is memory for its result.
pub unsafe fn handle_pointers(
    context: *const c_void,
    result: *mut c_void,
    values: *const *const c_void,
    user_data: *const c_void,
) {
    DELIVERY.with_borrow_mut(|delivery| {
        delivery.calls += 1;
        delivery.context = context as u64;
        delivery.user_data = user_data as u64;
        for n in 0..delivery.args.len() {
            // SAFETY: there is a pointer for each argument that the delivery expects, by the contract of this function.
            let value = unsafe { *values.add(n) };
            let is_aligned = (value as usize).is_multiple_of(delivery.args[n].1);
            delivery.misaligned += u64::from(!is_aligned);
            // SAFETY: as above.
            unsafe { delivery.take(n, value.cast()) };
        }
        // SAFETY: there is memory for the result, by the contract of this function.
        unsafe { delivery.write(result.cast()) };
    });
}
