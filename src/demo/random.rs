//! The generator's only source of chance: SplitMix64 (Steele, Lea, Flood, 2014), in numbered streams.
//!
//! In: a seed, a patient's number and what the numbers are for. Out: the same numbers every time, on
//! every machine: only integer arithmetic and the four exact operations of floating point are used,
//! never a logarithm or a sine. Never: a global state, entropy from outside, secrets.

/// What a stream of numbers is for. Streams are independent, so that a patient's identity can be
/// drawn again without replaying the chart.
#[derive(Clone, Copy)]
pub enum Stream {
    Person = 1,
    Chart = 2,
    Trait = 3,
}

pub struct Random {
    state: u64,
}

impl Random {
    pub fn new(seed: u64, number: u64, stream: Stream) -> Self {
        let state = scramble(scramble(scramble(seed) ^ number) ^ stream as u64);
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.state)
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number from `low` to `high`, both included; `low` when the interval is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).saturating_add(1).max(1);
        low + (self.unit() * width as f64) as i64
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.between(0, 99) < i64::from(percent)
    }

    /// A bell-shaped number around `mean`, never further away than twice `spread`.
    pub fn around(&mut self, mean: f64, spread: f64) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        mean + spread * (sum - 2.0)
    }

    /// One of the `choices`; the default value when there are none.
    pub fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let place = (self.unit() * choices.len() as f64) as usize;
        choices.get(place).copied().unwrap_or_default()
    }
}

/// The finaliser of SplitMix64: a bijection in which every input bit changes half of the output bits.
fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Random, Stream};

    #[test]
    fn numbers_follow_from_seed_number_and_stream() {
        let draw = |seed, number, stream| Random::new(seed, number, stream).next();
        assert_eq!(draw(1, 7, Stream::Chart), draw(1, 7, Stream::Chart));
        assert_ne!(draw(1, 7, Stream::Chart), draw(2, 7, Stream::Chart));
        assert_ne!(draw(1, 7, Stream::Chart), draw(1, 8, Stream::Chart));
        assert_ne!(draw(1, 7, Stream::Chart), draw(1, 7, Stream::Person));
    }

    #[test]
    fn bounds_are_kept() {
        let mut random = Random::new(3, 0, Stream::Chart);
        for _ in 0..1_000 {
            assert!((-2..=5).contains(&random.between(-2, 5)));
            assert!((90.0..=110.0).contains(&random.around(100.0, 5.0)));
            assert!((0.0..1.0).contains(&random.unit()));
        }
        assert_eq!(random.between(4, 3), 4);
        assert_eq!(random.pick::<u8>(&[]), 0);
    }
}
