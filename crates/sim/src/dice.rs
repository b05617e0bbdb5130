//! Chance of the simulation: streams of dice that follow from the seed and from a name, so that one part of the world
//! may throw more often without changing what the others see.

use sha2::{Digest, Sha256};

pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub fn new(seed: u64, stream: &str) -> Dice {
        let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(stream).finalize();
        Dice(fastrand::Rng::with_seed(u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))))
    }

    pub fn per_mille(&mut self, chance: u32) -> bool {
        chance > 0 && self.0.u32(0..1000) < chance
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0.usize(0..n.max(1))
    }

    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.u64(from..=to.max(from))
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A duration in milliseconds: mostly short, seldom the longest.
    pub fn delay(&mut self, longest: u64) -> u64 {
        match self.below(10) {
            0..=5 => 0,
            6..=8 => self.between(0, longest / 10),
            _ => self.between(0, longest),
        }
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}
