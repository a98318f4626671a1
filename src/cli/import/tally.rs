//! What became of everything: counts by type, refusals, and what is worth another try.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answer::{Answer, Outcome, Refused};
use super::place::Place;
use super::request::Request;

/// Bytes of refused requests that are kept for another try.
const WAITING_BYTES_MAX: usize = 256 << 20;

/// Something that is not stored, and why.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Where it was found.
    pub place: Place,
    /// HTTP status; 0 if it was never sent.
    pub status: u16,
    /// Why.
    pub diagnostics: String,
    /// Resources that this is about.
    pub resources: u64,
    kinds: Vec<String>,
}

impl Refusal {
    /// Something that could not even be sent.
    pub fn unread(place: Place, diagnostics: String) -> Self {
        Self { place, status: 0, diagnostics, resources: 1, kinds: vec![String::new()] }
    }
}

/// Resources of one type.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    stored: u64,
    present: u64,
    removed: u64,
    refused: u64,
}

/// What became of everything.
#[derive(Debug, Default)]
pub struct Tally {
    types: BTreeMap<String, Counts>,
    refusals: Vec<Refusal>,
    waiting: Vec<(Request, Vec<Refusal>)>,
    waiting_bytes: usize,
}

impl Tally {
    /// Takes note of an answer.
    pub fn note(&mut self, request: Request, answer: Answer) {
        if let Some(refused) = answer.whole {
            let parts = request.parts.iter();
            let refusal = Refusal {
                place: request
                    .place
                    .clone()
                    .or_else(|| Some(parts.clone().next()?.place.clone()))
                    .unwrap_or_else(|| Place::named("")),
                status: refused.status,
                diagnostics: refused.diagnostics,
                resources: parts.len() as u64,
                kinds: parts.map(|part| part.kind.clone()).collect(),
            };
            self.refuse_all(request, vec![refusal], refused.may_change);
            return;
        }
        let mut final_ones = Vec::new();
        let mut hopeful = Vec::new();
        let mut again = Vec::new();
        for (at, (part, outcome)) in request.parts.iter().zip(answer.parts).enumerate() {
            let counts = self.types.entry(part.kind.clone()).or_default();
            match outcome {
                Outcome::Stored => counts.stored += 1,
                Outcome::Present => counts.present += 1,
                Outcome::Removed => counts.removed += 1,
                Outcome::Refused(Refused { status, diagnostics, may_change }) => {
                    let own = format!("Bundle.entry[{at}]");
                    let diagnostics = match request.place {
                        Some(_) => diagnostics,
                        // The batch is ours; nobody else knows its numbers.
                        None => diagnostics
                            .replace(&format!("{own}.resource"), &part.kind)
                            .replace(&own, &part.kind),
                    };
                    let kinds = vec![part.kind.clone()];
                    let place = part.place.clone();
                    let refusal = Refusal { place, status, diagnostics, resources: 1, kinds };
                    // Of a Bundle of others, the whole would be sent again.
                    if may_change && request.place.is_none() {
                        hopeful.push(refusal);
                        again.push(at);
                    } else {
                        final_ones.push(refusal);
                    }
                }
            }
        }
        self.refusals.append(&mut final_ones);
        if !hopeful.is_empty() {
            let request = request.only(|at| again.contains(&at));
            self.refuse_all(request, hopeful, true);
        }
    }

    fn refuse_all(&mut self, request: Request, refusals: Vec<Refusal>, may_change: bool) {
        let bytes = request.body.len();
        if may_change && self.waiting_bytes + bytes <= WAITING_BYTES_MAX {
            self.waiting_bytes += bytes;
            self.waiting.push((request, refusals));
        } else {
            self.refusals.extend(refusals);
        }
    }

    /// Takes note of something that could not be sent.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// The requests that are worth another try.
    pub fn take_waiting(&mut self) -> Vec<Request> {
        self.waiting_bytes = 0;
        self.waiting.drain(..).map(|(request, _)| request).collect()
    }

    /// What is still waiting when nothing helps any more is refused.
    pub fn finish(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.refusals.extend(waiting.into_iter().flat_map(|(_, refusals)| refusals));
        for kind in self.refusals.iter().flat_map(|refusal| &refusal.kinds) {
            self.types.entry(kind.clone()).or_default().refused += 1;
        }
        self.refusals.sort_by_cached_key(|one| one.place.clone());
    }

    /// Adds what another pass brought.
    pub fn add(&mut self, other: Self) {
        for (kind, counts) in other.types {
            let sum = self.types.entry(kind).or_default();
            sum.stored += counts.stored;
            sum.present += counts.present;
            sum.removed += counts.removed;
        }
        self.refusals.extend(other.refusals);
        self.waiting.extend(other.waiting);
        self.waiting_bytes += other.waiting_bytes;
    }

    /// Everything that was refused, in the order of the files, once [finished](Self::finish).
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// How many resources were refused.
    pub fn refused(&self) -> u64 {
        self.refusals.iter().map(|refusal| refusal.resources).sum()
    }

    /// How many resources are where they should be.
    pub fn accepted(&self) -> u64 {
        self.types.values().map(|counts| counts.stored + counts.present + counts.removed).sum()
    }

    /// The summary for people.
    pub fn summary(&self, took: Duration) -> String {
        let seconds = took.as_secs_f64();
        let all = self.accepted() + self.refused();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rate = (all as f64 / seconds.max(0.001)) as u64;
        let mut text = format!(
            "{} in {seconds:.1} s, {} a second\n\n{:<28}{:>12}{:>15}{:>12}{:>12}\n",
            counted(all, "resource"),
            grouped(rate),
            "",
            "stored",
            "already there",
            "deleted",
            "refused"
        );
        let mut sum = Counts::default();
        for (kind, counts) in &self.types {
            sum.stored += counts.stored;
            sum.present += counts.present;
            sum.removed += counts.removed;
            sum.refused += counts.refused;
            line(&mut text, if kind.is_empty() { "(not a resource)" } else { kind }, *counts);
        }
        line(&mut text, "all", sum);
        text
    }
}

fn line(text: &mut String, name: &str, counts: Counts) {
    let [stored, present, removed, refused] =
        [counts.stored, counts.present, counts.removed, counts.refused].map(grouped);
    text.push_str(&format!("{name:<28}{stored:>12}{present:>15}{removed:>12}{refused:>12}\n"));
}

/// A number of things, grouped: `1 resource`, `12,000 resources`, `2 access entries`.
pub fn counted(number: u64, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{} {stem}ies", grouped(number)),
        (_, None) => format!("{} {thing}s", grouped(number)),
    }
}

/// A number with a comma before every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_told_as_many() {
        for (number, thing, told) in [
            (0, "resource", "0 resources"),
            (1, "resource", "1 resource"),
            (1_234_567, "event", "1,234,567 events"),
            (1, "access entry", "1 access entry"),
            (2, "access entry", "2 access entries"),
        ] {
            assert_eq!(counted(number, thing), told);
        }
        assert!(
            Tally::default().summary(Duration::from_secs(1)).starts_with("0 resources in 1.0 s")
        );
    }
}
