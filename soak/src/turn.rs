//! The length of a scenario's run, and its random numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// One run of a scenario.
pub struct Turn {
    end: End,
    state: u64,
}

/// The end of a turn: by the clock, or once a number of rounds have begun on all threads together.
#[derive(Clone)]
enum End {
    At(Instant),
    After(Arc<AtomicU64>),
}

impl Turn {
    /// A turn of `seconds`, or of `rounds` if these are given. The seed determines all random numbers.
    pub fn new(seconds: u64, seed: u64, rounds: Option<u64>) -> Turn {
        Turn {
            end: match rounds {
                None => End::At(Instant::now() + Duration::from_secs(seconds)),
                Some(rounds) => End::After(Arc::new(AtomicU64::new(rounds))),
            },
            state: seed ^ 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Whether there is another round. Call it once for each.
    pub fn goes_on(&self) -> bool {
        match &self.end {
            End::At(end) => Instant::now() < *end,
            End::After(left) => {
                let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
                let less = |left: u64| left.checked_sub(1);
                left.fetch_update(success, failure, less).is_ok()
            }
        }
    }

    /// A number below `limit`.
    pub fn draw(&mut self, limit: u64) -> u64 {
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// Another turn for another thread, that ends when this one does.
    pub fn fork(&mut self) -> Turn {
        Turn {
            end: self.end.clone(),
            state: self.draw(u64::MAX),
        }
    }

    /// Lets `threads` threads do rounds of `work` until the turn is over. Each gets a turn to draw from, and returns the number of its
    /// rounds. Returns the sum.
    pub fn on_threads<W>(&mut self, threads: usize, work: W) -> u64
    where
        W: Fn(&mut Turn) -> u64 + Clone + Send + 'static,
    {
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let (work, mut turn) = (work.clone(), self.fork());
                thread::spawn(move || {
                    let mut rounds = 0;
                    while turn.goes_on() {
                        rounds += work(&mut turn);
                    }
                    rounds
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    }

    /// Does nothing for a moment of random length.
    pub fn dawdle(&mut self, steps: u64) {
        for _ in 0..self.draw(steps) {
            std::hint::spin_loop();
        }
    }
}
