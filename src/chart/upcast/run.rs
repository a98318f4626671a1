//! Carrying out the chain of a type on an event.

use super::chains::Chains;
use super::step::{Failure, Outcome, Step};
use super::{Told, Upcast, UpcastError};
use crate::chart::{Envelope, EventKind, EventType};
use crate::fhir::{ResourceKey, StoredForm, check, patients_of, serve};
use crate::json::{Document, Node};
use crate::numbers::ResourceVersion;

/// Told of every step that is carried out: the step, the resource, its body before, and what came out.
pub(super) type Witness<'w> = &'w mut dyn FnMut(&Step, &ResourceKey, &[u8], &Outcome);

/// What is told of a resource.
struct Telling<'a> {
    key: ResourceKey,
    content: u16,
    /// Empty: that it is not there, or not any more.
    body: Vec<u8>,
    is_main: bool,
    is_dropped: bool,
    /// The step that changed it last, and the line in it.
    last: Option<(&'a Step, usize)>,
}

/// What an event about the resource with that key says today.
pub(super) fn run(
    chains: &Chains,
    envelope: Envelope,
    key: ResourceKey,
    body: Vec<u8>,
    witness: Witness<'_>,
) -> Result<Upcast, UpcastError> {
    let event_kind = envelope.event_type.event_kind;
    let before = body.clone();
    let content = envelope.content;
    let main = Telling { key, content, body, is_main: true, is_dropped: false, last: None };
    let (mut todo, mut told) = (vec![main], Vec::new());
    while let Some(telling) = todo.pop() {
        let mut parts = Vec::new();
        let telling = on(chains, telling, event_kind, &mut parts, witness)?;
        told.push(telling);
        todo.extend(parts.into_iter().rev());
    }
    settle(envelope, &before, chains, told)
}

/// Leads a resource through the chain of its type.
fn on<'a>(
    chains: &'a Chains,
    mut telling: Telling<'a>,
    event_kind: EventKind,
    parts: &mut Vec<Telling<'a>>,
    witness: Witness<'_>,
) -> Result<Telling<'a>, UpcastError> {
    for step in chains.from(telling.key.kind, telling.content) {
        // A part that is not there has parts that are not there.
        let is_told = telling.is_main || !telling.body.is_empty();
        let before = telling.body;
        let outcome = if is_told {
            let outcome = step
                .carry_out(event_kind, &telling.key, before.clone())
                .map_err(|failure| failed(step, event_kind, failure))?;
            if !telling.is_dropped {
                witness(step, &telling.key, &before, &outcome);
            }
            outcome
        } else {
            Outcome { main: Some(before.clone()), parts: Vec::new(), line: None }
        };
        let mut bodies = outcome.parts.into_iter();
        for split in &step.splits {
            let body = bodies.next().flatten().unwrap_or_default();
            if body.is_empty() && event_kind == EventKind::Recorded {
                continue;
            }
            let Some(key) = split.key(&telling.key.id) else { continue };
            let content = chains.content_of_part(step, split);
            let last = (!body.is_empty()).then_some((step, split.line));
            let is_dropped = telling.is_dropped;
            parts.push(Telling { key, content, body, is_main: false, is_dropped, last });
        }
        telling.is_dropped |= outcome.main.is_none();
        telling.body = outcome.main.unwrap_or(before);
        if let Some(line) = outcome.line {
            telling.last = Some((step, line));
        }
    }
    telling.content = chains.content_of(telling.key.kind).max(telling.content);
    Ok(telling)
}

fn failed(step: &Step, event_kind: EventKind, (line, problem): Failure) -> UpcastError {
    let event = format!("{}.{}", step.kind, event_kind.word());
    UpcastError { file: step.file.to_string(), line, event, problem }
}

/// Checks what is told, and puts it into the form in which it is stored.
fn settle(
    envelope: Envelope,
    before: &[u8],
    chains: &Chains,
    told: Vec<Telling<'_>>,
) -> Result<Upcast, UpcastError> {
    let event_kind = envelope.event_type.event_kind;
    let (mut main, mut parts) = (None, Vec::new());
    let mut patients = None;
    let mut keys: Vec<(ResourceKey, bool)> = Vec::new();
    for mut telling in told {
        if let Some((step, line)) = telling.last {
            let patients = patients.get_or_insert_with(|| patients_in(before, &envelope));
            telling.body = valid(&telling, patients)
                .map_err(|problem| failed(step, event_kind, (line, problem)))?;
        }
        let mut own = envelope.clone();
        own.content = telling.content;
        if telling.is_main {
            let Telling { body, is_dropped, .. } = telling;
            main = Some(Told { envelope: own, body, is_dropped });
            continue;
        }
        let is_there = !telling.body.is_empty() && !telling.is_dropped;
        match keys.iter().position(|(key, _)| *key == telling.key) {
            Some(_) if !is_there => continue,
            Some(at) => {
                let (known, was_there) = keys.remove(at);
                if let Some((step, line)) = telling.last.filter(|_| was_there) {
                    let problem =
                        format!("{known} comes about twice: choose other templates for ids");
                    return Err(failed(step, event_kind, (line, problem)));
                }
                parts.remove(at);
            }
            None => {}
        }
        own.event_type = EventType::of(&telling.key, event_kind);
        own.resource = Some(telling.key.to_string());
        own.content = chains.content_of(telling.key.kind);
        own.idempotency = None;
        own.rights = None;
        keys.push((telling.key, is_there));
        let Telling { body, is_dropped, .. } = telling;
        parts.push(Told { envelope: own, body, is_dropped });
    }
    let main = main.unwrap_or(Told { envelope, body: Vec::new(), is_dropped: false });
    Ok(Upcast { main, parts })
}

/// The patients in whose charts a resource lies, in the order of their ids.
fn patients_of_node(resource: Node<'_>, key: &ResourceKey) -> Vec<String> {
    let patients = patients_of(key.kind, resource, &key.id, None);
    let mut patients: Vec<String> = patients.iter().map(ToString::to_string).collect();
    patients.sort_unstable();
    patients
}

fn patients_in(body: &[u8], envelope: &Envelope) -> Vec<String> {
    let resource = Document::parse(body).ok().zip(envelope.key());
    resource.map(|(resource, key)| patients_of_node(resource.root(), &key)).unwrap_or_default()
}

/// The stored form of a resource, if it may stand in the charts of these patients.
fn valid(telling: &Telling<'_>, patients: &[String]) -> Result<Vec<u8>, String> {
    let resource = Document::parse(&*telling.body).map_err(|error| error.problem)?;
    let stored = StoredForm::of(resource.root(), &telling.key.id, &|_| None);
    // Only with a version and a time is the stored form a resource.
    let served =
        serve(&stored.bytes, stored.splice, ResourceVersion::new(1), "2020-01-01T00:00:00.000Z");
    let resource = Document::parse(served).map_err(|error| error.problem)?;
    if let Err(problems) = check(Some(telling.key.kind), resource.root(), "") {
        /// Most problems that a message names.
        const NAMED_MAX: usize = 3;
        let named = problems.iter().take(NAMED_MAX).map(ToString::to_string);
        let named = named.collect::<Vec<_>>().join("; ");
        let more = problems.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Err(format!("what comes out is not valid FHIR R4: {named}{more}"));
    }
    let now = patients_of_node(resource.root(), &telling.key);
    if now != patients {
        let list = |patients: &[String]| match patients {
            [] => "no patient".to_owned(),
            some => some.join(", "),
        };
        return Err(format!(
            "it would lie in the charts of {} and lies in those of {}: an upcaster does not move resources",
            list(&now),
            list(patients)
        ));
    }
    Ok(stored.bytes)
}
