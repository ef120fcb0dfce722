//! How long a scenario goes on, and what it draws.

use std::thread;
use std::time::{Duration, Instant};

/// One run of a scenario.
pub struct Turn {
    end: Instant,
    state: u64,
}

impl Turn {
    /// A turn of so many seconds. The seed decides all that is drawn.
    pub fn new(seconds: u64, seed: u64) -> Turn {
        Turn {
            end: Instant::now() + Duration::from_secs(seconds),
            state: seed ^ 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Whether there is time left.
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.end
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
            end: self.end,
            state: self.draw(u64::MAX),
        }
    }

    /// Has so many threads do rounds of `work` until time is up. Each gets a turn to draw from, and says how many rounds it did. Returns the sum.
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
