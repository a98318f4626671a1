//! Reading the tables.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A table, its name first.
pub const TABLES: [(&str, &str); 12] = [
    ("chains", include_str!("cases/chains.tsv")),
    ("composites", include_str!("cases/composites.tsv")),
    ("dates", include_str!("cases/dates.tsv")),
    ("includes", include_str!("cases/includes.tsv")),
    ("numbers", include_str!("cases/numbers.tsv")),
    ("quantities", include_str!("cases/quantities.tsv")),
    ("references", include_str!("cases/references.tsv")),
    ("refusals", include_str!("cases/refusals.tsv")),
    ("sorting", include_str!("cases/sorting.tsv")),
    ("strings", include_str!("cases/strings.tsv")),
    ("tokens", include_str!("cases/tokens.tsv")),
    ("uris", include_str!("cases/uris.tsv")),
];

/// The resources and cases of one table.
pub struct Table {
    pub resources: Vec<Value>,
    pub cases: Vec<Case>,
}

/// A query and what becomes of it.
pub struct Case {
    /// `Type?query`, as in a URL.
    pub query: String,
    pub expected: Expected,
}

pub enum Expected {
    /// The ids of the matches, sorted.
    Find(Vec<String>),
    /// The ids of the matches, in their order.
    Order(Vec<String>),
    /// `Type/id` of all entries, sorted.
    All(Vec<String>),
    /// A word of the message.
    Fail(String),
}

impl Table {
    /// Reads a table; `base_url` takes the place of `BASE` in it.
    pub fn read(text: &str, base_url: &str) -> Self {
        let mut table = Self { resources: Vec::new(), cases: Vec::new() };
        let mut bases: BTreeMap<String, Value> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let line = line.replace("BASE", base_url);
            let cells: Vec<&str> = line.split('\t').collect();
            let [verb, place, rest] = cells[..] else { panic!("three columns: {line}") };
            let members = || -> Value { serde_json::from_str(rest).expect(rest) };
            match verb {
                "base" => {
                    bases.insert(place.to_owned(), members());
                }
                "store" => {
                    let (kind, id) = place.split_once('/').expect(place);
                    let mut resource = json!({ "resourceType": kind, "id": id });
                    let base = bases.get(kind).cloned().unwrap_or_else(|| json!({}));
                    for members in [base, members()] {
                        for (name, value) in members.as_object().unwrap() {
                            resource[name] = value.clone();
                        }
                    }
                    table.resources.push(resource);
                }
                _ => table
                    .cases
                    .push(Case { query: place.to_owned(), expected: Expected::read(verb, rest) }),
            }
        }
        table
    }
}

impl Expected {
    /// Whether these were the right ids, or `Type/id`s.
    pub fn compare(&self, mut found: Vec<String>) -> Result<(), String> {
        let expected = match self {
            Self::Find(expected) | Self::All(expected) => {
                found.sort_unstable();
                expected
            }
            Self::Order(expected) => expected,
            Self::Fail(_) => return Err(format!("it was not refused but found {found:?}")),
        };
        if found == *expected {
            return Ok(());
        }
        Err(format!("expected {expected:?}, found {found:?}"))
    }

    fn read(verb: &str, text: &str) -> Self {
        let list = || -> Vec<String> {
            text.split(' ').filter(|word| *word != "-").map(str::to_owned).collect()
        };
        let sorted = || {
            let mut list = list();
            list.sort_unstable();
            list
        };
        match verb {
            "find" => Self::Find(sorted()),
            "order" => Self::Order(list()),
            "all" => Self::All(sorted()),
            "fail" => Self::Fail(text.to_owned()),
            _ => panic!("no such verb: {verb}"),
        }
    }
}
