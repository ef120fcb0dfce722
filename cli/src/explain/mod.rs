//! `farcall explain`: shows where each value of a call goes.

mod canvas;
mod code;
mod frame;
mod json;
mod model;
mod names;
mod narrate;
mod operands;
mod places;
mod svg;
mod text;
mod words;

use anstyle::Style;
use clap::ValueEnum;

use crate::failure::{Failure, Result};
use crate::output::print;
use crate::prototype::{Declare, Prototype};
use crate::target::Target;
use code::Listing;
use model::Explanation;

/// What is to be explained.
#[derive(clap::Args)]
#[command(after_long_help = LONG)]
pub struct Args {
    /// The function: a prototype in C, with or without a name, or codes as RESULT:NAME:ARGUMENTS
    #[arg(value_name = "PROTOTYPE")]
    prototype: String,
    /// The types of what is passed behind the '...'
    #[arg(value_name = "TYPES")]
    more: Vec<String>,
    /// The machine and the system; may be given several times [default: this one]
    #[arg(short, long, value_enum, value_name = "TARGET")]
    target: Vec<Target>,
    /// Explain for every target
    #[arg(long, conflicts_with = "target")]
    all_targets: bool,
    /// Show the code for a call and for a callback, with what each instruction does
    #[arg(short, long)]
    code: bool,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    declare: Declare,
}

const LONG: &str = "\
Examples:
  farcall explain 'int f(double x, struct { int a; double b; } s, char c)'
  farcall explain 'int printf(const char *, ...)' int double --target x86_64-windows
  farcall explain --code --target aarch64-linux 'float dot(struct { float x, y, z; } v)'
  farcall explain --format svg 'void draw(struct { double x, y; } at)' > draw.svg";

/// How an explanation is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table, registers as a picture, the stack as a ladder
    Text,
    /// For programs: a list with an object for each target
    Json,
    /// A picture, of one target
    Svg,
}

/// Prints the explanation.
pub fn run(args: &Args) -> Result<()> {
    let targets = match (args.all_targets, args.target.as_slice()) {
        (true, _) => Target::value_variants(),
        (false, []) => &[Target::host()],
        (false, some) => some,
    };
    if args.format == Format::Svg && (targets.len() != 1 || args.code) {
        return Err(Failure::usage("a picture shows one target, and no code"));
    }
    let mut explained = Vec::new();
    for &target in targets {
        let mut prototype =
            Prototype::read(&args.prototype, &args.declare.text, target.platform())?;
        for ty in &args.more {
            prototype.add_argument(ty)?;
        }
        let explanation = Explanation::of(&prototype, target)?;
        let listings = match args.code {
            true => code::listings(&explanation)?,
            false => Vec::new(),
        };
        explained.push((explanation, listings));
    }
    let text = shown(args.format, &explained);
    print(&text)
}

fn shown(format: Format, explained: &[(Explanation, Vec<Listing>)]) -> String {
    match format {
        Format::Text => {
            let texts = explained.iter().map(|(explanation, listings)| {
                let listings: String = listings.iter().map(listing).collect();
                text::text(explanation) + &listings
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        Format::Json => {
            let all = explained
                .iter()
                .map(|(explanation, listings)| json::json(explanation, listings));
            let all: serde_json::Value = all.collect();
            format!("{all:#}\n")
        }
        Format::Svg => explained
            .iter()
            .map(|(explanation, _)| svg::svg(explanation))
            .collect(),
    }
}

fn listing(listing: &Listing) -> String {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let about = match listing.title {
        "call" => "void (*)(function, slots, result), which calls it",
        _ => "which C calls, and which calls handler(context, slots, result)",
    };
    let mut text = format!(
        "\n{bold}{}{bold:#}: {about}; {} bytes\n",
        listing.title, listing.bytes
    );
    let width = listing.lines.iter().map(|line| line.text.chars().count());
    let width = width.max().unwrap_or(0).min(36);
    for line in &listing.lines {
        text += &format!(
            "  {:4}  {:width$}  {dim}; {}{dim:#}\n",
            line.offset, line.text, line.comment
        );
    }
    text
}
