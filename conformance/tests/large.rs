//! Values and signatures beyond what compilers' tests have: a structure of 300,000 bytes as an argument and as a result, and 3,000
//! arguments, judged by a C compiler. The code is called as it is emitted; and the plan is followed, where it is the process's own
//! convention.
#![cfg(target_os = "linux")]

use conformance::run::bare::publish;
use farcall_arch::abi::Dialect;
use farcall_arch::emit::{self, THUNK_SIZE, record};
use farcall_arch::{Abi, Plan, Signature, Struct, Type, plan};
use farcall_engine::interp;
use libloading::Library;
use memmap2::Mmap;
use std::ffi::c_void;
use std::process::Command;
use std::ptr;

const BYTES: usize = 300_000;
const ARGS: usize = 3_000;

/// Calls a trampoline by a function type of its convention. The tests pass arguments of the plan, so the call is sound.
macro_rules! under {
    ($abi:expr, $function:expr, ($($ty:ty),*), ($($arg:expr),*)) => {{
        let function: *const c_void = $function;
        match $abi {
            #[cfg(target_arch = "x86_64")]
            Abi::Win64 => {
                let call: unsafe extern "win64" fn($($ty),*) =
                    // SAFETY: a trampoline on these types is at the address.
                    unsafe { std::mem::transmute(function) };
                // SAFETY: the arguments are those of the plan, and lie in vectors of the test.
                unsafe { call($($arg),*) }
            }
            _ => {
                let call: unsafe extern "C" fn($($ty),*) =
                    // SAFETY: a trampoline on these types is at the address.
                    unsafe { std::mem::transmute(function) };
                // SAFETY: the arguments are those of the plan, and lie in vectors of the test.
                unsafe { call($($arg),*) }
            }
        }
    }};
}

fn abis() -> Vec<Abi> {
    match cfg!(target_arch = "x86_64") {
        true => vec![Abi::SysV64, Abi::Win64],
        false => vec![Abi::Aapcs64(Dialect::Linux)],
    }
}

/// The C side, with a function of each name for each convention.
fn source() -> String {
    let list = |item: &dyn Fn(usize) -> String| (0..ARGS).map(item).collect::<Vec<_>>().join(", ");
    let params = list(&|n| format!("long long a{n}"));
    let sum = (0..ARGS).map(|n| format!("    sum += {}ull * a{n};\n", n + 1));
    let sum: String = sum.collect();
    let given = list(&|n| format!("seed + {n}"));
    let one = |suffix: &str, abi: &str| {
        format!(
            r#"
{abi} big turn_{suffix}(int before, big value, double after)
{{
    for (int n = 0; n < {BYTES}; n++)
        value.bytes[n] = value.bytes[n] * 3 + before + (int)after + n;
    return value;
}}
typedef {abi} big (*turn_{suffix}_fn)(int, big, double);
void relay_{suffix}(turn_{suffix}_fn turn, int before, const big *value, double after, big *result)
{{
    *result = turn(before, *value, after);
}}
{abi} unsigned long long sum_{suffix}({params})
{{
    unsigned long long sum = 0;
{sum}
    return sum;
}}
typedef {abi} unsigned long long (*sum_{suffix}_fn)({params});
unsigned long long give_{suffix}(sum_{suffix}_fn sum, long long seed)
{{
    return sum({given});
}}
"#
        )
    };
    let mut text = format!("typedef struct {{ unsigned char bytes[{BYTES}]; }} big;\n");
    text += &one("own", "");
    if cfg!(target_arch = "x86_64") {
        text += &one("win64", "__attribute__((ms_abi))");
    }
    text
}

fn compiled() -> (tempfile::TempDir, Library) {
    let directory = tempfile::tempdir().expect("a directory");
    let [text, library] = ["large.c", "large.so"].map(|name| directory.path().join(name));
    std::fs::write(&text, source()).expect("a file");
    let compiler = match cfg!(target_arch = "x86_64") {
        true => "cc",
        false => "aarch64-linux-gnu-gcc",
    };
    let mut command = Command::new(compiler);
    let command = command.args(["-O1", "-shared", "-fPIC", "-o"]);
    let status = command.arg(&library).arg(&text).status();
    assert!(status.expect("a compiler").success());
    // SAFETY: the library has no initializers.
    let library = unsafe { Library::new(&library) }.expect("the library");
    (directory, library)
}

fn address(library: &Library, name: &str, abi: Abi) -> *const c_void {
    let suffix = if abi == Abi::Win64 { "win64" } else { "own" };
    // SAFETY: the symbol's address is all that is taken of it.
    let symbol = unsafe { library.get::<*const c_void>(format!("{name}_{suffix}\0").as_bytes()) };
    *symbol.expect("a function")
}

fn big_plan(abi: Abi) -> Plan {
    let big = Struct::new(vec![Type::U8; BYTES]).expect("a structure");
    let big = Type::try_from(big).expect("memory");
    let args = vec![Type::I32, big.clone(), Type::F64];
    plan(&Signature::new(big, args).expect("a signature"), abi).expect("a plan")
}

fn sum_plan(abi: Abi) -> Plan {
    let signature = Signature::new(Type::U64, vec![Type::I64; ARGS]).expect("a signature");
    plan(&signature, abi).expect("a plan")
}

const BEFORE: i32 = 5;
const AFTER: f64 = 7.0;
const SEED: i64 = 1 << 40;

fn bytes() -> Vec<u8> {
    (0..BYTES).map(|n| (n * n / 7) as u8).collect()
}

/// The bytes that the C function returns.
fn turned() -> Vec<u8> {
    let bytes = bytes().into_iter().zip(0u32..);
    bytes
        .map(|(byte, n)| byte.wrapping_mul(3).wrapping_add((12 + n) as u8))
        .collect()
}

fn summed() -> u64 {
    (0..ARGS as u64).fold(0, |sum, n| {
        let arg = (SEED as u64).wrapping_add(n);
        sum.wrapping_add((n + 1).wrapping_mul(arg))
    })
}

/// The arguments of the function with the large structure, in slots.
fn big_slots() -> Vec<u64> {
    let mut slots = vec![0u64; 2 + BYTES / 8];
    slots[0] = BEFORE as u64;
    for (slot, word) in slots[1..].iter_mut().zip(bytes().chunks_exact(8)) {
        *slot = u64::from_le_bytes(word.try_into().expect("eight bytes"));
    }
    slots[1 + BYTES / 8] = AFTER.to_bits();
    slots
}

fn bytes_of(slots: &[u64]) -> Vec<u8> {
    slots.iter().flat_map(|slot| slot.to_le_bytes()).collect()
}

#[test]
fn large_values_and_many_arguments_reach_c_and_come_back() {
    let (_directory, library) = compiled();
    for abi in abis() {
        let [turn, sum] = ["turn", "sum"].map(|name| address(&library, name, abi));
        let (big, many) = (big_plan(abi), sum_plan(abi));

        let slots = big_slots();
        let mut result = vec![0u64; BYTES / 8];
        let code = publish(&emit::call(&big).expect("memory").bytes).expect("memory");
        under!(
            abi,
            code.as_ptr().cast(),
            (*const c_void, *const u64, *mut u64),
            (turn, slots.as_ptr(), result.as_mut_ptr())
        );
        assert!(bytes_of(&result) == turned(), "on slots, {abi}");

        let (before, after, value) = (BEFORE, AFTER, bytes());
        let pointers: [*const c_void; 3] = [
            (&raw const before).cast(),
            value.as_ptr().cast(),
            (&raw const after).cast(),
        ];
        result.fill(0);
        let code = publish(&emit::call_pointers(&big).expect("memory").bytes).expect("memory");
        under!(
            abi,
            code.as_ptr().cast(),
            (*const c_void, *const *const c_void, *mut u64),
            (turn, pointers.as_ptr(), result.as_mut_ptr())
        );
        assert!(bytes_of(&result) == turned(), "on pointers, {abi}");
        under!(
            abi,
            code.as_ptr().cast(),
            (*const c_void, *const *const c_void, *mut u64),
            (turn, pointers.as_ptr(), ptr::null_mut())
        );

        let args: Vec<u64> = (0..ARGS as u64).map(|n| SEED as u64 + n).collect();
        let mut word = 0u64;
        let code = publish(&emit::call(&many).expect("memory").bytes).expect("memory");
        under!(
            abi,
            code.as_ptr().cast(),
            (*const c_void, *const u64, *mut u64),
            (sum, args.as_ptr(), &raw mut word)
        );
        assert_eq!(word, summed(), "many on slots, {abi}");
        let pointers: Vec<*const u64> = args.iter().map(ptr::from_ref).collect();
        let code = publish(&emit::call_pointers(&many).expect("memory").bytes).expect("memory");
        word = 0;
        under!(
            abi,
            code.as_ptr().cast(),
            (*const c_void, *const *const u64, *mut u64),
            (sum, pointers.as_ptr(), &raw mut word)
        );
        assert_eq!(word, summed(), "many on pointers, {abi}");

        if abi != Abi::Win64 {
            result.fill(0);
            // SAFETY: the function has that signature, and these are its arguments and room for its result.
            unsafe { interp::call_slots(&big, turn, slots.as_ptr(), result.as_mut_ptr()) };
            assert!(bytes_of(&result) == turned(), "without code, {abi}");
            word = 0;
            // SAFETY: as above.
            unsafe { interp::call_slots(&many, sum, args.as_ptr(), &raw mut word) };
            assert_eq!(word, summed(), "many without code, {abi}");
        }
    }
}

/// A callback's handlers, of each convention: on slots and on pointers, for both functions.
macro_rules! handlers {
    ($name:ident, $abi:literal) => {
        mod $name {
            use super::*;

            pub extern $abi fn turn_slots(_: *mut c_void, slots: *const u64, result: *mut u64) {
                // SAFETY: the entry hands over values of these types.
                let (slots, result) = unsafe {
                    let slots = std::slice::from_raw_parts(slots, 2 + BYTES / 8);
                    (slots, std::slice::from_raw_parts_mut(result.cast::<u8>(), BYTES))
                };
                assert!(slots == big_slots());
                result.copy_from_slice(&turned());
            }

            pub extern $abi fn turn_pointers(
                _: *mut c_void,
                result: *mut u8,
                values: *const *const u8,
                _: *mut c_void,
            ) {
                // SAFETY: as above.
                let (values, result) = unsafe {
                    let values = std::slice::from_raw_parts(values, 3);
                    (values, std::slice::from_raw_parts_mut(result, BYTES))
                };
                // SAFETY: the values have these types.
                unsafe {
                    assert_eq!(values[0].cast::<i32>().read(), BEFORE);
                    assert!(std::slice::from_raw_parts(values[1], BYTES) == bytes());
                    assert_eq!(values[2].cast::<f64>().read(), AFTER);
                }
                result.copy_from_slice(&turned());
            }

            pub extern $abi fn sum_slots(_: *mut c_void, slots: *const u64) -> u64 {
                // SAFETY: as above.
                let slots = unsafe { std::slice::from_raw_parts(slots, ARGS) };
                weighted(slots.iter().copied())
            }

            pub extern $abi fn sum_pointers(
                _: *mut c_void,
                result: *mut u64,
                values: *const *const u64,
                _: *mut c_void,
            ) {
                // SAFETY: as above.
                let values = unsafe { std::slice::from_raw_parts(values, ARGS) };
                // SAFETY: each value is a word, and the result has room for one.
                unsafe { *result = weighted(values.iter().map(|value| value.read())) };
            }
        }
    };
}

fn weighted(args: impl Iterator<Item = u64>) -> u64 {
    (1..).zip(args).fold(0, |sum: u64, (weight, arg)| {
        sum.wrapping_add(arg.wrapping_mul(weight))
    })
}

handlers!(own, "C");
#[cfg(target_arch = "x86_64")]
handlers!(win64, "win64");

/// The four handlers' addresses, in their order.
fn handlers(abi: Abi) -> [*const c_void; 4] {
    match abi {
        #[cfg(target_arch = "x86_64")]
        Abi::Win64 => [
            win64::turn_slots as *const c_void,
            win64::turn_pointers as *const c_void,
            win64::sum_slots as *const c_void,
            win64::sum_pointers as *const c_void,
        ],
        _ => [
            own::turn_slots as *const c_void,
            own::turn_pointers as *const c_void,
            own::sum_slots as *const c_void,
            own::sum_pointers as *const c_void,
        ],
    }
}

/// A thunk that leads to a handler by an entry's code, and the memory that it lies in.
fn thunk(entry: &[u8], abi: Abi, handler: *const c_void) -> [Mmap; 2] {
    let entry = publish(entry).expect("memory");
    let distance = THUNK_SIZE.next_multiple_of(record::SIZE);
    let mut bytes = emit::thunks(abi, 1, distance).expect("memory").bytes;
    bytes.resize(distance, 0);
    let mut words = [0u64; record::SIZE / 8];
    words[usize::from(record::ENTRY) / 8] = entry.as_ptr() as u64;
    words[usize::from(record::HANDLER) / 8] = handler as u64;
    bytes.extend(words.into_iter().flat_map(u64::to_le_bytes));
    [publish(&bytes).expect("memory"), entry]
}

type Relay = unsafe extern "C" fn(*const u8, i32, *const u8, f64, *mut u8);
type Give = unsafe extern "C" fn(*const u8, i64) -> u64;

#[test]
fn large_values_and_many_arguments_reach_callbacks_and_go_back() {
    let (_directory, library) = compiled();
    for abi in abis() {
        let [relay, give] = ["relay", "give"].map(|name| address(&library, name, abi));
        // SAFETY: these are their types.
        let relay: Relay = unsafe { std::mem::transmute(relay) };
        // SAFETY: likewise.
        let give: Give = unsafe { std::mem::transmute(give) };
        let [turn_slots, turn_pointers, sum_slots, sum_pointers] = handlers(abi);
        let (big, many) = (big_plan(abi), sum_plan(abi));
        for (entry, handler) in [
            (emit::callback_entry(&big), turn_slots),
            (emit::callback_entry_pointers(&big), turn_pointers),
        ] {
            let [thunk, _entry] = thunk(&entry.expect("memory").bytes, abi, handler);
            let (value, mut result) = (bytes(), vec![0; BYTES]);
            // SAFETY: the thunk is a function of the signature.
            unsafe {
                relay(
                    thunk.as_ptr(),
                    BEFORE,
                    value.as_ptr(),
                    AFTER,
                    result.as_mut_ptr(),
                )
            };
            assert!(result == turned(), "{abi}");
        }
        for (entry, handler) in [
            (emit::callback_entry(&many), sum_slots),
            (emit::callback_entry_pointers(&many), sum_pointers),
        ] {
            let [thunk, _entry] = thunk(&entry.expect("memory").bytes, abi, handler);
            // SAFETY: as above.
            assert_eq!(unsafe { give(thunk.as_ptr(), SEED) }, summed(), "{abi}");
        }
    }
}
