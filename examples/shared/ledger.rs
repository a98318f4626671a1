//! A ledger: amounts that were posted to accounts, each when it was recorded. Nothing in it is ever changed. What a new version of a
//! resource says is posted, and what the version before said is posted with the opposite sign; so the balance at any past moment
//! is what it was then, to the last unit.

use std::collections::BTreeMap;

use chartlog::clock::Instant;
use chartlog::feed::projection::Event;
use serde::{Deserialize, Serialize};

use super::Known;

/// An amount that a resource moves to an account, in whole units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub account: String,
    pub units: i64,
}

/// Each account with what is on it; without those on which there is nothing.
pub type Balances = BTreeMap<String, i128>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Posting {
    /// Microseconds since 1970.
    recorded_at: i64,
    position: u64,
    amount: Amount,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What the current version of each resource says.
    known: Known<Vec<Amount>>,
    /// By chart, in the order of the log.
    postings: BTreeMap<String, Vec<Posting>>,
}

impl Ledger {
    /// Posts what an event changes; `amounts` is what its resource says from then on. Nothing is left of an erased chart.
    pub fn take(&mut self, event: &Event, amounts: Vec<Amount>) {
        let chart = event.chart.clone().unwrap_or_default();
        if event.is_erased() {
            self.known.forget(&chart);
            self.postings.remove(&chart);
            return;
        }
        let new = (!amounts.is_empty()).then(|| amounts.clone());
        let old = self.known.replace(event, new).unwrap_or_default();
        if old == amounts {
            return;
        }
        let reversed = old.into_iter().map(|old| Amount { units: -old.units, ..old });
        let postings = reversed.chain(amounts).map(|amount| Posting {
            recorded_at: event.recorded_at.micros(),
            position: event.position.get(),
            amount,
        });
        self.postings.entry(chart).or_default().extend(postings);
    }

    /// What was on each account at a moment: by what had been recorded until then.
    pub fn balances(&self, moment: Instant) -> Balances {
        let postings = self.postings.values().flatten();
        let until = postings.filter(|posting| posting.recorded_at <= moment.micros());
        sum(until.map(|posting| &posting.amount))
    }
}

/// The sums of amounts, by account.
pub fn sum<'a>(amounts: impl IntoIterator<Item = &'a Amount>) -> Balances {
    let mut balances = Balances::new();
    for amount in amounts {
        *balances.entry(amount.account.clone()).or_default() += i128::from(amount.units);
    }
    balances.retain(|_, units| *units != 0);
    balances
}
