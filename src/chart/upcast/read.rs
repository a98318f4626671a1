//! From the text of a file to the upcaster that it is.

use std::sync::Arc;

use toml::de::DeTable;

use super::change;
use super::example::{self, Example};
use super::sheet::Sheet;
use super::step::{IdTemplate, Split, Step};
use super::{PARTS_MAX, UpcastError, UpcasterFile};
use crate::chart::EventKind;
use crate::fhir::ResourceType;
use crate::fhir::path::Expression;
use crate::json::quote;

/// Longest file.
const FILE_BYTES_MAX: usize = 256 << 10;

/// Events that bring a body.
const WITH_BODY: [EventKind; 5] = [
    EventKind::Recorded,
    EventKind::Amended,
    EventKind::Retracted,
    EventKind::Restored,
    EventKind::MovedIn,
];

const KEYS: [&str; 10] = [
    "type",
    "from",
    "events",
    "where",
    "fhirpath-patch",
    "json-patch",
    "mapping",
    "drop",
    "split",
    "example",
];
const SPLIT_KEYS: [&str; 7] =
    ["id", "type", "content", "where", "fhirpath-patch", "json-patch", "mapping"];

/// Reads a file.
pub(super) fn file(file: &UpcasterFile) -> Result<(Step, Vec<Example>), Vec<UpcastError>> {
    let mut sheet = Sheet::new(&file.name, &file.text);
    if file.text.len() > FILE_BYTES_MAX {
        let bound = FILE_BYTES_MAX >> 10;
        sheet.refuse_line(1, format!("a file with an upcaster may have {bound} KiB"));
        return Err(sheet.errors);
    }
    let table = sheet.table();
    let read = table.and_then(|table| upcaster(&mut sheet, &table, file));
    match read.filter(|_| sheet.errors.is_empty()) {
        Some(read) => Ok(read),
        None => {
            sheet.errors.sort_by_key(|error| error.line);
            Err(sheet.errors)
        }
    }
}

fn upcaster(
    sheet: &mut Sheet<'_>,
    table: &DeTable<'_>,
    file: &UpcasterFile,
) -> Option<(Step, Vec<Example>)> {
    let named = sheet.required(table, "type", 0);
    let kind = resource_type(sheet, named);
    if let Some(kind) = kind {
        sheet.event = format!("{kind}.*");
    }
    sheet.only(table, "an upcaster", &KEYS);
    if table.get("from").is_none() {
        sheet.refuse(
            0,
            "from is missing: the version of the content that this leads on from, 1 at first",
        );
    }
    let from = sheet.number(table, "from", 1);
    let condition = condition(sheet, table);
    let is_drop = drop(sheet, table);
    let events = events(sheet, table, is_drop && condition.is_none());
    if let (Some(kind), [only]) = (kind, events.as_slice()) {
        sheet.event = format!("{kind}.{}", only.word());
    }
    let changes = change::read(sheet, table);
    if let Some((key, at)) = change::KEYS
        .iter()
        .find_map(|key| {
            let (key, _) = table.get_key_value(*key)?;
            Some((key.get_ref(), key.span().start))
        })
        .filter(|_| is_drop)
    {
        sheet.refuse(at, format!("{key} changes what drop = true drops"));
    }
    let mut splits = Vec::new();
    for (place, (split, at)) in sheet.tables(table, "split").into_iter().enumerate() {
        if place == PARTS_MAX {
            sheet.refuse(at, format!("an upcaster may make {PARTS_MAX} parts"));
            break;
        }
        splits.extend(self::split(sheet, split, at, kind));
    }
    let says = ["fhirpath-patch", "json-patch", "mapping", "drop", "split"];
    if !says.iter().any(|key| table.get(*key).is_some()) {
        sheet.refuse(0, format!("it does nothing: write one of {}", says.join(", ")));
    }
    let examples = example::read(sheet, table, &events);
    let step = Step {
        file: Arc::from(&*file.name),
        line: named.map_or(1, |(_, at)| sheet.line(at)),
        kind: kind?,
        from: from?.0,
        events,
        condition,
        is_drop,
        changes,
        splits,
    };
    Some((step, examples))
}

fn resource_type(sheet: &mut Sheet<'_>, named: Option<(&str, usize)>) -> Option<ResourceType> {
    let (name, at) = named?;
    let kind = name.parse::<ResourceType>();
    kind.map_err(|error| sheet.refuse(at, error.to_string())).ok()
}

fn condition(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Option<Expression> {
    let (text, at) = sheet.text(table, "where")?;
    let read = Expression::parse(text);
    read.map_err(|error| sheet.refuse(at, format!("where {}: {error}", quote(text)))).ok()
}

fn drop(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> bool {
    let Some(value) = table.get("drop") else { return false };
    let is_drop = value.get_ref().as_bool() == Some(true);
    if !is_drop {
        sheet.refuse(value.span().start, "drop is true, or not there");
    }
    is_drop
}

/// The kinds of events that it is about; `may_be_removed` if that can be said of one without a body too.
fn events(sheet: &mut Sheet<'_>, table: &DeTable<'_>, may_be_removed: bool) -> Vec<EventKind> {
    let Some(words) = sheet.texts(table, "events") else { return WITH_BODY.to_vec() };
    let mut events = Vec::new();
    for (word, at) in words {
        let known = WITH_BODY.into_iter().chain([EventKind::Removed]);
        match known.clone().find(|kind| kind.word() == word) {
            Some(EventKind::Removed) if !may_be_removed => {
                let problem = "events that are removed bring no content: all that can be said of them is drop = true, without where";
                sheet.refuse(at, problem);
            }
            Some(kind) if events.contains(&kind) => {
                sheet.refuse(at, format!("{word} is there twice"))
            }
            Some(kind) => events.push(kind),
            None => {
                let known: Vec<_> = known.map(EventKind::word).collect();
                let known = known.join(", ");
                sheet.refuse(
                    at,
                    format!("{} is no event with content; there are {known}", quote(word)),
                );
            }
        }
    }
    if events.is_empty() && sheet.errors.is_empty() {
        sheet.refuse(0, "events is empty: name some, or leave it out for all that bring content");
    }
    events
}

fn split(
    sheet: &mut Sheet<'_>,
    table: &DeTable<'_>,
    at: usize,
    of: Option<ResourceType>,
) -> Option<Split> {
    sheet.only(table, "[[split]]", &SPLIT_KEYS);
    let id = sheet.required(table, "id", at).and_then(|(text, at)| {
        IdTemplate::parse(text).map_err(|problem| sheet.refuse(at, problem)).ok()
    });
    let kind = match sheet.text(table, "type") {
        None if table.get("type").is_some() => None,
        None => of,
        named => resource_type(sheet, named),
    };
    let content = sheet.number(table, "content", 1);
    if let (Some((_, at)), true) = (content, kind == of) {
        let problem = "content is for parts of another type: one of the same type goes on through the upcasters behind this one";
        sheet.refuse(at, problem);
    }
    let condition = condition(sheet, table);
    let changes = change::read(sheet, table);
    let line = sheet.line(at);
    let content = content.map(|(content, _)| content);
    Some(Split { line, id: id?, kind: kind?, content, condition, changes })
}
