//! What an upcaster does to a resource: patches, which `fhir` carries out, and mappings.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mapping::Mapping;
use super::sheet::Sheet;
use crate::fhir::Patch;
use crate::json::{Document, Kind, Node, quote};

/// One change.
#[derive(Debug)]
pub(super) struct Change {
    /// Its line in the file.
    pub(super) line: usize,
    action: Action,
}

#[derive(Debug)]
enum Action {
    /// A patch with one operation.
    Patch(Patch),
    Mapping(Mapping),
}

/// The keys under which changes stand.
pub(super) const KEYS: [&str; 3] = ["fhirpath-patch", "json-patch", "mapping"];

impl Change {
    /// Applies it to a resource.
    ///
    /// # Errors
    ///
    /// Why it cannot be carried out.
    pub(super) fn apply(&self, resource: Document) -> Result<Document, String> {
        match &self.action {
            Action::Patch(patch) => patch
                .apply(resource.text().as_bytes().to_vec())
                .map_err(|problem| problem.diagnostics),
            Action::Mapping(mapping) => mapping.apply(resource),
        }
    }
}

/// Reads the changes that a table has, of one of the forms.
pub(super) fn read(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Vec<Change> {
    let present = KEYS.iter().filter_map(|key| Some((*key, table.get(*key)?)));
    let present: Vec<_> = present.collect();
    if let [_, (second, value), ..] = present.as_slice() {
        let problem = format!("{second} is too many: write all changes as one of {}", list(&KEYS));
        sheet.refuse(value.span().start, problem);
        return Vec::new();
    }
    let Some((key, value)) = present.first() else { return Vec::new() };
    let before = sheet.errors.len();
    let changes = match (*key, value.get_ref().as_str()) {
        ("json-patch", Some(text)) => json_patch(sheet, text, value),
        _ => {
            let mut changes = Vec::new();
            for (table, at) in sheet.tables(table, key) {
                let line = sheet.line(at);
                let action = match *key {
                    "mapping" => Mapping::read(sheet, table, at).map(Action::Mapping),
                    "json-patch" => operation(sheet, table, at),
                    _ => path_operation(sheet, table, at),
                };
                changes.extend(action.map(|action| Change { line, action }));
            }
            changes
        }
    };
    if changes.is_empty() && before == sheet.errors.len() {
        sheet.refuse(value.span().start, format!("{key} is empty"));
    }
    changes
}

fn list(words: &[&str]) -> String {
    words.join(", ")
}

/// A JSON Patch that is JSON itself.
fn json_patch(sheet: &mut Sheet<'_>, text: &str, value: &Spanned<DeValue<'_>>) -> Vec<Change> {
    let Some((document, first)) = sheet.document(text, value) else { return Vec::new() };
    if document.root().kind() != Kind::Array {
        sheet.refuse_line(first, "json-patch is an array of operations (RFC 6902)");
        return Vec::new();
    }
    let mut changes = Vec::new();
    for node in document.root().items() {
        let line = first + document.line_column(node.start()).0 - 1;
        if let Some(name) = strange(node) {
            sheet.refuse_line(line, unknown(&name));
        }
        match patch(&format!("[{}]", node.text())) {
            Ok(patch) => changes.push(Change { line, action: Action::Patch(patch) }),
            Err(problem) => sheet.refuse_line(line, problem),
        }
    }
    changes
}

const OPERATION_KEYS: [&str; 4] = ["op", "path", "from", "value"];

/// A member that no operation has.
fn strange(operation: Node<'_>) -> Option<String> {
    let mut names = operation.members().map(|(name, _)| name);
    names.find(|name| !OPERATION_KEYS.contains(&&**name)).map(|name| name.into_owned())
}

fn unknown(name: &str) -> String {
    format!("unknown key {name}; an operation has {}", list(&OPERATION_KEYS))
}

/// An operation of a JSON Patch as a table.
fn operation(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: usize) -> Option<Action> {
    sheet.only(table, "[[json-patch]]", &OPERATION_KEYS);
    let mut members = Vec::new();
    for (name, value) in table {
        members.push(format!("{}:{}", quote(name.get_ref()), sheet.json(value)?));
    }
    settle(sheet, at, &format!("[{{{}}}]", members.join(",")))
}

/// An operation of a FHIRPath Patch as a table.
fn path_operation(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: usize) -> Option<Action> {
    const KEYS: [&str; 6] = ["operation", "path", "name", "index", "source", "destination"];
    let is_value = |name: &str| name.starts_with("value") || name == "part";
    let mut parts = Vec::new();
    let mut values = Vec::new();
    for (key, value) in table {
        let name: &str = key.get_ref();
        if is_value(name) {
            values.push(member(sheet, name, value)?);
        } else if let Some(name) = KEYS.into_iter().find(|known| *known == name) {
            let kind = if matches!(value.get_ref(), DeValue::Integer(_)) {
                "valueInteger"
            } else {
                "valueString"
            };
            let name = if name == "operation" { "type" } else { name };
            let value = sheet.json(value)?;
            parts.push(format!(r#"{{"name":"{name}","{kind}":{value}}}"#));
        } else {
            let problem = format!(
                "unknown key {name}; [[fhirpath-patch]] has {}, and for the value one that names its type, such as \
                 valueCode or valueCodeableConcept, or part",
                list(&KEYS)
            );
            sheet.refuse(key.span().start, problem);
        }
    }
    if !values.is_empty() {
        parts.push(format!(r#"{{"name":"value",{}}}"#, values.join(",")));
    }
    settle(sheet, at, &parameters(&parts))
}

/// A member of a part of Parameters; parts stand in it as tables that have a name and a value or parts.
fn member(sheet: &mut Sheet<'_>, name: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
    Some(format!("{}:{}", quote(name), sheet.json(value)?))
}

/// Parameters with one operation that has these parts.
fn parameters(parts: &[String]) -> String {
    format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"operation","part":[{}]}}]}}"#,
        parts.join(",")
    )
}

fn settle(sheet: &mut Sheet<'_>, at: usize, text: &str) -> Option<Action> {
    patch(text).map(Action::Patch).map_err(|problem| sheet.refuse(at, problem)).ok()
}

/// A patch from its JSON.
fn patch(text: &str) -> Result<Patch, String> {
    let document = Document::parse(text).map_err(|error| error.problem)?;
    Patch::read(document.root()).map_err(|problems| {
        let problems = problems.into_iter().map(|problem| problem.diagnostics);
        problems.collect::<Vec<_>>().join("; ")
    })
}
