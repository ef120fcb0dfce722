//! Reads the output of the measuring programs, and computes medians of the ratios within rounds.
//!
//! A line is one of these, its fields tab-separated:
//! * `sample`, a row, a peer and the nanoseconds of each round; behind each and an `@` there may stand the nanoseconds, in that
//!   round, of something that always takes the same: an empty loop, a call in C;
//! * `count`, a row, a peer and one number;
//! * `version`, a peer and its own version text.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// A median, and the range of the middle nine tenths of the numbers: beyond them another program may have had the processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The median.
    pub median: f64,
    /// A twentieth of the numbers is smaller.
    pub min: f64,
    /// A twentieth is larger.
    pub max: f64,
    /// A tenth is smaller: the time of undisturbed rounds.
    pub quiet: f64,
}

impl Figure {
    /// The figure of some numbers; `None` without any.
    pub fn of(mut numbers: Vec<f64>) -> Option<Figure> {
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        let edge = last / 20;
        let (min, max) = (numbers[edge], numbers[last - edge]);
        let middle = numbers.len() / 2;
        let median = match numbers.len() % 2 {
            0 => f64::midpoint(numbers[middle - 1], numbers[middle]),
            _ => numbers[middle],
        };
        let quiet = numbers[last / 10];
        Some(Figure {
            median,
            min,
            max,
            quiet,
        })
    }
}

/// The time of one peer in each round.
#[derive(Default)]
struct Series {
    numbers: Vec<f64>,
    /// The time of the reference in each round, if the program printed it: of work that always takes the same.
    reference: Vec<f64>,
}

/// The factor over its fastest tenth beyond which the reference marks a round as disturbed. Such a round is left out, whatever was measured in it.
const DISTURBED: f64 = 1.15;

impl Series {
    /// A number for each round that counts.
    fn rounds(&self) -> Vec<Option<f64>> {
        let Some(reference) = Figure::of(self.reference.clone()) else {
            return self.numbers.iter().copied().map(Some).collect();
        };
        let limit = reference.quiet * DISTURBED;
        let rounds = self.numbers.iter().zip(&self.reference);
        rounds
            .map(|(number, reference)| (*reference <= limit).then_some(*number))
            .collect()
    }
}

/// Everything that was measured.
#[derive(Default)]
pub struct Samples {
    /// By row and peer.
    series: BTreeMap<(String, String), Series>,
    counts: BTreeMap<(String, String), f64>,
    /// The peers' own version texts.
    pub versions: BTreeMap<String, String>,
    /// The rows, in the order of the output.
    rows: Vec<String>,
    /// The peers with their rows, in the order of the output.
    peers: Vec<(String, String)>,
}

impl Samples {
    /// Takes in a program's output. More of a series that is there already is added to it.
    pub fn read(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            if let ["version", peer, version] = fields[..] {
                self.versions.insert(peer.to_owned(), version.to_owned());
                continue;
            }
            let [kind, row, peer, numbers] = fields[..] else {
                ensure!(!line.starts_with("sample"), "not four fields: {line}");
                continue;
            };
            self.add(kind, row, peer, numbers)
                .with_context(|| format!("not numbers: {line}"))?;
        }
        Ok(())
    }

    fn add(&mut self, kind: &str, row: &str, peer: &str, numbers: &str) -> Result<()> {
        if !self.rows.iter().any(|known| known == row) {
            self.rows.push(row.to_owned());
        }
        let key = (row.to_owned(), peer.to_owned());
        if !self.peers.contains(&key) {
            self.peers.push(key.clone());
        }
        if kind == "count" {
            self.counts.insert(key, numbers.parse()?);
            return Ok(());
        }
        let series = self.series.entry(key).or_default();
        for number in numbers.split_whitespace() {
            let (number, reference) = number.split_once('@').unwrap_or((number, ""));
            series.numbers.push(number.parse()?);
            if !reference.is_empty() {
                series.reference.push(reference.parse()?);
            }
        }
        Ok(())
    }

    /// The rows whose names begin with `prefix`, in the order they were measured.
    pub fn rows<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let rows = self.rows.iter().map(String::as_str);
        rows.filter(move |row| row.starts_with(prefix))
    }

    /// A row's peers, in the order they were measured.
    pub fn peers<'a>(&'a self, row: &'a str) -> impl Iterator<Item = &'a str> {
        let peers = self.peers.iter().filter(move |(of, _)| of == row);
        peers.map(|(_, peer)| peer.as_str())
    }

    /// Each round's nanoseconds; none for a round that was disturbed.
    pub fn rounds(&self, row: &str, peer: &str) -> Option<Vec<Option<f64>>> {
        let key = (row.to_owned(), peer.to_owned());
        Some(self.series.get(&key)?.rounds())
    }

    /// A number that was counted.
    pub fn count(&self, row: &str, peer: &str) -> Option<f64> {
        let key = (row.to_owned(), peer.to_owned());
        self.counts.get(&key).copied()
    }

    /// Nanoseconds.
    pub fn time(&self, row: &str, peer: &str) -> Option<Figure> {
        let rounds = self.rounds(row, peer)?;
        let figure = Figure::of(rounds.into_iter().flatten().collect())?;
        let key = (row.to_owned(), peer.to_owned());
        let has_reference = |series: &Series| !series.reference.is_empty();
        // With a reference, disturbed rounds are left out already, and the smallest differences are those whose subtrahend was disturbed.
        let quiet = match self.series.get(&key).is_some_and(has_reference) {
            true => figure.median,
            false => figure.quiet,
        };
        Some(Figure { quiet, ..figure })
    }

    /// How many times as long `peer` takes as `base`, round by round.
    pub fn ratio(&self, row: &str, peer: &str, base: &str) -> Option<Figure> {
        self.pairs(row, peer, row, base, |peer, base| peer / base)
    }

    /// The figure of `of`, applied to two peers' times, round by round.
    pub fn pairs(
        &self,
        row: &str,
        peer: &str,
        base_row: &str,
        base: &str,
        of: impl Fn(f64, f64) -> f64,
    ) -> Option<Figure> {
        let (peer, base) = (self.rounds(row, peer)?, self.rounds(base_row, base)?);
        let pairs = peer.into_iter().zip(base);
        let pairs = pairs.filter_map(|(peer, base)| Some(of(peer?, base?)));
        Figure::of(pairs.collect())
    }
}

/// The geometric mean of some ratios; `None` if one is missing.
pub fn geometric_mean(ratios: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let logs = ratios.into_iter().map(|ratio| ratio.map(f64::ln));
    let logs: Vec<f64> = logs.collect::<Option<_>>()?;
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_is_the_median_of_the_rounds_own_ratios() {
        let mut samples = Samples::default();
        let text = "sample\tcall/x\ta\t2 30 4\nsample\tcall/x\tb\t1 10 4\nnoise\n";
        samples.read(text).expect("two samples");
        let ratio = samples.ratio("call/x", "a", "b");
        let expected = Figure {
            median: 2.0,
            min: 1.0,
            max: 3.0,
            quiet: 1.0,
        };
        assert_eq!(ratio, Some(expected));
        assert_eq!(samples.ratio("call/x", "a", "c"), None);
        assert_eq!(samples.rows("call/").collect::<Vec<_>>(), ["call/x"]);
    }

    #[test]
    fn round_in_which_the_reference_was_slow_is_left_out() {
        let mut samples = Samples::default();
        let text = "sample\tx\ta\t2@10 9@12 2@10 3@11\nsample\tx\tb\t1@10 1@10 1@30 1@10\n";
        samples.read(text).expect("two samples");
        let median = |figure: Option<Figure>| figure.map(|figure| figure.median);
        assert_eq!(median(samples.time("x", "a")), Some(2.0));
        assert_eq!(median(samples.ratio("x", "a", "b")), Some(2.5));
    }

    #[test]
    fn geometric_mean_wants_every_ratio() {
        let mean = geometric_mean([Some(2.0), Some(8.0)]).expect("both are there");
        assert!((mean - 4.0).abs() < 1e-9);
        assert_eq!(geometric_mean([Some(2.0), None]), None);
        assert_eq!(geometric_mean([]), None);
    }
}
