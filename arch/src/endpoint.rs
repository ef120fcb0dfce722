//! The interpreter's end of a trampoline, where values are the interpreter's own tagged words.
//!
//! A `Slots` trampoline leaves the conversion of values to its caller. An *objects* trampoline is the interpreter's call
//! operation itself: it gets the function object and its arguments, tests their tags, unboxes them, calls, boxes the
//! result and returns it. Whatever is not on that path takes the slow path: it goes on, out of line, in one C function that handles
//! everything.
//!
//! No interpreter is known here. An [`ObjectModel`] says where fields lie and which words stand for values without memory. Its owner
//! computes it from the interpreter's own headers.

/// The layout of an interpreter's values. Small integers are words with the lowest bit set and the value above it; a word whose
/// two lowest bits are clear is a pointer to an object, which begins with the address of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectModel {
    /// The word that stands for no value.
    pub none: i32,
    /// The words for false and for true.
    pub truth: [i32; 2],
    /// The type of floats, which hold a `double`.
    pub float_type: u64,
    /// The offset of that `double` in a float, in bytes.
    pub float_value: u8,
    /// Objects that a pointer argument takes for the memory they hold.
    pub buffers: Vec<PointerField>,
    /// Objects that stand for a C function. The field is null in one that is closed.
    pub functions: Vec<PointerField>,
    /// The offset of the C function's address in a function object.
    pub function_target: u8,
    /// The offset of its library object's address.
    pub function_library: u8,
    /// The offset of a word in a library object that is null once the library is closed.
    pub library_open: u8,
    /// The way in which threads find their own words.
    pub thread_pointer: ThreadPointer,
    /// Bytes from the thread pointer to the thread's word for calls: the address of its innermost frame (see [`call_frame`]) plus
    /// [`call_frame::TAG`], or [`NO_FRAME`], or 0 on a thread that has made no call yet.
    pub innermost: i32,
    /// The slow path, the call operation that handles everything: `object (*)(function, count, keyword count, arguments)`.
    pub call: u64,
    /// Raises an exception and does not return: `void (*)(object)`.
    pub raise: u64,
    /// Makes a float: `object (*)(double)`.
    pub new_float: u64,
    /// Makes an object of a result's slot: `object (*)(int kind, uint64_t slot)`.
    pub new_object: u64,
    /// Says where the bytes of an argument's value are that its object holds: `const void *(*)(object, function, size_t index)`, null if
    /// the object holds no such value: then the slow path is taken. It runs ahead of all else and may raise, but runs no code of the
    /// user's: what it has found stays valid while other arguments are converted. 0 if there is none.
    pub find_bytes: u64,
    /// Makes an object of a result's bytes: `object (*)(const void *bytes, function)`. It may raise. 0 if there is none.
    pub new_of_bytes: u64,
    /// Where C's error numbers are kept while the interpreter runs, if they are.
    pub errno: Option<ErrnoModel>,
    /// How exceptions are caught, where code for callbacks may do it.
    pub catch: Option<CatchModel>,
}

/// The register that leads to a thread's own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadPointer {
    /// The base of the segment fs: x86-64 with ELF.
    Fs,
    /// The base of gs: Windows on x86-64.
    Gs,
    /// The register of that name: AArch64 with ELF.
    TpidrEl0,
}

/// A thread's `errno` as C left it, aside from what the interpreter does to it. A call keeps the number when the C function has
/// returned, and begins with it if that is wanted. A callback keeps it as it comes in, and gives it back to C when it is done: the number as it
/// is then if calls begin with it, else as it was.
///
/// Offsets are in bytes from the thread pointer. Numbers have 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrnoModel {
    /// A word with the address of the thread's `errno`.
    pub address: i32,
    /// The number that is kept.
    pub kept: i32,
    /// Not 0 if calls begin with that number.
    pub given: i32,
    /// The system's own number, where it has one beside C's; for x86-64 only.
    pub last_error: Option<LastError>,
}

/// The number of `GetLastError()` on Windows. It is kept as `errno` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastError {
    /// The system's.
    pub own: i32,
    /// The one that is kept.
    pub kept: i32,
}

/// How an interpreter catches exceptions: a jump buffer on the stack, linked to its thread's state, names the place to go on at and
/// holds the registers to go on with. Whoever raises takes the innermost one off, writes the exception to it, loads the registers and
/// returns to that place: on x86-64 by writing its address to the word at the stack pointer, on AArch64 by `x30`.
///
/// Offsets are in bytes from the start of the jump buffer unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchModel {
    /// Bytes from the thread pointer to a word that holds the address of the thread's state; 0 in a thread that is none of the
    /// interpreter's, or has made no call yet.
    pub state: i32,
    /// Where in that state the innermost jump buffer's address lies.
    pub innermost: u32,
    /// The jump buffer's size.
    pub size: u32,
    /// The one around it.
    pub prev: u32,
    /// The exception.
    pub value: u32,
    /// The place to go on at.
    pub instruction_pointer: u32,
    /// The stack pointer; on x86-64 at the word for the place's address.
    pub stack_pointer: u32,
    /// The callee-saved integer registers, as many as there are, in the order of
    /// [`Convention::callee_saved`](crate::abi::regs::Convention::callee_saved).
    pub saved: [u32; MAX_SAVED],
    /// The parts of the thread's state that raising resets.
    pub kept: Option<KeptWord>,
}

/// A word of a thread's state that a jump buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptWord {
    /// Where it is in the state.
    pub state: u32,
    /// Where it is in the jump buffer.
    pub jump_buffer: u32,
}

/// The most callee-saved integer registers: those of AArch64.
pub const MAX_SAVED: usize = 11;

/// A type, and where its objects hold a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointerField {
    /// The type's address.
    pub ty: u64,
    /// Bytes from the start of the object.
    pub offset: u8,
}

/// What a call in progress keeps on the stack: the frame around it, and an exception that waits for its end. Frames lie at multiples of
/// eight, so three bits of a frame's address are free. ORDER farcall_frame
pub mod call_frame {
    /// The thread's word as it was before the call. Once an exception waits, with [`WAITS`] set.
    pub const PREV: u32 = 0;
    /// The exception, if one waits, and anything otherwise.
    pub const PENDING: u32 = 8;
    /// The frame's size.
    pub const SIZE: u32 = 16;
    /// What a thread's word is above the address of a frame: it looks like a small integer, as [`super::NO_FRAME`] does, and as 0 does not. So one
    /// test tells that all of some arguments are small integers and that the thread has made a call before.
    pub const TAG: u32 = 1;
    /// The bit that tells of an exception.
    pub const WAITS: i8 = 2;
}

/// Stands for no call in progress, on a thread that has made one before.
pub const NO_FRAME: u64 = 1;

/// The way in which an argument becomes a C value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unbox {
    /// From a small integer, of which C gets as many low bits as its type has.
    Int,
    /// From a small integer that C's type holds, which has a sign.
    Signed,
    /// The same without a sign.
    Unsigned,
    /// From true or false, or from a small integer that is 0 or 1: a byte.
    Bool,
    /// From a float or a small integer.
    Float,
    /// From an object that holds the value's own bytes, of a structure say: see [`ObjectModel::find_bytes`].
    Bytes,
    /// From none, a small integer, a buffer or a function.
    Pointer,
    /// From none, a small integer or a function.
    Function,
}

/// The way in which a callback's argument gets to its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// As a small integer, of a C integer with a sign.
    Signed,
    /// The same without a sign.
    Unsigned,
    /// As its slot: an object of it needs memory, and the handler makes it.
    Slot,
}

/// How a result becomes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Boxing {
    /// Always none.
    None,
    /// A small integer if it fits, or else an object of the kind with this number.
    Int(u8),
    /// The same without a sign.
    Uint(u8),
    /// True or false, of a byte: false is 0.
    Bool,
    /// A float.
    Float,
    /// An object of the kind with this number.
    Object(u8),
    /// An object of the value's bytes: see [`ObjectModel::new_of_bytes`].
    Bytes,
}

/// The values of one function's signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectCall {
    /// The arguments, in order.
    pub args: Vec<Unbox>,
    /// The result.
    pub ret: Boxing,
}

/// Where the parts of the code begin that all trampolines of one interpreter share: bytes from the start of what
/// [`crate::emit::shared_for_objects`] makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedOffsets {
    /// The slow path: goes on in [`ObjectModel::call`], with all registers as the trampoline was called with them.
    pub slow_path: u32,
    /// The same from within the frame, with the stack pointer at the call frame, or at the frame record below it.
    pub leave: u32,
    /// The same, where some of these registers have changed: function and arguments are in registers of the trampolines' own, and the
    /// count is in its register.
    pub leave_restoring: u32,
    /// Raises the exception that waits in the call frame, whose first word is in a register; the stack pointer is there as well.
    pub raise: u32,
    /// Returns a new object: the number of its kind is in the first argument's register, its slot in the result's, or in the second
    /// argument's where the result's is the first.
    pub new_object: u32,
    /// Converts an object to a pointer, as [`Unbox::Pointer`] says.
    pub pointer: u32,
    /// Converts an object to a pointer, as [`Unbox::Function`] says.
    pub function: u32,
}
