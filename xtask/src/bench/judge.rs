//! Figures from the measurements, and the bounds that they are compared with.

use std::fmt;

use super::harness::LIBFFI;
use super::samples::{Figure, Samples, geometric_mean};

/// The bound of a figure.
#[derive(Clone, Copy)]
pub enum Bound {
    /// At most this multiple.
    TimesAtMost(f64),
    /// Faster by at least this factor.
    FasterAtLeast(f64),
    /// At most this many nanoseconds.
    NsAtMost(f64),
    /// At most this many bytes.
    BytesAtMost(f64),
}

impl Bound {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Bound::FasterAtLeast(least) => value >= least,
            Bound::TimesAtMost(most) | Bound::NsAtMost(most) | Bound::BytesAtMost(most) => {
                value <= most
            }
        }
    }

    /// A value in the bound's unit.
    pub fn show(self, value: f64) -> String {
        match self {
            Bound::TimesAtMost(most) if (value - most).abs() < 0.005 => format!("{value:.3} ×"),
            Bound::TimesAtMost(_) => format!("{value:.2} ×"),
            Bound::FasterAtLeast(_) => format!("{value:.1} ×"),
            Bound::NsAtMost(most) if most >= 1000.0 => format!("{:.1} µs", value / 1000.0),
            Bound::NsAtMost(most) if most >= 10.0 => format!("{value:.0} ns"),
            Bound::NsAtMost(_) => format!("{value:.2} ns"),
            Bound::BytesAtMost(most) if most >= 1024.0 => format!("{:.0} KiB", value / 1024.0),
            Bound::BytesAtMost(_) => format!("{value:.0} bytes"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Bound::TimesAtMost(most) => write!(f, "≤ {most:.2} ×"),
            Bound::FasterAtLeast(least) => write!(f, "≥ {least} × faster"),
            bound @ (Bound::NsAtMost(most) | Bound::BytesAtMost(most)) => {
                write!(f, "≤ {}", bound.show(most))
            }
        }
    }
}

/// A figure, with its spread and a note.
pub struct Judged {
    /// The value that is compared with the bound.
    pub value: f64,
    /// The range of its rounds, if it has any of its own.
    pub spread: Option<(f64, f64)>,
    /// A remark on the value.
    pub note: String,
}

impl Judged {
    /// A median of rounds.
    pub fn of(figure: Figure) -> Judged {
        Judged {
            value: figure.median,
            spread: Some((figure.min, figure.max)),
            note: String::new(),
        }
    }

    /// A value without rounds.
    pub fn alone(value: f64) -> Judged {
        Judged {
            value,
            spread: None,
            note: String::new(),
        }
    }

    /// The same with a note.
    pub fn with_note(self, note: String) -> Judged {
        Judged { note, ..self }
    }
}

/// The row with the largest ratio of `peer` to `base`; the note names all that come near.
pub fn worst(samples: &Samples, prefix: &str, peer: &str, base: &str) -> Option<Judged> {
    let ratios = samples
        .rows(prefix)
        .map(|row| Some((row, samples.ratio(row, peer, base)?)));
    let mut ratios: Vec<(&str, Figure)> = ratios.collect::<Option<_>>()?;
    ratios.sort_by(|a, b| b.1.median.total_cmp(&a.1.median));
    let (_, figure) = *ratios.first()?;
    let note = named(
        prefix,
        ratios.iter().map(|(row, figure)| (*row, figure.median)),
    );
    Some(Judged::of(figure).with_note(note))
}

/// The first few rows with their ratios.
fn named<'a>(prefix: &str, ratios: impl Iterator<Item = (&'a str, f64)>) -> String {
    let named = ratios.take(4).map(|(row, ratio)| {
        let name = row.strip_prefix(prefix).unwrap_or(row);
        format!("{name} {ratio:.2}")
    });
    named.collect::<Vec<_>>().join(", ")
}

/// The worst row's instructions as a multiple of those of the compiler that needs fewer.
pub fn instructions(samples: &Samples, prefix: &str) -> Option<Judged> {
    let ratios = samples.rows(prefix).map(|row| {
        let compilers = ["gcc", "clang"]
            .iter()
            .filter_map(|name| samples.count(row, name));
        let fewer = compilers.reduce(f64::min)?;
        Some((row, samples.count(row, "farcall")? / fewer))
    });
    let mut ratios: Vec<(&str, f64)> = ratios.collect::<Option<_>>()?;
    ratios.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (_, ratio) = *ratios.first()?;
    Some(Judged::alone(ratio).with_note(named(prefix, ratios.iter().copied())))
}

/// The factor by which `peer` is faster than `rival`, as the geometric mean over the rows.
pub fn faster(samples: &Samples, prefix: &str, rival: &str, peer: &str) -> Option<Judged> {
    let ratios = samples
        .rows(prefix)
        .map(|row| Some(samples.ratio(row, rival, peer)?.median));
    let ratios: Vec<Option<f64>> = ratios.collect();
    let mean = geometric_mean(ratios.iter().copied())?;
    let known = ratios.iter().flatten().copied();
    let (least, most) = (
        known.clone().fold(f64::INFINITY, f64::min),
        known.fold(0.0, f64::max),
    );
    Some(Judged::alone(mean).with_note(format!("from {least:.1} × to {most:.1} ×")))
}

pub fn callback_bytes(samples: &Samples) -> Option<Judged> {
    const CALLBACKS: f64 = 100_000.0;
    let of = |what, peer| samples.count(&format!("memory/callbacks/{what}"), peer);
    let each = |peer| Some(of("used", peer)? / CALLBACKS);
    let note = format!(
        "all memory counted; libffi {:.0}, and {:.0} of the system's; mappings: {} for 100,000, libffi {}",
        each(LIBFFI[0])?,
        each(LIBFFI[1])?,
        of("mappings", "farcall")?,
        of("mappings", LIBFFI[0])?
    );
    Some(Judged::alone(each("farcall")?).with_note(note))
}

/// Nanoseconds for each further argument, by rounds: from none up to as many as there are registers.
pub fn per_argument(samples: &Samples, letter: &str) -> Option<Figure> {
    let row = format!("flat/arguments/{letter}");
    let most = samples.peers(&row).filter_map(|peer| peer.parse().ok());
    let most = most.reduce(f64::max)?;
    let slope = |all, none| (all - none) / most;
    samples.pairs(&row, &most.to_string(), &row, "0", slope)
}

/// The most that `row` grows over its first peer, each cycle measured against C's row of the same cycle.
pub fn grown(samples: &Samples, row: &str, c: &str) -> Option<Judged> {
    let peers: Vec<&str> = samples.peers(row).collect();
    let in_c = |peer: &str| -> Option<Vec<Option<f64>>> {
        let (ours, theirs) = (samples.rounds(row, peer)?, samples.rounds(c, peer)?);
        let cycles = ours.into_iter().zip(theirs);
        Some(cycles.map(|(ours, theirs)| Some(ours? / theirs?)).collect())
    };
    let first = in_c(peers.first()?)?;
    let mut worst: Option<Figure> = None;
    let mut notes = Vec::new();
    for peer in &peers[1..] {
        let cycles = in_c(peer)?.into_iter().zip(&first);
        let growth = cycles.filter_map(|(now, one)| Some(now? / (*one)?));
        let growth = Figure::of(growth.collect())?;
        notes.push(format!("{peer}: {:.2}", growth.median));
        if worst.is_none_or(|worst| growth.median > worst.median) {
            worst = Some(growth);
        }
    }
    Some(Judged::of(worst?).with_note(notes.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &str) -> Samples {
        let mut samples = Samples::default();
        samples.read(text).expect("samples");
        samples
    }

    #[test]
    fn worst_row_counts_and_near_ones_are_named() {
        let samples = samples(
            "sample\tcall/a\tfarcall\t2 2\nsample\tcall/a\tc\t2 2\n\
             sample\tcall/b\tfarcall\t3 3\nsample\tcall/b\tc\t2 2\n",
        );
        let judged = worst(&samples, "call/", "farcall", "c").expect("both rows are there");
        assert!((judged.value - 1.5).abs() < 1e-9);
        assert_eq!(judged.note, "b 1.50, a 1.00");
        assert!(!Bound::TimesAtMost(1.1).is_met(judged.value));
    }

    #[test]
    fn growth_is_measured_against_c_in_the_same_cycle() {
        let samples = samples(
            "sample\tx\t1\t2 4\nsample\tx\t1000\t4 4\nsample\tc\t1\t1 2\nsample\tc\t1000\t2 2\n",
        );
        let judged = grown(&samples, "x", "c").expect("two numbers");
        assert!((judged.value - 1.0).abs() < 1e-9);
    }

    #[test]
    fn bounds_are_shown_in_units_of_their_size() {
        assert_eq!(Bound::NsAtMost(20_000.0).to_string(), "≤ 20.0 µs");
        assert_eq!(Bound::NsAtMost(200.0).show(449.9), "450 ns");
        assert_eq!(Bound::BytesAtMost(262_144.0).to_string(), "≤ 256 KiB");
    }
}
