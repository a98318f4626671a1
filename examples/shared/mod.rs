//! What the examples of views have in common: a view in a file together with its position, what is known of each
//! resource, a ledger, and exact decimal numbers.
#![allow(dead_code)] // Each example uses a part.

pub mod hospital;
pub mod ledger;
pub mod saved;

use std::collections::BTreeMap;
use std::error::Error;

use chartlog::feed::projection::{Event, HttpFeed, follow};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use saved::Saved;

/// A view that is folded from events: a function of those up to a position, and of nothing else.
pub trait Fold: Clone + Default + Serialize + DeserializeOwned {
    fn take(&mut self, event: &Event);
}

/// What is known of each resource, by chart, so that an erased chart can be forgotten. `""`: of no patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known<T>(BTreeMap<String, BTreeMap<String, T>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Known<T> {
    /// Puts what an event says of a resource in the place of what was known; `None`: it does not count any more.
    /// Returns what was known.
    pub fn replace(&mut self, event: &Event, new: Option<T>) -> Option<T> {
        let resource = event.resource.clone()?;
        let chart = self.0.entry(event.chart.clone().unwrap_or_default()).or_default();
        match new {
            Some(new) => chart.insert(resource, new),
            None => chart.remove(&resource),
        }
    }

    pub fn forget(&mut self, chart: &str) {
        self.0.remove(chart);
    }

    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.values().flat_map(BTreeMap::values)
    }
}

/// `Patient/p1`, as FHIR refers to it.
#[derive(Debug, Clone, Deserialize)]
pub struct Reference {
    pub reference: Option<String>,
}

impl Reference {
    /// Whether a resource counts in a chart: in that of the patient whom it is about, and not in those of others who
    /// are only named in it.
    pub fn is_of(subject: Option<&Self>, patient: Option<&str>) -> bool {
        let subject = subject.and_then(|subject| subject.reference.as_deref());
        subject == patient.map(|patient| format!("Patient/{patient}")).as_deref()
    }
}

/// A decimal number as it is written, as a whole number of its last place: `12.3` with two places is 1230. `None`: it has more places,
/// more than 15 digits, or an exponent.
pub fn exact(text: &str, places: usize) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_exact = fraction.len() <= places && whole.len() + places <= 15;
    let all = format!("{whole}{fraction:0<places$}");
    let is_number = all.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = all.parse().ok().filter(|_| is_exact && is_number)?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// Server, file of the view, and the rest of the command line.
pub fn arguments(usage: &str) -> Result<(String, String, Vec<String>), String> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(server), Some(file)) => Ok((server, file, arguments.collect())),
        _ => Err(format!("usage: TOKEN=… {usage}")),
    }
}

/// The token in `$TOKEN`.
#[allow(clippy::disallowed_methods)] // The examples have no configuration.
pub fn token() -> Result<String, String> {
    std::env::var("TOKEN").map_err(|_| "TOKEN is not set".to_owned())
}

/// Brings the view in a file up to the end of the log, and returns it.
pub fn caught_up<V: Fold>(server: &str, file: &str, types: &str) -> Result<V, Box<dyn Error>> {
    let feed = HttpFeed::new(server, token).with("include", "resource");
    let mut feed = feed.with("type", types).to_the_end();
    let mut saved = Saved::<V>::open(file)?;
    follow(&mut feed, &mut saved, |_| true)?;
    Ok(saved.view)
}
