//! What must be reached, and whether it is. A goal is never bent: where one is missed, the table says by how much and why.

use std::fmt;

use super::harness::LIBFFI;
use super::samples::{Figure, Samples, geometric_mean};
use super::scripts::STOCK;

/// One line of the table of goals.
pub struct Goal {
    /// What is done.
    pub work: &'static str,
    /// What it is measured against.
    pub against: &'static str,
    /// The bound.
    pub bound: Bound,
    /// Takes the figure out of what was measured.
    pub figure: fn(&Samples) -> Option<Judged>,
    /// Why it is missed, for as long as it is.
    pub reason: &'static str,
}

/// What a figure must be.
#[derive(Clone, Copy)]
pub enum Bound {
    /// At most so many times.
    TimesAtMost(f64),
    /// At least so many times faster.
    FasterAtLeast(f64),
    /// At most so many nanoseconds.
    NsAtMost(f64),
    /// At most so many bytes.
    BytesAtMost(f64),
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
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

/// A figure and what belongs to it.
pub struct Judged {
    /// What is compared with the bound.
    pub value: f64,
    /// From where to where its rounds went, where it has any of its own.
    pub spread: Option<(f64, f64)>,
    /// What the value does not tell.
    pub note: String,
}

impl Judged {
    fn of(figure: Figure) -> Judged {
        Judged {
            value: figure.median,
            spread: Some((figure.min, figure.max)),
            note: String::new(),
        }
    }

    fn alone(value: f64) -> Judged {
        Judged {
            value,
            spread: None,
            note: String::new(),
        }
    }

    fn with_note(self, note: String) -> Judged {
        Judged { note, ..self }
    }
}

impl Goal {
    /// Whether `judged` meets it.
    pub fn is_met(&self, judged: &Judged) -> bool {
        self.bound.is_met(judged.value)
    }
}

/// Every goal, in the order of the table.
pub const GOALS: &[Goal] = &[
    Goal {
        work: "call from slots, 12 signatures, the worst of them",
        against: "the same typed call in C",
        bound: Bound::TimesAtMost(1.10),
        figure: |samples| worst(samples, "call/", "farcall", "c"),
        reason: "",
    },
    Goal {
        work: "call from slots, geometric mean of 12",
        against: "libffi's `ffi_call`",
        bound: Bound::FasterAtLeast(7.0),
        figure: |samples| faster(samples, "call/", LIBFFI[0], "farcall"),
        reason: "",
    },
    Goal {
        work: "",
        against: "libffi's `ffi_call_plan_invoke`",
        bound: Bound::FasterAtLeast(3.5),
        figure: |samples| faster(samples, "call/", &format!("{} plan", LIBFFI[0]), "farcall"),
        reason: "",
    },
    Goal {
        work: "C calls a callback, `int(int, int)`",
        against: "a C function doing the same",
        bound: Bound::TimesAtMost(1.5),
        figure: |samples| {
            let judged = Judged::of(samples.ratio("callback/add2", "farcall", "c")?);
            let in_c = samples.ratio("callback/add2", "c slots", "c")?.median;
            let all = worst(samples, "callback/", "farcall", "c")?.note;
            let note = format!(
                "written in C, the same through slots takes {in_c:.2} ×; of 12 signatures {all}"
            );
            Some(judged.with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "",
        against: "libffi's closure",
        bound: Bound::FasterAtLeast(4.0),
        figure: |samples| {
            let judged = Judged::of(samples.ratio("callback/add2", LIBFFI[0], "farcall")?);
            let all = faster(samples, "callback/", LIBFFI[0], "farcall")?;
            Some(judged.with_note(format!(
                "geometric mean of 12 signatures {:.1} ×",
                all.value
            )))
        },
        reason: "",
    },
    Goal {
        work: "callback made and freed",
        against: "libffi's closure",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| Some(Judged::of(samples.ratio("made", "farcall", LIBFFI[0])?)),
        reason: "",
    },
    Goal {
        work: "function made, signature seen before (`int(int, int)`)",
        against: "–",
        bound: Bound::NsAtMost(200.0),
        figure: |samples| Some(Judged::of(samples.time("func/seen/add2", "farcall")?)),
        reason: "",
    },
    Goal {
        work: "function made, signature new",
        against: "–",
        bound: Bound::NsAtMost(20_000.0),
        figure: |samples| Some(Judged::of(samples.time("func/first", "farcall")?)),
        reason: "",
    },
    Goal {
        work: "MicroPython: `add2(i, 1)`, net of the loop",
        against: "`time.ticks_diff(i, 1)` on the same build",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| {
            let ratio =
                |peer: &str| samples.ratio("script add2(i, 1)", peer, &format!("{peer} builtin"));
            let note = format!("with its own module {:.2} ×", ratio(STOCK)?.median);
            Some(Judged::of(ratio("farcall")?).with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "MicroPython: 12 signatures from scripts, geometric mean",
        against: "its own module over libffi",
        bound: Bound::FasterAtLeast(3.0),
        figure: |samples| faster(samples, "script/", STOCK, "farcall"),
        reason: "",
    },
    Goal {
        work: "the same, the worst of them",
        against: "its own module over libffi",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| worst(samples, "script/", "farcall", STOCK),
        reason: "",
    },
    Goal {
        work: "MicroPython: C calls a Python function, net of that function",
        against: "its own module over libffi",
        bound: Bound::FasterAtLeast(3.0),
        figure: |samples| {
            Some(Judged::of(samples.ratio(
                "script callback",
                STOCK,
                "farcall",
            )?))
        },
        reason: "",
    },
    Goal {
        work: "memory: 1,000 signatures, executable",
        against: "–",
        bound: Bound::BytesAtMost(256.0 * 1024.0),
        figure: |samples| {
            Some(Judged::alone(
                samples.count("memory/signatures/code", "farcall")?,
            ))
        },
        reason: "",
    },
    Goal {
        work: "memory: 100,000 live callbacks, each",
        against: "libffi's closures",
        bound: Bound::BytesAtMost(64.0),
        figure: callback_bytes,
        reason: "",
    },
    Goal {
        work: "one more register argument",
        against: "–",
        bound: Bound::NsAtMost(1.0),
        figure: |samples| {
            let [ints, doubles] = ["q", "d"].map(|letter| per_argument(samples, letter));
            let (ints, doubles) = (ints?, doubles?);
            let note = format!(
                "integers {:.2} ns, doubles {:.2} ns",
                ints.median, doubles.median
            );
            let worse = if ints.median > doubles.median {
                ints
            } else {
                doubles
            };
            Some(Judged::of(worse).with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "a callback called with 10^3 and 10^5 live ones",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/callbacks/call", "flat/callbacks/c"),
        reason: "",
    },
    Goal {
        work: "one made and freed, likewise",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/callbacks/made", "flat/callbacks/c"),
        reason: "",
    },
    Goal {
        work: "a function called with 10, 100 and 1,000 signatures",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/signatures/call", "flat/signatures/c"),
        reason: "",
    },
    Goal {
        work: "a function made of a known signature, likewise",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/signatures/seen", "flat/signatures/c"),
        reason: "",
    },
];

/// What counts as not growing.
const FLAT: Bound = Bound::TimesAtMost(1.15);

/// The row with the largest ratio of `peer` to `base`; the note names all that come near.
fn worst(samples: &Samples, prefix: &str, peer: &str, base: &str) -> Option<Judged> {
    let ratios = samples.rows(prefix).map(|row| {
        let name = row.trim_start_matches(prefix);
        Some((name, samples.ratio(row, peer, base)?))
    });
    let mut ratios: Vec<(&str, Figure)> = ratios.collect::<Option<_>>()?;
    ratios.sort_by(|a, b| b.1.median.total_cmp(&a.1.median));
    let (_, figure) = ratios.first()?;
    let listed = ratios.iter().take(4);
    let listed: Vec<String> = listed
        .map(|(name, figure)| format!("{name} {:.2}", figure.median))
        .collect();
    Some(Judged::of(*figure).with_note(listed.join(", ")))
}

/// How many times faster `peer` is than `rival`, geometric mean over the rows.
fn faster(samples: &Samples, prefix: &str, rival: &str, peer: &str) -> Option<Judged> {
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

fn callback_bytes(samples: &Samples) -> Option<Judged> {
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

/// Nanoseconds for each further argument, by rounds: between none and as many as there are registers.
fn per_argument(samples: &Samples, letter: &str) -> Option<Figure> {
    let row = format!("flat/arguments/{letter}");
    let count = (1..).take_while(|n| samples.series(&row, &n.to_string()).is_some());
    let count = count.last()?;
    let (none, all) = (
        samples.series(&row, "0")?,
        samples.series(&row, &count.to_string())?,
    );
    let slopes = none
        .iter()
        .zip(all)
        .map(|(none, all)| (all - none) / f64::from(count));
    Figure::of(slopes.collect())
}

/// The most that `row` grows over its first peer, each cycle measured against C's row of the same cycle.
fn grown(samples: &Samples, row: &str, c: &str) -> Option<Judged> {
    let peers: Vec<&str> = samples.peers(row).collect();
    let in_c = |peer: &str| -> Option<Vec<f64>> {
        let (ours, theirs) = (samples.series(row, peer)?, samples.series(c, peer)?);
        Some(
            ours.iter()
                .zip(theirs)
                .map(|(ours, theirs)| ours / theirs)
                .collect(),
        )
    };
    let first = in_c(peers.first()?)?;
    let mut worst: Option<Figure> = None;
    let mut notes = Vec::new();
    for peer in &peers[1..] {
        let growth = in_c(peer)?
            .iter()
            .zip(&first)
            .map(|(now, one)| now / one)
            .collect();
        let growth = Figure::of(growth)?;
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
        assert!(!GOALS[0].is_met(&judged));
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
