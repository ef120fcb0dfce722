//! The table of signatures.

use anyhow::{Context, Result, ensure};
use farcall::Value;
use std::ffi::c_void;

/// One signature, and values to call it with.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The result's letter.
    pub ret: &'static str,
    /// The arguments' letters.
    pub args: &'static str,
    /// The arguments, as they lie in slots.
    pub slots: Vec<u64>,
    /// The slot that holds the first argument plus the last; `None` for no result.
    pub ends: Option<u64>,
    /// The slot that holds all arguments times their positions, added up.
    pub weighed: Option<u64>,
}

impl Case {
    /// The arguments as the crate's values.
    pub fn values(&self) -> impl Iterator<Item = Value> {
        let letters = self.args.chars().zip(&self.slots);
        letters.map(|(letter, &slot)| match letter {
            'f' => Value::Float(f32::from_bits(slot as u32)),
            'd' => Value::Double(f64::from_bits(slot)),
            'p' | 'P' => Value::Pointer(slot as *mut c_void),
            letter if letter.is_ascii_uppercase() => Value::Uint(slot),
            _ => Value::Int(slot as i64),
        })
    }
}

/// All of them.
pub fn all() -> Result<Vec<Case>> {
    include_str!("../signatures.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| parse(line).with_context(|| format!("signatures.txt: {line}")))
        .collect()
}

fn parse(line: &'static str) -> Result<Case> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    ensure!(columns.len() == 6, "six columns wanted");
    let args = if columns[2] == "-" { "" } else { columns[2] };
    let values = columns[3].split(',').filter(|value| *value != "-");
    let slots = args
        .chars()
        .zip(values)
        .map(|(letter, value)| slot(letter, value));
    let letter = columns[1].chars().next().context("a result")?;
    let result = |text| (text != "-").then(|| slot(letter, text)).transpose();
    Ok(Case {
        name: columns[0],
        ret: columns[1],
        args,
        slots: slots.collect::<Result<_>>()?,
        ends: result(columns[4])?,
        weighed: result(columns[5])?,
    })
}

/// The slot of a number that is written as text.
fn slot(letter: char, text: &str) -> Result<u64> {
    Ok(match letter {
        'f' => text.parse::<f32>()?.to_bits().into(),
        'd' => text.parse::<f64>()?.to_bits(),
        _ => text.parse::<i64>()? as u64,
    })
}
