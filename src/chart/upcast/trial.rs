//! A trial of upcasters on events, before they are put in force: what each would do to how many.

use super::step::Outcome;
use super::{UpcastError, Upcasters, run};
use crate::chart::Envelope;
use crate::fhir::ResourceKey;

/// A trial, which takes in one event after the other.
#[derive(Debug)]
pub struct Trial<'a> {
    upcasters: &'a Upcasters,
    samples_max: usize,
    /// Events taken in.
    pub events: u64,
    /// Those of which at least one upcaster is about the type and version.
    pub concerned: u64,
    /// What each file would do, in the order of their names.
    pub files: Vec<Tried>,
}

/// What the upcaster of a file would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// Name of the file.
    pub file: String,
    /// Events on which it was carried out: of its type, written in the version that it leads on from, or led there by those
    /// before it.
    pub looked_at: u64,
    /// Those that would say something else of their resource.
    pub changed: u64,
    /// Those of which nothing would be told of their resource any more.
    pub dropped: u64,
    /// Those that would become several.
    pub split: u64,
    /// Resources that would come about by that.
    pub parts: u64,
    /// Those on which it cannot be carried out.
    pub failed: u64,
    /// The first of those that it does something to.
    pub samples: Vec<Sample>,
    /// The first of its failures.
    pub failures: Vec<UpcastError>,
}

/// What an upcaster makes of an event.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Name of the event.
    pub event: String,
    /// The resource that it is about.
    pub resource: String,
    /// The content as it reached the upcaster, JSON; empty if there is none.
    pub before: String,
    /// The resources that come out, JSON: the resource itself, if it is told of, and then the parts.
    pub after: Vec<String>,
}

impl<'a> Trial<'a> {
    /// A trial that keeps so many samples of each file.
    #[must_use]
    pub fn new(upcasters: &'a Upcasters, samples_max: usize) -> Self {
        let mut names: Vec<&str> = upcasters.files().iter().map(|file| &*file.name).collect();
        names.sort_unstable();
        let tried = |name: &str| Tried { file: name.to_owned(), ..Tried::default() };
        let files = names.into_iter().map(tried).collect();
        Self { upcasters, samples_max, events: 0, concerned: 0, files }
    }

    /// Takes in an event, as it was written. Returns the resources that would be made of it beside its own.
    pub fn take(&mut self, envelope: Envelope, body: Vec<u8>) -> Vec<ResourceKey> {
        self.events += 1;
        let key = envelope.key().filter(|_| self.upcasters.concern(&envelope));
        // An event in a further chart says what the one at home says.
        let Some(key) = key.filter(|_| envelope.home.is_none()) else { return Vec::new() };
        self.concerned += 1;
        let event = envelope.event_type.to_string();
        let (files, samples_max) = (&mut self.files, self.samples_max);
        let result = run::run(
            &self.upcasters.chains,
            envelope,
            key,
            body,
            &mut |step, key, before, outcome| {
                let Some(tried) = files.iter_mut().find(|tried| *tried.file == *step.file) else {
                    return;
                };
                if tried.note(before, outcome) && tried.samples.len() < samples_max {
                    let (event, resource) = (event.clone(), key.to_string());
                    tried.samples.push(Sample {
                        event,
                        resource,
                        before: text(before),
                        after: bodies(outcome),
                    });
                }
            },
        );
        match result {
            Ok(upcast) => {
                let made = upcast.parts.into_iter();
                let made = made.filter(|part| !part.body.is_empty() && !part.is_dropped);
                made.filter_map(|part| part.envelope.key()).collect()
            }
            Err(error) => {
                if let Some(tried) = self.files.iter_mut().find(|tried| tried.file == error.file) {
                    tried.failed += 1;
                    if tried.failures.len() < self.samples_max {
                        tried.failures.push(error);
                    }
                }
                Vec::new()
            }
        }
    }
}

impl Tried {
    /// Counts what came out, and says whether anything was done.
    fn note(&mut self, before: &[u8], outcome: &Outcome) -> bool {
        let parts = outcome.parts.iter().flatten().count() as u64;
        let is_changed = outcome.main.as_ref().is_some_and(|main| main != before);
        let is_dropped = outcome.main.is_none();
        self.looked_at += 1;
        self.changed += u64::from(is_changed);
        self.dropped += u64::from(is_dropped);
        self.split += u64::from(parts > 0);
        self.parts += parts;
        is_changed || is_dropped || parts > 0
    }
}

fn bodies(outcome: &Outcome) -> Vec<String> {
    outcome.main.iter().chain(outcome.parts.iter().flatten()).map(|body| text(body)).collect()
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{DROP, EXAMPLE, SPLIT, basic, coded, event, read};
    use super::*;
    use crate::chart::EventKind;

    #[test]
    fn a_trial_counts_what_each_file_would_do() {
        let upcasters = read(&[
            &basic(1, "[[mapping]]\npath = \"Basic.code.text\"\nto = \"b\""),
            &format!("type = \"Basic\"\nfrom = 2\n{}{EXAMPLE}", SPLIT.replace("'a'", "'b'")),
            &basic(3, "[[json-patch]]\nop = \"remove\"\npath = \"/created\""),
            &DROP.replace("from = 1", "from = 4"),
        ]);
        let mut trial = Trial::new(&upcasters, 1);
        let recorded = EventKind::Recorded;
        let events = [
            (recorded, "a", 1),
            (recorded, "x", 1),
            (recorded, "a", 3),
            (EventKind::Amended, "a", 4),
            (recorded, "a", 5),
        ];
        for (kind, text, content) in events {
            let (mut envelope, body) = event(kind, "Basic/1", &coded(text));
            envelope.content = content;
            trial.take(envelope.clone(), body);
            envelope.home = Some(1);
            trial.take(envelope, Vec::new());
        }
        assert_eq!((trial.events, trial.concerned), (10, 4));
        let counts = trial.files.iter().map(|tried| {
            let Tried { looked_at, changed, dropped, split, parts, failed, .. } = tried;
            [*looked_at, *changed, *dropped, *split, *parts, *failed]
        });
        let counts: Vec<_> = counts.collect();
        let expected =
            [[2, 1, 0, 0, 0, 0], [2, 0, 0, 1, 1, 0], [3, 0, 0, 0, 0, 1], [4, 0, 1, 0, 0, 0]];
        assert_eq!(counts, expected);
        let [first, second, third, fourth] = trial.files.as_slice() else { panic!("{trial:?}") };
        let sample = &first.samples[0];
        assert_eq!((&*sample.event, &*sample.resource), ("Basic.recorded", "Basic/1"));
        assert_eq!(sample.after, [sample.before.replace(r#""a""#, r#""b""#)]);
        assert_eq!((second.samples.len(), second.samples[0].after.len()), (1, 2));
        assert!(third.samples.is_empty() && first.failures.is_empty());
        let message = "3.toml:4: Basic.recorded: remove /created: there is nothing at /created";
        assert_eq!(third.failures[0].to_string(), message);
        assert_eq!(fourth.samples[0].after, Vec::<String>::new());
    }
}
