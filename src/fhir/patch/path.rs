//! FHIRPath Patch: FHIR R4 §2.1.15.2 (fhirpatch).

use super::draft::Draft;
use super::spot::{Spot, definition_behind, spots_to};
use super::value::{JsonParts, Value, element_of, rows};
use super::{OPERATIONS_MAX, problem};
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::path::{self, Context, Element, Expression, Item};
use crate::json::{Node, quote};

/// The operations, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPatch(Vec<Operation>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Operation {
    action: Action,
    /// The path as sent.
    text: String,
    path: Expression,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Add { name: String, value: Value },
    Insert { index: usize, value: Value },
    Delete,
    Replace { value: Value },
    Move { source: usize, destination: usize },
}

/// Why an operation is refused.
type Refusal = (IssueCode, String);

/// Reads the Parameters of a FHIRPath Patch.
pub(super) fn read(parameters: Node<'_>) -> Result<PathPatch, Vec<Problem>> {
    let (mut operations, mut problems) = (Vec::new(), Vec::new());
    let list = parameters.get("parameter").into_iter().flat_map(|list| list.items());
    for (at, node) in list.enumerate() {
        if at == OPERATIONS_MAX {
            let diagnostics = format!("a patch may have {OPERATIONS_MAX} operations");
            return Err(vec![problem(IssueCode::TooLong, "Parameters.parameter", diagnostics)]);
        }
        match operation(node) {
            Ok(operation) => operations.push(operation),
            Err((code, diagnostics)) => problems.push(problem(code, place(at), diagnostics)),
        }
    }
    if problems.is_empty() { Ok(PathPatch(operations)) } else { Err(problems) }
}

/// Carries out a FHIRPath Patch.
pub(super) fn apply(patch: &PathPatch, draft: &mut Draft) -> Result<(), Problem> {
    for (at, operation) in patch.0.iter().enumerate() {
        carry_out(operation, draft).map_err(|(code, diagnostics)| {
            let told = format!("{} {}: {diagnostics}", operation.action.name(), operation.text);
            problem(code, place(at), told)
        })?;
    }
    Ok(())
}

fn place(at: usize) -> String {
    format!("Parameters.parameter[{at}]")
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Insert { .. } => "insert",
            Self::Delete => "delete",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
        }
    }
}

fn operation(node: Node<'_>) -> Result<Operation, Refusal> {
    if node.get_str("name").as_deref() != Some("operation") {
        return Err((IssueCode::Value, "the parameters of a patch are named operation".to_owned()));
    }
    let parts = || node.get("part").into_iter().flat_map(|parts| parts.items());
    let known = ["type", "path", "name", "value", "index", "source", "destination"];
    for part in parts() {
        let name = part.get_str("name").unwrap_or_default();
        if !known.contains(&name.as_ref()) {
            let diagnostics = format!("{} is not a part of an operation", quote(&name));
            return Err((IssueCode::NotSupported, diagnostics));
        }
    }
    let part = |name: &str| parts().find(|part| part.get_str("name").as_deref() == Some(name));
    let missing = |name: &str| (IssueCode::Required, format!("the part {name} is missing"));
    let text = |name: &str, members: &[&str]| {
        let part = part(name).ok_or_else(|| missing(name))?;
        let text = members.iter().find_map(|member| part.get_str(member));
        let wrong =
            || (IssueCode::Value, format!("the part {name} has a {}", members.join(" or a ")));
        text.map(|text| text.into_owned()).ok_or_else(wrong)
    };
    let number = |name: &str| {
        let part = part(name).ok_or_else(|| missing(name))?;
        let wrong = || (IssueCode::Value, format!("the part {name} has a valueInteger from 0"));
        let number = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"];
        let number = number.iter().find_map(|member| part.get(member)).ok_or_else(wrong)?;
        number.text().parse::<usize>().map_err(|_| wrong())
    };
    let value = || {
        let value = Value::read(part("value").ok_or_else(|| missing("value"))?);
        let value = value.map_err(|why| (IssueCode::Value, why))?;
        value.ok_or_else(|| (IssueCode::Required, "the part value has none".to_owned()))
    };
    let path_text = text("path", &["valueString"])?;
    let path = Expression::parse(&path_text)
        .map_err(|error| (IssueCode::Value, format!("path {}: {error}", quote(&path_text))))?;
    let action = match text("type", &["valueCode", "valueString"])?.as_str() {
        "add" => {
            Action::Add { name: text("name", &["valueString", "valueCode"])?, value: value()? }
        }
        "insert" => Action::Insert { index: number("index")?, value: value()? },
        "delete" => Action::Delete,
        "replace" => Action::Replace { value: value()? },
        "move" => Action::Move { source: number("source")?, destination: number("destination")? },
        other => {
            let diagnostics =
                format!("{} is not add, insert, delete, replace or move", quote(other));
            return Err((IssueCode::NotSupported, diagnostics));
        }
    };
    Ok(Operation { action, text: path_text, path })
}

fn carry_out(operation: &Operation, draft: &mut Draft) -> Result<(), Refusal> {
    let found = found(&operation.path, draft)?;
    match &operation.action {
        Action::Add { name, value } => add(draft, single(&found)?.index(), name, value),
        Action::Delete if found.is_empty() => Ok(()),
        Action::Delete => {
            let spots = element_spots(draft, single(&found)?)?;
            delete(draft, &spots)
        }
        Action::Replace { value } => {
            let spots = element_spots(draft, single(&found)?)?;
            match spots.last() {
                Some(spot) => replace(draft, spot, value),
                None => Ok(()),
            }
        }
        Action::Insert { index, value } => match list(draft, &found)? {
            Some(list) => insert(draft, &list, *index, value),
            None => insert_first(draft, &operation.text, *index, value),
        },
        Action::Move { source, destination } => {
            let list = list(draft, &found)?;
            move_item(draft, &list.ok_or_else(nothing)?, *source, *destination)
        }
    }
}

/// The elements to which a path leads.
fn found<'a>(path: &Expression, draft: &'a Draft) -> Result<Vec<Node<'a>>, Refusal> {
    let resource = Element::resource(draft.root());
    let context = Context::of_resource(resource).filtering();
    let items = path.items(&context, Some(&path::Value::Element(resource)));
    let items = items.map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::with_capacity(items.len());
    let has_items = !items.is_empty();
    for item in items {
        match item {
            path::Value::Element(element) if !element.has_value() => {}
            path::Value::Element(element) => found.push(element.node()),
            path::Value::Boolean(_) => {
                return Err(wrong("the path leads to a condition, not to an element".to_owned()));
            }
            _ => return Err(wrong("the path leads to a computed value".to_owned())),
        }
    }
    if found.is_empty() && has_items {
        let diagnostics = "the path leads to an element without a value, which cannot be patched";
        return Err((IssueCode::NotSupported, diagnostics.to_owned()));
    }
    Ok(found)
}

fn nothing() -> Refusal {
    (IssueCode::NotFound, "the path leads to nothing".to_owned())
}

fn too_much(problem: String) -> Refusal {
    (IssueCode::TooLong, problem)
}

fn wrong(why: String) -> Refusal {
    (IssueCode::Value, why)
}

fn single<'a>(found: &[Node<'a>]) -> Result<Node<'a>, Refusal> {
    match found {
        [] => Err(nothing()),
        [one] => Ok(*one),
        several => {
            let diagnostics =
                format!("the path leads to {} elements; it must lead to one", several.len());
            Err((IssueCode::Value, diagnostics))
        }
    }
}

/// The places down to an element that is no resource of its own.
fn element_spots(draft: &Draft, node: Node<'_>) -> Result<Vec<Spot>, Refusal> {
    let spots = spots_to(draft.root(), node).map_err(wrong)?;
    if spots.is_empty() {
        let diagnostics = "the path leads to the resource, not to an element of it".to_owned();
        return Err((IssueCode::NotSupported, diagnostics));
    }
    Ok(spots)
}

fn add(draft: &mut Draft, target: usize, name: &str, value: &Value) -> Result<(), Refusal> {
    let (root, node) = (draft.root(), draft.node(target));
    let spots = spots_to(root, node).map_err(wrong)?;
    let Some(definition) = definition_behind(root, node, &spots) else {
        let diagnostics = "the path leads to a primitive value, to which nothing can be added here";
        return Err((IssueCode::NotSupported, diagnostics.to_owned()));
    };
    let element = element_of(definition, name).map_err(wrong)?;
    let (member, written) = value.write(element).map_err(wrong)?;
    if element.max_is_many {
        let end = length(draft, target, &member);
        return insert_item(draft, target, &member, end, &written).map_err(too_much);
    }
    let is_it = |present: &str| element.member(present.trim_start_matches('_')).is_some();
    if let Some((present, _)) = node.members().find(|(present, _)| is_it(present)) {
        let diagnostics = format!("{present} is there already: replace it");
        return Err((IssueCode::Invariant, diagnostics));
    }
    insert_rows(draft, target, &member, written).map_err(too_much)
}

fn insert_rows(
    draft: &mut Draft,
    holder: usize,
    member: &str,
    written: JsonParts,
) -> Result<(), String> {
    for row in rows(member, false, &[written]) {
        draft.insert_row(holder, &row)?;
    }
    Ok(())
}

fn length(draft: &Draft, holder: usize, member: &str) -> usize {
    let count = |name: &str| draft.node(holder).get(name).map_or(0, |list| list.items().count());
    count(member).max(count(&format!("_{member}")))
}

/// Inserts an item into the list of a member, and into the parallel list of extensions.
fn insert_item(
    draft: &mut Draft,
    holder: usize,
    member: &str,
    at: usize,
    written: &JsonParts,
) -> Result<(), String> {
    let length = length(draft, holder, member);
    let beside = format!("_{member}");
    for (name, text) in [(member, &written.text), (beside.as_str(), &written.beside)] {
        let present = draft.node(holder).get(name).map(|list| (list.index(), list.items().count()));
        let text = text.as_deref();
        match present {
            None if text.is_none() => {}
            None => {
                let mut items = vec!["null"; length];
                items.insert(at.min(length), text.unwrap_or("null"));
                draft.insert_row(holder, &format!("{}:[{}]", quote(name), items.join(",")))?;
            }
            Some((list, count)) => {
                // The shorter of the two lists is filled up.
                for end in count..at {
                    draft.insert_item(list, end, "null")?;
                }
                if text.is_some() || at < count {
                    draft.insert_item(list, at, text.unwrap_or("null"))?;
                }
            }
        }
    }
    Ok(())
}

/// Removes an item from the list of a member, and from the parallel list of extensions.
fn remove_item(
    draft: &mut Draft,
    holder: usize,
    member: &str,
    at: usize,
) -> Result<JsonParts, String> {
    let mut take = |name: &str| {
        let Some(list) = draft.node(holder).get(name) else { return Ok(None) };
        let (index, count) = (list.index(), list.items().count());
        let Some(item) = list.items().nth(at) else { return Ok(None) };
        let text = Some(item.text()).filter(|text| *text != "null").map(str::to_owned);
        match count {
            1 => draft.remove_member(holder, name)?,
            _ => draft.remove(index, at)?,
        }
        Ok::<_, String>(text)
    };
    Ok(JsonParts { text: take(member)?, beside: take(&format!("_{member}"))? })
}

/// Deletes an element, and its parent if that is empty then.
fn delete(draft: &mut Draft, spots: &[Spot]) -> Result<(), Refusal> {
    for spot in spots.iter().rev() {
        match spot.at {
            Some(at) => {
                remove_item(draft, spot.holder, &spot.member, at).map_err(too_much)?;
            }
            None => {
                draft.remove_member(spot.holder, &spot.member).map_err(too_much)?;
                let beside = format!("_{}", spot.member);
                draft.remove_member(spot.holder, &beside).map_err(too_much)?;
            }
        }
        if draft.node(spot.holder).members().next().is_some() {
            break;
        }
    }
    Ok(())
}

fn replace(draft: &mut Draft, spot: &Spot, value: &Value) -> Result<(), Refusal> {
    let (member, written) = value.write(spot.element).map_err(wrong)?;
    let holder = draft.node(spot.holder);
    let present = holder.get(&spot.member).and_then(|value| match spot.at {
        Some(at) => value.items().nth(at),
        None => Some(value),
    });
    let is_plain = member == spot.member
        && written.beside.is_none()
        && holder.get(&format!("_{}", spot.member)).is_none();
    match (present.map(|value| value.index()), &written.text, spot.at) {
        (Some(present), Some(text), _) if is_plain => draft.replace(present, text),
        (_, _, None) => {
            delete(draft, std::slice::from_ref(spot))?;
            insert_rows(draft, spot.holder, &member, written)
        }
        (_, _, Some(at)) => {
            remove_item(draft, spot.holder, &spot.member, at).map_err(too_much)?;
            insert_item(draft, spot.holder, &member, at, &written)
        }
    }
    .map_err(too_much)
}

/// The list that the path leads to, all of it; `None` if it leads to nothing.
fn list(draft: &Draft, found: &[Node<'_>]) -> Result<Option<Spot>, Refusal> {
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(None) };
    let spots = spots_to(draft.root(), *first).map_err(wrong)?;
    let last = spots_to(draft.root(), *last).map_err(wrong)?;
    let whole = || wrong("the path must lead to one whole list".to_owned());
    let (Some(first), Some(last)) = (spots.last(), last.last()) else { return Err(whole()) };
    let node = draft.node(first.holder).get(&first.member).ok_or_else(whole)?;
    let values = node.items().filter(|item| item.text() != "null").count();
    let is_whole = first.at.is_some()
        && (first.holder, &first.member) == (last.holder, &last.member)
        && values == found.len();
    if is_whole { Ok(Some(first.clone())) } else { Err(whole()) }
}

fn insert(draft: &mut Draft, list: &Spot, index: usize, value: &Value) -> Result<(), Refusal> {
    let count = length(draft, list.holder, &list.member);
    if index > count {
        return Err(wrong(format!("the index {index} lies behind the end of a list of {count}")));
    }
    let (member, written) = value.write(list.element).map_err(wrong)?;
    insert_item(draft, list.holder, &member, index, &written).map_err(too_much)
}

/// Inserts into a list that does not exist yet.
fn insert_first(draft: &mut Draft, path: &str, index: usize, value: &Value) -> Result<(), Refusal> {
    let (holder, name) = path.rsplit_once('.').ok_or_else(nothing)?;
    let holder = Expression::parse(holder).map_err(|_| nothing())?;
    let node = match holder.evaluate(draft.root()).as_slice() {
        [Item::Node(node)] => node.index(),
        _ => return Err(nothing()),
    };
    if index > 0 {
        return Err(wrong(format!("the index {index} lies behind the end of a list of 0")));
    }
    add(draft, node, name.trim(), value)
}

fn move_item(
    draft: &mut Draft,
    list: &Spot,
    source: usize,
    destination: usize,
) -> Result<(), Refusal> {
    let count = length(draft, list.holder, &list.member);
    if let Some(place) = [source, destination].iter().find(|place| **place >= count) {
        return Err(wrong(format!("the place {place} lies behind the end of a list of {count}")));
    }
    if source == destination {
        return Ok(());
    }
    let written = remove_item(draft, list.holder, &list.member, source).map_err(too_much)?;
    insert_item(draft, list.holder, &list.member, destination, &written).map_err(too_much)
}
