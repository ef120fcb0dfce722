//! Listings: what is planned and emitted for a dozen signatures of each convention, to be read in review.
//!
//! A change of code shows as a change of these files. `INSTA_UPDATE=always cargo test -p farcall-arch --test golden`
//! rewrites them; do so on purpose, and read the difference.

mod common;

use common::listing::{assert_golden, list};
use common::{place, places, signature};
use farcall_arch::emit;
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

/// The same for values wider than a register, and with pointers to arguments.
const WIDE: [(&str, &str); 9] = [
    ("pointers-int-of-two", "i(ii)"),
    ("pointers-mixed", "d(idqfhdBp)"),
    ("wide-two-doubles", "{2d}({2d})"),
    ("wide-mixed-pair", "{qd}(i{qd}{3b})"),
    ("wide-odd-bytes", "{7b}({7b}{13b})"),
    ("wide-in-memory", "{5q}({5q}q)"),
    ("wide-large-block", "v({600b}i)"),
    ("wide-int128", "o(io)"),
    ("wide-complex", "D(FD)"),
];

#[test]
fn wide_signature_listings_are_as_reviewed() {
    for abi in Abi::ALL {
        for (name, text) in WIDE {
            assert_wide(abi, name, text);
        }
    }
    for (name, text) in [("wide-x87", "e(ie)"), ("wide-complex-x87", "E(E)")] {
        for abi in [Abi::SysV64, Abi::Win64] {
            assert_wide(abi, name, text);
        }
    }
}

/// The code on slots.
fn list_on_slots(listing: &mut String, plan: &Plan) {
    let (call, callback) = (
        emit::call(plan).expect("memory"),
        emit::callback_entry(plan).expect("memory"),
    );
    list(listing, "call trampoline", &call);
    list(listing, "callback entry", &callback);
}

fn assert_wide(abi: Abi, name: &str, text: &str) {
    let signature = signature(text);
    let plan = plan(&signature, abi).expect("a plan");
    let mut listing = head(&signature, &plan);
    list_on_slots(&mut listing, &plan);
    let (call, callback) = (
        emit::call_pointers(&plan).expect("memory"),
        emit::callback_entry_pointers(&plan).expect("memory"),
    );
    list(&mut listing, "call trampoline on pointers", &call);
    list(&mut listing, "callback entry on pointers", &callback);
    assert_golden(abi, name, &listing);
}

#[test]
fn signature_listings_are_as_reviewed() {
    for abi in Abi::ALL {
        for (name, text) in SIGNATURES {
            let signature = signature(text);
            let plan = plan(&signature, abi).expect("every scalar has a place");
            let mut listing = head(&signature, &plan);
            list_on_slots(&mut listing, &plan);
            assert_golden(abi, name, &listing);
        }
    }
}

#[test]
fn thunks_are_as_reviewed() {
    for abi in Abi::ALL {
        let mut listing = format!("what callbacks of {abi} share\n");
        let thunks = emit::thunks(abi, 2, 4096).expect("memory");
        list(
            &mut listing,
            "two thunks, records 4096 bytes behind",
            &thunks,
        );
        assert_golden(abi, "thunks", &listing);
    }
}

fn head(signature: &Signature, plan: &Plan) -> String {
    let mut text = format!("{signature} under {}\n{}\n\n", plan.abi, places(plan));
    let args = plan.args.iter().map(|mv| ("argument", mv));
    let mirrors = plan.mirrors.iter().map(|mv| ("mirror of", mv));
    let ret = plan.ret.iter().map(|mv| ("result", mv));
    for (what, mv) in args.chain(mirrors).chain(ret) {
        let number = match what {
            "result" => String::new(),
            _ => format!("{}", mv.value + 1),
        };
        let extend = match mv.extend {
            Extend::None => "",
            Extend::Sign => "sign-extended",
            Extend::Zero => "zero-extended",
        };
        let line = format!(
            "{what:9} {number:2}  slot byte {:3}, {} wide  {:8}  {extend}",
            mv.slot_offset,
            mv.width,
            place(plan.abi, mv),
        );
        writeln!(text, "{}", line.trim_end()).expect("a String takes everything");
    }
    text
}
