//! Reads any string as a signature: an error, or plans and code for every convention.

use farcall::{Codes, Role};
use farcall_arch::abi::check::check;
use farcall_arch::abi::regs::Isa;
use farcall_arch::emit::{self, Code};
use farcall_arch::{Abi, plan};
use iced_x86::{Decoder, DecoderOptions, OpKind};
use std::collections::HashSet;
use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Operand};

/// The most bytes of code that an argument may take.
const BYTES_PER_ARG: usize = 48;

/// The most bytes of structs: the checker keeps a note of each.
const LARGEST: u32 = 1 << 8;

/// Reads the first letter, or the text before a bar, as the result's type, and the rest as the arguments'. Every signature must have a plan
/// under every convention, and its code must consist of instructions whose branches lead to instructions.
///
/// # Panics
/// When it is otherwise.
pub fn codes(text: &str) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let (ret, args) = text.split_once('|').unwrap_or_else(|| text.split_at(first));
    let codes = Codes::parse(ret, args, Role::Function);
    let Ok(signature) = codes.and_then(|codes| codes.signature()) else {
        return;
    };
    let types = signature.args().iter().chain([signature.ret()]);
    let structs: u32 = types.map(|ty| ty.size().saturating_sub(16)).sum();
    if structs > LARGEST {
        return;
    }
    for abi in Abi::ALL {
        let plan = plan(&signature, abi).expect("every code has a place");
        check(&signature, &plan).expect("a sound plan");
        for code in [emit::call(&plan), emit::callback_entry(&plan)] {
            let code = code.expect("memory");
            assert!(code.bytes.len() <= 256 + BYTES_PER_ARG * args.len() + 4 * structs as usize);
            walk(&code);
        }
    }
}

/// Whether `code` consists of instructions from end to end, and each branch leads to one of them.
fn walk(code: &Code) {
    let (starts, targets) = match code.abi.convention().isa {
        Isa::X64 => walk_x64(&code.bytes),
        Isa::A64 => walk_a64(&code.bytes),
    };
    let outside = targets.iter().find(|target| !starts.contains(target));
    assert_eq!(outside, None, "a branch out of {:x?}", code.bytes);
}

/// Where instructions begin, and where branches lead.
type Walk = (HashSet<u64>, Vec<u64>);

fn walk_x64(bytes: &[u8]) -> Walk {
    let (mut starts, mut targets) = (HashSet::new(), Vec::new());
    for instruction in Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE) {
        assert!(!instruction.is_invalid(), "no instruction in {bytes:x?}");
        starts.insert(instruction.ip());
        if instruction.op0_kind() == OpKind::NearBranch64 {
            targets.push(instruction.near_branch_target());
        }
    }
    (starts, targets)
}

fn walk_a64(bytes: &[u8]) -> Walk {
    let (mut starts, mut targets) = (HashSet::new(), Vec::new());
    assert_eq!(bytes.len() % 4, 0);
    for (place, word) in (0_u64..).step_by(4).zip(bytes.chunks(4)) {
        let decoded = InstDecoder::default().decode(&mut U8Reader::new(word));
        let decoded = decoded.unwrap_or_else(|error| panic!("{word:x?}: {error}"));
        starts.insert(place);
        for operand in decoded.operands {
            if let Operand::PCOffset(offset) = operand {
                targets.push(place.wrapping_add_signed(offset));
            }
        }
    }
    (starts, targets)
}
