//! A tape of numbers that decides everything a test leaves to chance. Where the tape ends it says 0, and 0 is the
//! plainest choice everywhere, so that a shorter tape is a simpler case: that is how proptest shrinks what failed.

pub struct Dice<'a> {
    tape: std::slice::Iter<'a, u16>,
}

impl<'a> Dice<'a> {
    pub fn new(tape: &'a [u16]) -> Dice<'a> {
        Dice { tape: tape.iter() }
    }

    /// Whether the tape has ended.
    pub fn is_spent(&self) -> bool {
        self.tape.len() == 0
    }

    /// From 0 up to, but without, `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.tape.next().copied().unwrap_or(0)) % sides
    }

    /// One in so many times, and never when the tape has ended.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == sides - 1
    }

    pub fn pick<'t, T: ?Sized>(&mut self, table: &[&'t T]) -> &'t T {
        table[self.roll(table.len())]
    }
}

/// One seed's tapes of any length, for runs whose chance is to be the same every time.
pub fn tapes(seed: u64) -> impl FnMut(usize) -> Vec<u16> {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    move |length| {
        let next = |_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as u16
        };
        (0..length).map(next).collect()
    }
}
