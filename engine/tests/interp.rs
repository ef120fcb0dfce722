//! Plans that are followed pass values as generated code does.

use farcall_arch::{Float, Plan, Signature, Struct, Type};
use farcall_engine::{
    Callback, Compiled, Direction, Endpoint, Handler, Served, SlotsCall, generates_code, host_abi,
    interp,
};
use farcall_memory::Shared;
use std::ffi::c_void;
use std::ptr::NonNull;

/// What a callback is to return, and what it got.
struct Seen {
    arg_slots: usize,
    returned: Vec<u64>,
    got: Vec<u64>,
}

unsafe extern "C" fn note(context: *mut c_void, slots: *const u64) -> u64 {
    // SAFETY: the context is pass()'s, and there are as many slots as the plan has.
    unsafe {
        let seen = &mut *context.cast::<Seen>();
        seen.got = std::slice::from_raw_parts(slots, seen.arg_slots).to_vec();
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

fn compiled(signature: &Signature, direction: Direction, has_code: bool) -> Shared<Compiled> {
    let compiled = Compiled::new(signature.clone(), host_abi(), None).expect("a plan");
    if has_code {
        let served = compiled.serve_with_code(direction, Endpoint::Slots);
        assert!(matches!(served, Served::Code(_)));
    }
    Shared::try_new(compiled).expect("memory")
}

/// Calls a callback of the signature; either side is code or follows the plan. Gives what arrived and what came back.
fn pass(
    signature: &Signature,
    slots: &[u64],
    returned: &[u64],
    [entry_code, call_code]: [bool; 2],
) -> [Vec<u64>; 2] {
    let entry = compiled(signature, Direction::Entry, entry_code);
    let call = compiled(signature, Direction::Call, call_code);
    let plan = call.plan();
    let mut seen = Seen {
        arg_slots: plan.arg_slots as usize,
        returned: returned.to_vec(),
        got: Vec::new(),
    };
    // SAFETY: an address is an address; the entry calls the handler as what it is.
    let wide = unsafe { std::mem::transmute::<*const c_void, Handler>(note_wide as *const _) };
    let handler = if plan.ret_slots > 1 { wide } else { note };
    let context = (&raw mut seen).cast();
    // SAFETY: the handler is one for this signature, and the context outlives the callback.
    let callback = unsafe { Callback::new(entry, handler, context) }.expect("memory for a thunk");
    let mut result = vec![0_u128; returned.len().div_ceil(2)];
    let target = callback.code();
    // SAFETY: both sides are of one signature, with slots for its arguments and its result.
    unsafe {
        let result = result.as_mut_ptr().cast();
        match call.now(Direction::Call, Endpoint::Slots) {
            Served::Code(start) => {
                let call_it = std::mem::transmute::<NonNull<u8>, SlotsCall>(start);
                call_it(target, slots.as_ptr(), result, call.as_ptr());
            }
            _ => interp::call_slots(plan, target, slots.as_ptr(), result),
        }
    }
    drop(callback);
    let words = result
        .iter()
        .flat_map(|pair| [*pair as u64, (*pair >> 64) as u64]);
    [seen.got, words.take(returned.len()).collect()]
}

/// The bytes of moves, one after the other.
fn bytes(slots: &[u64], moves: &[(u32, u32)]) -> Vec<u8> {
    let all: Vec<u8> = slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
    let bytes = |&(at, width): &(u32, u32)| all[at as usize..][..width as usize].to_vec();
    moves.iter().flat_map(bytes).collect()
}

fn wide_types() -> Vec<Type> {
    let structure = |types: &[Type]| {
        Type::try_from(Struct::new(types.to_vec()).expect("a struct")).expect("memory")
    };
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
        let compiled = compiled(&signature, Direction::Call, false);
        let plan: &Plan = compiled.plan();
        let noise = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slots: Vec<u64> = (0..plan.arg_slots.into()).map(noise).collect();
        let returned: Vec<u64> = (0..plan.ret_slots.into()).map(|n| noise(n + 99)).collect();
        let moves: Vec<_> = plan
            .args
            .iter()
            .map(|it| (it.slot_offset, it.width))
            .collect();
        let ret: Vec<_> = match plan.sret {
            Some(sret) => vec![(0, sret.size)],
            None => plan.ret.iter().map(|it| (it.offset, it.width)).collect(),
        };
        let ways = [[false; 2], [false, true], [true, false], [true; 2]];
        for code in &ways[..if generates_code() { 4 } else { 1 }] {
            let [got, result] = pass(&signature, &slots, &returned, *code);
            assert_eq!(bytes(&got, &moves), bytes(&slots, &moves), "{signature}");
            assert_eq!(bytes(&result, &ret), bytes(&returned, &ret), "{signature}");
        }
    }
}

/// Counts its calls.
unsafe extern "C" fn count(context: *mut c_void, _: *const u64) -> u64 {
    // SAFETY: the context is a number of the test's.
    unsafe {
        let calls = context.cast::<u64>();
        *calls += 1;
        *calls
    }
}

#[test]
fn callback_goes_over_to_code_while_it_is_in_use() {
    let signature = Signature::new(Type::I64, vec![Type::I16]).expect("a signature");
    let compiled = compiled(&signature, Direction::Entry, false);
    let mut calls = 0_u64;
    let context = (&raw mut calls).cast();
    // SAFETY: the context outlives the callback, which this thread alone calls.
    let callback = unsafe { Callback::new(compiled.clone(), count, context) };
    let callback = callback.expect("memory for a thunk");
    let (target, slots) = (callback.code(), [7_u64]);
    for call in 1..=2000_u64 {
        let mut result = 0;
        // SAFETY: the callback has this signature.
        unsafe { compiled.call()(target, slots.as_ptr(), &mut result, compiled.as_ptr()) };
        assert_eq!(result, call);
    }
    for direction in [Direction::Call, Direction::Entry] {
        let served = compiled.now(direction, Endpoint::Slots);
        assert_eq!(matches!(served, Served::Code(_)), generates_code());
    }
}
