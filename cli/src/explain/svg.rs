//! An explanation as a picture: the prototype, the registers, and the stack beside them. Each argument has its own colour.

use super::canvas::{COLOURS, Canvas, Font, cut, wrapped};
use super::model::{Bank, Cell, Explanation, Held, Value, Who};

const MARGIN: f64 = 28.0;
/// The width of the left part: nine registers.
const LEFT: f64 = 656.0;
const BOX: (f64, f64) = (68.0, 46.0);
const PITCH: f64 = 73.0;
/// The stack's left edge.
const STACK_X: f64 = MARGIN + LEFT + 36.0;
const OFFSETS: f64 = 74.0;
const STACK_BOX: f64 = 176.0;
/// The most stack words that are shown. More are left out.
const MOST_CELLS: usize = 22;

/// A mark for a space at which no line is broken.
const GLUE: &str = "\u{1}";

const TITLE: Font = Font::mono(16.0, "b ink");
const SECTION: Font = Font::sans(13.0, "b ink");
const SMALL: Font = Font::sans(12.0, "mute");
const NAME: Font = Font::mono(12.0, "mute");
const LABEL: Font = Font::mono(12.5, "b ink");
const DETAIL: Font = Font::mono(9.5, "mute");
const CODE: Font = Font::mono(12.0, "ink");

/// The whole picture.
pub fn svg(explanation: &Explanation) -> String {
    let mut canvas = Canvas::default();
    let has_stack = !explanation.stack.is_empty();
    let width = match has_stack {
        true => STACK_X + OFFSETS + STACK_BOX + MARGIN,
        false => MARGIN + LEFT + MARGIN,
    };
    let top = title(&mut canvas, explanation, width - 2.0 * MARGIN);
    let mut y = top;
    for bank in &explanation.registers {
        y = registers(&mut canvas, bank, y);
    }
    y = results(&mut canvas, explanation, y);
    y = table(&mut canvas, explanation, y);
    if has_stack {
        let end = stack(&mut canvas, explanation, top);
        let width = OFFSETS + STACK_BOX;
        y = y.max(notes(
            &mut canvas,
            explanation,
            (STACK_X, end + 14.0),
            width,
        ));
    } else {
        y = notes(&mut canvas, explanation, (MARGIN, y + 18.0), LEFT);
    }
    let title = format!("{}: {}", explanation.target.name(), explanation.prototype);
    canvas.finish(width, y + MARGIN - 8.0, &title)
}

fn colour(who: Who) -> Option<&'static str> {
    match who {
        Who::Argument(index) => Some(COLOURS[index % COLOURS.len()]),
        Who::Result | Who::Convention | Who::Shadow | Who::Padding => None,
    }
}

/// Draws the prototype, with each argument in its colour, and the name of the convention.
fn title(canvas: &mut Canvas, explanation: &Explanation, width: f64) -> f64 {
    // A short argument stays on one line.
    let mut text = explanation.prototype.clone();
    for span in explanation.spans.iter().filter(|span| span.len() <= 34) {
        let glued = text[span.clone()].replace(' ', GLUE);
        text.replace_range(span.clone(), &glued);
    }
    let colour_at = |at: usize| {
        let index = explanation.spans.iter().position(|span| span.contains(&at));
        index.and_then(|index| colour(Who::Argument(index)))
    };
    let mut y = MARGIN + 16.0;
    let mut at = 0;
    for (number, line) in wrapped(&text, TITLE.room(width) - 4).iter().enumerate() {
        if number > 0 {
            y += 24.0;
        }
        let mut x = MARGIN
            + if number > 0 {
                4.0 * TITLE.advance()
            } else {
                0.0
            };
        let line = line.trim_end();
        at += text[at..].find(line).unwrap_or(0);
        let mut rest = line;
        while !rest.is_empty() {
            let own = colour_at(at);
            let run = rest
                .char_indices()
                .find(|(offset, _)| colour_at(at + offset) != own);
            let (run, after) = rest.split_at(run.map_or(rest.len(), |(offset, _)| offset));
            let font = Font { fill: own, ..TITLE };
            canvas.text(x, y, font, &run.replace(GLUE, " "));
            x += run.chars().count() as f64 * TITLE.advance();
            at += run.len();
            rest = after;
        }
    }
    let abi = explanation.plan.abi;
    let about = format!("{abi}, as on {}", explanation.target.name());
    canvas.text(MARGIN, y + 22.0, Font::sans(13.0, "mute"), &about);
    y + 54.0
}

/// Draws a row of registers under a heading. Returns the y coordinate below it.
fn registers(canvas: &mut Canvas, bank: &Bank, y: f64) -> f64 {
    canvas.text(MARGIN, y, SECTION, &capitalised(bank.title));
    let mut x = MARGIN;
    for register in &bank.registers {
        register_box(
            canvas,
            (x, y + 10.0),
            &register.name,
            register.holds.as_ref(),
        );
        x += PITCH;
    }
    y + 10.0 + 18.0 + BOX.1 + 30.0
}

fn register_box(canvas: &mut Canvas, (x, y): (f64, f64), name: &str, held: Option<&Held>) {
    let middle = x + BOX.0 / 2.0;
    canvas.text(middle, y + 12.0, NAME.anchored("middle"), name);
    let top = y + 18.0;
    let Some(held) = held else {
        canvas.rectangle((x, top), BOX, "empty");
        return;
    };
    let font = match colour(held.who) {
        Some(colour) => {
            canvas.coloured((x, top), BOX, colour);
            LABEL.filled(colour)
        }
        None => {
            canvas.rectangle((x, top), BOX, "res");
            LABEL
        }
    };
    let detail = match held.detail.as_str() {
        "address of a copy" => "→ its copy",
        other => other,
    };
    let drop = if detail.is_empty() { 27.0 } else { 20.0 };
    let label = cut(&held.label, font.room(BOX.0 - 6.0));
    canvas.text(middle, top + drop, font.anchored("middle"), &label);
    let detail = cut(detail, DETAIL.room(BOX.0 - 2.0));
    canvas.text(middle, top + 36.0, DETAIL.anchored("middle"), &detail);
}

/// Draws the places of the result.
fn results(canvas: &mut Canvas, explanation: &Explanation, y: f64) -> f64 {
    let result = &explanation.result;
    if result.size == 0 {
        return y;
    }
    let heading = format!("Result: {}", result.declared);
    let heading = cut(&heading, SECTION.room(LEFT));
    canvas.text(MARGIN, y, SECTION, &heading);
    let mut x = MARGIN;
    let is_whole = result.parts.len() == 1;
    for part in &result.parts {
        let (first, count) = part.bytes;
        let detail = match is_whole {
            true => String::new(),
            false => format!("bytes {first}–{}", (first + count).saturating_sub(1)),
        };
        let held = Held {
            who: Who::Result,
            label: "result".to_owned(),
            detail,
        };
        register_box(canvas, (x, y + 10.0), &part.place, Some(&held));
        x += PITCH;
    }
    // Memory has no name above it.
    let lift = if result.parts.is_empty() { 16.0 } else { 0.0 };
    if result.parts.is_empty() {
        let at = (MARGIN, y + 28.0 - lift);
        canvas.rectangle(at, BOX, "res");
        let middle = (MARGIN + BOX.0 / 2.0, at.1 + 27.0);
        canvas.text(middle.0, middle.1, LABEL.anchored("middle"), "memory");
        x += PITCH;
    }
    let mut line = y + 55.0 - lift;
    for note in &result.notes {
        let at = (x + 10.0, line);
        line = canvas.paragraph(at, MARGIN + LEFT - x - 10.0, SMALL, note) + 17.0;
    }
    y - lift + 10.0 + 18.0 + BOX.1 + 30.0
}

/// Draws a table of the arguments with their places, in words.
fn table(canvas: &mut Canvas, explanation: &Explanation, y: f64) -> f64 {
    if explanation.arguments.is_empty() {
        return y;
    }
    canvas.text(MARGIN, y, SECTION, "Arguments");
    let mut y = y + 26.0;
    for (index, value) in explanation.arguments.iter().enumerate() {
        let colour = colour(Who::Argument(index)).unwrap_or_default();
        canvas.badge((MARGIN + 9.0, y - 4.0), colour, &(index + 1).to_string());
        let declared = canvas.paragraph((MARGIN + 28.0, y), 300.0, CODE, &value.declared);
        let places = canvas.paragraph((MARGIN + 344.0, y), LEFT - 344.0, CODE, &places(value));
        y = declared.max(places);
        for note in &value.notes {
            y = canvas.paragraph((MARGIN + 28.0, y + 17.0), LEFT - 28.0, SMALL, note);
        }
        y += 25.0;
    }
    y
}

fn places(value: &Value) -> String {
    let is_whole = value.parts.len() == 1;
    let parts = value.parts.iter().map(|part| {
        let place = match part.is_address {
            true => format!("address in {}", part.place),
            false => part.place.clone(),
        };
        let (first, count) = part.bytes;
        match (is_whole, part.extend) {
            (true, "") => place,
            (true, extend) => format!("{place}, {extend}"),
            (false, _) => format!("{place}: {first}–{}", (first + count).saturating_sub(1)),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// Draws the stack as a ladder, with the highest address at the top. Returns the y coordinate below it.
fn stack(canvas: &mut Canvas, explanation: &Explanation, y: f64) -> f64 {
    canvas.text(STACK_X, y, SECTION, "Stack at the call");
    let x = STACK_X + OFFSETS;
    canvas.text(STACK_X, y + 20.0, SMALL, "higher addresses at the top");
    let mut y = y + 32.0;
    let cells: Vec<&Cell> = explanation.stack.iter().rev().collect();
    let left_out = cells.len().saturating_sub(MOST_CELLS);
    let pointer = explanation.stack_pointer();
    for (number, cell) in cells.iter().enumerate() {
        let hidden = MOST_CELLS / 2..MOST_CELLS / 2 + left_out;
        if hidden.contains(&number) {
            if number == hidden.start {
                let middle = x + STACK_BOX / 2.0;
                let text = format!("… {left_out} more …");
                canvas.text(middle, y + 16.0, SMALL.anchored("middle"), &text);
                y += 26.0;
            }
            continue;
        }
        let height = 28.0 + 12.0 * f64::from((cell.size / 8).clamp(1, 5) - 1);
        stack_cell(canvas, cell, (x, y), height);
        let address = match cell.offset {
            0 => pointer.to_owned(),
            offset => format!("{pointer} + {offset}"),
        };
        let font = Font::mono(11.0, "mute").anchored("end");
        let at = y + height - 5.0;
        if cell.offset > 0 {
            canvas.text(x - 10.0, at, font, &address);
        } else {
            canvas.text(x - 30.0, at, font, &address);
            canvas.arrow(x - 25.0, x - 4.0, at - 3.5);
        }
        y += height;
    }
    y + 24.0
}

fn stack_cell(canvas: &mut Canvas, cell: &Cell, at: (f64, f64), height: f64) {
    let size = (STACK_BOX, height - 3.0);
    let Held { who, label, detail } = &cell.held;
    let (font, text) = match (who, colour(*who)) {
        (_, Some(colour)) => {
            canvas.coloured(at, size, colour);
            let text = match detail.as_str() {
                "" => label.clone(),
                "address of a copy" => format!("{label} → its copy"),
                "the copy" => format!("copy of {label}"),
                detail => format!("{label}, {detail}"),
            };
            (LABEL.filled(colour), text)
        }
        (Who::Shadow, None) => {
            canvas.hatched(at, size);
            (SMALL, label.clone())
        }
        _ => {
            canvas.rectangle(at, size, "empty");
            (SMALL, detail.clone())
        }
    };
    let middle = at.1 + size.1 / 2.0 + 4.3;
    let text = cut(&text, font.room(STACK_BOX - 62.0));
    canvas.text(at.0 + 10.0, middle, font, &text);
    let s = if cell.size == 1 { "" } else { "s" };
    let bytes = format!("{} byte{s}", cell.size);
    let font = Font::sans(10.0, "mute").anchored("end");
    canvas.text(at.0 + STACK_BOX - 8.0, middle - 0.5, font, &bytes);
}

fn notes(canvas: &mut Canvas, explanation: &Explanation, (x, y): (f64, f64), width: f64) -> f64 {
    canvas.text(x, y, SECTION, "What else holds");
    let mut y = y + 22.0;
    for note in &explanation.notes {
        y = canvas.paragraph((x, y), width, SMALL, note) + 21.0;
    }
    y
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
