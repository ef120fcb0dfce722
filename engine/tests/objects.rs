//! Code on objects runs: what is declared in C goes over as C's compiler has it, and whatever does not fit takes the slow path.

#![cfg(any(
    all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ),
    all(windows, target_arch = "x86_64")
))]
#![allow(
    improper_ctypes_definitions,
    reason = "structures that are type parameters are C's all the same"
)]

mod interpreter;

use farcall_arch::endpoint::{Boxing, NO_FRAME, Unbox, call_frame};
use farcall_arch::{Scalar, Signature, Struct, Type, plan};
use farcall_engine::host_abi;
use interpreter::{BYTES, Callee, FALSE, NONE, Object, SLOW, TRUE, Word, call_of, seen, small_int};
use std::ffi::c_void;
use std::fmt::Debug;

/// Small integers have so many bits.
const SMALL_BITS: u32 = 63;

type OnTheStack<T> = extern "C" fn(i64, i64, i64, i64, i64, i64, i64, i64, T) -> i64;

extern "C" fn widened<T: Copy + Into<i64>>(value: T) -> i64 {
    value.into()
}

extern "C" fn widened_of_nine<T: Copy + Into<i64>>(
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    value: T,
) -> i64 {
    value.into()
}

/// The numbers at both ends of a range of small integers, and around powers of two.
fn numbers() -> impl Iterator<Item = i64> {
    let near = |power: i64| [power - 1, power, power + 1, -power - 1, -power, -power + 1];
    let powers = [0, 1, 7, 8, 15, 16, 31, 32, 33, 61];
    let ends = [-1i64 << (SMALL_BITS - 1), (1 << (SMALL_BITS - 1)) - 1];
    powers
        .into_iter()
        .flat_map(move |bits| near(1 << bits))
        .chain(ends)
}

fn check_range<T: Copy + Into<i64>>(scalar: Scalar, range: std::ops::RangeInclusive<i64>) {
    let unbox = match scalar.is_signed() {
        true => Unbox::Signed,
        false => Unbox::Unsigned,
    };
    let leading = [small_int(-5); 8];
    let leading_types = vec![Type::I64; 8];
    let on_stack: OnTheStack<T> = widened_of_nine::<T>;
    for (before, target) in [
        (0, widened::<T> as *const c_void),
        (8, on_stack as *const c_void),
    ] {
        let mut types = leading_types[..before].to_vec();
        types.push(Type::Scalar(scalar));
        let mut args = vec![Unbox::Int; before];
        args.push(unbox);
        let signature = Signature::new(Type::I64, types).expect("scalars");
        // SAFETY: the target is of that signature.
        let callee = unsafe { Callee::new(signature, call_of(args, Boxing::Int(1)), target) };
        let Some(callee) = callee else {
            return;
        };
        let pass = |object| callee.call(&[&leading[..before], &[object]].concat());
        for number in numbers() {
            let expected = match range.contains(&number) {
                true => small_int(number),
                false => SLOW,
            };
            let got = pass(small_int(number));
            assert_eq!(got, expected, "{number} as {scalar:?}, {before} before it");
        }
        let float = Object::float(1.0);
        for object in [NONE, TRUE, FALSE, float.word()] {
            assert_eq!(pass(object), SLOW, "{object:#x} as {scalar:?}");
        }
    }
    drop(seen());
}

#[test]
fn integers_out_of_their_types_ranges_take_the_slow_path() {
    check_range::<i8>(Scalar::I8, -0x80..=0x7f);
    check_range::<u8>(Scalar::U8, 0..=0xff);
    check_range::<i16>(Scalar::I16, -0x8000..=0x7fff);
    check_range::<u16>(Scalar::U16, 0..=0xffff);
    check_range::<i32>(Scalar::I32, -0x8000_0000..=0x7fff_ffff);
    check_range::<u32>(Scalar::U32, 0..=0xffff_ffff);
    check_range::<i64>(Scalar::I64, i64::MIN..=i64::MAX);
    // As far as small integers go, the type's own upper half is none of theirs.
    check_range::<i64>(Scalar::U64, 0..=i64::MAX);
}

extern "C" fn not(value: u8) -> bool {
    value == 0
}

extern "C" fn not_ninth(
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    _: i64,
    value: u8,
) -> bool {
    value == 0
}

#[test]
fn truth_values_are_two_words_or_two_integers() {
    let float = Object::float(1.0);
    for (before, target) in [
        (0, not as extern "C" fn(u8) -> bool as *const c_void),
        (8, not_ninth as *const c_void),
    ] {
        let mut types = vec![Type::I64; before];
        types.push(Type::U8);
        let mut args = vec![Unbox::Int; before];
        args.push(Unbox::Bool);
        let signature = Signature::new(Type::U8, types).expect("scalars");
        // SAFETY: the target is of that signature.
        let callee = unsafe { Callee::new(signature, call_of(args, Boxing::Bool), target) };
        let Some(callee) = callee else {
            return;
        };
        for (object, expected) in [
            (TRUE, FALSE),
            (FALSE, TRUE),
            (small_int(1), FALSE),
            (small_int(0), TRUE),
            (small_int(2), SLOW),
            (small_int(-1), SLOW),
            (small_int(1 << 61), SLOW),
            (NONE, SLOW),
            (float.word(), SLOW),
            (TRUE | 1 << 40, SLOW),
        ] {
            let args = [vec![small_int(9); before], vec![object]].concat();
            assert_eq!(callee.call(&args), expected, "{object:#x} behind {before}");
        }
    }
    drop(seen());
}

/// A structure of C's, and its type.
trait Structure: Copy + PartialEq + Debug + 'static {
    const VALUE: Self;
    const THERE: &'static Self;
    fn ty() -> Type;
}

macro_rules! structures {
    ($($name:ident { $($member:ty),* } = $ty:expr;)*) => {
        $(
            #[derive(Clone, Copy, Debug, PartialEq)]
            #[repr(C)]
            struct $name($($member),*);

            impl Structure for $name {
                // Graffiti: each byte tells of its place.
                const VALUE: $name = {
                    let mut bytes = [0; size_of::<$name>()];
                    let mut place = 0;
                    while place < bytes.len() {
                        bytes[place] = 0x11 + (place as u8) % 0x60;
                        place += 1;
                    }
                    // SAFETY: any bytes are numbers, and the structure has no padding.
                    unsafe { std::mem::transmute::<[u8; size_of::<$name>()], $name>(bytes) }
                };

                const THERE: &'static $name = &$name::VALUE;

                fn ty() -> Type {
                    let members: Vec<Type> = $ty;
                    let structure = Struct::new(members).expect("a structure");
                    let ty = Type::try_from(structure).expect("memory");
                    assert_eq!(ty.size() as usize, size_of::<$name>());
                    ty
                }
            }
        )*

        fn each_structure(check: &dyn Check) {
            $(check_structure::<$name>(check);)*
        }
    };
}

structures! {
    Byte { u8 } = vec![Type::U8];
    Bytes3 { [u8; 3] } = vec![Type::U8; 3];
    Bytes7 { [u8; 7] } = vec![Type::U8; 7];
    Bytes13 { [u8; 13] } = vec![Type::U8; 13];
    Shorts5 { [u16; 5] } = vec![Type::U16; 5];
    Int { i32 } = vec![Type::I32];
    Ints3 { [i32; 3] } = vec![Type::I32; 3];
    Long { i64 } = vec![Type::I64];
    Longs { [i64; 2] } = vec![Type::I64; 2];
    Longs3 { [i64; 3] } = vec![Type::I64; 3];
    Longs75 { [i64; 75] } = vec![Type::I64; 75];
    Float { f32 } = vec![Type::F32];
    Floats3 { [f32; 3] } = vec![Type::F32; 3];
    Floats4 { [f32; 4] } = vec![Type::F32; 4];
    Double { f64 } = vec![Type::F64];
    Doubles { [f64; 2] } = vec![Type::F64; 2];
    Doubles4 { [f64; 4] } = vec![Type::F64; 4];
    Mixed { i64, f64 } = vec![Type::I64, Type::F64];
    MixedToo { f64, i32, i32 } = vec![Type::F64, Type::I32, Type::I32];
    Narrow { f32, i32 } = vec![Type::F32, Type::I32];
}

/// What is done with each structure.
trait Check {
    fn run(&self, make: Make);
}

/// A structure, ready to be passed.
struct Make {
    ty: Type,
    object: Object,
    name: &'static str,
    bytes: &'static [u8],
    alone: *const c_void,
    among: *const c_void,
    returned: *const c_void,
    made: *const c_void,
}

fn check_structure<T: Structure>(check: &dyn Check) {
    const { assert!(align_of::<T>() <= 8) };
    let bytes = std::ptr::from_ref(T::THERE).cast::<u8>();
    check.run(Make {
        ty: T::ty(),
        object: Object::block(T::THERE),
        name: std::any::type_name::<T>(),
        // SAFETY: a structure without padding, which is constant.
        bytes: unsafe { std::slice::from_raw_parts(bytes, size_of::<T>()) },
        alone: alone::<T> as extern "C" fn(T) -> i64 as *const c_void,
        among: among::<T> as Among<T> as *const c_void,
        returned: returned::<T> as extern "C" fn(i64, T) -> T as *const c_void,
        made: made::<T> as extern "C" fn(i64, i64) -> T as *const c_void,
    });
}

extern "C" fn alone<T: Structure>(value: T) -> i64 {
    i64::from(value == T::VALUE)
}

type Among<T> = extern "C" fn(i32, T, f64, T, u8, T, f32, T, i64) -> i64;

/// So many that registers run out.
extern "C" fn among<T: Structure>(
    first: i32,
    a: T,
    second: f64,
    b: T,
    third: u8,
    c: T,
    fourth: f32,
    d: T,
    fifth: i64,
) -> i64 {
    let are_equal = [a, b, c, d].iter().all(|value| *value == T::VALUE);
    let scalars = first == -7 && second == 2.5 && third == 1 && fourth == -0.5 && fifth == 1 << 40;
    i64::from(are_equal && scalars)
}

extern "C" fn returned<T: Structure>(_: i64, value: T) -> T {
    value
}

extern "C" fn made<T: Structure>(_: i64, _: i64) -> T {
    T::VALUE
}

struct Passed;

impl Check for Passed {
    fn run(&self, make: Make) {
        let Make { ty, name, .. } = &make;
        let block = make.object.word();
        let signature = Signature::new(Type::I64, vec![ty.clone()]).expect("a signature");
        let call = call_of(vec![Unbox::Bytes], Boxing::Int(1));
        // SAFETY: the target is of that signature.
        let callee = unsafe { Callee::new(signature, call, make.alone) };
        let Some(callee) = callee else {
            return;
        };
        assert_eq!(callee.call(&[block]), small_int(1), "{name} alone");

        let types = [Type::I32, Type::F64, Type::U8, Type::F32];
        let unboxes = [Unbox::Signed, Unbox::Float, Unbox::Bool, Unbox::Float];
        let mut args: Vec<Type> = types
            .into_iter()
            .flat_map(|scalar| [scalar, ty.clone()])
            .collect();
        args.push(Type::I64);
        let mut unbox: Vec<Unbox> = unboxes
            .into_iter()
            .flat_map(|unbox| [unbox, Unbox::Bytes])
            .collect();
        unbox.push(Unbox::Int);
        let signature = Signature::new(Type::I64, args).expect("a signature");
        let call = call_of(unbox, Boxing::Int(1));
        // SAFETY: as above.
        let callee = unsafe { Callee::new(signature, call, make.among) };
        let Some(callee) = callee else {
            return;
        };
        let (second, fourth) = (Object::float(2.5), Object::float(-0.5));
        let good = [
            small_int(-7),
            block,
            second.word(),
            block,
            TRUE,
            block,
            fourth.word(),
            block,
            small_int(1 << 40),
        ];
        assert_eq!(callee.call(&good), small_int(1), "{name} among others");
        let too_large = Object::block(&[0u8; 1000]);
        for place in 0..good.len() {
            for bad in [NONE, too_large.word()] {
                let mut args = good;
                args[place] = bad;
                assert_eq!(callee.call(&args), SLOW, "{name}: {bad:#x} at {place}");
            }
        }
        assert_eq!(callee.call(&good[1..]), SLOW, "{name}: too few");
        assert_eq!(callee.call_in(false, &good), SLOW, "{name}: closed");
        Word::set(0);
        assert_eq!(callee.call(&good), SLOW, "{name}: unknown thread");
        Word::set(NO_FRAME);
        drop(seen());
    }
}

#[test]
fn structures_arrive_whole_or_take_the_slow_path() {
    each_structure(&Passed);
}

struct Returned;

impl Check for Returned {
    fn run(&self, make: Make) {
        let Make { ty, name, .. } = &make;
        let args = vec![Type::I64, ty.clone()];
        let signature = Signature::new(ty.clone(), args).expect("a signature");
        let sret = plan(&signature, host_abi()).expect("a plan").sret;
        // There is no code for a result in memory that may want more alignment than a frame has.
        if sret.is_some_and(|sret| sret.size > 256 || sret.size.is_multiple_of(32)) {
            return;
        }
        let call = call_of(vec![Unbox::Int, Unbox::Bytes], Boxing::Bytes);
        // SAFETY: the target is of that signature.
        let callee = unsafe { Callee::new(signature, call, make.returned) };
        let Some(callee) = callee else {
            return;
        };
        let args = [small_int(3), make.object.word()];
        assert_eq!(callee.call(&args), BYTES, "{name} returned");
        assert_eq!(seen().bytes, make.bytes, "{name} returned");

        let signature = Signature::new(ty.clone(), vec![Type::I64; 2]).expect("a signature");
        let call = call_of(vec![Unbox::Int; 2], Boxing::Bytes);
        // SAFETY: as above.
        let callee = unsafe { Callee::new(signature, call, make.made) };
        let Some(callee) = callee else {
            return;
        };
        assert_eq!(callee.call(&[small_int(3); 2]), BYTES, "{name} made");
        assert_eq!(seen().bytes, make.bytes, "{name} made");
        assert_eq!(callee.call(&[small_int(3), NONE]), SLOW, "{name} not made");
        drop(seen());
    }
}

#[test]
fn structures_come_back_whole() {
    each_structure(&Returned);
}

/// What a callback that ends in an exception does to the call around it.
extern "C" fn interrupted(value: Longs) -> Longs {
    let frame = (Word::get() - u64::from(call_frame::TAG)) as *mut u64;
    // SAFETY: this is within the call, whose frame is two words.
    unsafe {
        *frame |= call_frame::WAITS as u64;
        *frame.add((call_frame::PENDING / 8) as usize) = 0xe5ce;
    }
    value
}

#[test]
fn exception_that_waits_is_raised_instead_of_a_structure() {
    let ty = Longs::ty();
    let signature = Signature::new(ty.clone(), vec![ty]).expect("a signature");
    let call = call_of(vec![Unbox::Bytes], Boxing::Bytes);
    let target = interrupted as extern "C" fn(Longs) -> Longs as *const c_void;
    // SAFETY: the target is of that signature.
    let callee = unsafe { Callee::new(signature, call, target) };
    let Some(callee) = callee else {
        return;
    };
    let value = Longs::VALUE;
    assert_eq!(callee.call(&[Object::block(&value).word()]), 0xe5ce);
    assert!(seen().bytes.is_empty());
}
