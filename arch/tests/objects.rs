//! Listings of the code that works on an interpreter's objects, to be read in review; see `golden.rs`.

mod common;

use common::frame::check_code;
use common::model::model;
use common::{listing, signature};
use farcall_arch::abi::Dialect;
use farcall_arch::abi::regs::Isa;
use farcall_arch::emit::Code;
use farcall_arch::endpoint::{
    Boxing, Delivery, ErrnoModel, LastError, ObjectCall, ObjectModel, SharedOffsets, Unbox,
};
use farcall_arch::{Abi, Scalar, Signature, Type, emit, plan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The most arguments of a signature that has code on objects.
const MOST_ARGS: usize = 1024;

/// The conventions with an emitter for objects.
const ABIS: [Abi; 3] = [Abi::SysV64, Abi::Win64, Abi::Aapcs64(Dialect::Linux)];

/// Far ahead of the code, at addresses that tell in a listing what they are: backwards from there.
fn shared(abi: Abi) -> SharedOffsets {
    let far = match abi.convention().isa {
        Isa::X64 => 0x100_0000,
        Isa::A64 => 0x10_0000,
    };
    SharedOffsets {
        slow_path: 0x10 * far,
        leave: 0x20 * far,
        leave_restoring: 0x21 * far,
        raise: 0x30 * far,
        new_object: 0x40 * far,
        pointer: 0x50 * far,
        function: 0x60 * far,
    }
}

/// The conversions that the types suggest: all pointers are pointers.
fn call_of(signature: &Signature) -> ObjectCall {
    let is_float = |ty: &Type| matches!(ty, Type::Scalar(scalar) if scalar.is_float());
    let args = signature.args().iter().map(|ty| match ty {
        ty if is_float(ty) => Unbox::Float,
        ty if *ty == Type::POINTER => Unbox::Pointer,
        Type::Struct(_) => Unbox::Bytes,
        _ => Unbox::Int,
    });
    let ret = match signature.ret() {
        Type::Void => Boxing::None,
        ty if is_float(ty) => Boxing::Float,
        ty if *ty == Type::POINTER => Boxing::Uint(5),
        _ => Boxing::Int(1),
    };
    ObjectCall {
        args: args.collect(),
        ret,
    }
}

/// Compares the call operations of some signatures, whose values `convert` converts, with what was reviewed.
fn assert_calls(names: &[(&str, &str)], convert: fn(&Signature) -> ObjectCall) {
    for (abi, (name, text)) in ABIS
        .into_iter()
        .flat_map(|abi| names.iter().map(move |name| (abi, name)))
    {
        let signature = signature(text);
        let plan = plan(&signature, abi).expect("every scalar has a place");
        let code = emit::call_objects(&plan, &convert(&signature), &model(abi), &shared(abi))
            .expect("memory");
        let code = code.expect("an emitter for objects");
        listing::assert_golden(
            abi,
            &format!("objects-{name}"),
            &listing::of(&signature, &code),
        );
    }
}

#[test]
fn call_operations_on_objects_are_as_reviewed() {
    let names = [
        ("nothing", "v()"),
        ("add", "i(ii)"),
        ("pow", "d(dd)"),
        ("floats", "f(fi)"),
        ("pointers", "p(pqp)"),
        ("on-the-stack", "q(7qBfp)"),
    ];
    assert_calls(&names, call_of);
}

/// The conversions of C's own types: integers have ranges, bytes are truth values, and structures are what lies in memory.
fn declared(signature: &Signature) -> ObjectCall {
    let of_scalar = |ty: &Type| match ty {
        Type::Struct(_) => Unbox::Bytes,
        Type::Scalar(Scalar::U8) => Unbox::Bool,
        Type::Scalar(scalar) if scalar.is_float() => Unbox::Float,
        Type::Scalar(scalar) if scalar.is_signed() => Unbox::Signed,
        _ => Unbox::Unsigned,
    };
    ObjectCall {
        args: signature.args().iter().map(of_scalar).collect(),
        ret: match signature.ret() {
            Type::Void => Boxing::None,
            Type::Struct(_) => Boxing::Bytes,
            Type::Scalar(scalar) if scalar.is_float() => Boxing::Float,
            _ => Boxing::Bool,
        },
    }
}

#[test]
fn call_operations_on_declared_types_are_as_reviewed() {
    let names = [
        ("structure", "d({dd})"),
        ("structures", "{qi}({if}I{3b}d{7q}{fff})"),
        ("structures-on-the-stack", "{ff}(6q{qq}{40q}8d{dd}{bbb})"),
        ("structure-returned", "{3i}(iq)"),
        ("ranges", "B(biHQB)"),
        ("large-ranges", "B(qq)"),
        ("ranges-on-the-stack", "B(8qhQBdI)"),
    ];
    assert_calls(&names, declared);
}

#[test]
fn callback_entries_on_objects_are_as_reviewed() {
    let names = [
        ("compare", "i(pp)"),
        ("mixed", "v(bQq7i)"),
        ("floats", "d(dif)"),
        ("floats-on-the-stack", "f(9dfq8f)"),
    ];
    for (abi, (name, text)) in ABIS
        .into_iter()
        .flat_map(|abi| names.map(|name| (abi, name)))
    {
        let signature = signature(text);
        let code = callback_entry(abi, &signature, &model(abi));
        listing::assert_golden(
            abi,
            &format!("object-callback-{name}"),
            &listing::of(&signature, &code),
        );
    }
}

fn callback_entry(abi: Abi, signature: &Signature, model: &ObjectModel) -> Code {
    let plan = plan(signature, abi).expect("every scalar has a place");
    let delivery = |ty: &Type| match ty {
        Type::Scalar(scalar) if scalar.is_float() => Delivery::Slot,
        Type::Scalar(scalar) if scalar.is_signed() => Delivery::Signed,
        _ => Delivery::Unsigned,
    };
    let deliveries: Vec<Delivery> = signature.args().iter().map(delivery).collect();
    let code =
        emit::callback_entry_objects(&plan, model, &deliveries, 0xaaaa_0000_0000).expect("memory");
    code.expect("an emitter for objects")
}

#[test]
fn shared_code_for_objects_is_as_reviewed() {
    for abi in ABIS {
        let shared = emit::shared_for_objects(abi, &model(abi))
            .expect("memory")
            .expect("an emitter for objects");
        let title = format!("{:?}", shared.offsets);
        let listing = listing::of(title, &shared.code);
        listing::assert_golden(abi, "objects-shared", &listing);
    }
}

/// Any signature of scalars, with any way to convert each of them.
fn any_call() -> impl Strategy<Value = (Signature, ObjectCall)> {
    let integers = [
        Unbox::Int,
        Unbox::Signed,
        Unbox::Unsigned,
        Unbox::Bool,
        Unbox::Pointer,
        Unbox::Function,
    ];
    let arg = (select(Scalar::ALL.to_vec()), select(integers.to_vec()));
    let count = prop_oneof![8 => 0..=30usize, 1 => 500..=MOST_ARGS];
    let args = count.prop_flat_map(move |count| vec(arg.clone(), count));
    let boxing = select(vec![
        Boxing::Int(1),
        Boxing::Uint(2),
        Boxing::Bool,
        Boxing::Object(6),
    ]);
    let ret = (proptest::option::of(select(Scalar::ALL.to_vec())), boxing);
    (ret, args).prop_map(|((ret, boxing), args)| {
        let unbox = |(scalar, unbox): &(Scalar, Unbox)| match scalar.is_float() {
            true => Unbox::Float,
            false => *unbox,
        };
        let call = ObjectCall {
            args: args.iter().map(unbox).collect(),
            ret: match ret {
                None => Boxing::None,
                Some(scalar) if scalar.is_float() => Boxing::Float,
                Some(_) => boxing,
            },
        };
        let types = args.iter().map(|&(scalar, _)| Type::Scalar(scalar));
        let ret = ret.map_or(Type::Void, Type::Scalar);
        let signature = Signature::new(ret, types.collect()).expect("scalars");
        (signature, call)
    })
}

/// Error numbers that are not kept, or are kept anywhere: some words near the thread pointer, some far from it.
fn any_errno() -> impl Strategy<Value = Option<ErrnoModel>> {
    let offset = || prop_oneof![0..0x200_0000, any::<i32>()];
    let last_error = (offset(), offset()).prop_map(|(own, kept)| LastError { own, kept });
    let errno = (
        offset(),
        offset(),
        offset(),
        proptest::option::of(last_error),
    );
    proptest::option::of(
        errno.prop_map(|(address, kept, given, last_error)| ErrnoModel {
            address,
            kept,
            given,
            last_error,
        }),
    )
}

/// Any types of arguments, with structures among them that are passed in every way.
fn any_declared() -> impl Strategy<Value = Signature> {
    let lists = [
        "b", "bbb", "7b", "i", "ii", "iii", "qi", "qq", "f", "ff", "fff", "4f", "d", "dd", "3d",
        "4d", "fi", "dq", "qf", "qqq", "9h", "40q", "600q",
    ];
    let structure =
        select(lists.to_vec()).prop_map(|list| signature(&format!("{{{list}}}()")).ret().clone());
    let scalar = select(Scalar::ALL.to_vec()).prop_map(Type::Scalar);
    let arg = prop_oneof![3 => structure.clone(), 2 => scalar.clone()];
    let count = prop_oneof![8 => 0..=12usize, 1 => 100..=300usize];
    let args = count.prop_flat_map(move |count| vec(arg.clone(), count));
    let ret = prop_oneof![1 => Just(Type::Void), 2 => scalar, 4 => structure];
    (ret, args).prop_map(|(ret, args)| Signature::new(ret, args).expect("a signature"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn call_operations_keep_to_their_frame_and_registers(
        abi in select(ABIS.to_vec()),
        (signature, call) in any_call(),
        innermost in any::<i32>(),
        errno in any_errno(),
    ) {
        let plan = plan(&signature, abi).expect("every scalar has a place");
        let model = ObjectModel { innermost, errno, ..model(abi) };
        let code = emit::call_objects(&plan, &call, &model, &shared(abi)).expect("memory").expect("an emitter for objects");
        check_code(&code).map_err(|why| TestCaseError::fail(format!("{signature} under {abi}: {why}")))?;
    }

    #[test]
    fn call_operations_on_structures_keep_to_their_frame_and_registers(
        abi in select(ABIS.to_vec()),
        signature in any_declared(),
        innermost in any::<i32>(),
    ) {
        let plan = plan(&signature, abi).expect("every structure has a place");
        let model = ObjectModel { innermost, ..model(abi) };
        let code = emit::call_objects(&plan, &declared(&signature), &model, &shared(abi)).expect("memory");
        let is_returned_far_away = plan.sret.is_some_and(|sret| sret.size > 256 || sret.size % 32 == 0);
        prop_assert_eq!(code.is_some(), !is_returned_far_away && emit::is_reasonable(&plan));
        if let Some(code) = code {
            check_code(&code).map_err(|why| TestCaseError::fail(format!("{signature} under {abi}: {why}")))?;
        }
    }

    #[test]
    fn callback_entries_on_objects_keep_to_their_frame_and_registers(
        abi in select(ABIS.to_vec()),
        signature in any_callback(),
        innermost in any::<i32>(),
        errno in any_errno(),
    ) {
        let model = ObjectModel { innermost, errno, ..model(abi) };
        let code = callback_entry(abi, &signature, &model);
        check_code(&code).map_err(|why| TestCaseError::fail(format!("{signature} under {abi}: {why}")))?;
    }
}

/// Any signature that a callback on objects may have.
fn any_callback() -> impl Strategy<Value = Signature> {
    let integers = Scalar::ALL.into_iter().filter(|scalar| !scalar.is_float());
    let integers: Vec<Type> = integers.map(Type::Scalar).collect();
    let count = prop_oneof![8 => 0..=30usize, 1 => 500..=MOST_ARGS];
    let arg = select(integers.clone());
    let args = count.prop_flat_map(move |count| vec(arg.clone(), count));
    let ret = prop_oneof![1 => Just(Type::Void), 4 => select(integers)];
    (ret, args).prop_map(|(ret, args)| Signature::new(ret, args).expect("scalars"))
}

#[test]
fn branches_of_the_longest_call_operations_reach() {
    let bytes = signature("{q}()").ret().clone();
    for (first, rest) in [
        (Type::I32, Type::U8),
        (Type::U8, bytes.clone()),
        (Type::I16, Type::U64),
        (bytes, Type::I64),
        (Type::POINTER, Type::F32),
        (Type::F32, Type::POINTER),
        (Type::I64, Type::POINTER),
    ] {
        let args: Vec<Type> = std::iter::once(first)
            .chain(vec![rest; MOST_ARGS - 1])
            .collect();
        let signature =
            Signature::new(Type::POINTER, args).expect("as many arguments as there may be");
        for abi in ABIS {
            let plan = plan(&signature, abi).expect("every scalar has a place");
            let model = ObjectModel {
                float_type: u64::MAX,
                ..model(abi)
            };
            for call in [call_of(&signature), declared(&signature)] {
                let code = emit::call_objects(&plan, &call, &model, &shared(abi)).expect("memory");
                assert!(code.is_some());
            }
        }
    }
}

#[test]
fn conventions_without_an_emitter_for_objects_have_none() {
    let signature = signature("i(ii)");
    for abi in Abi::ALL {
        let plan = plan(&signature, abi).expect("every scalar has a place");
        let call = emit::call_objects(&plan, &call_of(&signature), &model(abi), &shared(abi))
            .expect("memory");
        assert_eq!(call.is_some(), ABIS.contains(&abi));
        let shared = emit::shared_for_objects(abi, &model(abi)).expect("memory");
        assert_eq!(shared.is_some(), ABIS.contains(&abi));
        let entry = emit::callback_entry_objects(&plan, &model(abi), &[Delivery::Signed; 2], 0)
            .expect("memory");
        assert_eq!(entry.is_some(), ABIS.contains(&abi));
    }
}

#[test]
fn arguments_in_two_registers_at_once_go_through_slots() {
    let signature = signature("i(p.d)");
    let plan = plan(&signature, Abi::Win64).expect("every scalar has a place");
    let model = model(Abi::Win64);
    let code = emit::call_objects(&plan, &call_of(&signature), &model, &shared(Abi::Win64))
        .expect("memory");
    assert_eq!(code, None);
}
