//! All that happens in a run, line by line: hashed, so that two runs of a seed can be compared to the last byte, and its
//! end kept, so that a violation can be told with what led to it.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

/// Lines that are kept for whoever reads about a violation.
const KEPT: usize = 400;

pub(crate) struct Transcript {
    hash: Sha256,
    last: VecDeque<String>,
    keep: usize,
    pub lines: u64,
}

impl Transcript {
    /// `whole` keeps all lines.
    pub fn new(whole: bool) -> Transcript {
        let keep = if whole { usize::MAX } else { KEPT };
        Transcript { hash: Sha256::new(), last: VecDeque::new(), keep, lines: 0 }
    }

    pub fn line(&mut self, at_ms: u64, text: &str) {
        let line = format!("{:>9}.{:03} {text}", at_ms / 1000, at_ms % 1000);
        if self.keep == usize::MAX {
            eprintln!("{line}");
        }
        self.hash.update(&line);
        self.hash.update(b"\n");
        self.lines += 1;
        if self.last.len() >= self.keep {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// What is hashed and shown to nobody.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    pub fn hash(&self) -> String {
        let digest = self.hash.clone().finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn last(&self) -> String {
        self.last.iter().map(|line| format!("{line}\n")).collect()
    }
}
