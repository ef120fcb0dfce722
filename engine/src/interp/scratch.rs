//! Room for the values of one callback, on the stack, for any number of values. It allocates nothing.

use super::machine::{self, Image};
use crate::sys;
use std::ffi::c_void;
use std::mem::MaybeUninit;

/// Calls `work` with `count` values that are all `empty`.
///
/// `work` may be left by an exception or a jump: the frames between it and its caller have nothing to be dropped, and so no personality routine.
#[inline(always)]
pub fn with_scratch<T: Copy, R, const INLINE: usize>(
    count: usize,
    empty: T,
    work: impl FnOnce(&mut [T]) -> R,
) -> R {
    if count <= INLINE {
        return work(&mut [empty; INLINE][..count]);
    }
    with_many(count, empty, work)
}

/// A function that is called with room on the stack. The machine code sees the image only, which comes first.
#[repr(C)]
struct Room<T, R, W> {
    image: Image,
    count: usize,
    empty: T,
    work: MaybeUninit<W>,
    result: MaybeUninit<R>,
}

/// Calls `work` by way of a call whose stack area is nothing but this room.
#[inline(never)]
fn with_many<T: Copy, R, W: FnOnce(&mut [T]) -> R>(count: usize, empty: T, work: W) -> R {
    const { assert!(align_of::<T>() <= 16) };
    let mut room = MaybeUninit::<Room<T, R, W>>::uninit();
    let to = room.as_mut_ptr();
    // SAFETY: all fields are written, within the room; registers may hold any bits, and there is no result yet. Put together elsewhere, the room
    // would be on the stack twice.
    let room = unsafe {
        (&raw mut (*to).image).write_bytes(0, 1);
        (&raw mut (*to).count).write(count);
        (&raw mut (*to).empty).write(empty);
        (&raw mut (*to).work).write(MaybeUninit::new(work));
        &mut *to
    };
    let len = size_of::<T>()
        .saturating_mul(count)
        .saturating_add(shadow())
        .checked_next_multiple_of(16)
        .expect("so many values have addresses");
    // SAFETY: the frame is one for hand_on() and work_in::<T, R, W>(), which is a function of the arguments that are handed on. It leaves the result.
    unsafe {
        machine::farcall_interp_call(
            (&raw mut *room).cast(),
            len,
            hand_on,
            work_in::<T, R, W> as *const c_void,
        );
        room.result.assume_init_read()
    }
}

/// Bytes at the start of a stack area that belong to the function that is called.
fn shadow() -> usize {
    sys::host_abi().convention().shadow as usize
}

/// Sets the registers to pass the frame and the stack area on.
unsafe extern "C" fn hand_on(frame: *mut c_void, stack: *mut u8) {
    // SAFETY: the frame begins with an image.
    let image = unsafe { &mut *frame.cast::<Image>() };
    if let [first, second, ..] = sys::host_abi().convention().int_args {
        image.ints[usize::from(*first)] = frame as u64;
        image.ints[usize::from(*second)] = stack as u64;
    }
}

unsafe extern "C-unwind" fn work_in<T: Copy, R, W: FnOnce(&mut [T]) -> R>(
    room: *mut Room<T, R, W>,
    stack: *mut u8,
) {
    // SAFETY: with_many() has made the room, with what is to be done once, and an area behind the shadow space that is aligned and large enough.
    unsafe {
        let room = &mut *room;
        let values = stack.add(shadow()).cast::<T>();
        for index in 0..room.count {
            values.add(index).write(room.empty);
        }
        let work = room.work.assume_init_read();
        let result = work(std::slice::from_raw_parts_mut(values, room.count));
        room.result.write(result);
    }
}
