//! Timing by turns: in each round every peer runs once, so that disturbances of the machine affect all alike.

use std::io::Write;
use std::time::Instant;

/// One thing that is timed.
pub struct Peer<'a> {
    name: String,
    run: Box<dyn FnMut(u64) + 'a>,
}

impl<'a> Peer<'a> {
    /// `run` does its work as many times as it is told.
    pub fn new(name: impl Into<String>, run: impl FnMut(u64) + 'a) -> Peer<'a> {
        Peer {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

/// The amount of measuring.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    /// The number of turns of each peer.
    pub rounds: usize,
    /// The length of a turn, in nanoseconds.
    pub turn: f64,
}

impl Sampler {
    /// Times `peers` and prints a line for each: the row, the peer's name, and nanoseconds for one piece of work in each
    /// round.
    pub fn row(&self, row: &str, mut peers: Vec<Peer>) {
        let samples = self.samples(&mut peers);
        for (peer, samples) in peers.iter().zip(&samples) {
            print(row, &peer.name, samples);
        }
    }

    /// Times one peer beside a reference, work that always takes the same, and prints both for each round: the reference shows whether the
    /// machine was disturbed.
    pub fn row_with_reference(&self, row: &str, peer: Peer, reference: Peer) {
        let name = peer.name.clone();
        let samples = self.samples(&mut [peer, reference]);
        let rounds: Vec<(f64, f64)> = samples[0]
            .iter()
            .copied()
            .zip(samples[1].iter().copied())
            .collect();
        print_with_reference(row, &name, &rounds);
    }

    /// The median of each peer's rounds.
    pub fn medians(&self, peers: &mut [Peer]) -> Vec<f64> {
        let mut samples = self.samples(peers);
        let median = |samples: &mut Vec<f64>| {
            samples.sort_by(f64::total_cmp);
            samples[samples.len() / 2]
        };
        samples.iter_mut().map(median).collect()
    }

    /// Nanoseconds for one piece of work, of each peer in each round.
    fn samples(&self, peers: &mut [Peer]) -> Vec<Vec<f64>> {
        let counts: Vec<u64> = peers.iter_mut().map(|peer| self.calibrate(peer)).collect();
        let mut samples = vec![Vec::with_capacity(self.rounds); peers.len()];
        for round in 0..self.rounds {
            for turn in 0..peers.len() {
                // Each goes first at times, as the order may matter to caches.
                let index = (round + turn) % peers.len();
                samples[index].push(timed(&mut peers[index], counts[index]));
            }
        }
        samples
    }

    /// The number of repetitions that fill a turn. Finding it also warms up.
    pub fn calibrate(&self, peer: &mut Peer) -> u64 {
        let mut count = 1;
        loop {
            let ns = timed(peer, count);
            if ns * count as f64 >= self.turn / 2.0 {
                let best = (0..3).map(|_| timed(peer, count)).fold(ns, f64::min);
                return ((self.turn / best) as u64).max(1);
            }
            count *= 2;
        }
    }
}

/// Nanoseconds for one piece of work, measured over `count` in a row.
pub fn timed(peer: &mut Peer, count: u64) -> f64 {
    let start = Instant::now();
    (peer.run)(count);
    start.elapsed().as_nanos() as f64 / count as f64
}

/// Prints a line of samples.
pub fn print(row: &str, peer: &str, samples: &[f64]) {
    let numbers: Vec<String> = samples.iter().map(|ns| format!("{ns:.3}")).collect();
    print_line(row, peer, &numbers);
}

/// Prints a line of samples, each with that of a reference in the same round.
pub fn print_with_reference(row: &str, peer: &str, rounds: &[(f64, f64)]) {
    let numbers = rounds
        .iter()
        .map(|(ns, reference)| format!("{ns:.3}@{reference:.3}"));
    print_line(row, peer, &numbers.collect::<Vec<_>>());
}

fn print_line(row: &str, peer: &str, numbers: &[String]) {
    // Printed at once, as lines are few and readers want to see progress.
    println!("sample\t{row}\t{peer}\t{}", numbers.join(" "));
    let _ = std::io::stdout().flush();
}

/// Prints a figure that is counted, not timed.
pub fn print_count(row: &str, peer: &str, value: f64) {
    println!("count\t{row}\t{peer}\t{value}");
    let _ = std::io::stdout().flush();
}

/// Keeps this process on one core, the last that it may use.
pub fn pin() {
    // SAFETY: a set of zeros is an empty one, and both calls stay within its size.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        if libc::sched_getaffinity(0, size, &mut allowed) != 0 {
            return;
        }
        let is_allowed = |cpu: &usize| libc::CPU_ISSET(*cpu, &allowed);
        let last = (0..libc::CPU_SETSIZE as usize).rev().find(is_allowed);
        if let Some(cpu) = last {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(cpu, &mut one);
            libc::sched_setaffinity(0, size, &one);
        }
    }
}
