//! A model of objects for tests that run no code on objects.

use farcall_arch::endpoint::{ObjectModel, ThreadPointer};

/// The model of an interpreter that does not exist. No code that is made of it runs.
pub fn of_no_interpreter() -> ObjectModel {
    ObjectModel {
        none: 6,
        truth: [14, 30],
        float_type: 0x1000,
        float_value: 8,
        buffers: Vec::new(),
        functions: Vec::new(),
        function_target: 16,
        function_library: 32,
        library_open: 8,
        thread_pointer: ThreadPointer::Fs,
        innermost: -64,
        call: 0x2000,
        raise: 0x3000,
        new_float: 0x4000,
        new_object: 0x5000,
        find_bytes: 0,
        new_of_bytes: 0,
        errno: None,
        catch: None,
    }
}
