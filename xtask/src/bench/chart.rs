//! A bar chart as SVG, readable on light and on dark pages.

use std::fmt::Write;

/// Bars that share a scale.
pub struct Panel {
    /// The title above it.
    pub title: String,
    /// The bars, in groups.
    pub groups: Vec<Group>,
}

/// Bars for the same work.
pub struct Group {
    /// The work.
    pub title: String,
    /// One bar a peer.
    pub bars: Vec<Bar>,
}

/// One bar.
pub struct Bar {
    /// The peer's name.
    pub label: String,
    /// Its length, in nanoseconds.
    pub ns: f64,
    /// Whether to highlight it.
    pub ours: bool,
}

pub(super) const WIDTH: f64 = 860.0;
pub(super) const MARGIN: f64 = 16.0;
/// Between the two panels, and between labels and bars.
pub(super) const GAP: f64 = 24.0;
const LABELS: f64 = 132.0;
/// Room for a figure behind the longest bar.
const FIGURE: f64 = 62.0;
pub(super) const LINE: f64 = 18.0;

pub(super) const STYLE: &str = "\
    text { font: 12px system-ui, sans-serif; fill: #24292f }\n\
    .title { font-weight: 600; font-size: 14px }\n\
    .group { font-weight: 600 }\n\
    .figure { fill: #57606a }\n\
    .bar { fill: #8c959f }\n\
    .ours { fill: #0969da }\n\
    .axis { stroke: #d0d7de }\n\
    .line { fill: none; stroke: #8c959f; stroke-width: 2 }\n\
    .line.our { stroke: #0969da }\n\
    @media (prefers-color-scheme: dark) {\n\
    text { fill: #e6edf3 }\n\
    .figure { fill: #9da7b3 }\n\
    .bar { fill: #6e7681 }\n\
    .ours { fill: #4493f8 }\n\
    .axis { stroke: #3d444d }\n\
    .line { stroke: #6e7681 }\n\
    .line.our { stroke: #4493f8 }\n\
    }\n";

/// The picture.
pub fn svg(panels: &[Panel], caption: &str) -> String {
    let gaps = GAP * (panels.len() as f64 - 1.0);
    let column = (WIDTH - 2.0 * MARGIN - gaps) / panels.len() as f64;
    let mut body = String::new();
    let mut bottom = 0.0_f64;
    for (index, panel) in panels.iter().enumerate() {
        let left = MARGIN + index as f64 * (column + GAP);
        bottom = bottom.max(draw(panel, left, column, &mut body));
    }
    page(body, bottom, caption)
}

/// A picture that ends with a line of text below `bottom`.
pub(super) fn page(mut body: String, bottom: f64, caption: &str) -> String {
    let height = bottom + 2.0 * LINE;
    text(&mut body, "figure", MARGIN, height - LINE * 0.6, caption);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\">\n<style>\n{STYLE}</style>\n{body}</svg>\n"
    )
}

/// Draws a panel and returns where it ends.
fn draw(panel: &Panel, left: f64, width: f64, body: &mut String) -> f64 {
    let bars = panel.groups.iter().flat_map(|group| &group.bars);
    let longest = bars.map(|bar| bar.ns).fold(1.0, f64::max);
    let scale = (width - LABELS - FIGURE) / longest;
    let mut y = MARGIN + LINE;
    text(body, "title", left, y, &panel.title);
    y += 0.5 * LINE;
    for group in &panel.groups {
        y += LINE;
        text(body, "group", left, y, &group.title);
        for bar in &group.bars {
            y += LINE;
            let class = if bar.ours { "ours" } else { "bar" };
            let length = (bar.ns * scale).max(1.0);
            text(body, "label", left, y, &bar.label);
            let _ = writeln!(
                body,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"12\" rx=\"2\"/>",
                left + LABELS,
                y - 10.0
            );
            let figure = left + LABELS + length + 5.0;
            text(body, "figure", figure, y, &format!("{} ns", digits(bar.ns)));
        }
        y += 0.4 * LINE;
    }
    y
}

/// A number, rounded to its significant digits.
fn digits(ns: f64) -> String {
    if ns < 10.0 {
        format!("{ns:.1}")
    } else {
        format!("{ns:.0}")
    }
}

pub(super) fn text(body: &mut String, class: &str, x: f64, y: f64, content: &str) {
    let escaped = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        body,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{escaped}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_bar_ends_where_its_figure_still_fits() {
        let bar = |ns| Bar {
            label: "a < b".into(),
            ns,
            ours: ns < 2.0,
        };
        let panel = Panel {
            title: "title".into(),
            groups: vec![Group {
                title: "work".into(),
                bars: vec![bar(1.5), bar(150.0)],
            }],
        };
        let picture = svg(&[panel], "caption");
        let longest = WIDTH - 2.0 * MARGIN - LABELS - FIGURE;
        assert!(
            picture.contains(&format!("width=\"{longest:.1}\"")),
            "{picture}"
        );
        assert!(picture.contains("1.5 ns") && picture.contains("150 ns"));
        assert!(picture.contains("a &lt; b") && picture.contains("class=\"ours\""));
    }
}
