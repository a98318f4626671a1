//! What a subscription is to be, as a request says it.

use serde::{Deserialize, Serialize};

use crate::config::FeedConfig;
use crate::feed::filter;
use crate::feed::webhook::Target;
use crate::fhir::Parameters;
use crate::fhir::check::{IssueCode, Problem};
use crate::json::{Document, Kind, Node};
use crate::numbers::Position;
use crate::records::LogFilter;

/// Longest name, in characters.
const NAME_LENGTH_MAX: usize = 200;
/// Values of one member that lists some.
const VALUES_MAX: usize = 200;
/// For how long deliveries are repeated, in seconds: by default, and at most.
const RETRY_SECONDS: u64 = 3 * 24 * 60 * 60;
const RETRY_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;
/// The members that say which events, as the parameters of the pull feed.
const LISTS: [&str; 3] = ["kind", "type", "criteria"];

/// What lasts of a wish.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// For people.
    pub name: String,
    /// Where it is sent.
    pub url: String,
    /// Which events, as parameters of the pull feed.
    pub filter: Vec<(String, String)>,
    /// Whether events are sent as CloudEvents.
    pub is_cloud: bool,
    /// For how long a delivery is repeated before its event is parked.
    pub retry_seconds: u64,
}

/// Where in the log a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Behind the last event.
    Head,
    /// At a position.
    Position(Position),
}

/// A request for a subscription.
#[derive(Debug, Clone)]
pub struct Wish {
    pub(super) definition: Definition,
    /// `None`: not said.
    pub(super) from: Option<From>,
}

impl Wish {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(
        document: &Document,
        parameters: &Parameters,
        base_url: Option<&str>,
        config: &FeedConfig,
    ) -> Result<Self, Vec<Problem>> {
        let mut reading = Reading::default();
        let root = document.root();
        if root.kind() != Kind::Object {
            reading.problem(
                IssueCode::Structure,
                "",
                "the body must be an object with name and url",
            );
            return Err(reading.problems);
        }
        let mut definition = Definition {
            name: String::new(),
            url: String::new(),
            filter: Vec::new(),
            is_cloud: false,
            retry_seconds: RETRY_SECONDS,
        };
        let mut from = None;
        for (name, value) in root.members() {
            match &*name {
                "name" => definition.name = reading.text("name", value),
                "url" => definition.url = reading.text("url", value),
                "patient" | "include" => {
                    let text = reading.text(&name, value);
                    definition.filter.push((name.into_owned(), text));
                }
                list if LISTS.contains(&list) => {
                    let values = reading.list(list, value);
                    definition.filter.extend(values.into_iter().map(|text| (list.to_owned(), text)));
                }
                "form" => match reading.text("form", value).as_str() {
                    "json" => {}
                    "cloudevents" => definition.is_cloud = true,
                    _ => reading.problem(IssueCode::Value, "form", "must be json or cloudevents"),
                },
                "retrySeconds" => match value.as_u64() {
                    Some(seconds) if seconds <= RETRY_SECONDS_MAX => definition.retry_seconds = seconds,
                    _ => {
                        let right = format!("must be a whole number from 0 to {RETRY_SECONDS_MAX}");
                        reading.problem(IssueCode::Value, "retrySeconds", right);
                    }
                },
                "from" => match From::read(value) {
                    Some(place) => from = Some(place),
                    None => reading.problem(IssueCode::Value, "from", From::RIGHT),
                },
                other => reading.problem(
                    IssueCode::Structure,
                    other,
                    "is no member of a subscription: name, url, kind, type, patient, criteria, include, form, \
                     retrySeconds, from",
                ),
            }
        }
        let length = definition.name.chars().count();
        if !(1..=NAME_LENGTH_MAX).contains(&length) && !reading.is_wrong("name") {
            let right = format!("must have 1 to {NAME_LENGTH_MAX} characters");
            reading.problem(IssueCode::Required, "name", right);
        }
        if !reading.is_wrong("url")
            && let Err(wrong) = Target::new(&definition.url, config)
        {
            reading.problem(IssueCode::Value, "url", wrong);
        }
        if let Err(problems) = definition.log_filter(parameters, base_url) {
            reading.problems.extend(problems);
        }
        if reading.problems.is_empty() {
            Ok(Self { definition, from })
        } else {
            Err(reading.problems)
        }
    }
}

impl Definition {
    /// Which events are wanted.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, if it was right only when it was read.
    pub fn log_filter(
        &self,
        parameters: &Parameters,
        base_url: Option<&str>,
    ) -> Result<LogFilter, Vec<Problem>> {
        filter(parameters, &self.filter, base_url)
    }

    /// The values of a parameter.
    pub fn values(&self, name: &str) -> Vec<String> {
        let of_name = self.filter.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, text)| text.clone()).collect()
    }
}

impl From {
    /// What it must be.
    pub const RIGHT: &str = "must be a position (a whole number, 0 or more), or head";

    /// A position, or `"head"`.
    #[must_use]
    pub fn read(value: Node<'_>) -> Option<Self> {
        match value.kind() {
            Kind::Number => value.as_u64().map(Position::new).map(Self::Position),
            _ => (value.as_str()? == "head").then_some(Self::Head),
        }
    }
}

/// What is being read, and what was wrong so far.
#[derive(Default)]
struct Reading {
    problems: Vec<Problem>,
}

impl Reading {
    fn problem(&mut self, code: IssueCode, place: &str, diagnostics: impl Into<String>) {
        let (expression, diagnostics) = (place.to_owned(), diagnostics.into());
        self.problems.push(Problem { code, expression, diagnostics });
    }

    fn is_wrong(&self, place: &str) -> bool {
        self.problems.iter().any(|problem| problem.expression == place)
    }

    fn text(&mut self, place: &str, value: Node<'_>) -> String {
        match value.as_str() {
            Some(text) => text.into_owned(),
            None => {
                self.problem(IssueCode::Value, place, "must be a text");
                String::new()
            }
        }
    }

    fn list(&mut self, place: &str, value: Node<'_>) -> Vec<String> {
        let values: Vec<Node<'_>> = value.items().take(VALUES_MAX + 1).collect();
        if value.kind() != Kind::Array || values.len() > VALUES_MAX {
            let right = format!("must be a list of at most {VALUES_MAX} texts");
            self.problem(IssueCode::Value, place, right);
            return Vec::new();
        }
        values.into_iter().map(|value| self.text(place, value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Wish, Vec<String>> {
        let webhook_hosts = vec!["hooks.example.org".to_owned()];
        let config = FeedConfig { webhook_hosts, ..FeedConfig::default() };
        let document = Document::parse(text).unwrap();
        let told = |problem: &Problem| format!("{}: {}", problem.expression, problem.diagnostics);
        let wish = Wish::read(&document, &Parameters::standard(), None, &config);
        wish.map_err(|problems| problems.iter().map(told).collect())
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let problems = read(
            r#"{ "name": "", "url": "https://elsewhere.example/", "kind": "recorded", "type": ["Nothing"],
                 "criteria": [7], "patient": "a_b", "include": "all", "form": "xml", "retrySeconds": -1,
                 "from": "tail", "secret": "mine" }"#,
        )
        .unwrap_err();
        for (place, word) in [
            ("name", "1 to 200"),
            ("url", "webhook_hosts"),
            ("kind", "a list"),
            ("type", "Nothing"),
            ("criteria", "a text"),
            ("patient", "a_b"),
            ("include", "resource"),
            ("form", "cloudevents"),
            ("retrySeconds", "2592000"),
            ("from", "head"),
            ("secret", "no member"),
        ] {
            let is_told = |text: &String| text.starts_with(place) && text.contains(word);
            assert!(problems.iter().any(is_told), "{place} {word}: {problems:#?}");
        }
        assert!(read("[]").unwrap_err()[0].contains("must be an object"));
        assert_eq!(read("{}").unwrap_err().len(), 2, "name and url are needed");
    }

    #[test]
    fn what_is_right_is_read() {
        let wish = read(
            r#"{ "name": "bed board", "url": "https://hooks.example.org/x", "kind": ["recorded", "chart.erased"],
                 "type": ["Encounter"], "include": "resource", "form": "cloudevents", "retrySeconds": 0, "from": 12 }"#,
        )
        .unwrap();
        assert_eq!(wish.from, Some(From::Position(Position::new(12))));
        let definition = wish.definition;
        assert!(definition.is_cloud && definition.retry_seconds == 0);
        assert_eq!(definition.values("kind"), ["recorded", "chart.erased"]);
        let filter = definition.log_filter(&Parameters::standard(), None).unwrap();
        assert!(filter.with_bodies && filter.kinds.len() == 2 && filter.types.len() == 1);
    }
}
