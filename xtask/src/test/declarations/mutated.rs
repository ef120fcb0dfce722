//! Reads texts of headers that were cut up and put together anew: reading must end without a panic, whatever they say.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use farcall_cdecl::c::{Declarations, Platform};

/// The number of texts made from each header.
const COUNT: usize = 8;

/// The most bytes that are used of a header.
const LARGEST: usize = 1 << 15;

/// The outcome of the texts.
#[derive(Default)]
pub struct Mutated {
    pub read: usize,
    pub refused: usize,
    /// The texts at which reading panicked.
    pub fatal: Vec<String>,
    state: u64,
}

impl Mutated {
    fn below(&mut self, limit: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % limit.max(1)
    }

    /// Reads some texts made from this one.
    pub fn add(&mut self, platform: Platform, text: &str) -> Result<()> {
        for _ in 0..COUNT {
            let start = text.floor_char_boundary(self.below(text.len().saturating_sub(LARGEST)));
            let end = text.floor_char_boundary((start + LARGEST).min(text.len()));
            // From the beginning of a line, where a declaration may begin.
            let part = &text[start..end];
            let part = match start {
                0 => part,
                _ => part.split_once('\n').map_or(part, |(_, rest)| rest),
            };
            let mut pieces: Vec<&str> = part
                .split_inclusive([' ', '(', ')', ';', ',', '{', '}', '*', '\n'])
                .collect();
            for _ in 0..1 + self.below(3) {
                let at = self.below(pieces.len());
                let other = pieces.get(self.below(pieces.len())).copied();
                match (self.below(4), other) {
                    (0, Some(other)) => pieces.insert(at, other),
                    (1, Some(other)) => pieces[at] = other,
                    (2, Some(_)) => _ = pieces.remove(at),
                    _ => pieces.truncate(at),
                }
            }
            self.read(platform, &pieces.concat())?;
        }
        Ok(())
    }

    fn read(&mut self, platform: Platform, text: &str) -> Result<()> {
        let mut c = Declarations::new(platform)?;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let is_read = c.read(text).is_ok();
            let types: Vec<_> = c.typedefs().chain(c.tags()).map(|(_, ty)| ty).collect();
            for ty in types {
                let _ = (c.passed(ty), c.show(ty).to_string());
            }
            is_read
        }));
        match outcome {
            Ok(true) => self.read += 1,
            Ok(false) => self.refused += 1,
            Err(_) => self.fatal.push(text.to_owned()),
        }
        Ok(())
    }
}
