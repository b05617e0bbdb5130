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
