//! Random numbers that stay the same for ever: a seed reproduces a failure even after a library has changed its
//! generator.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream that `words` name: a seed, an index, a purpose.
    pub fn new(words: &[u64]) -> Rng {
        let mut rng = Rng(0);
        for word in words {
            rng.0 = rng.next() ^ word;
        }
        rng.next();
        rng
    }

    /// 64 random bits.
    #[allow(
        clippy::should_implement_trait,
        reason = "a generator is no iterator: it never ends"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A random one of the values.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A random bool.
    pub fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }
}

/// A seed that nobody has used before.
pub fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.map_or(0, |since| since.as_nanos() as u64);
    Rng::new(&[nanos, u64::from(std::process::id())]).next()
}
