//! What declarations take of memory, beside their text.

use farcall_cdecl::c::{Declarations, Platform};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;

/// Counts what is allocated.
struct Counting;

thread_local! {
    /// What this thread has allocated, less what it has freed.
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.set(IN_USE.get().wrapping_add(layout.size()));
        // SAFETY: the duties are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get().wrapping_sub(layout.size()));
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

/// What is allocated for a text's declarations, which is what they say of themselves.
fn taken(text: &str) -> usize {
    let before = IN_USE.get();
    let mut c = Declarations::new(Platform::LINUX_X86_64).expect("memory");
    c.read(text).expect("it is C");
    let used = IN_USE.get() - before;
    assert_eq!(c.memory(), used);
    used
}

#[test]
fn declarations_take_no_more_than_their_text() {
    let (text, empty) = (header(8000), taken(""));
    let used = taken(&text) - empty;
    println!(
        "{} bytes of text, {used} for it, {empty} for none",
        text.len()
    );
    assert!(used < text.len(), "{used} for {}", text.len());
}

/// What has no room where others are kept.
#[test]
fn rare_declarations_take_little_more_than_their_text() {
    let others: String = (0..1000)
        .map(|number| {
            format!(
                "#define LIB_LARGE_{number} 0x8000000{number:04}\n#define LIB_NAME_{number} \"the name of number {number}\"\n\
                 extern int lib_value_{number} __asm__(\"lib_other_{number}\");\n"
            )
        })
        .collect();
    let used = taken(&others) - taken("");
    assert!(used < others.len() * 3 / 2, "{used} for {}", others.len());
}

#[test]
fn declarations_that_come_one_by_one_take_little_more_than_their_text() {
    let text = header(2000);
    let mut c = Declarations::new(Platform::LINUX_X86_64).expect("memory");
    for line in text.lines() {
        c.read(&format!("{line}\n")).expect("it is C");
    }
    assert!(c.memory() < text.len() * 5 / 4, "{}", c.memory());
}
