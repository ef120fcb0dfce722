//! What declarations take of memory, beside their text.

use farcall_cdecl::c::{Declarations, Platform};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is allocated.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the duties are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the duties are the same.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// As headers have them: functions with a common prefix and a few parameters, each with a structure now and then.
fn header(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let line = match number % 8 {
            0 => writeln!(
                text,
                "typedef struct lib_object_{number} lib_object_{number};"
            ),
            1 => writeln!(
                text,
                "struct lib_options_{number} {{ unsigned int flags; const char *name; size_t length; void (*notify)(void *user, int status); }};"
            ),
            2 => writeln!(
                text,
                "extern int lib_object_open_{number}(const char *path, unsigned int flags, lib_object_{} **result);",
                number - 2
            ),
            3 => writeln!(
                text,
                "extern void lib_object_release_{number}(lib_object_{} *object);",
                number - 3
            ),
            4 => writeln!(
                text,
                "extern size_t lib_object_read_{number}(lib_object_{} *object, void *buffer, size_t length);",
                number - 4
            ),
            5 => writeln!(
                text,
                "extern int lib_object_configure_{number}(lib_object_{} *object, const struct lib_options_{} *options);",
                number - 5,
                number - 4
            ),
            6 => writeln!(text, "#define LIB_STATUS_CODE_{number} {number}"),
            _ => writeln!(
                text,
                "extern const char *lib_object_get_name_{number}(const lib_object_{} *object);",
                number - 7
            ),
        };
        line.expect("a string grows");
    }
    text
}

#[test]
fn declarations_take_little_more_than_twice_their_text() {
    let text = header(8000);
    let before = IN_USE.load(Ordering::Relaxed);
    let mut c = Declarations::new(Platform::LINUX_X86_64).expect("memory");
    let empty = IN_USE.load(Ordering::Relaxed) - before;
    c.read(&text).expect("it is C");
    let used = IN_USE.load(Ordering::Relaxed) - before - empty;
    println!(
        "{} bytes of text, {used} beside it, {empty} for none",
        text.len()
    );
    assert!(used < text.len() * 9 / 4, "{used} for {}", text.len());
    assert_eq!(c.functions().len(), 5000);
}
