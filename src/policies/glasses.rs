//! Glasses that callers have broken: charts that they may see for a while, for a reason.

use arc_swap::ArcSwap;

use crate::access::Identity;
use crate::clock::Instant;
use crate::log::StreamAlias;

/// Those that are broken now.
#[derive(Debug, Default)]
pub struct Glasses(ArcSwap<Vec<Broken>>);

/// One that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Claim `iss` of who broke it.
    pub issuer: String,
    /// Claim `sub`.
    pub subject: String,
    /// The chart.
    pub chart: StreamAlias,
    /// From this moment on it is whole again.
    pub until: Instant,
}

impl Glasses {
    /// The charts of which somebody has broken the glass.
    #[must_use]
    pub fn of(&self, who: &Identity, now: Instant) -> Vec<StreamAlias> {
        let all = self.0.load();
        let is_theirs = |one: &&Broken| one.subject == who.subject && one.issuer == who.issuer;
        let theirs = all.iter().filter(|one| one.until > now).filter(is_theirs);
        theirs.map(|one| one.chart).collect()
    }

    /// One more is broken. Those that are whole again are forgotten.
    pub fn add(&self, broken: &Broken, now: Instant) {
        self.0.rcu(|all| {
            let still = all.iter().filter(|one| one.until > now).cloned();
            still.chain([broken.clone()]).collect::<Vec<_>>()
        });
    }
}
