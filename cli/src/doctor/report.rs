//! The report, as text and as JSON.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value as Json, json};

/// The state of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Information only.
    Note,
    /// It makes things slower, or limits them.
    Worse,
    /// It does not work.
    Bad,
}

/// One thing that was examined.
pub struct Item {
    pub name: String,
    pub state: State,
    pub text: String,
}

/// A group of items.
pub struct Section {
    pub title: &'static str,
    pub items: Vec<Item>,
}

impl Section {
    pub fn new(title: &'static str) -> Section {
        let items = Vec::new();
        Section { title, items }
    }

    pub fn add(&mut self, name: impl Into<String>, state: State, text: impl Into<String>) {
        let (name, text) = (name.into(), text.into());
        self.items.push(Item { name, state, text });
    }
}

impl State {
    fn mark(self) -> (&'static str, Style) {
        match self {
            State::Good => ("ok", AnsiColor::Green.on_default()),
            State::Note => ("·", Style::new().dimmed()),
            State::Worse => ("slow", AnsiColor::Yellow.on_default().bold()),
            State::Bad => ("BAD", AnsiColor::Red.on_default().bold()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Note => "note",
            State::Worse => "worse",
            State::Bad => "bad",
        }
    }
}

pub fn text(sections: &[Section], verdict: &str) -> String {
    let names = sections.iter().flat_map(|section| &section.items);
    let width = names.map(|item| item.name.len()).max().unwrap_or(0);
    let bold = Style::new().bold();
    let mut out = String::new();
    for section in sections {
        let _ = writeln!(out, "{bold}{}{bold:#}", section.title);
        for Item { name, state, text } in &section.items {
            let (mark, style) = state.mark();
            let _ = writeln!(out, "  {style}{mark:4}{style:#}  {name:width$}  {text}");
        }
        out.push('\n');
    }
    out + verdict + "\n"
}

pub fn json(sections: &[Section], is_well: bool, verdict: &str) -> Json {
    let of_item = |item: &Item| {
        let value = json!({ "state": item.state.name(), "text": item.text });
        (item.name.clone(), value)
    };
    let of_section = |section: &Section| {
        let items: Map<String, Json> = section.items.iter().map(of_item).collect();
        (section.title.to_owned(), Json::Object(items))
    };
    let sections: Map<String, Json> = sections.iter().map(of_section).collect();
    json!({ "well": is_well, "verdict": verdict, "findings": sections })
}
