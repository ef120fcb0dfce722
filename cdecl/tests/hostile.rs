//! What reading allocates: so much for each byte of the text, whatever the text is.

use farcall_cdecl::c::{Declarations, Platform, TypeId};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[path = "../src/c/hostile.rs"]
mod hostile;

/// The system's allocator, and what this thread has asked of it.
struct Counting;

thread_local! {
    /// How often, how many bytes it has, and the most that it had.
    static ASKED: Cell<(usize, usize, usize)> = const { Cell::new((0, 0, 0)) };
}

fn count(more: usize, less: usize) {
    // A thread that is ending has no counts any more.
    let _ = ASKED.try_with(|asked| {
        let (times, bytes, most) = asked.get();
        let bytes = (bytes + more).saturating_sub(less);
        let times = times + usize::from(more > 0);
        asked.set((times, bytes, most.max(bytes)));
    });
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the contract is that of `GlobalAlloc`, which the system's allocator has too: the layout is no empty one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the contract is that of `GlobalAlloc`: the memory is from this allocator, with this layout.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often reading a text asks for memory, and the most bytes that it has at a time.
fn asked(text: &str) -> (usize, usize) {
    ASKED.set((0, 0, 0));
    for platform in [Platform::LINUX_X86_64, Platform::WINDOWS_X86_64_GNU] {
        let mut c = Declarations::new(platform).expect("there is memory");
        hostile::exercise(&mut c, text);
    }
    let (times, _, most) = ASKED.get();
    (times, most)
}

/// No text takes more bytes for each of its own, nor asks more often for each of them.
const MOST_BYTES: usize = 400;
const MOST_TIMES: usize = 10;

#[test]
fn memory_is_linear_in_the_text_however_hostile_it_is() {
    for (name, family) in hostile::FAMILIES {
        let [small, large] = [10_000, 40_000].map(|size| {
            let text = family(size);
            let (times, most) = asked(&text);
            let len = text.len();
            assert!(
                times <= len * MOST_TIMES,
                "{name}: asked {times} times for {len} bytes"
            );
            assert!(most <= len * MOST_BYTES, "{name}: {most} bytes for {len}");
            (times as f64 / len as f64, most as f64 / len as f64)
        });
        // Lists grow by doubling, so one may be twice as long as it need be.
        let is_linear = |small: f64, large: f64| large <= small * 2.1 + 1.0;
        assert!(
            is_linear(small.0, large.0) && is_linear(small.1, large.1),
            "{name}: {small:?} times and bytes a byte, {large:?} in a text four times as long"
        );
    }
}
