//! The C side of declared types and functions.

use crate::record::{Declared, Leaf, Record};
use std::fmt::Write;

/// Names that texts use without a declaration, as those built into compilers; and access to bit-fields, which have no addresses.
pub const PRELUDE: &str = "
struct unknown;
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef __WCHAR_TYPE__ wchar_t;
typedef __INTPTR_TYPE__ intptr_t;
typedef __INT8_TYPE__ int8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT64_TYPE__ uint64_t;
static __attribute__((noinline)) unsigned long long bits(const void *from, unsigned int first, unsigned int width) {
    unsigned long long value = 0;
    for (unsigned int i = 0; i < width; i++) {
        unsigned int bit = first + i;
        value |= (((const volatile unsigned char *)from)[bit / 8] >> bit % 8 & 1ull) << i;
    }
    return value;
}
static __attribute__((noinline)) void put(void *to, unsigned int first, unsigned int width, unsigned long long value) {
    for (unsigned int i = 0; i < width; i++) {
        unsigned int bit = first + i;
        volatile unsigned char *byte = (volatile unsigned char *)to + bit / 8;
        *byte = (unsigned char)((*byte & ~(1u << bit % 8)) | (value >> i & 1) << bit % 8);
    }
}
";

/// The text, without the function's body.
pub fn types(declared: &Declared) -> String {
    let text = &declared.text;
    format!("{}CONVENTION {};\n", text.types, text.prototype)
}

/// Statements that copy the members of `value` to `cell`.
pub fn taken(record: &Record, value: &str, cell: &str) -> String {
    let mut text = String::new();
    for leaf in &record.leaves {
        let (at, Leaf { path, size, .. }) = (place(cell, leaf), leaf);
        let _ = match leaf.bits {
            Some((first, width)) => write!(text, "put({at}, {first}, {width}, {value}{path});"),
            None => write!(text, "COPY({at}, &{value}{path}, {size});"),
        };
    }
    text
}

/// The definition of `value`, and statements that copy its members from `cell`.
pub fn made(record: &Record, value: &str, cell: &str) -> String {
    let mut text = format!("{} {value};", record.name);
    for leaf in &record.leaves {
        let (at, Leaf { path, size, .. }) = (place(cell, leaf), leaf);
        let _ = match leaf.bits {
            Some((first, width)) => write!(text, " {value}{path} = bits({at}, {first}, {width});"),
            None => write!(text, " COPY(&{value}{path}, {at}, {size});"),
        };
    }
    text
}

fn place(cell: &str, leaf: &Leaf) -> String {
    format!("(char *)&{cell} + {}", leaf.offset)
}
