//! Examples in the files of upcasters: what an event says before, and what it says then.

use serde_json::Value;
use toml::de::DeTable;

use super::UpcastError;
use super::chains::Chains;
use super::run::run;
use super::sheet::Sheet;
use super::step::{Outcome, Step};
use crate::chart::{Actor, Envelope, EventKind, EventType};
use crate::fhir::{ResourceKey, ResourceType};

/// Most examples in a file.
const EXAMPLES_MAX: usize = 100;

/// An example.
pub(super) struct Example {
    /// From 1.
    number: usize,
    /// The line of what it says before, and then.
    before_line: usize,
    after_line: usize,
    event_kind: EventKind,
    key: ResourceKey,
    before: String,
    after: Vec<Value>,
}

/// Reads the examples of a file, of which there must be one.
pub(super) fn read(
    sheet: &mut Sheet<'_>,
    table: &DeTable<'_>,
    events: &[EventKind],
) -> Vec<Example> {
    let tables = sheet.tables(table, "example");
    if table.get("example").is_none() {
        let problem = "[[example]] is missing: show what comes out of one resource, before and after, each as JSON in a text";
        sheet.refuse(0, problem);
    }
    let event = sheet.event.clone();
    let mut examples = Vec::new();
    for (number, (table, at)) in (1..).zip(tables) {
        if number > EXAMPLES_MAX {
            sheet.refuse(at, format!("a file may have {EXAMPLES_MAX} examples"));
            break;
        }
        sheet.event = format!("{event} (example {number})");
        examples.extend(one(sheet, table, at, number, events));
    }
    sheet.event = event;
    examples
}

fn one(
    sheet: &mut Sheet<'_>,
    table: &DeTable<'_>,
    at: usize,
    number: usize,
    events: &[EventKind],
) -> Option<Example> {
    sheet.only(table, "[[example]]", &["event", "before", "after"]);
    let event_kind = match sheet.text(table, "event") {
        None => events.first().copied(),
        Some((word, at)) => {
            let known: EventType = format!("request.{word}")
                .parse()
                .map_err(|_| {
                    sheet.refuse(
                        at,
                        format!("{word} is no event: write recorded, amended and such"),
                    );
                })
                .ok()?;
            Some(known.event_kind)
        }
    };
    let mut json = |key: &str| {
        let (text, _) = sheet.required(table, key, at)?;
        sheet.document(text, table.get(key)?)
    };
    let (before, after) = (json("before"), json("after"));
    let (before, before_line) = before?;
    let (after, after_line) = after?;
    let text = |name: &str| before.root().get_str(name).unwrap_or_default().into_owned();
    let key = format!("{}/{}", text("resourceType"), text("id")).parse::<ResourceKey>();
    let key = key.map_err(|error| {
        sheet.refuse_line(
            before_line,
            format!("before is a resource with resourceType and id: {error}"),
        );
    });
    let after = match serde_json::from_str(after.text()).unwrap_or_default() {
        Value::Array(several) => several,
        one => vec![one],
    };
    let before = before.text().to_owned();
    Some(Example {
        number,
        before_line,
        after_line,
        event_kind: event_kind?,
        key: key.ok()?,
        before,
        after,
    })
}

impl Example {
    /// Tries the example on its step.
    ///
    /// # Errors
    ///
    /// That something else comes out.
    pub(super) fn check(&self, step: &Step) -> Result<(), UpcastError> {
        let failed = |line: usize, problem: String| {
            let (file, event) = (step.file.to_string(), self.name(step.kind));
            UpcastError { file, line, event, problem }
        };
        if self.key.kind != step.kind {
            let problem =
                format!("before is a {}: the upcaster is about {}", self.key.kind, step.kind);
            return Err(failed(self.before_line, problem));
        }
        if !step.events.contains(&self.event_kind) {
            let word = self.event_kind.word();
            let problem = format!("the upcaster is not about events that are {word}");
            return Err(failed(self.before_line, problem));
        }
        let outcome = step
            .carry_out(self.event_kind, &self.key, self.body())
            .map_err(|(line, problem)| failed(line, problem))?;
        self.compare(&outcome).map_err(|problem| failed(self.after_line, problem))
    }

    /// Tries it on the chain, from its step on: what comes out of the step may be on its way to a later version, but at the end it
    /// must be valid.
    ///
    /// # Errors
    ///
    /// That it is not.
    pub(super) fn check_end(&self, chains: &Chains, from: u16) -> Result<(), UpcastError> {
        let event_type = EventType::of(&self.key, self.event_kind);
        let mut envelope = Envelope::new(event_type, Actor::default());
        envelope.content = from;
        envelope.resource = Some(self.key.to_string());
        match run(chains, envelope, self.key.clone(), self.body(), &mut |_, _, _, _| {}) {
            Ok(_) => Ok(()),
            Err(error) => Err(UpcastError { event: self.name(self.key.kind), ..error }),
        }
    }

    fn name(&self, kind: ResourceType) -> String {
        format!("{}.{} (example {})", kind, self.event_kind.word(), self.number)
    }

    /// The body of the event, which has none if it says that the resource is deleted.
    fn body(&self) -> Vec<u8> {
        let body = if self.event_kind == EventKind::Removed { "" } else { &self.before };
        body.as_bytes().to_vec()
    }

    fn compare(&self, outcome: &Outcome) -> Result<(), String> {
        let bodies = outcome.main.iter().chain(outcome.parts.iter().flatten());
        let found: Vec<&Vec<u8>> = bodies.filter(|body| !body.is_empty()).collect();
        let (count, said) = (found.len(), self.after.len());
        for (place, (found, said)) in found.iter().zip(&self.after).enumerate() {
            let value: Value = serde_json::from_slice(found).unwrap_or_default();
            if let Some(difference) = difference(&value, said, "") {
                let which = if said.is_object() && self.after.len() > 1 {
                    format!(" of the resource with number {}", place + 1)
                } else {
                    String::new()
                };
                return Err(format!("something else comes out: {difference}{which}"));
            }
        }
        if count != said {
            return Err(format!("{count} come out, and after says {said}"));
        }
        Ok(())
    }
}

/// Where two values differ first.
fn difference(found: &Value, said: &Value, place: &str) -> Option<String> {
    /// Most of a value that a message shows, in characters.
    const SHOWN_MAX: usize = 200;
    match (found, said) {
        (Value::Object(found), Value::Object(said)) => {
            let names = found.keys().chain(said.keys().filter(|name| !found.contains_key(*name)));
            names.into_iter().find_map(|name| {
                let (found, said) = (found.get(name), said.get(name));
                // The stored form of every resource has a meta.
                let is_empty_meta = place.is_empty()
                    && name == "meta"
                    && [found, said]
                        .into_iter()
                        .flatten()
                        .all(|meta| meta.as_object().is_some_and(serde_json::Map::is_empty));
                if is_empty_meta {
                    return None;
                }
                let nothing = Value::Null;
                let place = format!("{place}/{name}");
                difference(found.unwrap_or(&nothing), said.unwrap_or(&nothing), &place)
            })
        }
        (Value::Array(found), Value::Array(said)) if found.len() == said.len() => {
            let mut items = found.iter().zip(said).enumerate();
            items.find_map(|(at, (found, said))| difference(found, said, &format!("{place}/{at}")))
        }
        _ if found == said => None,
        _ => {
            let shown = |value: &Value| match value {
                Value::Null => "nothing".to_owned(),
                value => {
                    let text = value.to_string();
                    match text.char_indices().nth(SHOWN_MAX) {
                        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
                        None => text,
                    }
                }
            };
            let place = if place.is_empty() { "the whole" } else { place };
            Some(format!("at {place} stands {}, not {}", shown(found), shown(said)))
        }
    }
}
