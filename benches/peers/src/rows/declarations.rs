//! Reading declarations of C.

use super::{Bench, functions};
use crate::sampler::Peer;
use anyhow::Result;
use farcall_cdecl::c::{Declarations, Platform};
use std::fmt::Write;
use std::hint::black_box;

/// The number of declarations that are read at a time.
const COUNT: usize = 1_000;

/// A header of that many declarations. Of ten, seven are functions, two are types, and one is a constant.
fn header() -> Result<String> {
    let mut text = String::new();
    for number in 0..COUNT {
        match number % 10 {
            0 => writeln!(
                text,
                "typedef struct item_{number} {{ const char *name; size_t length; double weights[4]; unsigned flags : 3, kind : 5; struct item_{number} *next; }} item_{number};"
            )?,
            1 => writeln!(
                text,
                "enum {{ STATE_{number}_IDLE, STATE_{number}_BUSY = 1 << 4, STATE_{number}_DONE = 'd' }};"
            )?,
            2 => writeln!(
                text,
                "#define LIMIT_{number} (1024 * {number}u) /* bytes */"
            )?,
            3 => writeln!(
                text,
                "extern void (*on_event_{number}(void *context, void (*handler)(int event, const unsigned char *data, size_t length, void *context)))(int);"
            )?,
            4 => writeln!(
                text,
                "static inline int twice_{number}(int value) {{ return 2 * value; }}"
            )?,
            5 => writeln!(
                text,
                "double norm_{number}(const double *values, size_t count, ...);"
            )?,
            _ => writeln!(
                text,
                "extern int __attribute__((__nothrow__)) copy_{number}(char *restrict to, const char *restrict from, unsigned long count) __attribute__((__nonnull__(1, 2)));"
            )?,
        }
    }
    Ok(text)
}

/// Reads the header into empty declarations, and once more where everything is known.
pub fn read(bench: &Bench) -> Result<()> {
    let text = header()?;
    let mut c = Declarations::new(Platform::LINUX_X86_64)?;
    c.read(&text)?;
    let read = Peer::new("farcall", |count| {
        for _ in 0..count {
            let mut c = Declarations::new(Platform::LINUX_X86_64).expect("there is memory");
            c.read(black_box(&text)).expect("it is C");
            black_box(&c);
        }
    });
    bench.sampler.row_with_reference(
        "declarations/1,000 read",
        read,
        functions::calls_in_c(bench)?,
    );
    let look_up = Peer::new("farcall", |count| {
        for _ in 0..count {
            black_box(c.function(black_box("copy_999")));
        }
    });
    bench.sampler.row_with_reference(
        "declarations/one found",
        look_up,
        functions::calls_in_c(bench)?,
    );
    Ok(())
}
