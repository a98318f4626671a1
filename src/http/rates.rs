//! How often one token, and one address, may ask: what comes more often is sent away before it costs anything.
//!
//! Buckets that fill with the seconds. One that is full again is forgotten; of those that are not, at most [`KEYS_MAX`] are
//! told apart, and what comes from still others shares a few.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota};

use super::{Failure, Fault};
use crate::config::LimitsConfig;

/// Tokens, and addresses, that are told apart.
const KEYS_MAX: usize = 100_000;
/// Buckets for those that come when there are so many.
const SHARED: u64 = 1_024;

/// The rates of a server.
#[derive(Debug)]
pub struct Rates {
    tokens: Option<Rate>,
    addresses: Option<Rate>,
}

impl Rates {
    /// As the configuration says; 0 is no limit.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            tokens: Rate::new(limits.requests_per_second_per_token, limits.burst_per_token),
            addresses: Rate::new(limits.requests_per_second_per_address, limits.burst_per_address),
        }
    }

    /// Counts a request from an address.
    ///
    /// # Errors
    ///
    /// 429: there were too many.
    pub fn address(&self, client: Option<IpAddr>) -> Result<(), Failure> {
        let Some(rate) = &self.addresses else { return Ok(()) };
        // Who has one address of IPv6 has a network of them.
        let network = client.map(|client| match client {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        });
        rate.count(&network, "this address")
    }

    /// Counts a request with a token that is acceptable.
    ///
    /// # Errors
    ///
    /// 429: there were too many.
    pub fn token(&self, token: &str) -> Result<(), Failure> {
        self.tokens.as_ref().map_or(Ok(()), |rate| rate.count(token, "this token"))
    }

    /// Forgets whose bucket is full again.
    pub fn forget(&self) {
        for rate in [&self.tokens, &self.addresses].into_iter().flatten() {
            rate.buckets.retain_recent();
            rate.buckets.shrink_to_fit();
        }
    }
}

/// One bucket for each of many. They are known by their hash, which nobody can foresee.
#[derive(Debug)]
struct Rate {
    hasher: RandomState,
    buckets: DefaultKeyedRateLimiter<u64>,
}

impl Rate {
    /// So many per second, and so many at once.
    fn new(per_second: u32, at_once: u32) -> Option<Self> {
        let per_second = NonZeroU32::new(per_second)?;
        let at_once = NonZeroU32::new(at_once).unwrap_or(per_second);
        let quota = Quota::per_second(per_second).allow_burst(at_once);
        let (hasher, buckets) = (RandomState::new(), DefaultKeyedRateLimiter::keyed(quota));
        Some(Self { hasher, buckets })
    }

    fn count(&self, who: &(impl Hash + ?Sized), name: &str) -> Result<(), Failure> {
        let key = self.hasher.hash_one(who);
        let key = if self.buckets.len() < KEYS_MAX { key } else { key % SHARED };
        self.buckets
            .check_key(&key)
            .map_err(|_| Failure::of(Fault::TooMany, format!("{name} asks more often than it may")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let limits = LimitsConfig {
            requests_per_second_per_token: 1,
            burst_per_token: 2,
            requests_per_second_per_address: 1,
            burst_per_address: 1,
            ..LimitsConfig::default()
        };
        Rates::new(&limits)
    }

    #[test]
    fn each_has_a_bucket_of_its_own_and_a_network_of_ipv6_has_one() {
        let rates = rates();
        let token = |token| rates.token(token).is_ok();
        assert_eq!(["a", "a", "a", "b"].map(token), [true, true, false, true]);
        let address = |text: &str| rates.address(Some(text.parse().unwrap())).is_ok();
        let asked = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1", "2001:db8::2"];
        assert_eq!(asked.map(address), [true, true, false, true, false]);
        assert!(address("2001:db8:0:1::1"), "another network");
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let rates = Rates::new(&LimitsConfig::default());
        assert!(rates.tokens.is_none() && rates.addresses.is_none());
        assert!((0..10_000).all(|_| rates.token("a").is_ok() && rates.address(None).is_ok()));
    }

    #[test]
    fn memory_is_bounded_whoever_comes() {
        let rates = rates();
        for number in 0..KEYS_MAX + 10_000 {
            let _ = rates.token(&number.to_string());
        }
        let kept = rates.tokens.as_ref().unwrap().buckets.len();
        assert!(kept <= KEYS_MAX + usize::try_from(SHARED).unwrap(), "{kept}");
    }
}
