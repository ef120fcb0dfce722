//! An interpreter of a few kinds of objects, for code that works on these: see `farcall_arch::endpoint`.

use farcall_arch::endpoint::{Boxing, NO_FRAME, ObjectCall, ObjectModel, PointerField, Unbox};
use farcall_arch::{Shared, Signature};
use farcall_engine::{
    Compiled, Conversion, Direction, Endpoint, Served, generates_code, host_abi, set_object_model,
};
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::Once;

pub use word::Word;

pub const NONE: u64 = 6;
pub const FALSE: u64 = 14;
pub const TRUE: u64 = 30;

/// What the slow path returns.
pub const SLOW: u64 = 0x5106;

/// The object of a result of bytes.
pub const BYTES: u64 = 0xb17e5;

static FLOAT: u64 = 0;
static BLOCK: u64 = 1;
static BUFFER: u64 = 2;

pub fn small_int(value: i64) -> u64 {
    (value << 1 | 1) as u64
}

/// An object that is a float, or holds some memory.
#[repr(C)]
pub struct Object {
    ty: *const u64,
    /// Of a block its bytes, of a float its value.
    content: u64,
    size: usize,
}

impl Object {
    pub fn float(value: f64) -> Object {
        Object {
            ty: &raw const FLOAT,
            content: value.to_bits(),
            size: 8,
        }
    }

    /// What holds the bytes of a structure.
    pub fn block<T>(value: &T) -> Object {
        Object {
            ty: &raw const BLOCK,
            content: ptr::from_ref(value) as u64,
            size: size_of::<T>(),
        }
    }

    pub fn word(&self) -> u64 {
        ptr::from_ref(self) as u64
    }
}

/// A library, open or closed.
#[repr(C)]
pub struct Library {
    ty: u64,
    open: u64,
}

/// A function object.
#[repr(C)]
pub struct Function {
    ty: u64,
    sizes: *const usize,
    target: *const c_void,
    result_size: usize,
    library: *const Library,
}

/// What the interpreter's functions have been called with on this thread.
#[derive(Default)]
pub struct Seen {
    /// Calls on the slow path: the function, and the arguments.
    pub slow: Vec<(u64, Vec<u64>)>,
    /// The bytes of the latest result.
    pub bytes: Vec<u8>,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// Takes what has been seen since the last time.
pub fn seen() -> Seen {
    SEEN.take()
}

unsafe extern "C" fn call(function: u64, count: usize, keywords: usize, args: *const u64) -> u64 {
    assert_eq!(keywords, 0);
    // SAFETY: the caller of a function object has so many arguments.
    let args = unsafe { std::slice::from_raw_parts(args, count) }.to_vec();
    SEEN.with_borrow_mut(|seen| seen.slow.push((function, args)));
    SLOW
}

/// Instead of jumping away it returns to the caller of the function object, whose frame is gone.
unsafe extern "C" fn raise(exception: u64) -> u64 {
    exception
}

/// Floats that are results are not kept: their bits are small integers.
unsafe extern "C" fn new_float(value: f64) -> u64 {
    small_int(value.to_bits() as i64 >> 1)
}

unsafe extern "C" fn new_object(kind: u64, slot: u64) -> u64 {
    assert_eq!(kind, 1);
    slot
}

unsafe extern "C" fn find_bytes(object: u64, function: u64, index: usize) -> *const u8 {
    // Registers that a call may change are changed.
    std::hint::black_box([index; 64]);
    if object & 3 != 0 {
        return ptr::null();
    }
    // SAFETY: a word without a tag is an object's address, and the function is ours.
    unsafe {
        let (object, function) = (&*(object as *const Object), &*(function as *const Function));
        match object.ty == &raw const BLOCK && object.size == *function.sizes.add(index) {
            true => object.content as *const u8,
            false => ptr::null(),
        }
    }
}

unsafe extern "C" fn new_of_bytes(bytes: *const u8, function: u64) -> u64 {
    // SAFETY: the result of the function, which is ours, has so many bytes.
    let bytes = unsafe {
        let size = (*(function as *const Function)).result_size;
        std::slice::from_raw_parts(bytes, size).to_vec()
    };
    assert_eq!(Word::get(), NO_FRAME, "the call is over");
    SEEN.with_borrow_mut(|seen| seen.bytes = bytes);
    BYTES
}

fn tell() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let field = |ty: &'static u64, offset| PointerField {
            ty: ptr::from_ref(ty) as u64,
            offset,
        };
        let model = ObjectModel {
            none: NONE as i32,
            truth: [FALSE as i32, TRUE as i32],
            float_type: &raw const FLOAT as u64,
            float_value: 8,
            buffers: vec![field(&BUFFER, 8)],
            functions: Vec::new(),
            function_target: 16,
            function_library: 32,
            library_open: 8,
            thread_pointer: Word::POINTER,
            innermost: Word::offset(),
            call: call as *const () as u64,
            raise: raise as *const () as u64,
            new_float: new_float as *const () as u64,
            new_object: new_object as *const () as u64,
            find_bytes: find_bytes as *const () as u64,
            new_of_bytes: new_of_bytes as *const () as u64,
            errno: None,
            catch: None,
        };
        // SAFETY: these are the layouts of our objects, and the functions are of these types.
        unsafe { set_object_model(model) }.expect("memory");
    });
}

type Operation = unsafe extern "C" fn(*const Function, usize, usize, *const u64) -> u64;

/// A function with the code for calls of it.
pub struct Callee {
    /// Keeps the code.
    _compiled: Shared<Compiled>,
    operation: Operation,
    sizes: Vec<usize>,
    result_size: usize,
    target: *const c_void,
}

impl Callee {
    /// None where the system refuses memory for code: calls on objects are served by nothing then, for good.
    ///
    /// # Safety
    /// * `target` is a function of the signature.
    pub unsafe fn new(
        signature: Signature,
        call: ObjectCall,
        target: *const c_void,
    ) -> Option<Callee> {
        tell();
        Word::set(NO_FRAME);
        let sizes = signature.args().iter().map(|ty| ty.size() as usize);
        let (sizes, result_size) = (sizes.collect(), signature.ret().size() as usize);
        let conversion = Some(Conversion::Call(call));
        let compiled = Compiled::new(signature, host_abi(), conversion).expect("a plan");
        let compiled = Shared::try_new(compiled).expect("memory");
        let served = compiled.serve_with_code(Direction::Call, Endpoint::Objects);
        if !generates_code() {
            assert_eq!(served, Served::PlanForGood);
            return None;
        }
        let Served::Code(start) = served else {
            panic!("no code for {:?}", compiled.signature());
        };
        Some(Callee {
            // SAFETY: that is what code on objects is.
            operation: unsafe { std::mem::transmute::<ptr::NonNull<u8>, Operation>(start) },
            _compiled: compiled,
            sizes,
            result_size,
            target,
        })
    }

    /// Calls it as the interpreter does.
    pub fn call(&self, args: &[u64]) -> u64 {
        self.call_in(true, args)
    }

    /// The same, of an open or a closed library.
    pub fn call_in(&self, is_open: bool, args: &[u64]) -> u64 {
        let library = Library {
            ty: 0,
            open: u64::from(is_open),
        };
        let function = Function {
            ty: 0,
            sizes: self.sizes.as_ptr(),
            target: self.target,
            result_size: self.result_size,
            library: &raw const library,
        };
        let before = Word::get();
        // SAFETY: it is a function object, the arguments are objects, and the target takes any values.
        let result = unsafe { (self.operation)(&raw const function, args.len(), 0, args.as_ptr()) };
        assert_eq!(Word::get(), before, "the thread is in no call");
        if result == SLOW {
            SEEN.with_borrow(|seen| {
                let (got, objects) = seen.slow.last().expect("a call");
                assert_eq!(*got, &raw const function as u64);
                assert_eq!(objects, args);
            });
        }
        result
    }
}

/// A call whose arguments are all converted so.
pub fn call_of(args: Vec<Unbox>, ret: Boxing) -> ObjectCall {
    ObjectCall { args, ret }
}

/// The thread's word for calls.
#[cfg(target_os = "linux")]
mod word {
    use farcall_arch::endpoint::ThreadPointer;
    use std::cell::Cell;

    thread_local! {
        static INNERMOST: Cell<u64> = const { Cell::new(0) };
    }

    pub struct Word;

    impl Word {
        #[cfg(target_arch = "x86_64")]
        pub const POINTER: ThreadPointer = ThreadPointer::Fs;
        #[cfg(target_arch = "aarch64")]
        pub const POINTER: ThreadPointer = ThreadPointer::TpidrEl0;

        pub fn get() -> u64 {
            INNERMOST.get()
        }

        pub fn set(word: u64) {
            INNERMOST.set(word);
        }

        /// It lies in the program's own part of thread-local memory, so in all threads at one distance.
        pub fn offset() -> i32 {
            let pointer: i64;
            // SAFETY: it reads a register of the thread.
            unsafe {
                #[cfg(target_arch = "x86_64")]
                std::arch::asm!("mov {}, fs:0", out(reg) pointer);
                #[cfg(target_arch = "aarch64")]
                std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer);
            }
            let here = INNERMOST.with(|word| word.as_ptr() as i64);
            i32::try_from(here - pointer).expect("near")
        }
    }
}

/// The same, in a slot of the thread's environment block.
#[cfg(windows)]
mod word {
    use farcall_arch::endpoint::ThreadPointer;
    use std::ffi::c_void;
    use std::sync::LazyLock;
    use windows_sys::Win32::System::Threading::{TlsAlloc, TlsGetValue, TlsSetValue};

    // SAFETY: it takes nothing.
    static SLOT: LazyLock<u32> = LazyLock::new(|| unsafe { TlsAlloc() });

    /// Where that block has its slots, and how many.
    const SLOTS: (u32, u32) = (0x1480, 64);

    pub struct Word;

    impl Word {
        pub const POINTER: ThreadPointer = ThreadPointer::Gs;

        pub fn get() -> u64 {
            // SAFETY: the slot is ours.
            unsafe { TlsGetValue(*SLOT) as u64 }
        }

        pub fn set(word: u64) {
            // SAFETY: the slot is ours.
            assert_ne!(unsafe { TlsSetValue(*SLOT, word as *const c_void) }, 0);
        }

        pub fn offset() -> i32 {
            let (first, count) = SLOTS;
            assert!(*SLOT < count);
            (first + *SLOT * 8) as i32
        }
    }
}
