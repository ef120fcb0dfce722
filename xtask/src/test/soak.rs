//! The step that runs the stress tests for a short while.

use anyhow::Result;

use super::Report;
use crate::soak;

pub fn short() -> Result<Report> {
    let outcome = soak::short()?;
    Ok(Report {
        passed: outcome.passed,
        failures: outcome.failures,
        notes: outcome
            .left_out
            .into_iter()
            .map(|line| format!("left out: {line}"))
            .collect(),
    })
}
