//! Curves as SVG, both axes by powers of ten, with the bar chart's look.

use std::fmt::Write;

use super::chart::{GAP, LINE, MARGIN, WIDTH, page, text};

/// Curves that share axes.
pub struct Panel {
    /// The title above it.
    pub title: String,
    /// The curves, in the order in which they are drawn.
    pub curves: Vec<Curve>,
}

/// One curve.
pub struct Curve {
    /// The peer's name.
    pub label: String,
    /// Calls, and milliseconds.
    pub points: Vec<(f64, f64)>,
    /// Whether to highlight it.
    pub ours: bool,
}

const HEIGHT: f64 = 230.0;
/// Room for the figures beside the axis.
const FIGURES: f64 = 44.0;

/// The range of an axis.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis with room for the values, from one power of ten to another.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Axis {
        let log = values.map(f64::log10);
        let from = log.clone().fold(f64::INFINITY, f64::min).floor();
        let to = log.fold(f64::NEG_INFINITY, f64::max).ceil();
        Axis {
            from,
            to: to.max(from + 1.0),
        }
    }

    /// Where a value lies between the ends, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value.log10() - self.from) / (self.to - self.from)
    }

    /// The powers of ten on it.
    fn marks(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power))
    }
}

/// The picture.
pub fn svg(panels: &[Panel], caption: &str) -> String {
    let count = panels.len().max(1) as f64;
    let column = (WIDTH - 2.0 * MARGIN - GAP * (count - 1.0)) / count;
    let points = panels.iter().flat_map(|panel| &panel.curves);
    let points = points.flat_map(|curve| &curve.points);
    let x = Axis::of(points.clone().map(|point| point.0));
    let y = Axis::of(points.map(|point| point.1));
    let mut body = String::new();
    for (index, panel) in panels.iter().enumerate() {
        let left = MARGIN + index as f64 * (column + GAP);
        draw(panel, (&x, &y), left, column, &mut body);
    }
    page(body, MARGIN + 2.0 * LINE + HEIGHT + 2.0 * LINE, caption)
}

fn draw(panel: &Panel, (x, y): (&Axis, &Axis), left: f64, width: f64, body: &mut String) {
    let top = MARGIN + 2.0 * LINE;
    let bottom = top + HEIGHT;
    let begin = left + FIGURES;
    let place = |(calls, ms): (f64, f64)| {
        let across = begin + x.place(calls) * (left + width - begin);
        (across, bottom - y.place(ms) * HEIGHT)
    };
    text(body, "title", left, MARGIN + LINE, &panel.title);
    for ms in y.marks() {
        let (_, at) = place((1.0, ms));
        let end = left + width;
        let _ = writeln!(
            body,
            "<line class=\"axis\" x1=\"{begin:.1}\" y1=\"{at:.1}\" x2=\"{end:.1}\" y2=\"{at:.1}\"/>"
        );
        text(body, "figure", left, at + 4.0, &format!("{ms} ms"));
    }
    for calls in x.marks() {
        let (at, _) = place((calls, 1.0));
        text(body, "figure", at - 4.0, bottom + LINE, &shortened(calls));
    }
    text(body, "figure", begin, bottom + 2.0 * LINE, "calls");
    for (index, curve) in panel.curves.iter().enumerate() {
        let class = if curve.ours { "line our" } else { "line" };
        let points = curve.points.iter().map(|point| {
            let (x, y) = place(*point);
            format!("{x:.1},{y:.1}")
        });
        let points: Vec<String> = points.collect();
        let _ = writeln!(
            body,
            "<polyline class=\"{class}\" points=\"{}\"/>",
            points.join(" ")
        );
        let row = top + (index as f64 + 1.0) * LINE;
        let _ = writeln!(
            body,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            begin + 12.0,
            row - 4.0,
            begin + 36.0,
            row - 4.0
        );
        text(body, "label", begin + 44.0, row, &curve.label);
    }
}

/// A power of ten in few letters.
fn shortened(calls: f64) -> String {
    match calls {
        calls if calls < 1e3 => calls.to_string(),
        calls if calls < 1e6 => format!("{}k", calls / 1e3),
        calls => format!("{}M", calls / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curve_goes_from_corner_to_corner_of_its_axes() {
        let curve = |label: &str, points: &[(f64, f64)], ours| Curve {
            label: label.into(),
            points: points.to_vec(),
            ours,
        };
        let panel = Panel {
            title: "a & b".into(),
            curves: vec![
                curve("stock", &[(1.0, 1.0), (1000.0, 100.0)], false),
                curve("ours", &[(1.0, 1.0), (1000.0, 10.0)], true),
            ],
        };
        let picture = svg(&[panel], "here");
        assert!(picture.contains("a &amp; b") && picture.contains("100 ms"));
        assert!(
            picture.contains("points=\"60.0,282.0 844.0,52.0\""),
            "{picture}"
        );
        assert!(picture.contains("class=\"line our\" points=\"60.0,282.0 844.0,167.0\""));
        assert!(picture.contains(">1k</text>"));
    }
}
