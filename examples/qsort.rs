//! Sorts with the C library's `qsort`, which calls back into Rust to compare. No interpreter is involved.

use farcall::{Callback, Library, Value};

fn main() -> farcall::Result<()> {
    let libc = Library::this()?;
    // void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
    let qsort = libc.func("v", "qsort", "pQQC")?;

    let compare = Callback::with_codes("i", "PP", |args| {
        let [Value::Pointer(a), Value::Pointer(b)] = args else {
            unreachable!("the signature has two pointers");
        };
        // SAFETY: qsort hands on the addresses of two elements.
        let (a, b) = unsafe { (*a.cast::<u32>(), *b.cast::<u32>()) };
        Value::Int(a.cmp(&b) as i64)
    })?;

    let mut numbers = [1989_u32, 4, 2026, 42, 7, 1812];
    let args = [
        numbers.as_mut_ptr().into(),
        Value::Uint(numbers.len() as u64),
        Value::Uint(size_of::<u32>() as u64),
        compare.code().into(),
    ];
    // SAFETY: qsort is declared as it is, and sorts an array of that many elements of that size.
    unsafe { qsort.call(&args)? };

    println!("{numbers:?}");
    assert_eq!(numbers, [4, 7, 42, 1812, 1989, 2026]);
    Ok(())
}
