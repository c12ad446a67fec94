//! Chance, the same for the same seed.

/// A small generator: the same seed, the same history.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let sides = u64::try_from(of.len()).expect("few");
        &of[usize::try_from(self.roll(sides)).expect("small")]
    }
}

/// How long tests of chance run.
#[expect(clippy::disallowed_methods, reason = "how long a test runs is asked of the environment")]
pub(crate) fn scale() -> u64 {
    std::env::var("FLORIN_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}
