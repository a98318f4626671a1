//! Random numbers from a seed, and where seeds and sizes of a run come from.

/// A small random sequence (SplitMix64), so that one number tells the whole run.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// A number from the environment.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The seed of this run: `CHARTLOG_FAULTS_SEED`, or a new one; printed, so that it can be repeated.
pub fn seed() -> u64 {
    let seed = given("CHARTLOG_FAULTS_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    println!("to repeat: CHARTLOG_FAULTS_SEED={seed}");
    seed
}

/// Whether this run was asked to take its time.
pub fn is_long() -> bool {
    given("CHARTLOG_FAULTS_IMAGES").is_some()
}

/// How many crash images of logs to try: `CHARTLOG_FAULTS_IMAGES`.
pub fn images() -> u64 {
    given("CHARTLOG_FAULTS_IMAGES").unwrap_or(2_000)
}

/// How many crash images of whole stores to try: `CHARTLOG_FAULTS_STORE_IMAGES`, or one for every
/// fifty of logs, because each has views to open.
pub fn store_images() -> u64 {
    given("CHARTLOG_FAULTS_STORE_IMAGES").unwrap_or_else(|| images() / 50)
}
