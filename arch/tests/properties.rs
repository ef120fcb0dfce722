//! What holds for every signature under every convention.
//!
//! The emitted code is judged by what disassemblers that are not ours make of it, and by the frame notes that unwinding
//! goes by, which are compared with what the instructions do to the stack pointer.

mod common;

use common::EMITTERS;
use common::decode::{Flow, StackMove, decode};
use common::frame::check_code;
use farcall_arch::abi::Dialect;
use farcall_arch::abi::check::check;
use farcall_arch::abi::regs::{Gpr, Isa};
use farcall_arch::emit::unwind::unwind_info;
use farcall_arch::emit::{self, Code, THUNK_SIZE, record};
use farcall_arch::{
    Abi, Extend, Float, Place, Plan, PlanError, Scalar, Signature, Struct, Type, Wide, plan,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// As many arguments as a program may well have.
const MOST_ARGS: usize = 3000;

/// A type as C passes it behind a `...`.
fn promoted(ty: &Type) -> Type {
    match ty {
        Type::Scalar(Scalar::I8 | Scalar::U8 | Scalar::I16 | Scalar::U16) => Type::I32,
        &Type::F32 => Type::F64,
        other => other.clone(),
    }
}

fn any_scalar() -> BoxedStrategy<Type> {
    select(Scalar::ALL.to_vec()).prop_map(Type::Scalar).boxed()
}

/// Types of every kind that a machine has: mostly scalars, and structures as people write them.
fn any_type(isa: Isa) -> BoxedStrategy<Type> {
    let has_x87 = isa == Isa::X64;
    let wides = Wide::ALL
        .into_iter()
        .filter(|&wide| has_x87 || wide != Wide::F80);
    let parts = Float::ALL
        .into_iter()
        .filter(|&part| has_x87 || part != Float::F80);
    let wide = select(wides.collect::<Vec<_>>()).prop_map(Type::Wide);
    let complex = select(parts.collect::<Vec<_>>()).prop_map(Type::Complex);
    let number = prop_oneof![8 => any_scalar(), 1 => wide, 1 => complex].boxed();
    let repeated = (number.clone(), 1..=5usize).prop_map(|(ty, count)| vec![ty; count]);
    let mixed = vec(number.clone(), 1..=5);
    let members = prop_oneof![repeated.boxed(), mixed.boxed()];
    let structure =
        members.prop_recursive(3, 12, 4, |members| vec(any_struct(members.boxed()), 1..=3));
    prop_oneof![4 => number, 3 => any_struct(structure.boxed())].boxed()
}

/// A structure as it comes, over-aligned or packed, or a union.
fn any_struct(members: BoxedStrategy<Vec<Type>>) -> BoxedStrategy<Type> {
    let make = |(members, how): (Vec<Type>, u32)| {
        let natural = Struct::new(members.clone()).expect("a few members");
        let made = match how {
            0 => Struct::with_layout(members, natural.size().next_multiple_of(16), 16),
            1 => Struct::with_layout(members, natural.size(), 1),
            2 => Struct::union(members),
            _ => Ok(natural),
        };
        Type::try_from(made.expect("a few members")).expect("memory")
    };
    (members, 0..10u32).prop_map(make).boxed()
}

fn any_signature(ty: BoxedStrategy<Type>) -> impl Strategy<Value = Signature> {
    let ret = prop_oneof![1 => Just(Type::Void), 4 => ty.clone()];
    // Mostly what people write; at times more than short offsets and single pages reach.
    let count =
        prop_oneof![16 => 0..=12usize, 8 => 0..=40usize, 2 => 60..=80usize, 1 => 500..=MOST_ARGS];
    let args = count.prop_flat_map(move |count| vec(ty.clone(), count));
    let dots = proptest::option::weighted(0.3, any::<Index>());
    (ret, args, dots).prop_map(|(ret, args, dots)| {
        let fixed = dots.map(|dots| dots.index(args.len() + 1));
        let is_named = |index| fixed.is_none_or(|fixed| index < fixed);
        let types = args
            .iter()
            .enumerate()
            .map(|(index, ty)| match is_named(index) {
                true => ty.clone(),
                false => promoted(ty),
            });
        match fixed {
            Some(fixed) => Signature::variadic(ret, types.collect(), fixed),
            None => Signature::new(ret, types.collect()),
        }
        .expect("a signature that C could have")
    })
}

/// A convention and a signature of any types.
fn any_case() -> impl Strategy<Value = (Abi, Signature)> {
    any_abi().prop_flat_map(|abi| {
        let ty = any_type(abi.convention().isa);
        (Just(abi), any_signature(ty))
    })
}

fn any_abi() -> impl Strategy<Value = Abi> {
    select(Abi::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_signature_has_a_plan_that_the_checker_agrees_with((abi, signature) in any_case()) {
        match plan(&signature, abi) {
            Ok(plan) => prop_assert_eq!(check(&signature, &plan), Ok(())),
            Err(error) => prop_assert!(matches!(error, PlanError::TooLarge { .. }), "{error}"),
        }
    }

    #[test]
    fn plan_with_one_mistake_is_rejected(
        (abi, signature) in any_case(),
        mistake in select(MISTAKES.to_vec()),
        at in any::<Index>(),
    ) {
        let planned = plan(&signature, abi);
        prop_assume!(planned.is_ok());
        let mut plan = planned.expect("a plan");
        let before = plan.clone();
        mistake(&mut plan, at);
        prop_assume!(plan != before);
        prop_assert!(check(&signature, &plan).is_err(), "{signature}: {plan:?}");
    }

    #[test]
    fn emitted_code_keeps_to_its_frame_and_registers((abi, signature) in any_case()) {
        let Ok(plan) = plan(&signature, abi) else { return Ok(()) };
        for (emitter, emit) in EMITTERS {
            let code = emit(&plan).expect("memory");
            check_code(&code).map_err(|why| TestCaseError::fail(format!("{emitter} {signature} under {abi}: {why}")))?;
            prop_assert_eq!(Ok(code), emit(&plan));
        }
    }

    #[test]
    fn windows_unwind_codes_tell_what_the_prologue_does(signature in any_signature(any_type(Isa::X64))) {
        let Ok(plan) = plan(&signature, Abi::Win64) else { return Ok(()) };
        for (_, emit) in EMITTERS {
            let code = emit(&plan).expect("memory");
            prop_assert_eq!(told_by_unwind_info(&code), done_by_prologue(&code));
        }
    }
}

type Mistake = fn(&mut Plan, Index);

const MISTAKES: [Mistake; 12] = [
    |plan, at| {
        if !plan.args.is_empty() {
            plan.args.remove(at.index(plan.args.len()));
        }
    },
    |plan, at| {
        if plan.args.len() > 1 {
            let first = at.index(plan.args.len() - 1);
            let place = plan.args[first].place;
            plan.args[first].place = plan.args[first + 1].place;
            plan.args[first + 1].place = place;
        }
    },
    |plan, at| {
        if !plan.args.is_empty() {
            let mv = at.get_mut(&mut plan.args);
            mv.extend = match mv.extend {
                Extend::None | Extend::Zero => Extend::Sign,
                Extend::Sign => Extend::Zero,
            };
        }
    },
    |plan, at| {
        if !plan.args.is_empty() {
            at.get_mut(&mut plan.args).slot_offset += 8;
        }
    },
    |plan, _| plan.stack += 16,
    |plan, _| plan.copies += 16,
    |plan, at| {
        if !plan.args.is_empty() {
            let mv = at.get_mut(&mut plan.args);
            mv.copy = match mv.copy {
                Some(copy) => Some(copy + 16),
                None => Some(0),
            };
        }
    },
    |plan, at| {
        if !plan.args.is_empty() {
            at.get_mut(&mut plan.args).width += 1;
        }
    },
    |plan, _| {
        if let Some(sret) = &mut plan.sret {
            sret.pointer = Gpr::new(sret.pointer.number() + 1);
        }
    },
    |plan, _| plan.ret.truncate(plan.ret.len().saturating_sub(1)),
    |plan, at| {
        if !plan.mirrors.is_empty() {
            plan.mirrors.remove(at.index(plan.mirrors.len()));
        }
    },
    |plan, at| {
        let stacked = |mv: &&mut farcall_arch::Move| matches!(mv.place, Place::Stack { .. });
        let mut stacked: Vec<_> = plan.args.iter_mut().filter(stacked).collect();
        if !stacked.is_empty() {
            let mv = at.get_mut(&mut stacked);
            if let Place::Stack { offset, .. } = &mut mv.place {
                *offset += 8;
            }
        }
    },
];

/// What an x64 prologue does, by the offset of the next instruction: pushes of a register, and bytes taken.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Push(u8),
    Allocate(u32),
}

/// By the format of Microsoft's "x64 exception handling", read back.
fn told_by_unwind_info(code: &Code) -> Vec<(u32, Step)> {
    let Some(info) = unwind_info(code) else {
        return Vec::new();
    };
    assert_eq!((info[0], info[3], info.len() % 4), (1, 0, 0));
    let words: Vec<u16> = info[4..]
        .chunks(2)
        .map(|word| u16::from_le_bytes(word.try_into().expect("two bytes")))
        .collect();
    let (mut steps, mut words) = (Vec::new(), words[..info[2].into()].iter());
    while let Some(&word) = words.next() {
        let [offset, operation] = word.to_le_bytes();
        let mut next = || u32::from(*words.next().expect("the rest of the code"));
        let step = match (operation & 15, operation >> 4) {
            (0, register) => Step::Push(register),
            (1, 0) => Step::Allocate(next() * 8),
            (1, 1) => Step::Allocate(next() | next() << 16),
            (2, size) => Step::Allocate(u32::from(size) * 8 + 8),
            other => panic!("no operation {other:?} was expected"),
        };
        steps.push((u32::from(offset), step));
    }
    steps.reverse();
    if let Some(&(end, _)) = steps.last() {
        assert_eq!(end, u32::from(info[1]), "the prologue's length");
    }
    steps
}

fn done_by_prologue(code: &Code) -> Vec<(u32, Step)> {
    let mut steps = Vec::new();
    for instruction in decode(code) {
        let offset = instruction.offset + instruction.len;
        match instruction.stack {
            StackMove::By(bytes) if bytes < 0 && instruction.text == "push rbx" => {
                steps.push((offset, Step::Push(3)))
            }
            StackMove::By(bytes) if bytes < 0 => {
                steps.push((offset, Step::Allocate(-bytes as u32)))
            }
            StackMove::By(_) => break,
            StackMove::None | StackMove::ToFramePointer => {}
        }
    }
    steps
}

#[test]
fn every_thunk_finds_its_own_record_in_the_largest_block() {
    let block = 64 * 1024;
    let count = block / THUNK_SIZE;
    for abi in Abi::ALL {
        let code = emit::thunks(abi, count, block).expect("memory");
        assert_eq!(code.bytes.len(), block);
        for index in [0, 1, count - 1] {
            let start = index * THUNK_SIZE;
            let thunk = Code {
                bytes: code.bytes[start..start + THUNK_SIZE].to_vec(),
                ..code.clone()
            };
            let instructions = decode(&thunk);
            let address = &instructions[1];
            // "lea r10, [rip+0x...]" counts from the next instruction, "adr x16, $+0x..." from itself.
            let (_, digits) = address.text.split_once("+0x").expect("an offset");
            let from = match abi.convention().isa {
                Isa::X64 => address.offset + address.len,
                Isa::A64 => address.offset,
            };
            let digits = digits.trim_end_matches(']');
            let offset = usize::from_str_radix(digits, 16).expect("hexadecimal digits");
            let record = start + from as usize + offset;
            assert_eq!(
                record,
                block + index * record::SIZE,
                "thunk {index} of {abi}"
            );
            let jump = instructions.iter().find(|i| i.flow == Flow::Jump);
            assert!(jump.is_some(), "{instructions:?}");
        }
    }
}

#[test]
fn largest_signature_fits_what_unwind_codes_can_tell() {
    let args = vec![Type::F64; MOST_ARGS];
    let signature = Signature::new(Type::F64, args).expect("a signature");
    let plan = plan(&signature, Abi::Win64).expect("every scalar has a place");
    for code in [emit::call(&plan), emit::callback_entry(&plan)] {
        let code = code.expect("memory");
        assert_eq!(told_by_unwind_info(&code), done_by_prologue(&code));
    }
}

/// Frames beyond what one instruction reaches, and of more pages than are touched one by one.
#[test]
fn code_for_large_values_keeps_to_its_frame() {
    let block = |bytes| {
        let made = Struct::new(vec![Type::U8; bytes]).expect("not larger than any value");
        Type::try_from(made).expect("memory")
    };
    for abi in Abi::ALL {
        // Planning is slow without optimization, so one convention has more than an addition reaches.
        let most = if abi == Abi::Aapcs64(Dialect::Linux) {
            17 << 20
        } else {
            (1 << 20) + 5
        };
        for bytes in [300_000, most] {
            let args = vec![Type::I32, block(bytes), Type::F64, block(7)];
            let signature = Signature::new(block(bytes + 1), args).expect("a signature");
            let plan = plan(&signature, abi).expect("a plan");
            for (emitter, emit) in EMITTERS {
                let code = emit(&plan).expect("memory");
                assert_eq!(check_code(&code), Ok(()), "{emitter}, {bytes} bytes, {abi}");
                assert!(code.bytes.len() < 2048, "{emitter}, {bytes} bytes, {abi}");
            }
        }
    }
}
