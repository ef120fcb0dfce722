//! Calls and callbacks with values as bytes: on slots and on pointers, by code that comes straight from the emitters.

use super::Signature;
use super::layout::{Layout, arch_signature, integer, offsets};
use super::source::{GIVE, SEEN};
use super::values::{differences, random};
use crate::cases::Direction;
use crate::codes::Code;
use crate::machine::Under;
use crate::report::{Fault, Mismatch, Place};
use crate::rng::Rng;
use crate::run::Step;
use crate::run::bare::{publish, thunk};
use crate::target::Model;
use anyhow::{Context, Result};
use farcall_arch::emit::{self, Code as Emitted, record};
use farcall_arch::{Plan, plan};
use std::cell::RefCell;
use std::ffi::c_void;

/// What stands in memory before anybody writes to it.
const PATTERN: u8 = 0xb7;

/// A case's types with their layouts, and what farcall plans for them.
struct Prepared<'a> {
    signature: &'a Signature,
    args: Vec<Layout>,
    ret: Option<Layout>,
    model: Model,
    plan: Plan,
}

/// One round's bytes.
struct Round {
    args: Vec<Vec<u8>>,
    ret: Vec<u8>,
}

/// How values lie on farcall's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Slots,
    Pointers,
}

impl Endpoint {
    const ALL: [Endpoint; 2] = [Endpoint::Slots, Endpoint::Pointers];

    fn route(self) -> &'static str {
        match self {
            Endpoint::Slots => "slots",
            Endpoint::Pointers => "pointers",
        }
    }
}

impl Step<'_> {
    fn prepare<'a>(&self, signature: &'a Signature) -> Result<Prepared<'a>> {
        let target = self.target;
        let of = |ty| Layout::of(ty, target);
        let planned = arch_signature(signature, self.case.fixed, target)?;
        Ok(Prepared {
            signature,
            args: signature.args.iter().map(of).collect(),
            ret: signature.ret.as_ref().map(of),
            model: target.model,
            plan: plan(&planned, target.abi)?,
        })
    }

    fn round(&self, prepared: &Prepared<'_>, round: u64) -> Round {
        let mut rng = Rng::new(&[self.seed, self.case.index, round, u64::from(b'B')]);
        let args = prepared.args.iter().map(|layout| random(layout, &mut rng));
        let args = args.collect();
        let ret = prepared.ret.as_ref();
        let ret = ret.map_or(Vec::new(), |layout| random(layout, &mut rng));
        Round { args, ret }
    }

    /// Calls the C function of the case.
    pub(crate) fn wide_calls(&mut self, signature: &Signature) -> Result<Vec<Mismatch>> {
        let prepared = self.prepare(signature)?;
        let mut mismatches = Vec::new();
        for endpoint in Endpoint::ALL {
            let code = match endpoint {
                Endpoint::Slots => emit::call(&prepared.plan),
                Endpoint::Pointers => emit::call_pointers(&prepared.plan),
            };
            let code = publish(&code.bytes)?;
            for round in 0..self.rounds {
                let faults = self.wide_call(&prepared, endpoint, code.as_ptr().cast(), round)?;
                if !faults.is_empty() {
                    mismatches.push(Mismatch {
                        direction: Direction::Call,
                        route: endpoint.route(),
                        round,
                        faults,
                    });
                }
            }
        }
        Ok(mismatches)
    }

    fn wide_call(
        &mut self,
        prepared: &Prepared<'_>,
        endpoint: Endpoint,
        code: *const c_void,
        round: u64,
    ) -> Result<Vec<Fault>> {
        let values = self.round(prepared, round);
        self.object.expect_bytes(&values.ret);
        let mut rng = Rng::new(&[self.seed, self.case.index, round, u64::from(b'G')]);
        let mut memory = Memory::new(&values.args, prepared, endpoint)?;
        let drops_result =
            endpoint == Endpoint::Pointers && prepared.plan.sret.is_some() && round == 1;
        let (arguments, result) = memory.pointers();
        let result = if drops_result {
            std::ptr::null_mut()
        } else {
            result
        };
        self.calls += 1;
        let guarded = self.checker.guard(code, &mut rng);
        let target = self.checker.probe(self.function);
        // SAFETY: the guard goes on to the trampoline with the same arguments. The target goes on to the function that
        // was compiled for this case; there is memory for each argument and for the result, which may be null where
        // the trampoline says so.
        unsafe { (self.bridge.call)(guarded, target, arguments, result) };
        let mut faults = self.checker.faults(self.case, Under::Trampoline);
        let (calls, seen) = self.object.seen_bytes();
        faults.extend(Fault::unless_equal(Place::Calls, 1, calls));
        for (n, (layout, offset)) in prepared
            .args
            .iter()
            .zip(offsets(&prepared.args))
            .enumerate()
        {
            let got = &seen[offset..offset + layout.bytes.len()];
            faults.extend(compare(
                |word| Place::ArgumentWord(n, word),
                layout,
                &values.args[n],
                got,
            ));
        }
        if !drops_result {
            faults.extend(prepared.check_result(&values.ret, &memory.result, endpoint));
        }
        Ok(faults)
    }

    /// Has C call callbacks of the case's.
    pub(crate) fn wide_callbacks(&mut self, signature: &Signature) -> Result<Vec<Mismatch>> {
        let prepared = self.prepare(signature)?;
        let mut mismatches = Vec::new();
        for endpoint in Endpoint::ALL {
            let (code, handler) = match endpoint {
                Endpoint::Slots => (
                    emit::callback_entry(&prepared.plan),
                    self.bridge.wide_handler,
                ),
                Endpoint::Pointers => {
                    let code = emit::callback_entry_pointers(&prepared.plan);
                    (code, self.bridge.pointers_handler)
                }
            };
            let handler = self.checker.probe(handler());
            let callback = Callback::new(&code, handler)?;
            for round in 0..self.rounds {
                let faults = self.wide_callback(&prepared, endpoint, &callback, round);
                if !faults.is_empty() {
                    mismatches.push(Mismatch {
                        direction: Direction::Callback,
                        route: endpoint.route(),
                        round,
                        faults,
                    });
                }
            }
        }
        Ok(mismatches)
    }

    fn wide_callback(
        &mut self,
        prepared: &Prepared<'_>,
        endpoint: Endpoint,
        callback: &Callback,
        round: u64,
    ) -> Vec<Fault> {
        let values = self.round(prepared, round);
        let mut given = vec![0u128; SEEN / 16];
        let mut out = vec![0u128; GIVE / 16];
        for (value, offset) in values.args.iter().zip(offsets(&prepared.args)) {
            bytes_of(&mut given)[offset..offset + value.len()].copy_from_slice(value);
        }
        bytes_of(&mut out).fill(PATTERN);
        DELIVERY.set(Delivery::expecting(prepared, endpoint, &values));
        self.calls += 1;
        // SAFETY: the C function was compiled from this case; it reads as many arguments as are given, calls code of
        // the same signature, and stores what that returns.
        unsafe {
            let caller = std::mem::transmute::<*const c_void, Caller>(self.function);
            caller(
                callback.code(),
                given.as_ptr().cast(),
                out.as_mut_ptr().cast(),
            );
        }
        let delivery = DELIVERY.take();
        let mut faults = Vec::new();
        faults.extend(Fault::unless_equal(Place::Calls, 1, delivery.calls));
        faults.extend(Fault::unless_equal(
            Place::Context,
            CONTEXT,
            delivery.context,
        ));
        if endpoint == Endpoint::Pointers {
            faults.extend(Fault::unless_equal(
                Place::Context,
                USER_DATA,
                delivery.user_data,
            ));
        }
        faults.extend(Fault::unless_equal(
            Place::Misaligned,
            0,
            delivery.misaligned,
        ));
        for (n, (layout, got)) in prepared.args.iter().zip(&delivery.seen).enumerate() {
            faults.extend(compare(
                |word| Place::ArgumentWord(n, word),
                layout,
                &values.args[n],
                got,
            ));
        }
        if let Some(layout) = &prepared.ret {
            faults.extend(compare(
                Place::ResultWord,
                layout,
                &values.ret,
                bytes_of(&mut out),
            ));
        }
        let behind = bytes_of(&mut out)[values.ret.len()..].iter();
        let written = behind.filter(|byte| **byte != PATTERN).count() as u64;
        faults.extend(Fault::unless_equal(Place::BehindResult, 0, written));
        faults
    }
}

impl Prepared<'_> {
    /// The integer that the result is, if it is one.
    fn integer_result(&self) -> Option<&'static Code> {
        self.signature.ret.as_ref().and_then(integer)
    }

    /// A result as it lies on farcall's side: integers fill a slot.
    fn check_result(&self, given: &[u8], got: &[u128], endpoint: Endpoint) -> Vec<Fault> {
        let mut got = got.to_vec();
        let got = bytes_of(&mut got);
        let mut wanted = given.to_vec();
        let mut layout = match &self.ret {
            Some(layout) => layout.clone(),
            None => return Vec::from_iter(untouched(got, 0)),
        };
        if let Some(code) = self.integer_result() {
            let mut word = [0; 8];
            word[..given.len()].copy_from_slice(given);
            let widened = code.widened(u64::from_le_bytes(word), self.model);
            wanted = widened.to_le_bytes().to_vec();
            layout = layout_of_word();
        }
        let mut faults = compare(Place::ResultWord, &layout, &wanted, got);
        let end = match endpoint {
            Endpoint::Slots => wanted.len().next_multiple_of(8),
            Endpoint::Pointers => wanted.len(),
        };
        faults.extend(untouched(got, end));
        faults
    }
}

fn layout_of_word() -> Layout {
    Layout {
        align: 8,
        bytes: vec![super::layout::Byte::Value; 8],
    }
}

/// A fault if anything was written from `start` on.
fn untouched(bytes: &[u8], start: usize) -> Option<Fault> {
    let written = bytes[start..]
        .iter()
        .filter(|byte| **byte != PATTERN)
        .count() as u64;
    Fault::unless_equal(Place::BehindResult, 0, written)
}

/// A fault for each word with a wrong byte.
fn compare(
    place: impl Fn(usize) -> Place,
    layout: &Layout,
    wanted: &[u8],
    got: &[u8],
) -> Vec<Fault> {
    let mut words: Vec<usize> = differences(layout, wanted, got)
        .iter()
        .map(|byte| byte / 8)
        .collect();
    words.dedup();
    let word = |bytes: &[u8], n: usize| {
        let end = bytes.len().min(n * 8 + 8);
        let mut word = [0; 8];
        word[..end - n * 8].copy_from_slice(&bytes[n * 8..end]);
        u64::from_le_bytes(word)
    };
    let got = &got[..wanted.len()];
    let fault = |n| Fault::new(place(n), word(wanted, n), word(got, n));
    words.into_iter().map(fault).collect()
}

fn bytes_of(words: &mut [u128]) -> &mut [u8] {
    let len = size_of_val(words);
    // SAFETY: as many bytes, which may have any value.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
}

/// A call's arguments and result as the trampoline finds them.
struct Memory {
    slots: Vec<u64>,
    pages: Vec<super::pages::Page>,
    pointers: Vec<*const u8>,
    result: Vec<u128>,
    endpoint: Endpoint,
}

impl Memory {
    fn new(args: &[Vec<u8>], prepared: &Prepared<'_>, endpoint: Endpoint) -> Result<Memory> {
        let mut memory = Memory {
            slots: Vec::new(),
            pages: Vec::new(),
            pointers: Vec::new(),
            result: vec![u128::from_ne_bytes([PATTERN; 16]); GIVE / 16],
            endpoint,
        };
        for (value, layout) in args.iter().zip(&prepared.args) {
            match endpoint {
                Endpoint::Slots => memory.slots.extend(value.chunks(8).map(|chunk| {
                    let mut word = [PATTERN; 8];
                    word[..chunk.len()].copy_from_slice(chunk);
                    u64::from_le_bytes(word)
                })),
                Endpoint::Pointers => {
                    let mut page = super::pages::Page::new().context("no memory")?;
                    memory.pointers.push(page.at_the_end(value, layout.align));
                    memory.pages.push(page);
                }
            }
        }
        Ok(memory)
    }

    fn pointers(&mut self) -> (*const u64, *mut u64) {
        let arguments = match self.endpoint {
            Endpoint::Slots => self.slots.as_ptr(),
            Endpoint::Pointers => self.pointers.as_ptr().cast(),
        };
        (arguments, self.result.as_mut_ptr().cast())
    }
}

/// The C function that calls a function pointer with the values in some memory.
type Caller = unsafe extern "C" fn(code: *const c_void, given: *const u64, out: *mut u64);

const CONTEXT: u64 = 0x0fac_a110_0c0d_e5e5;
const USER_DATA: u64 = 0x0fac_a110_05e4_da7a;

/// A thunk with its entry.
struct Callback {
    thunk: memmap2::Mmap,
    _entry: memmap2::Mmap,
}

impl Callback {
    fn new(code: &Emitted, handler: *const c_void) -> Result<Callback> {
        let entry = publish(&code.bytes)?;
        let mut words = [0; record::SIZE / 8];
        words[usize::from(record::ENTRY) / 8] = entry.as_ptr() as u64;
        words[usize::from(record::HANDLER) / 8] = handler as u64;
        words[usize::from(record::CONTEXT) / 8] = CONTEXT;
        words[usize::from(record::USER_DATA) / 8] = USER_DATA;
        let thunk = publish(&thunk(code.abi, words))?;
        Ok(Callback {
            thunk,
            _entry: entry,
        })
    }

    fn code(&self) -> *const c_void {
        self.thunk.as_ptr().cast()
    }
}

/// What a handler is to expect and to give, and what it saw.
#[derive(Clone, Debug, Default)]
struct Delivery {
    /// Size and alignment of each argument.
    args: Vec<(usize, usize)>,
    ret: Vec<u8>,
    /// The result is returned as a slot, or written as whole slots.
    is_slot: bool,
    calls: u64,
    context: u64,
    user_data: u64,
    misaligned: u64,
    seen: Vec<Vec<u8>>,
}

thread_local! {
    static DELIVERY: RefCell<Delivery> = RefCell::default();
}

impl Delivery {
    fn expecting(prepared: &Prepared<'_>, endpoint: Endpoint, values: &Round) -> Delivery {
        let mut ret = values.ret.clone();
        let is_integer = prepared.integer_result().is_some();
        if !ret.is_empty() && (endpoint == Endpoint::Slots || is_integer) {
            // Dirt: nobody may look at it.
            ret.resize(ret.len().next_multiple_of(8), 0x5d);
        }
        Delivery {
            args: prepared
                .args
                .iter()
                .map(|layout| (layout.bytes.len(), layout.align))
                .collect(),
            is_slot: ret.len() <= 8,
            ret,
            ..Delivery::default()
        }
    }

    /// Notes an argument.
    ///
    /// # Safety
    /// * There are as many bytes as it has.
    unsafe fn take(&mut self, n: usize, at: *const u8) {
        // SAFETY: the caller vouches for the bytes.
        let bytes = unsafe { std::slice::from_raw_parts(at, self.args[n].0) };
        self.seen.push(bytes.to_vec());
    }
}

/// A handler on slots.
///
/// # Safety
/// * The slots are those of the arguments that the delivery expects, and there is memory for a result of several.
pub(crate) unsafe fn handle_slots(
    context: *const c_void,
    slots: *const u64,
    result: *mut u64,
) -> u64 {
    DELIVERY.with_borrow_mut(|delivery| {
        delivery.calls += 1;
        delivery.context = context as u64;
        let mut at = slots;
        for n in 0..delivery.args.len() {
            // SAFETY: the caller vouches for the slots.
            unsafe {
                delivery.take(n, at.cast());
                at = at.add(delivery.args[n].0.div_ceil(8));
            }
        }
        let give = &delivery.ret;
        if delivery.is_slot {
            let mut word = [0; 8];
            word[..give.len()].copy_from_slice(give);
            return u64::from_le_bytes(word);
        }
        delivery.misaligned += u64::from(!(result as usize).is_multiple_of(16));
        // SAFETY: the caller vouches for the result's memory.
        unsafe { std::ptr::copy_nonoverlapping(give.as_ptr(), result.cast(), give.len()) };
        0
    })
}

/// A handler on pointers.
///
/// # Safety
/// * The pointers are to the arguments that the delivery expects, and there is memory for its result.
pub(crate) unsafe fn handle_pointers(
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
            // SAFETY: the caller vouches for the pointers.
            unsafe {
                let value = *values.add(n);
                delivery.misaligned +=
                    u64::from(!(value as usize).is_multiple_of(delivery.args[n].1));
                delivery.take(n, value.cast());
            }
        }
        let give = &delivery.ret;
        // SAFETY: the caller vouches for the result's memory.
        unsafe { std::ptr::copy_nonoverlapping(give.as_ptr(), result.cast(), give.len()) };
    });
}
