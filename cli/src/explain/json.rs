//! An explanation as JSON, for programs. Fields without a value are left out.

use serde_json::{Map, Value as Json, json};

use super::code::Listing;
use super::model::{Bank, Cell, Explanation, Held, Value, Who};

/// The whole explanation, with listings if there are any.
pub fn json(explanation: &Explanation, listings: &[Listing]) -> Json {
    let plan = &explanation.plan;
    let arguments: Vec<Json> = explanation.arguments.iter().map(value).collect();
    let mut whole = json!({
        "prototype": explanation.prototype,
        "target": explanation.target.name(),
        "convention": plan.abi.to_string(),
        "arguments": arguments,
        "result": value(&explanation.result),
        "registers": explanation.registers.iter().flat_map(bank).collect::<Map<_, _>>(),
        "stack": {
            "bytes": plan.stack,
            "copies": plan.copies,
            "cells": explanation.stack.iter().map(cell).collect::<Vec<_>>(),
        },
        "notes": explanation.notes,
    });
    if let Some(sret) = plan.sret {
        let isa = plan.abi.convention().isa;
        whole["result"]["memory"] = json!({
            "pointer": sret.pointer.name(isa),
            "returned": sret.returned.map(|register| register.name(isa)),
        });
    }
    if !listings.is_empty() {
        whole["code"] = listings.iter().map(listing).collect();
    }
    whole
}

fn value(value: &Value) -> Json {
    let parts = value.parts.iter().map(|part| {
        let mut json = json!({
            "place": part.place,
            "offset": part.bytes.0,
            "bytes": part.bytes.1,
        });
        if !part.extend.is_empty() {
            json["extended"] = part.extend.trim_end_matches("-extended").into();
        }
        if part.is_address {
            json["by_reference"] = true.into();
        }
        json
    });
    json!({
        "declaration": value.declared,
        "size": value.size,
        "parts": parts.collect::<Vec<_>>(),
        "notes": value.notes,
    })
}

fn bank(bank: &Bank) -> impl Iterator<Item = (String, Json)> {
    let held = bank
        .registers
        .iter()
        .filter_map(|register| Some((register, register.holds.as_ref()?)));
    held.map(|(register, held)| (register.name.clone(), content(held)))
}

fn content(held: &Held) -> Json {
    let mut json = match held.who {
        Who::Argument(index) => json!({ "argument": index + 1 }),
        Who::Result => json!({ "of": "result" }),
        Who::Convention => json!({ "of": "convention", "value": held.label }),
        Who::Shadow => json!({ "of": "shadow space" }),
        Who::Padding => json!({ "of": "padding" }),
    };
    if !held.detail.is_empty() && matches!(held.who, Who::Argument(_) | Who::Result) {
        json["detail"] = held.detail.as_str().into();
    }
    json
}

fn cell(cell: &Cell) -> Json {
    let mut json = json!({ "offset": cell.offset, "bytes": cell.size });
    if let (Json::Object(to), Json::Object(from)) = (&mut json, content(&cell.held)) {
        to.extend(from);
    }
    json
}

fn listing(listing: &Listing) -> Json {
    let lines = listing.lines.iter().map(
        |line| json!({ "offset": line.offset, "instruction": line.text, "comment": line.comment }),
    );
    json!({ "of": listing.title, "bytes": listing.bytes, "instructions": lines.collect::<Vec<_>>() })
}
