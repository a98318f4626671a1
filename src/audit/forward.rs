//! Both logs as they are forwarded to tools of the operator: every entry and every commit, in the order of its log.
//!
//! Such a tool keeps what it is given, whatever is erased here later. So nothing that is forwarded names a patient, unless the
//! operator has asked for names: charts are told apart by their alias, which leads to nobody once a chart is
//! erased. It is the operator, who holds the master key, that has these read: there is no grant, and no further entry.

use serde_json::Value;

use std::sync::Arc;

use super::AccessId;
use super::accesses::{Access, RESOURCES_MAX};
use super::commits::Commit;
use super::known::NamedLook;
use super::reader::EntryReader;
use crate::access::{AccessEntry, Look, Outcome, Words};
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::numbers::Position;
use crate::records::{Records, RecordsError};

/// How much is read at a time, but for the last frame or commit: entries, and events.
const ENTRIES_MAX: usize = 500;
const EVENTS_MAX: u64 = 1_000;

/// Members of an entry that are left out where patients are not named: empty, they would say that there were none.
const NAMES: [&str; 2] = ["patients", "resources"];

/// An entry, or a commit, on its way to a tool of the operator.
#[derive(Debug)]
pub struct Forwarded {
    /// What was done: id of the operation.
    pub operation: Arc<str>,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// What it says, with no more names than it may have: JSON.
    access: String,
    /// Aliases of the charts that it was about in any of its parts.
    pub charts: Vec<String>,
    /// How the worst of its parts ended.
    pub worst: Outcome,
    /// Whether patients are named.
    names: bool,
}

impl Forwarded {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        // It was written as JSON.
        let mut entry: Value = serde_json::from_str(&self.access).unwrap_or_default();
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("charts".to_owned(), self.charts.clone().into());
        }
        if !self.names {
            let parts = entry.get_mut("parts").and_then(Value::as_array_mut);
            parts.into_iter().flatten().for_each(remove_names);
            remove_names(&mut entry);
        }
        entry
    }
}

fn remove_names(look: &mut Value) {
    if let Value::Object(look) = look {
        NAMES.iter().for_each(|name| drop(look.remove(*name)));
    }
}

/// What comes next in a log, and the position behind it.
pub type Next = (Vec<Forwarded>, Position);

/// The positions behind the last frame of the access log, and behind the last event.
///
/// # Errors
///
/// The views do not read back.
pub fn ends(records: &Records) -> Result<(Position, Position), RecordsError> {
    let view = records.view();
    Ok((view.applied_access()?, view.applied_events()?))
}

/// The entries of the next frames of the access log that were not disposed of; none at its end. `names`: with those of patients and resources, and
/// the words of requests.
///
/// # Errors
///
/// The log does not read back.
pub fn entries_from(
    records: &Records,
    mut position: Position,
    names: bool,
) -> Result<Next, RecordsError> {
    let view = records.view();
    let end = view.applied_access()?;
    let mut reader = EntryReader::new(records, &view);
    let disposed = records.engine().access_reader().disposed();
    let mut forwarded = Vec::new();
    while position < end && forwarded.len() < ENTRIES_MAX {
        if let Some(gap) = disposed.iter().find(|gap| gap.contains(&position)) {
            position = gap.end;
            continue;
        }
        let (entries, recorded_at) = reader.entries(position)?;
        for (index, entry) in (0..).zip(entries) {
            let id = AccessId::Entry { position, index };
            forwarded.push(forward(&reader, id, recorded_at, entry, names)?);
        }
        position = position.next();
    }
    Ok((forwarded, position))
}

/// The next commits; none at the end of the log. Those of which nothing can be read any more are left out.
///
/// # Errors
///
/// The log does not read back.
pub fn commits_from(records: &Records, from: Position, names: bool) -> Result<Next, RecordsError> {
    let view = records.view();
    let reader = EntryReader::new(records, &view);
    let (mut forwarded, mut position) = (Vec::new(), from);
    while position - from < EVENTS_MAX {
        let Some(commit) = Commit::of(records, &view, position)? else { break };
        let id = AccessId::Commit(commit.events.start);
        position = commit.events.end;
        if let Some(entry) = commit.entry {
            forwarded.push(forward(&reader, id, commit.recorded_at, entry, names)?);
        }
    }
    Ok((forwarded, position))
}

fn forward(
    reader: &EntryReader<'_>,
    id: AccessId,
    recorded_at: Instant,
    mut entry: AccessEntry,
    names: bool,
) -> Result<Forwarded, RecordsError> {
    let charts = entry.charts().iter().map(ToString::to_string).collect();
    let is_any = |outcome| entry.looks().any(|look| look.outcome == outcome);
    let worst = [Outcome::Failed, Outcome::Refused].into_iter().find(|outcome| is_any(*outcome));
    if let AccessId::Commit(_) = id {
        // Its resources say the same.
        entry.parts.clear();
    }
    if !names {
        hide_patient(&mut entry);
    }
    let named = |look: &Look| match names {
        true => reader.named_for(look, None, RESOURCES_MAX),
        false => Ok(nameless(look)),
    };
    let look = named(&entry.look)?;
    let parts = entry.parts.iter().map(|part| named(&part.look)).collect::<Result<_, _>>()?;
    let source = reader.source(&entry.source);
    let worst = worst.unwrap_or(Outcome::Granted);
    let operation = Arc::clone(&entry.look.operation);
    let access = Access { id, recorded_at, source, entry, look, parts }.json(None);
    Ok(Forwarded { operation, recorded_at, access, charts, worst, names })
}

/// What a look says without a name. The words of requests may hold any; those of the operator's own commands, which
/// have no route, hold none.
fn nameless(look: &Look) -> NamedLook {
    let words = match &look.words {
        Some(Words::Plain(words)) if look.route.is_empty() => Some(words.clone()),
        _ => None,
    };
    NamedLook { words, shown_count: look.shown.count(), ..NamedLook::default() }
}

/// Takes out the name of a user who is a patient. The subject, by which an account is known, stays, as it does in the
/// log.
fn hide_patient(entry: &mut AccessEntry) {
    let is_patient = |user: &String| {
        let mut names = user.split('/');
        names.any(|name| name == ResourceType::PATIENT.name() || name == "RelatedPerson")
    };
    let identity = entry.source.identity.as_ref();
    if identity.is_some_and(|who| who.fhir_user.as_ref().is_some_and(is_patient)) {
        let mut source = (*entry.source).clone();
        if let Some(identity) = &mut source.identity {
            let identity = Arc::make_mut(identity);
            (identity.name, identity.fhir_user) = (None, None);
        }
        entry.source = source.into();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::access::{Identity, RequestId, Source};

    fn entry(fhir_user: &str, route: &str, words: &str) -> AccessEntry {
        let identity = Identity {
            subject: "u1".to_owned(),
            name: Some("Anna".to_owned()),
            fhir_user: Some(fhir_user.to_owned()),
            ..Identity::default()
        };
        let source = Source { identity: Some(identity.into()), ..Source::default() };
        let mut entry = AccessEntry::of(source, RequestId::new(1, 2), "readResource", 0);
        entry.look.route = Arc::from(route);
        entry.look.words = Some(Words::Plain(words.to_owned()));
        entry
    }

    #[test]
    fn only_users_who_are_patients_lose_their_name() {
        for (user, is_named) in [
            ("Patient/p1", false),
            ("https://charts.example/fhir/Patient/p1", false),
            ("RelatedPerson/r1", false),
            ("Practitioner/Patient1", true),
        ] {
            let mut entry = entry(user, "", "");
            hide_patient(&mut entry);
            let identity = entry.source.identity.clone().unwrap();
            assert_eq!(identity.subject, "u1");
            assert_eq!(
                (identity.name.is_some(), identity.fhir_user.is_some()),
                (is_named, is_named)
            );
        }
    }

    #[test]
    fn only_the_words_of_the_operator_are_shown() {
        let asked = entry("Practitioner/x", "GET /fhir/{type}", "/fhir/Patient?name=Maier").look;
        assert_eq!(nameless(&asked).query(&asked), "GET /fhir/{type}");
        let done = entry("Practitioner/x", "", "epoch=1").look;
        assert_eq!(nameless(&done).query(&done), "epoch=1");
    }
}
