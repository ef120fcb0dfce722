//! Tables of what was measured, in Markdown.

use std::fmt::Write;

use super::goals::GOALS;
use super::samples::Samples;

/// The goals, and every row that was measured.
pub fn text(samples: &Samples) -> String {
    let mut text = goals(samples);
    for (title, prefix, base) in [
        ("Calls from slots", "call/", "c"),
        ("C calls a function pointer", "callback/", "c"),
        ("Callbacks made and freed", "made", "farcall"),
        ("Functions made", "func/", ""),
        ("From MicroPython's scripts", "script/", "farcall"),
        ("MicroPython: a builtin function", "script add2", "farcall"),
        ("MicroPython: callbacks", "script callback", "farcall"),
        ("Arguments in registers", "flat/arguments/", "0"),
        ("With so many live callbacks", "flat/callbacks/", "1"),
        ("With so many signatures", "flat/signatures/", "1"),
    ] {
        let _ = write!(text, "{}", rows(samples, title, prefix, base));
    }
    text
}

/// The table of goals. Those whose rows were not measured are left out.
pub fn goals(samples: &Samples) -> String {
    let mut text = String::from(
        "| work | measured against | goal | measured | spread | | |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for goal in GOALS {
        let Some(judged) = (goal.figure)(samples) else {
            continue;
        };
        let met = goal.is_met(&judged);
        let value = goal.bound.show(judged.value);
        let spread = judged.spread.map_or(String::new(), |(min, max)| {
            format!("{} to {}", goal.bound.show(min), goal.bound.show(max))
        });
        let mut notes = vec![judged.note.as_str()];
        if !met {
            notes.push(goal.reason);
        }
        notes.retain(|note| !note.is_empty());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {value} | {spread} | {} | {} |",
            goal.work,
            goal.against,
            goal.bound,
            if met { "met" } else { "**missed**" },
            notes.join("; ")
        );
    }
    text
}

/// A table of all rows whose names begin so: nanoseconds and, where there is a base, how many times as long as the base's.
fn rows(samples: &Samples, title: &str, prefix: &str, base: &str) -> String {
    let Some(first) = samples.rows(prefix).next() else {
        return String::new();
    };
    let peers: Vec<&str> = samples.peers(first).collect();
    let mut text = format!("\n## {title}\n\n| | {} |\n|", peers.join(" | "));
    text.push_str(&" --- |".repeat(peers.len() + 1));
    text.push('\n');
    for row in samples.rows(prefix) {
        let _ = write!(text, "| {} |", row.trim_start_matches(prefix));
        for peer in &peers {
            let time = samples.time(row, peer).map(|time| time.median);
            let ratio = samples.ratio(row, peer, base).filter(|_| *peer != base);
            let ratio = ratio.map_or(String::new(), |ratio| format!(" ({:.2} ×)", ratio.median));
            match time {
                Some(ns) if ns >= 1000.0 => {
                    let _ = write!(text, " {:.1} µs{ratio} |", ns / 1000.0);
                }
                Some(ns) => {
                    let _ = write!(text, " {ns:.2} ns{ratio} |");
                }
                None => text.push_str(" |"),
            }
        }
        text.push('\n');
    }
    text
}
