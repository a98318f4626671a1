//! JSON Patch: RFC 6902.

use super::super::same::same;
use super::draft::Draft;
use super::pointer::{Pointer, place_of};
use super::{OPERATIONS_MAX, problem};
use crate::fhir::check::{IssueCode, Problem};
use crate::json::{Document, Kind, Node, quote};

/// The operations, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPatch(Vec<Operation>);

/// One operation; values are JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operation {
    Add { path: Pointer, value: String },
    Remove { path: Pointer },
    Replace { path: Pointer, value: String },
    Move { from: Pointer, path: Pointer },
    Copy { from: Pointer, path: Pointer },
    Test { path: Pointer, value: String },
}

/// Reads a JSON Patch.
pub(super) fn read(patch: Node<'_>) -> Result<JsonPatch, Vec<Problem>> {
    let (mut operations, mut problems) = (Vec::new(), Vec::new());
    for (at, node) in patch.items().enumerate() {
        if at == OPERATIONS_MAX {
            let diagnostics = format!("a patch may have {OPERATIONS_MAX} operations");
            return Err(vec![problem(IssueCode::TooLong, "patch", diagnostics)]);
        }
        match operation(node) {
            Ok(operation) => operations.push(operation),
            Err((code, diagnostics)) => problems.push(problem(code, place(at), diagnostics)),
        }
    }
    if problems.is_empty() { Ok(JsonPatch(operations)) } else { Err(problems) }
}

/// Carries out a JSON Patch.
pub(super) fn apply(patch: &JsonPatch, draft: &mut Draft) -> Result<(), Problem> {
    for (at, operation) in patch.0.iter().enumerate() {
        carry_out(operation, draft).map_err(|(code, diagnostics)| {
            problem(code, place(at), format!("{}: {diagnostics}", operation.told()))
        })?;
    }
    Ok(())
}

/// Why an operation is refused.
type Refusal = (IssueCode, String);

fn place(at: usize) -> String {
    format!("patch[{at}]")
}

fn operation(node: Node<'_>) -> Result<Operation, Refusal> {
    if !node.is_object() {
        return Err((IssueCode::Structure, "an operation is a JSON object".to_owned()));
    }
    let text = |name: &str| match node.get(name) {
        None => Err((IssueCode::Required, format!("\"{name}\" is missing"))),
        Some(value) => value
            .as_str()
            .ok_or_else(|| (IssueCode::Structure, format!("\"{name}\" must be a string"))),
    };
    let pointer = |name: &str| {
        Pointer::parse(&text(name)?).map_err(|why| (IssueCode::Value, format!("{name}: {why}")))
    };
    let value = || {
        let value = node.get("value").map(|value| value.text().to_owned());
        value.ok_or_else(|| (IssueCode::Required, "\"value\" is missing".to_owned()))
    };
    let name = text("op")?;
    let path = pointer("path")?;
    Ok(match name.as_ref() {
        "add" => Operation::Add { path, value: value()? },
        "remove" => Operation::Remove { path },
        "replace" => Operation::Replace { path, value: value()? },
        "move" => Operation::Move { from: pointer("from")?, path },
        "copy" => Operation::Copy { from: pointer("from")?, path },
        "test" => Operation::Test { path, value: value()? },
        other => {
            let diagnostics =
                format!("{} is not add, remove, replace, move, copy or test", quote(other));
            return Err((IssueCode::NotSupported, diagnostics));
        }
    })
}

impl Operation {
    fn told(&self) -> String {
        match self {
            Self::Add { path, .. } => format!("add {path}"),
            Self::Remove { path } => format!("remove {path}"),
            Self::Replace { path, .. } => format!("replace {path}"),
            Self::Move { from, path } => format!("move {from} to {path}"),
            Self::Copy { from, path } => format!("copy {from} to {path}"),
            Self::Test { path, .. } => format!("test {path}"),
        }
    }
}

fn carry_out(operation: &Operation, draft: &mut Draft) -> Result<(), Refusal> {
    match operation {
        Operation::Add { path, value } => add(draft, path, value),
        Operation::Remove { path } => remove(draft, path),
        Operation::Replace { path, value } => {
            let index = find(draft, path)?.index();
            draft.replace(index, value).map_err(too_much)
        }
        Operation::Copy { from, path } => {
            let value = find(draft, from)?.text().to_owned();
            add(draft, path, &value)
        }
        Operation::Move { from, path } => {
            let value = find(draft, from)?.text().to_owned();
            if path.is_within(from) {
                let diagnostics = "a value cannot be moved into itself".to_owned();
                return Err((IssueCode::Invariant, diagnostics));
            }
            if path == from {
                return Ok(());
            }
            remove(draft, from)?;
            add(draft, path, &value)
        }
        Operation::Test { path, value } => {
            let found = find(draft, path)?;
            let value = Document::parse(value.as_str())
                .map_err(|error| (IssueCode::Structure, error.problem))?;
            // The value found there is not disclosed: a writer need not be a reader.
            let differs = || (IssueCode::Value, "the value there is another".to_owned());
            if same(found, value.root()) { Ok(()) } else { Err(differs()) }
        }
    }
}

fn find<'a>(draft: &'a Draft, path: &Pointer) -> Result<Node<'a>, Refusal> {
    path.find(draft.root()).ok_or_else(|| nothing_at(path))
}

fn nothing_at(path: &Pointer) -> Refusal {
    (IssueCode::NotFound, format!("there is nothing at {path}"))
}

fn too_much(problem: String) -> Refusal {
    (IssueCode::TooLong, problem)
}

fn add(draft: &mut Draft, path: &Pointer, value: &str) -> Result<(), Refusal> {
    let Some((parent, token)) = path.split() else {
        let root = draft.root().index();
        return draft.replace(root, value).map_err(too_much);
    };
    let parent = find(draft, &parent).map_err(|(code, problem)| match token {
        // RFC 6902 §4.1: what it is added to must exist.
        "-" => (code, format!("{problem} to add to: add the list itself, as [ … ]")),
        _ => (code, problem),
    })?;
    let Some(place) = place_of(parent, token) else {
        let diagnostics = match parent.kind() {
            Kind::Array => format!("{} is not a place in that array", quote(token)),
            _ => "the value that is to hold it is neither object nor array".to_owned(),
        };
        return Err((IssueCode::NotFound, diagnostics));
    };
    let (index, place, existing) =
        (parent.index(), place.place, place.value.map(|one| one.index()));
    match (parent.kind(), existing) {
        (Kind::Array, _) => draft.insert_item(index, place, value),
        (_, Some(existing)) => draft.replace(existing, value),
        (_, None) => draft.insert_member(index, token, value),
    }
    .map_err(too_much)
}

fn remove(draft: &mut Draft, path: &Pointer) -> Result<(), Refusal> {
    let Some((parent, token)) = path.split() else {
        let diagnostics = "a patch does not remove a resource: delete it".to_owned();
        return Err((IssueCode::NotSupported, diagnostics));
    };
    let parent = find(draft, &parent)?;
    let place = place_of(parent, token).filter(|place| place.value.is_some());
    let place = place.ok_or_else(|| nothing_at(path))?.place;
    let parent = parent.index();
    draft.remove(parent, place).map_err(too_much)
}
