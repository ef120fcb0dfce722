//! The same as the code for slots does: trampolines, and the entry of callbacks.
//!
//! A trampoline is a thunk whose record has the plan for a context. So it is a function like those that are made at run time, and
//! whoever calls one need not know which it is.

use super::thunks::{self, Pair};
use super::{Arguments, Entered, Image, ResultArea, machine};
use crate::thunk::{Handler, Record};
use farcall_arch::{Move, Plan};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

/// A trampoline that follows a plan. Dropping it takes it away, so whoever may call it must hold it.
#[derive(Debug)]
pub(crate) struct Trampoline {
    pair: Pair,
    _plan: Box<Plan>,
}

impl Trampoline {
    /// `None` if there is no free thunk, and the system permits no more.
    pub fn new(plan: Box<Plan>) -> Option<Trampoline> {
        let pair = thunks::take()?;
        let words = [
            machine::farcall_generic_trampoline as *const c_void,
            (&raw const *plan).cast(),
        ];
        // SAFETY: the record is ours, and begins with the entry and the context.
        unsafe { pair.record().cast().write(words) };
        Some(Trampoline { pair, _plan: plan })
    }

    /// Its address.
    pub fn start(&self) -> NonNull<u8> {
        self.pair.thunk
    }
}

impl Drop for Trampoline {
    fn drop(&mut self) {
        thunks::put_back(self.pair);
    }
}

/// The slots of a call's arguments.
struct Slots(*const u64);

impl Arguments for Slots {
    unsafe fn piece(&self, piece: &Move) -> *const u8 {
        // SAFETY: a plan's slots lie within the list.
        unsafe { self.0.cast::<u8>().add(piece.slot_offset as usize) }
    }
}

/// What every [`Trampoline`] comes to. Like code made for the purpose, it may be left by a jump, as exceptions of an interpreter's own are: there is
/// nothing in its frames, nor in those of what it calls, to be dropped.
///
/// # Safety
/// * As for [`crate::Trampoline`], the signature being the plan's.
pub(super) unsafe extern "C-unwind" fn call(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    plan: &Plan,
) {
    // SAFETY: the caller vouches for the call.
    unsafe { super::call(plan, target, Slots(slots), result.cast(), ptr::null()) }
}

/// The entry of all callbacks on slots: its address, for records whose last word is a plan's.
pub(crate) fn entry() -> NonNull<u8> {
    address(farcall_generic_slots)
}

/// The same for callbacks that have been closed.
pub(crate) fn closed_entry() -> NonNull<u8> {
    address(farcall_generic_closed)
}

fn address(function: unsafe extern "C" fn()) -> NonNull<u8> {
    // SAFETY: no function is at address 0.
    unsafe { NonNull::new_unchecked(function as *mut u8) }
}

unsafe extern "C" {
    fn farcall_generic_slots();
    fn farcall_generic_closed();
}

crate::generic_entry!("farcall_generic_slots", enter);
crate::generic_entry!("farcall_generic_closed", enter_closed);

/// The most slots of arguments that lie on the stack.
const INLINE: usize = 64;

/// A handler as it may behave: one that C calls through code made for it may be left by unwinding.
type Unwinding = unsafe extern "C-unwind" fn(context: *mut c_void, slots: *const u64) -> u64;

/// The handler of a callback whose result takes more slots than one.
type Wide = unsafe extern "C-unwind" fn(context: *mut c_void, slots: *const u64, result: *mut u128);

/// # Safety
/// * `record` is that of a callback whose last word points to its plan.
/// * `image` and `stack` are the registers and the stack arguments it was called with.
unsafe extern "C-unwind" fn enter(record: *const Record, image: &mut Image, stack: *mut u8) {
    // SAFETY: the caller vouches for the record, and whoever made it for the plan, and the caller for the rest.
    let (plan, mut entered) = unsafe {
        let plan = &*(*record).last.cast::<Plan>();
        (plan, Entered::new(plan, image, stack))
    };
    let mut inline = [0; INLINE];
    let mut heap = Vec::new();
    let count = plan.arg_slots as usize;
    let slots = if count <= INLINE {
        &mut inline[..]
    } else {
        heap.resize(count, 0);
        &mut heap[..]
    };
    let mut area: ResultArea = Default::default();
    let mut large = Vec::new();
    let result = if entered.hidden().is_none() {
        &mut area[..]
    } else {
        large.resize(plan.ret_slots.div_ceil(2) as usize, 0);
        &mut large[..]
    };
    // SAFETY: there are as many slots as the plan has, for arguments and result. What is written to C's memory is the result's size.
    unsafe {
        entered.store_arguments(slots.as_mut_ptr());
        run(record, slots, plan.ret_slots, result);
        if let Some((hidden, to)) = plan.sret.zip(entered.hidden()) {
            let to = to.cast::<u8>();
            to.copy_from_nonoverlapping(result.as_ptr().cast(), hidden.size as usize);
        }
        entered.return_result(result.as_ptr().cast());
    }
}

/// Calls the record's handler and leaves the result's slots.
///
/// # Safety
/// * `slots` are what the handler wants, and `result` has room for so many.
unsafe fn run(record: *const Record, slots: &[u64], ret_slots: u32, result: &mut [u128]) {
    // SAFETY: the record is a callback's. Another thread may be closing it, which replaces the handler by one that fits.
    let (handler, context) = unsafe {
        let handler = (&raw const (*record).handler).read_volatile();
        (handler, (*record).context)
    };
    // SAFETY: a handler is such a function, but that it may be left by unwinding if who made the callback permits that; one of a
    // wide result takes one argument more.
    unsafe {
        if ret_slots <= 1 {
            let handler = std::mem::transmute::<Handler, Unwinding>(handler);
            let slot = handler(context, slots.as_ptr());
            result[0] = slot.into();
        } else {
            let handler = std::mem::transmute::<Handler, Wide>(handler);
            handler(context, slots.as_ptr(), result.as_mut_ptr());
        }
    }
}

/// The entry of closed callbacks: any result is zero.
///
/// # Safety
/// * `record` is that of a closed callback.
unsafe extern "C-unwind" fn enter_closed(record: *const Record, image: &mut Image, _: *mut u8) {
    // SAFETY: the handler of a closed callback takes any slots.
    unsafe { run(record, &[], 1, &mut [0]) };
    *image = Image::default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{generates_code, publish};
    use crate::compile::host_plan;
    use crate::runtime::{self, Runtime};
    use farcall_arch::{Float, Signature, Struct, Type, emit};

    /// What a callback is to return, and what it got.
    struct Seen {
        plan: Plan,
        returned: Vec<u64>,
        got: Vec<u64>,
    }

    unsafe extern "C" fn note(context: *mut c_void, slots: *const u64) -> u64 {
        // SAFETY: the context is pass()'s, and there are as many slots as the plan has.
        unsafe {
            let seen = &mut *context.cast::<Seen>();
            let count = seen.plan.arg_slots as usize;
            seen.got = std::slice::from_raw_parts(slots, count).to_vec();
            seen.returned.first().copied().unwrap_or(0)
        }
    }

    unsafe extern "C" fn note_wide(context: *mut c_void, slots: *const u64, result: *mut u64) {
        // SAFETY: as above, and there is room for the result's slots.
        unsafe {
            note(context, slots);
            let returned = &(*context.cast::<Seen>()).returned;
            result.copy_from_nonoverlapping(returned.as_ptr(), returned.len());
        }
    }

    /// Calls a callback of the plan through a trampoline; either is code or follows the plan. Gives what arrived and what came back.
    fn pass(plan: &Plan, slots: &[u64], returned: &[u64], code: [bool; 2]) -> [Vec<u64>; 2] {
        let mut seen = Seen {
            plan: plan.clone(),
            returned: returned.to_vec(),
            got: Vec::new(),
        };
        let made = |emitted| publish(&emitted).expect("the system permits it");
        let entry_code = code[0].then(|| made(emit::callback_entry(plan)));
        let trampoline_code = code[1].then(|| made(emit::call(plan)));
        let followed = Trampoline::new(Box::new(plan.clone())).expect("a thunk");
        // SAFETY: the same function pointer; the entry calls it as what it is.
        let wide = unsafe { std::mem::transmute::<*const c_void, Handler>(note_wide as *const _) };
        let record = Record {
            entry: entry_code.as_ref().map_or(entry(), |code| code.start()),
            context: (&raw mut seen).cast(),
            handler: if plan.ret_slots > 1 { wide } else { note },
            last: ptr::from_ref(plan).cast(),
        };
        let thunk = {
            let mut guard = runtime::lock();
            let Runtime {
                arena,
                thunks,
                pool,
                ..
            } = &mut *guard;
            thunks.open(arena, pool, record).expect("a thunk")
        };
        let start = trampoline_code
            .as_ref()
            .map_or(followed.start(), |code| code.start());
        let mut result = vec![0_u128; returned.len().div_ceil(2)];
        // SAFETY: the trampoline and the callback are of one plan, with slots for its arguments and its result.
        unsafe {
            let call = std::mem::transmute::<NonNull<u8>, crate::Trampoline>(start);
            let target = thunk.code().as_ptr().cast();
            call(target, slots.as_ptr(), result.as_mut_ptr().cast());
        }
        runtime::lock().thunks.close(thunk);
        let words = result
            .iter()
            .flat_map(|pair| [*pair as u64, (*pair >> 64) as u64]);
        [seen.got, words.take(returned.len()).collect()]
    }

    /// The bytes of pieces, one after the other.
    fn bytes(slots: &[u64], pieces: &[(u32, u32)]) -> Vec<u8> {
        let all: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        let piece = |&(at, width): &(u32, u32)| all[at as usize..][..width as usize].to_vec();
        pieces.iter().flat_map(piece).collect()
    }

    fn wide_types() -> Vec<Type> {
        let structure = |types: &[Type]| Type::from(Struct::new(types.to_vec()).expect("a struct"));
        let mut types = vec![
            Type::I128,
            Type::Complex(Float::F32),
            Type::Complex(Float::F64),
            structure(&[Type::U8, Type::U8, Type::U8]),
            structure(&[Type::F64, Type::F64]),
            structure(&[Type::F64, Type::I32, Type::F32]),
            structure(&[Type::F32, Type::F32, Type::F32]),
            structure(&vec![Type::U64; 5]),
            structure(&vec![Type::U16; 100]),
        ];
        if cfg!(target_arch = "x86_64") {
            types.extend([Type::F80, Type::Complex(Float::F80)]);
        } else {
            types.push(Type::F128);
        }
        types
    }

    #[test]
    fn wide_values_pass_as_they_do_through_code() {
        for ty in wide_types() {
            let mut args = vec![Type::I8, ty.clone(), Type::F32, ty.clone(), Type::U16];
            args.extend(vec![ty.clone(); 6]);
            let signature = Signature::new(ty.clone(), args).expect("a signature");
            let plan = host_plan(&signature).expect("a plan");
            let noise = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let slots: Vec<u64> = (0..plan.arg_slots.into()).map(noise).collect();
            let returned: Vec<u64> = (0..plan.ret_slots.into()).map(|n| noise(n + 99)).collect();
            let pieces: Vec<_> = plan
                .args
                .iter()
                .map(|it| (it.slot_offset, it.width))
                .collect();
            let ret: Vec<_> = match plan.sret {
                Some(hidden) => vec![(0, hidden.size)],
                None => plan.ret.iter().map(|it| (it.offset, it.width)).collect(),
            };
            let ways = [[false; 2], [false, true], [true, false], [true; 2]];
            for code in &ways[..if generates_code() { 4 } else { 1 }] {
                let [got, result] = pass(&plan, &slots, &returned, *code);
                assert_eq!(bytes(&got, &pieces), bytes(&slots, &pieces), "{signature}");
                assert_eq!(bytes(&result, &ret), bytes(&returned, &ret), "{signature}");
            }
        }
    }
}
