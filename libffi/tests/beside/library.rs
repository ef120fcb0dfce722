//! Another static library in Rust, with a standard library of its own: what `program.c` is linked with beside libffi.

use std::ffi::c_int;
use std::panic;
use std::thread;

/// The sum, by way of a thread, of memory, and of a panic that is caught.
#[unsafe(no_mangle)]
pub extern "C" fn beside_sum(a: c_int, b: c_int) -> c_int {
    panic::set_hook(Box::new(|_| {}));
    let sum = thread::spawn(move || {
        let parts = Vec::from([a.to_string(), b.to_string()]);
        let caught = panic::catch_unwind(|| {
            let sum: c_int = parts.iter().flat_map(|part| part.parse::<c_int>()).sum();
            panic::panic_any(sum);
        });
        match caught {
            Err(payload) => payload.downcast_ref().copied().unwrap_or(-1),
            Ok(()) => -2,
        }
    });
    sum.join().unwrap_or(-3)
}
