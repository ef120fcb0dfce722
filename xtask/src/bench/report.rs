//! The report: the goals, the tables, the chart.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use super::chart::{self, Bar, Group, Panel};
use super::curve;
use super::goals::GOALS;
use super::machine::Machine;
use super::samples::Samples;
use super::short;
use super::tables::{self, TABLES, WAYS, WORK};
use crate::paths;

/// The marker ahead of the README's picture.
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// Everything that was measured, in Markdown.
pub fn text(samples: &Samples) -> String {
    let mut text = String::new();
    let goals = goals(samples);
    if !goals.is_empty() {
        let _ = write!(text, "\n## Goals\n\n{goals}");
    }
    let ways = tables::side_by_side(samples);
    if !ways.is_empty() {
        let _ = write!(text, "\n## Side by side\n\n{SIDE_BY_SIDE}\n\n{ways}");
    }
    text.extend(TABLES.iter().map(|table| table.text(samples)));
    text
}

const SIDE_BY_SIDE: &str = "Nanoseconds for one call. Calls from scripts are net of the loop around them; callbacks are the whole of \
                            what C waits for, a function that adds two ints included.";

/// The table of goals. Those whose rows were not measured are left out.
fn goals(samples: &Samples) -> String {
    let mut lines = String::new();
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
            lines,
            "| {} | {} | {} | {value} | {spread} | {} | {} |",
            goal.work,
            goal.against,
            goal.bound,
            if met { "met" } else { "**missed**" },
            notes.join("; ")
        );
    }
    if lines.is_empty() {
        return lines;
    }
    format!(
        "| work | measured against | goal | measured | spread | | |\n| --- | --- | --- | --- | --- | --- | --- |\n{lines}"
    )
}

/// Writes `benches/RESULTS.md`, `docs/bench.svg`, `docs/scripts.svg` and the README's picture.
pub fn write(samples: &Samples, machine: &Machine) -> Result<()> {
    let root = paths::root();
    let results = format!("{HEAD}\n{}{}", machine.table(), text(samples));
    fs::write(root.join("benches/RESULTS.md"), results)?;
    let picture = chart::svg(&panels(samples), &machine.caption());
    fs::write(root.join("docs/bench.svg"), picture)?;
    let picture = curve::svg(&short::curves(samples), &machine.caption());
    fs::write(root.join("docs/scripts.svg"), picture)?;
    let readme = root.join("README.md");
    let page = fs::read_to_string(&readme)?;
    let page = placed(&page, &readme_picture(machine))
        .with_context(|| format!("README.md lacks {BEGIN} and {END}"))?;
    fs::write(readme, page)?;
    Ok(())
}

const HEAD: &str = "\
# How fast it is

Written by `cargo xtask bench`, which measures all of it anew. `cargo xtask bench --quick` takes a minute and only shows it.

All peers of a row run in one process on one core and take turns of 20 microseconds, round after round, process after
process. Interpreters take turns as processes, and what one finds in all its rounds is one round here. A ratio is the
median of the rounds' own ratios, and the spread is where the middle nine tenths of them lie. Before anything is timed, every
peer has to hand over every argument to a function that weighs them.

Nanoseconds in tables are what a tenth of the rounds stay below: the machine while nothing disturbs it. Where there is something to
tell by (scripts' empty loops, and calls in C beside the making of functions), rounds in which that took 15 % more than usual
are left out instead, and a time is the median of the others; so it is where a goal is in nanoseconds.
";

/// The text between the README's markers: only the picture, as the figures stand in the results.
fn readme_picture(machine: &Machine) -> String {
    format!(
        "![Nanoseconds for a call, as bars](docs/bench.svg)\n\n{} All figures: [benches/RESULTS.md](benches/RESULTS.md).\n",
        machine.caption()
    )
}

/// `page` with `text` between the markers, if it has them.
fn placed(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{text}{END}{after}"))
}

/// Compiled programs on the left, scripts on the right.
fn panels(samples: &Samples) -> Vec<Panel> {
    let of = |title: &str, scripted: bool| {
        // Most ways have no structs by value.
        let groups = WORK.iter().take(3).enumerate().map(|(column, work)| {
            let ways = WAYS.iter().filter(|way| way.scripted == scripted);
            let bars = ways.filter_map(|way| {
                Some(Bar {
                    label: way.short.into(),
                    ns: way.time(samples, column)?,
                    ours: way.ours,
                })
            });
            Group {
                title: (*work).into(),
                bars: bars.collect(),
            }
        });
        Panel {
            title: title.into(),
            groups: groups.collect(),
        }
    };
    vec![
        of("From compiled programs", false),
        of("From scripts", true),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_picture_goes_between_its_markers() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let wanted = format!("a\n{BEGIN}\nnew\n{END}\nb\n");
        assert_eq!(placed(&page, "new\n").as_deref(), Some(wanted.as_str()));
        assert_eq!(placed("a\nb\n", "new\n"), None);
    }
}
