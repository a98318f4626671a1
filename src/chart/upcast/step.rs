//! One upcaster: from one version of the content of a type to the next.

use std::sync::Arc;

use super::change::Change;
use crate::chart::EventKind;
use crate::fhir::path::{Expression, Item};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::json::{Document, Kind, Node};

/// What a file says.
#[derive(Debug)]
pub(super) struct Step {
    /// Name of the file.
    pub(super) file: Arc<str>,
    /// The line that says which type it is about.
    pub(super) line: usize,
    /// The type whose content it is about.
    pub(super) kind: ResourceType,
    /// The version that it leads from.
    pub(super) from: u16,
    /// The kinds of events that it is about.
    pub(super) events: Vec<EventKind>,
    /// What must be true of the resource.
    pub(super) condition: Option<Expression>,
    /// Whether the event is told no more.
    pub(super) is_drop: bool,
    pub(super) changes: Vec<Change>,
    pub(super) splits: Vec<Split>,
}

/// How a part is made of a resource.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) line: usize,
    pub(super) id: IdTemplate,
    /// The part's type.
    pub(super) kind: ResourceType,
    /// The version in which its content is made; `None`: that of today.
    pub(super) content: Option<u16>,
    pub(super) condition: Option<Expression>,
    pub(super) changes: Vec<Change>,
}

/// How the id of a part follows from that of its resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdTemplate {
    before: String,
    behind: String,
}

/// What a step makes of a resource.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The resource itself; `None` if nothing is told of it.
    pub(super) main: Option<Vec<u8>>,
    /// The body of the part of each split, `None` where it makes none.
    pub(super) parts: Vec<Option<Vec<u8>>>,
    /// Line of what was changed last in the resource, if anything was.
    pub(super) line: Option<usize>,
}

/// Why a step cannot be carried out: the line of what cannot, and the problem.
pub(super) type Failure = (usize, String);

impl Step {
    /// Carries the step out on the body of an event; it is empty for events without one.
    pub(super) fn carry_out(
        &self,
        kind: EventKind,
        key: &ResourceKey,
        body: Vec<u8>,
    ) -> Result<Outcome, Failure> {
        let parts = || self.splits.iter().map(|_| None).collect();
        if !self.events.contains(&kind) {
            return Ok(Outcome { main: Some(body), parts: parts(), line: None });
        }
        if body.is_empty() {
            // All that can be said of them is that they are dropped; a condition is true of none.
            let is_drop = self.is_drop && self.condition.is_none();
            let main = (!is_drop).then_some(body);
            return Ok(Outcome { main, parts: parts(), line: None });
        }
        let unread = |error| (self.line, format!("the content does not read: {error}"));
        let resource = Document::parse(body).map_err(unread)?;
        if !is_true(self.condition.as_ref(), resource.root()) {
            let main = resource.text().as_bytes().to_vec();
            return Ok(Outcome { main: Some(main), parts: parts(), line: None });
        }
        let parts = self.splits.iter().map(|split| split.part(key, &resource));
        let parts = parts.collect::<Result<_, _>>()?;
        if self.is_drop {
            return Ok(Outcome { main: None, parts, line: None });
        }
        let (main, line) = apply(&self.changes, resource)?;
        is_still(main.root(), key).map_err(|problem| (line.unwrap_or(self.line), problem))?;
        Ok(Outcome { main: Some(main.text().as_bytes().to_vec()), parts, line })
    }
}

/// Applies changes, and says the line of the last one that changed anything.
fn apply(changes: &[Change], resource: Document) -> Result<(Document, Option<usize>), Failure> {
    changes.iter().try_fold((resource, None), |(before, line), change| {
        let text = before.text().to_owned();
        let after = change.apply(before).map_err(|problem| (change.line, problem))?;
        let line = if after.text() == text { line } else { Some(change.line) };
        Ok((after, line))
    })
}

/// That a resource is still the one it was.
fn is_still(resource: Node<'_>, key: &ResourceKey) -> Result<(), String> {
    if !resource.is_object() {
        return Err("what it makes of the resource is no object".to_owned());
    }
    let text = |name: &str| resource.get_str(name).unwrap_or_default().into_owned();
    let (kind, id) = (text("resourceType"), text("id"));
    if kind != key.kind.name() || id != key.id.as_str() {
        return Err(format!(
            "it makes {kind}/{id} of {key}: type and id stay; what becomes another resource is a [[split]]"
        ));
    }
    Ok(())
}

/// Whether a condition is true of a resource: it leads to something other than `false`.
fn is_true(condition: Option<&Expression>, resource: Node<'_>) -> bool {
    let Some(condition) = condition else { return true };
    match condition.evaluate(resource).as_slice() {
        [] => false,
        [Item::Boolean(truth)] => *truth,
        [Item::Node(node)] => node.kind() != Kind::False,
        _ => true,
    }
}

impl Split {
    /// The key of the part of a resource; `None` if no part can have it.
    pub(super) fn key(&self, of: &ResourceId) -> Option<ResourceKey> {
        Some(ResourceKey::new(self.kind, ResourceId::parse(&self.id.of(of.as_str())).ok()?))
    }

    /// The body of the part of a resource, if it makes one.
    fn part(&self, of: &ResourceKey, resource: &Document) -> Result<Option<Vec<u8>>, Failure> {
        if !is_true(self.condition.as_ref(), resource.root()) {
            return Ok(None);
        }
        let failed = |problem: String| (self.line, problem);
        let Some(key) = self.key(&of.id) else {
            let id = self.id.of(of.id.as_str());
            let problem = format!(
                "the part would have the id \"{id}\", which is none: 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'"
            );
            return Err(failed(problem));
        };
        let copy = renamed(resource.root(), &key);
        let copy = Document::parse(copy).map_err(|error| failed(error.problem))?;
        let (part, line) = apply(&self.changes, copy)?;
        is_still(part.root(), &key).map_err(|problem| (line.unwrap_or(self.line), problem))?;
        Ok(Some(part.text().as_bytes().to_vec()))
    }
}

/// A resource under another type and id.
fn renamed(resource: Node<'_>, key: &ResourceKey) -> String {
    let (kind, id) = (key.kind.name(), &key.id);
    let mut out = format!(r#"{{"resourceType":"{kind}","id":"{id}""#);
    for (name, value) in resource.members() {
        if !matches!(&*name, "resourceType" | "id") {
            out.extend([",", &crate::json::quote(&name), ":", value.text()]);
        }
    }
    out.push('}');
    out
}

impl IdTemplate {
    /// Reads a template such as `{id}-diastolic`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once("{id}");
        let Some((before, behind)) = parts.filter(|(_, behind)| !behind.contains("{id}")) else {
            return Err(format!("\"{text}\" must have {{id}} in it once: \"{{id}}-diastolic\""));
        };
        let template = Self { before: before.to_owned(), behind: behind.to_owned() };
        match ResourceId::parse(&template.of("1")) {
            Ok(_) => Ok(template),
            Err(error) => Err(format!("with 1 for {{id}}: {error}")),
        }
    }

    /// The id of a part.
    pub(super) fn of(&self, id: &str) -> String {
        [&self.before, id, &self.behind].concat()
    }
}
