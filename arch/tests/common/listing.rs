//! Listings as text, and their comparison with the reviewed ones.

use super::decode::{self, decode};
use super::slug;
use farcall_arch::Abi;
use farcall_arch::abi::regs::Isa;
use farcall_arch::emit::Code;
use farcall_arch::emit::unwind::{FrameChangeKind, unwind_info};
use std::fmt::{Display, Write};

/// Compares with `golden/<convention>/<name>.snap`.
pub fn assert_golden(abi: Abi, name: &str, listing: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../golden/{}", slug(abi)));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, listing));
}

/// A listing of some code under a title.
pub fn of(title: impl Display, code: &Code) -> String {
    let mut text = format!("{title} under {}\n", code.abi);
    list(&mut text, "code", code);
    text
}

/// Adds the instructions, with what each did to the frame beside it.
pub fn list(text: &mut String, title: &str, code: &Code) {
    let isa = code.abi.convention().isa;
    let instructions = decode(code);
    let count = instructions.len();
    writeln!(
        text,
        "\n{title}: {count} instructions, {} bytes",
        code.bytes.len()
    )
    .expect("a String takes everything");
    for instruction in &instructions {
        let next = instruction.offset + instruction.len;
        let changes = code.frame.iter().filter(|change| change.offset == next);
        let notes: Vec<String> = changes.map(|change| note(isa, change.kind)).collect();
        let line = format!(
            "{:5}  {:40}  {}",
            instruction.offset,
            instruction.text,
            notes.join(", ")
        );
        writeln!(text, "{}", line.trim_end()).expect("a String takes everything");
    }
    if code.abi == Abi::Win64
        && let Some(info) = unwind_info(code)
    {
        let bytes: Vec<String> = info.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "       UNWIND_INFO {}", bytes.join(" "))
            .expect("a String takes everything");
    }
}

fn note(isa: Isa, kind: FrameChangeKind) -> String {
    let stack_pointer = match isa {
        Isa::X64 => "rsp",
        Isa::A64 => "sp",
    };
    let name = |register| decode::dwarf_name(isa, register);
    match kind {
        FrameChangeKind::CfaOffset(bytes) => format!("cfa = {stack_pointer} + {bytes}"),
        FrameChangeKind::Saved(register, below) => format!("{} at cfa - {below}", name(register)),
        FrameChangeKind::Restored(register) => format!("{} back", name(register)),
    }
}
