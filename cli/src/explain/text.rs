//! An explanation as text: a table, registers as a picture, the stack as a ladder. It is in colour on a terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::model::{Bank, Cell, Explanation, Held, Value, Who};

/// The colours of the arguments, in turn.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Red,
];

pub fn style(who: Who) -> Style {
    match who {
        Who::Argument(index) => COLOURS[index % COLOURS.len()].on_default(),
        Who::Result => AnsiColor::White.on_default().bold(),
        Who::Convention => AnsiColor::White.on_default(),
        Who::Shadow | Who::Padding => Style::new().dimmed(),
    }
}

fn painted(who: Who, text: &str) -> String {
    let style = style(who);
    format!("{style}{text}{style:#}")
}

fn heading(text: &str) -> String {
    let style = Style::new().bold();
    format!("{style}{text}{style:#}")
}

/// The whole explanation.
pub fn text(explanation: &Explanation) -> String {
    let mut out = format!("{}\n", heading(&explanation.prototype));
    let abi = explanation.plan.abi;
    out += &format!("{abi}, {}\n\n", explanation.target.name());
    table(explanation, &mut out);
    for bank in &explanation.registers {
        if bank
            .registers
            .iter()
            .any(|register| register.holds.is_some())
        {
            out.push('\n');
            picture(bank, &mut out);
        }
    }
    if !explanation.stack.is_empty() {
        out.push('\n');
        ladder(explanation, &mut out);
    }
    out.push('\n');
    for note in &explanation.notes {
        out += &format!("* {note}\n");
    }
    out
}

fn table(explanation: &Explanation, out: &mut String) {
    let values = explanation.arguments.iter().enumerate();
    let mut rows: Vec<(Who, String, &Value)> = values
        .map(|(index, value)| {
            (
                Who::Argument(index),
                format!("argument {}", index + 1),
                value,
            )
        })
        .collect();
    rows.push((Who::Result, "result".to_owned(), &explanation.result));
    let names = rows
        .iter()
        .map(|(_, name, _)| name.len())
        .max()
        .unwrap_or(0);
    let types = rows
        .iter()
        .map(|(.., value)| value.declared.chars().count());
    let types = types.max().unwrap_or(0).min(44);
    for (who, name, value) in rows {
        let declared = &value.declared;
        let mut lines = place_lines(value);
        if lines.is_empty() {
            lines.push(
                if value.size == 0 && who == Who::Result {
                    "nothing"
                } else {
                    "memory"
                }
                .to_owned(),
            );
        }
        for (number, line) in lines.iter().enumerate() {
            let (name, declared) = match number {
                0 => (name.as_str(), declared.as_str()),
                _ => ("", ""),
            };
            let text = format!("  {name:names$}  {declared:types$}  ");
            let _ = writeln!(out, "{}{line}", painted(who, &text));
        }
        for note in &value.notes {
            let _ = writeln!(out, "  {:names$}  {:types$}    {note}", "", "");
        }
    }
}

/// Lines with the place of each part of a value.
fn place_lines(value: &Value) -> Vec<String> {
    let is_whole = value.parts.len() == 1;
    let line = |part: &super::model::Part| {
        let place = match part.is_address {
            true => format!("address in {}", part.place),
            false => part.place.clone(),
        };
        let (first, count) = part.bytes;
        let bytes = match is_whole {
            true => part.extend.to_owned(),
            false => format!("bytes {first}–{}", (first + count).saturating_sub(1)),
        };
        format!("{place:10}  {bytes}").trim_end().to_owned()
    };
    value.parts.iter().map(line).collect()
}

/// The lines of a box: its label, and a detail.
fn lines(held: &Held) -> [&str; 2] {
    [&held.label, &held.detail]
}

fn picture(bank: &Bank, out: &mut String) {
    let has_detail = bank.registers.iter().flat_map(|it| &it.holds);
    let has_detail = has_detail.clone().any(|held| !held.detail.is_empty());
    let rows = if has_detail { 2 } else { 1 };
    let width_of = |register: &super::model::Register| {
        let held = register.holds.iter().flat_map(lines);
        let widest = held.map(|text| text.chars().count()).max().unwrap_or(0);
        widest.max(register.name.len()).max(5)
    };
    let widths: Vec<usize> = bank.registers.iter().map(width_of).collect();
    let _ = writeln!(out, "  {}", bank.title);
    let mut names = String::from(" ");
    for (register, &width) in bank.registers.iter().zip(&widths) {
        let _ = write!(names, "  {:^width$} ", register.name);
    }
    let _ = writeln!(out, "{}", names.trim_end());
    let rule = |left, middle, right| {
        let parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("  {left}{}{right}\n", parts.join(middle))
    };
    *out += &rule("┌", "┬", "┐");
    for row in 0..rows {
        *out += "  │";
        for (register, &width) in bank.registers.iter().zip(&widths) {
            let text = match &register.holds {
                Some(held) => painted(held.who, &format!(" {:^width$} ", lines(held)[row])),
                None => " ".repeat(width + 2),
            };
            let _ = write!(out, "{text}│");
        }
        out.push('\n');
    }
    *out += &rule("└", "┴", "┘");
}

/// Writes the stack, with the highest address first.
fn ladder(explanation: &Explanation, out: &mut String) {
    let pointer = explanation.stack_pointer();
    let text_of = |cell: &Cell| {
        let Held { label, detail, .. } = &cell.held;
        let words: Vec<&str> = [label.as_str(), detail.as_str()]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect();
        words.join(": ")
    };
    let width = explanation
        .stack
        .iter()
        .map(|cell| text_of(cell).chars().count());
    let width = width.max().unwrap_or(0).max(16);
    let _ = writeln!(out, "  stack at the call, highest address first");
    for (number, cell) in explanation.stack.iter().rev().enumerate() {
        let rule = "─".repeat(width + 2);
        let (left, right) = if number == 0 {
            ("┌", "┐")
        } else {
            ("├", "┤")
        };
        let _ = writeln!(out, "  {:>10}  {left}{rule}{right}", "");
        let address = match cell.offset {
            0 => pointer.to_owned(),
            offset => format!("{pointer} + {offset}"),
        };
        let text = painted(cell.held.who, &format!(" {:width$} ", text_of(cell)));
        let s = if cell.size == 1 { "" } else { "s" };
        let _ = writeln!(out, "  {address:>10}  │{text}│ {} byte{s}", cell.size);
    }
    let _ = writeln!(out, "  {:>10}  └{}┘", "", "─".repeat(width + 2));
}
