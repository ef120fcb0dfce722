//! Counts the instructions of the trampolines for every convention, also those of other machines.

use super::Bench;
use crate::sampler;
use anyhow::{Context, Result};
use farcall_arch::abi::regs::Isa;
use farcall_arch::{Abi, Signature, Type, emit, plan};
use iced_x86::{Decoder, DecoderOptions};

/// Every signature under every convention.
pub fn of_trampolines(bench: &Bench) -> Result<()> {
    for abi in Abi::ALL {
        for case in &bench.cases {
            let ret = case.ret.chars().next().context("a result")?;
            let args = case.args.chars().map(type_of).collect();
            let signature = Signature::new(type_of(ret), args)?;
            let code = emit::call(&plan(&signature, abi)?)?;
            let count = match abi.convention().isa {
                Isa::X64 => Decoder::new(64, &code.bytes, DecoderOptions::NONE)
                    .iter()
                    .count(),
                Isa::A64 => code.bytes.len() / 4,
            };
            sampler::print_count(
                &format!("instructions/{abi}/{}", case.name),
                "farcall",
                count as f64,
            );
        }
    }
    Ok(())
}

/// The type of a letter, the same for every target: `L` is the eight bytes that the C code has for it.
fn type_of(letter: char) -> Type {
    match letter {
        'v' => Type::Void,
        'b' => Type::I8,
        'B' => Type::U8,
        'h' => Type::I16,
        'H' => Type::U16,
        'i' => Type::I32,
        'I' => Type::U32,
        'q' => Type::I64,
        'f' => Type::F32,
        'd' => Type::F64,
        _ => Type::U64,
    }
}
