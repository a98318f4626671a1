//! What must come of a history: a plain replay in memory that shares no code with the program.

use std::collections::BTreeMap;

use chartlog::clock::Instant;
use chartlog::records::{Effect, WriteResult};

use crate::history::{Condition, Op, Transaction};

/// Everything that the commits so far mean.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    /// Events of each patient's chart, in order.
    pub charts: BTreeMap<String, Vec<Event>>,
    /// Versions of each resource, in order.
    pub resources: BTreeMap<String, Vec<Version>>,
    /// Resources in the order in which they were first recorded.
    pub order: Vec<String>,
    /// Events so far, directory included.
    pub position: u64,
    /// Time of the last commit.
    pub recorded_at: Instant,
}

/// One event of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub word: String,
    pub resource: Option<String>,
    pub resource_version: u64,
    /// The content that the chart holds from then on, as it is served.
    pub served: Option<String>,
    pub recorded_at: Instant,
    /// First position of its commit, and the position behind the commit.
    pub commit: (u64, u64),
}

/// One version of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// First position of its commit, and the position behind the commit.
    pub commit: (u64, u64),
    pub recorded_at: Instant,
    pub first: bool,
    /// Content without type, id and meta; `None`: deleted.
    pub content: Option<String>,
    pub served: Option<String>,
    pub patients: Vec<String>,
    pub in_error: bool,
}

impl Fold {
    /// The live version number of a resource.
    pub fn live_version(&self, key: &str) -> Option<u64> {
        let versions = self.resources.get(key)?;
        versions.last()?.content.as_ref()?;
        Some(versions.len() as u64)
    }

    fn live(&self, key: &str) -> Option<&Version> {
        self.resources.get(key)?.last().filter(|version| version.content.is_some())
    }

    /// Keys of the live resources of a type whose content holds a text, oldest first.
    pub fn scan(&self, kind: &str, text: &str) -> Vec<String> {
        let of_kind = |key: &&String| key.split_once('/').unwrap().0 == kind;
        let holds = |key: &&String| {
            self.live(key).is_some_and(|live| live.content.as_ref().unwrap().contains(text))
        };
        self.order.iter().filter(of_kind).filter(holds).cloned().collect()
    }

    /// Keys of the live resources of a type that lie in a chart, oldest first.
    pub fn in_chart(&self, kind: &str, patient: &str) -> Vec<String> {
        let mut keys = self.scan(kind, "");
        keys.retain(|key| self.live(key).unwrap().patients.iter().any(|id| id == patient));
        keys
    }

    /// What a chart holds at a version, in the order of the events that brought it.
    pub fn chart_at(&self, patient: &str, version: usize) -> Vec<(String, String)> {
        let mut held: Vec<(String, String)> = Vec::new();
        for event in &self.charts[patient][..version] {
            let Some(key) = &event.resource else { continue };
            held.retain(|(known, _)| known != key);
            held.extend(event.served.clone().map(|served| (key.clone(), served)));
        }
        held
    }

    /// Whether a transaction must be refused as a whole.
    pub fn refuses(&self, transaction: &Transaction) -> bool {
        transaction.iter().any(|op| match op {
            Op::CreateUnlessThere { tag, .. } => {
                let value = format!(r#""value":"i{tag}""#);
                let found = self.scan("Observation", &value);
                // What the same transaction stores would be found as well, if it came first.
                let is_twin = |other: &Op| {
                    matches!(other, Op::Put { .. })
                        && other.key().is_some_and(|key| key.starts_with("Observation/"))
                        && other.content().is_some_and(|content| content.contains(&value))
                };
                let is_created = found.iter().all(|key| removes(transaction, key));
                found.len() > 1 || (is_created && transaction.iter().any(is_twin))
            }
            Op::Put { condition, .. } | Op::Remove { condition, .. } => {
                let live = self.live_version(&op.key().unwrap());
                match condition {
                    Condition::None | Condition::Right => false,
                    Condition::Wrong => true,
                    Condition::NotThere => live.is_some(),
                }
            }
        })
    }

    /// Takes in a transaction that was answered, and holds the answer against what it should be.
    pub fn take(&mut self, transaction: &Transaction, written: &WriteResult) {
        let changed =
            |effect| matches!(effect, Effect::Created | Effect::Updated | Effect::Removed);
        let time = written.done.iter().find(|done| changed(done.effect));
        let recorded_at = time.and_then(|done| done.recorded_at).unwrap_or(self.recorded_at);
        assert!(recorded_at >= self.recorded_at, "time runs backwards");
        let events = written.events.map(|(first, count)| (first.get(), count));
        let (first, count) = events.unwrap_or((self.position, 0));
        assert_eq!(first, self.position, "positions have a hole or an overlap");
        let commit = (first, first + count);
        // Conditions are about the state before the commit.
        let before = self.clone();
        let mut events = 0;
        for (op, done) in transaction.iter().zip(&written.done) {
            let key = done.key.as_ref().expect("a resource").to_string();
            assert!(op.key().is_none_or(|own| own == key));
            if let Op::CreateUnlessThere { tag, .. } = op {
                let mut found = before.scan("Observation", &format!(r#""value":"i{tag}""#));
                found.retain(|key| !removes(transaction, key));
                if !found.is_empty() {
                    assert_eq!((done.effect, vec![key]), (Effect::Unchanged, found));
                    continue;
                }
            }
            let (effect, more) = self.change(&key, op, recorded_at, commit);
            assert_eq!(done.effect, effect, "{key} {op:?}");
            assert_eq!(done.version.get() as usize, self.resources.get(&key).map_or(0, Vec::len));
            if changed(effect) {
                assert_eq!(done.recorded_at, Some(recorded_at));
            }
            events += more;
        }
        let opened = self.charts.values().filter(|events| events[0].commit == commit);
        events += if count == 0 { 0 } else { opened.count() as u64 };
        assert_eq!(events, count, "the commit has another number of events: {transaction:?}");
        self.position += count;
        self.recorded_at = recorded_at;
    }

    /// One change: its effect, and how many events say so (but for those that open charts).
    fn change(
        &mut self,
        key: &str,
        op: &Op,
        recorded_at: Instant,
        commit: (u64, u64),
    ) -> (Effect, u64) {
        let (kind, id) = key.split_once('/').unwrap();
        let last = self.resources.get(key).and_then(|versions| versions.last()).cloned();
        let live = last.clone().filter(|last| last.content.is_some());
        let number = self.resources.get(key).map_or(0, Vec::len) as u64 + 1;
        let content = op.content();
        let (effect, stay, enter) = match (&content, &last, &live) {
            (None, _, None) => return (Effect::Absent, 0),
            (Some(new), _, Some(old)) if old.content.as_ref() == Some(new) => {
                return (Effect::Unchanged, 0);
            }
            (None, ..) => (Effect::Removed, "removed", "removed"),
            (_, None, _) => (Effect::Created, "recorded", "recorded"),
            (_, _, None) => (Effect::Created, "restored", "restored"),
            (_, _, Some(old)) if op.is_in_error() && !old.in_error => {
                (Effect::Updated, "retracted", "moved-in")
            }
            _ => (Effect::Updated, "amended", "moved-in"),
        };
        let served = content.as_ref().map(|content| {
            format!(
                r#"{{"resourceType":"{kind}","id":"{id}","meta":{{"versionId":"{number}","lastUpdated":"{recorded_at}"}},{content}}}"#
            )
        });
        let old = live.map(|live| live.patients);
        let new = if content.is_some() { op.patients() } else { old.clone().unwrap() };
        let mut told: Vec<(Option<String>, &str)> = Vec::new();
        let place = |patients: &[String]| -> Vec<Option<String>> {
            let some: Vec<_> = patients.iter().cloned().map(Some).collect();
            if some.is_empty() { vec![None] } else { some }
        };
        let was = old.as_deref().map(place).unwrap_or_default();
        for chart in place(&new) {
            let word = if was.contains(&chart) { stay } else { enter };
            told.push((chart, word));
        }
        for chart in was.iter().filter(|chart| !place(&new).contains(chart)) {
            told.push((chart.clone(), "moved-out"));
        }
        let count = told.len() as u64;
        for (chart, word) in told {
            let Some(patient) = chart else { continue };
            let subject = if word.starts_with("moved") { "chart" } else { kind };
            let opened = Event {
                word: "chart.opened".to_owned(),
                resource: None,
                resource_version: 0,
                served: None,
                recorded_at,
                commit,
            };
            let event = Event {
                word: format!("{subject}.{word}"),
                resource: Some(key.to_owned()),
                resource_version: number,
                served: served.clone().filter(|_| word != "moved-out"),
                ..opened.clone()
            };
            self.charts.entry(patient).or_insert_with(|| vec![opened]).push(event);
        }
        if last.is_none() {
            self.order.push(key.to_owned());
        }
        let first = effect == Effect::Created;
        let in_error = op.is_in_error();
        let version =
            Version { commit, recorded_at, first, content, served, patients: new, in_error };
        self.resources.entry(key.to_owned()).or_default().push(version);
        (effect, count)
    }
}

/// Whether a transaction deletes a resource: it is gone then for all conditions of the transaction.
fn removes(transaction: &Transaction, key: &str) -> bool {
    let is_removal = |op: &Op| matches!(op, Op::Remove { .. }) && op.key().as_deref() == Some(key);
    transaction.iter().any(is_removal)
}
