//! Calls and callbacks with values that take more than one slot, and calls with pointers to the arguments.

use crate::error::{OutOfMemory, Result};
use crate::signature::Inner;
use crate::slots::{self, Param};
use crate::value::Value;
use farcall_arch::Move;
use farcall_cdecl::Position;
use farcall_engine::interp::{self, Arguments};
use farcall_engine::{Compiled, Direction, Endpoint, Served};
use farcall_memory::{TryVec, try_collect_all};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// The most slots of an argument list that are kept on the stack.
const INLINE_SLOTS: usize = 32;

/// Calls a function by `call`, which gets the slots of the arguments and room for the result, and returns whether it called the function. `store`
/// stores an argument, given by its index, in its slots. Returns `None` if the function was not called.
///
/// # Safety
/// * If `call` returns true, there is a result of the signature's type in the room.
/// * There are as many values as parameters, which are those of the signature.
pub(crate) unsafe fn call(
    compiled: &Compiled,
    params: &[Param],
    ret: &Param,
    args: &[Value],
    store: impl Fn(usize, &Value, &Param, &mut [u64]) -> Result<()>,
    call: impl FnOnce(*const u64, *mut u64) -> bool,
) -> Result<Option<Value>> {
    let len = params
        .last()
        .map_or(0, |last| (last.first + last.slots) as usize);
    let mut inline = [0; INLINE_SLOTS];
    let mut many = Vec::new();
    let slots = match inline.get_mut(..len) {
        Some(slots) => slots,
        None => {
            many.try_resize(len, 0)?;
            &mut many[..]
        }
    };
    for (index, (arg, param)) in args.iter().zip(params).enumerate() {
        let range = param.first as usize..(param.first + param.slots) as usize;
        store(index, arg, param, &mut slots[range])?;
    }
    let align = compiled
        .signature()
        .map_or(1, |signature| signature.ret().align());
    let mut room = Room::new(ret.treatment.size() as usize, align as usize)?;
    let result = room.start();
    match call(slots.as_ptr(), result.cast()) {
        // SAFETY: the function was called, so the room holds a result of the signature's type, by the contract of this function.
        true => Ok(Some(unsafe { slots::load(ret, result)? })),
        false => Ok(None),
    }
}

/// Calls a function with pointers to its arguments.
///
/// # Safety
/// * As for [`Function::call_pointers`](crate::Function::call_pointers), with this signature; there are as many pointers as arguments. A result
///   that is narrower than a word has room for a whole word.
pub(crate) unsafe fn call_with_pointers(
    compiled: &Compiled,
    target: *const c_void,
    args: *const *const c_void,
    result: *mut c_void,
) {
    type Call = unsafe extern "C-unwind" fn(
        target: *const c_void,
        args: *const *const c_void,
        result: *mut c_void,
    );
    match compiled.serve(Direction::Call, Endpoint::Pointers) {
        // SAFETY: a trampoline on pointers has this function type and is made for this signature, and the arguments fit the signature, by the
        // contract of this function.
        Served::Code(start) => unsafe {
            std::mem::transmute::<NonNull<u8>, Call>(start)(target, args, result);
        },
        // SAFETY: the arguments and the result fit this signature, by the contract of this function.
        Served::Plan | Served::PlanForGood => unsafe {
            let args = Pointers(args);
            interp::call(compiled.plan(), target, args, result, std::ptr::null());
        },
    }
}

/// The arguments of a call, as pointers to their values.
struct Pointers(*const *const c_void);

impl Arguments for Pointers {
    unsafe fn bytes(&self, mv: &Move) -> *const u8 {
        // SAFETY: there is a pointer for each argument, to a value of its type.
        unsafe {
            (*self.0.add(mv.value as usize))
                .byte_add(mv.offset as usize)
                .cast()
        }
    }
}

/// Room for a result: on the stack unless it is large, or aligned to more.
struct Room {
    inline: [u128; 4],
    large: Vec<u128>,
    /// The offset of the result in the large room, in words.
    first: usize,
}

impl Room {
    fn new(size: usize, align: usize) -> std::result::Result<Room, OutOfMemory> {
        const WORD: usize = size_of::<u128>();
        let mut room = Room {
            inline: [0; 4],
            large: Vec::new(),
            first: 0,
        };
        if size > size_of_val(&room.inline) || align > WORD {
            room.large.try_resize((size + align).div_ceil(WORD), 0)?;
            let off = room.large.as_ptr().addr() % align.max(WORD);
            room.first = (align.max(WORD) - off) % align.max(WORD) / WORD;
        }
        Ok(room)
    }

    fn start(&mut self) -> *mut MaybeUninit<u8> {
        match self.large.get_mut(self.first..) {
            Some([]) | None => self.inline.as_mut_ptr().cast(),
            Some(large) => large.as_mut_ptr().cast(),
        }
    }
}

/// Runs a closure whose signature has values of several slots.
pub(crate) fn run(
    inner: &Inner,
    slots: &[u64],
    result: &mut [u64],
    closure: &impl Fn(&[Value]) -> Value,
) {
    let load = |param: &Param| {
        let from = &slots[param.first as usize..];
        // SAFETY: the slots are those of the signature's arguments.
        unsafe { slots::load(param, from.as_ptr().cast()) }
    };
    let args = try_collect_all(inner.params.iter().map(load));
    let args: Vec<Value> = args.unwrap_or_else(|none: OutOfMemory| panic!("callback: {none}"));
    let value = closure(&args);
    store_result(inner, &value, result);
}

/// Stores the value that a closure has returned.
#[cold]
#[inline(never)]
pub(crate) fn store_result(inner: &Inner, value: &Value, result: &mut [u64]) {
    if result.is_empty() {
        return;
    }
    let position = Position::Result;
    if let Err(misfit) = slots::store(value, inner.ret.treatment, position, result) {
        let error = inner.misfit("", position, value, misfit);
        panic!("value returned by a callback: {error}");
    }
}
