//! The disassembled code for a call and for a callback.

use farcall_arch::abi::regs::Isa;
use farcall_arch::emit::{self, Code};
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

use super::model::Explanation;
use super::narrate::{Direction, Narrator};
use crate::failure::{Failure, Result};

/// Code with comments.
pub struct Listing {
    pub title: &'static str,
    pub bytes: usize,
    pub lines: Vec<Line>,
}

/// One instruction.
pub struct Line {
    pub offset: usize,
    pub text: String,
    pub comment: String,
}

/// The listings of the trampoline for calls, and of the entry through which C calls a callback of the same signature.
pub fn listings(explanation: &Explanation) -> Result<Vec<Listing>> {
    let plan = &explanation.plan;
    let call = emit::call(plan).map_err(Failure::of)?;
    let mut listings = vec![listing(explanation, "call", Direction::Call, &call)];
    // A callback could not know which arguments C passes after a `...`.
    if !explanation.is_variadic {
        let entry = emit::callback_entry(plan).map_err(Failure::of)?;
        listings.push(listing(
            explanation,
            "callback",
            Direction::Callback,
            &entry,
        ));
    }
    Ok(listings)
}

fn listing(
    explanation: &Explanation,
    title: &'static str,
    direction: Direction,
    code: &Code,
) -> Listing {
    let instructions = match code.abi.convention().isa {
        Isa::X64 => decoded_x64(&code.bytes),
        Isa::A64 => decoded_a64(&code.bytes),
    };
    let mut narrator = Narrator::new(explanation, direction);
    let lines = instructions.into_iter().map(|(offset, text)| Line {
        comment: narrator.comment(&text),
        offset,
        text,
    });
    Listing {
        title,
        bytes: code.bytes.len(),
        lines: lines.collect(),
    }
}

fn decoded_x64(bytes: &[u8]) -> Vec<(usize, String)> {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_space_between_memory_add_operators(true);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_branch_leading_zeros(false);
    let decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let decoded = decoder.into_iter().map(|instruction| {
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        (instruction.ip() as usize, text)
    });
    decoded.collect()
}

fn decoded_a64(bytes: &[u8]) -> Vec<(usize, String)> {
    let decoder = InstDecoder::default();
    let words = bytes.chunks(4).enumerate();
    let decoded = words.map(|(index, word)| {
        let text = match decoder.decode(&mut U8Reader::new(word)) {
            Ok(instruction) => instruction.to_string(),
            Err(_) => format!(".word {word:02x?}"),
        };
        // The disassembler shows hints only by their numbers.
        let text = match text.as_str() {
            "hint #0x22" => "bti c".to_owned(),
            _ => text,
        };
        (index * 4, text)
    });
    decoded.collect()
}
