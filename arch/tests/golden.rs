//! Listings: what is planned and emitted for a dozen signatures of each convention, to be read in review.
//!
//! A change of code shows as a change of these files. `INSTA_UPDATE=always cargo test -p farcall-arch --test golden`
//! rewrites them; do so on purpose, and read the difference.

mod common;

use common::decode::{self, decode};
use common::{place, places, signature, slug};
use farcall_arch::abi::regs::Isa;
use farcall_arch::emit::unwind::{FrameChangeKind, unwind_info};
use farcall_arch::emit::{self, Code};
use farcall_arch::{Abi, Extend, Plan, Signature, plan};
use std::fmt::Write;

/// Each with the name of its file.
const SIGNATURES: [(&str, &str); 13] = [
    ("nothing", "v()"),
    ("void-of-two", "v(qq)"),
    ("int-of-int", "i(i)"),
    ("long-of-two", "q(qq)"),
    ("float-of-float", "f(f)"),
    ("double-of-three", "d(ddf)"),
    ("every-integer", "b(bBhHiIqQ)"),
    ("eight-mixed", "i(idqfhdBp)"),
    ("twelve-longs", "q(12q)"),
    ("twelve-floats", "d(9dffd)"),
    ("packed-on-apple", "v(8qbhifqdBf)"),
    ("printf", "i(p.idqd)"),
    ("variadic-with-named-floats", "i(df.idqd)"),
];

#[test]
fn signature_listings_are_as_reviewed() {
    for abi in Abi::ALL {
        for (name, text) in SIGNATURES {
            let signature = signature(text);
            let plan = plan(&signature, abi).expect("every scalar has a place");
            let mut listing = head(&signature, &plan);
            list(&mut listing, "call trampoline", &emit::call(&plan));
            list(&mut listing, "callback entry", &emit::callback_entry(&plan));
            assert_golden(abi, name, &listing);
        }
    }
}

#[test]
fn thunks_and_closed_entry_are_as_reviewed() {
    for abi in Abi::ALL {
        let mut listing = format!("what callbacks of {abi} share\n");
        list(&mut listing, "closed entry", &emit::closed_entry(abi));
        let thunks = emit::thunks(abi, 2, 4096);
        list(
            &mut listing,
            "two thunks, records 4096 bytes behind",
            &thunks,
        );
        assert_golden(abi, "shared", &listing);
    }
}

fn assert_golden(abi: Abi, name: &str, listing: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("golden/{}", slug(abi)));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, listing));
}

fn head(signature: &Signature, plan: &Plan) -> String {
    let mut text = format!("{signature} under {}\n{}\n\n", plan.abi, places(plan));
    let args = plan.args.iter().map(|piece| ("argument", piece));
    let mirrors = plan.mirrors.iter().map(|piece| ("mirror of", piece));
    let ret = plan.ret.iter().map(|piece| ("result", piece));
    for (what, piece) in args.chain(mirrors).chain(ret) {
        let number = match what {
            "result" => String::new(),
            _ => format!("{}", piece.value + 1),
        };
        let extend = match piece.extend {
            Extend::None => "",
            Extend::Sign => "sign-extended",
            Extend::Zero => "zero-extended",
        };
        let line = format!(
            "{what:9} {number:2}  slot byte {:3}, {} wide  {:8}  {extend}",
            piece.slot,
            piece.width,
            place(plan.abi, piece),
        );
        writeln!(text, "{}", line.trim_end()).expect("a String takes everything");
    }
    text
}

/// The instructions, with what each did to the frame beside it.
fn list(text: &mut String, title: &str, code: &Code) {
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
