//! Parts of an SVG picture: boxes, and text of known width.

use std::fmt::Write;

/// The width of a character in fixed-width fonts, for a font size of 1.
const MONO: f64 = 0.602;
/// The average width of a character in other fonts, for a font size of 1.
const SANS: f64 = 0.54;

/// Colours of the arguments, which are readable on light and on dark pages.
pub const COLOURS: [&str; 6] = [
    "#2f81f7", "#d9822b", "#2da44e", "#a371f7", "#db61a2", "#159aa8",
];

const STYLE: &str = "\
text{font-family:ui-sans-serif,system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif}\
.m{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}\
.b{font-weight:600}\
.card{fill:#fff;stroke:#d0d7de}.ink{fill:#1f2328}.mute{fill:#636c76}\
.empty{fill:none;stroke:#afb8c1;stroke-dasharray:3 3}.line{stroke:#afb8c1;fill:none}\
.res{fill:#8b949e;fill-opacity:.16;stroke:#8b949e;stroke-width:1.5}\
@media(prefers-color-scheme:dark){\
.card{fill:#0d1117;stroke:#30363d}.ink{fill:#e6edf3}.mute{fill:#9198a1}\
.empty,.line{stroke:#484f58}}";

/// A picture that is being drawn.
#[derive(Default)]
pub struct Canvas {
    body: String,
}

/// The look of a text.
#[derive(Clone, Copy)]
pub struct Font<'a> {
    pub size: f64,
    pub is_mono: bool,
    /// The class in the style sheet.
    pub class: &'a str,
    /// A colour of its own.
    pub fill: Option<&'a str>,
    /// `start`, `middle` or `end`.
    pub anchor: &'a str,
}

impl<'a> Font<'a> {
    pub const fn mono(size: f64, class: &'a str) -> Font<'a> {
        Font {
            size,
            is_mono: true,
            class,
            fill: None,
            anchor: "start",
        }
    }

    pub const fn sans(size: f64, class: &'a str) -> Font<'a> {
        Font {
            is_mono: false,
            ..Font::mono(size, class)
        }
    }

    pub fn filled(self, fill: &'a str) -> Font<'a> {
        Font {
            fill: Some(fill),
            ..self
        }
    }

    pub fn anchored(self, anchor: &'a str) -> Font<'a> {
        Font { anchor, ..self }
    }

    /// The width of a character.
    pub fn advance(&self) -> f64 {
        self.size * if self.is_mono { MONO } else { SANS }
    }

    /// The number of characters that fit into a width.
    pub fn room(&self, width: f64) -> usize {
        (width / self.advance()) as usize
    }
}

impl Canvas {
    pub fn text(&mut self, x: f64, y: f64, font: Font, text: &str) {
        let mono = if font.is_mono { " m" } else { "" };
        let fill = font.fill.map(|fill| format!(" style=\"fill:{fill}\""));
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{}{mono}\" font-size=\"{}\" text-anchor=\"{}\"{} xml:space=\"preserve\">{}</text>",
            font.class,
            font.size,
            font.anchor,
            fill.unwrap_or_default(),
            escaped(text)
        );
    }

    /// Draws text in lines. Returns the y coordinate of the last line.
    pub fn paragraph(&mut self, at: (f64, f64), width: f64, font: Font, text: &str) -> f64 {
        let (x, mut y) = at;
        for (number, line) in wrapped(text, font.room(width)).iter().enumerate() {
            if number > 0 {
                y += font.size * 1.35;
            }
            self.text(x, y, font, line);
        }
        y
    }

    pub fn rectangle(&mut self, at: (f64, f64), size: (f64, f64), class: &str) {
        self.shape(at, size, &format!("class=\"{class}\""));
    }

    /// Draws a box in a colour.
    pub fn coloured(&mut self, at: (f64, f64), size: (f64, f64), colour: &str) {
        let look = format!(
            "fill=\"{colour}\" fill-opacity=\".15\" stroke=\"{colour}\" stroke-width=\"1.5\""
        );
        self.shape(at, size, &look);
    }

    /// Draws a box with hatching.
    pub fn hatched(&mut self, at: (f64, f64), size: (f64, f64)) {
        self.shape(
            at,
            size,
            "fill=\"url(#hatch)\" class=\"line\" style=\"fill:url(#hatch)\"",
        );
    }

    fn shape(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), look: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\" {look}/>"
        );
    }

    /// Draws a filled circle with a text in it.
    pub fn badge(&mut self, (x, y): (f64, f64), colour: &str, text: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\" fill=\"{colour}\"/>"
        );
        let font = Font::sans(if text.len() > 1 { 9.5 } else { 11.0 }, "b").filled("#fff");
        self.text(x, y + 3.8, font.anchored("middle"), text);
    }

    /// Draws an arrow to the right.
    pub fn arrow(&mut self, from: f64, to: f64, y: f64) {
        let _ = writeln!(
            self.body,
            "<path d=\"M{from:.1} {y:.1}H{to:.1}m-5 -4l5 4l-5 4\" class=\"line\" stroke-width=\"1.5\"/>"
        );
    }

    /// Finishes the picture and returns it as SVG.
    pub fn finish(self, width: f64, height: f64, title: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
             <title>{}</title>\n<style>{STYLE}</style>\n\
             <defs><pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
             <path d=\"M0 0V7\" stroke=\"#8b949e\" stroke-opacity=\".5\" stroke-width=\"2\"/></pattern></defs>\n\
             <rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"12\" class=\"card\"/>\n{}</svg>\n",
            escaped(title),
            width - 1.0,
            height - 1.0,
            self.body
        )
    }
}

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Breaks text into lines of at most `room` characters, between words if possible.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.len() > room {
            lines.push(String::new());
        } else if last > 0 {
            lines.last_mut().into_iter().for_each(|line| line.push(' '));
        }
        while word.len() > room {
            let rest = word.split_off(room);
            lines
                .last_mut()
                .into_iter()
                .for_each(|line| line.extend(&word));
            lines.push(String::new());
            word = rest;
        }
        lines
            .last_mut()
            .into_iter()
            .for_each(|line| line.extend(&word));
    }
    lines
}

/// Cuts a text to `room` characters.
pub fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    kept + "…"
}
