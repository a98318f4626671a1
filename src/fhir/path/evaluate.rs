//! From [`Expr`] and a resource to the elements it leads to.

use super::Item;
use super::syntax::{Expr, Literal, Start, Step};
use crate::fhir::ResourceType;
use crate::fhir::reference::{Reference, target_type};
use crate::json::{Kind, Node};

/// Everything to which the expression leads in a resource.
pub(super) fn expression<'a>(expr: &Expr, resource: Node<'a>, focus: Item<'a>) -> Vec<Item<'a>> {
    Evaluation { resource }.items(expr, focus)
}

struct Evaluation<'a> {
    resource: Node<'a>,
}

impl<'a> Evaluation<'a> {
    fn items(&self, expr: &Expr, focus: Item<'a>) -> Vec<Item<'a>> {
        match expr {
            Expr::Path { start, steps } => {
                let items = match start {
                    Start::Focus => vec![focus],
                    Start::Resource => vec![Item::Node(self.resource)],
                    Start::Type(name) if has_type(self.resource, name) => {
                        vec![Item::Node(self.resource)]
                    }
                    Start::Type(_) => Vec::new(),
                    Start::Group(group) => self.items(group, focus),
                };
                steps.iter().fold(items, |items, step| self.step(step, items))
            }
            Expr::Union(alternatives) => {
                alternatives.iter().flat_map(|expr| self.items(expr, focus)).collect()
            }
            Expr::And(_) | Expr::Equal { .. } => {
                self.truth(expr, focus).map(Item::Boolean).into_iter().collect()
            }
        }
    }

    /// The expression as a condition: true, false, or (`None`) no answer, FHIRPath's empty.
    fn truth(&self, expr: &Expr, focus: Item<'a>) -> Option<bool> {
        match expr {
            Expr::And(terms) => {
                let mut truths = terms.iter().map(|term| self.truth(term, focus));
                truths
                    .try_fold(Some(true), |all, one| match (all, one) {
                        (_, Some(false)) => Err(false),
                        (Some(true), Some(true)) => Ok(Some(true)),
                        _ => Ok(None),
                    })
                    .unwrap_or_else(Some)
            }
            Expr::Equal { left, right, negated } => match self.items(left, focus).as_slice() {
                [] => None,
                [item] => Some(equals(*item, right) != *negated),
                _ => Some(*negated),
            },
            Expr::Path { .. } | Expr::Union(_) => match self.items(expr, focus).as_slice() {
                [] => None,
                [Item::Boolean(truth)] => Some(*truth),
                [Item::Node(node)] if node.kind() == Kind::False => Some(false),
                _ => Some(true),
            },
        }
    }

    fn step(&self, step: &Step, items: Vec<Item<'a>>) -> Vec<Item<'a>> {
        match step {
            Step::Member(name) => each_node(&items, |node, out| members(node, name, out)),
            Step::Choice(names) => each_node(&items, |node, out| {
                flatten(names.iter().find_map(|name| node.get(name)), out);
            }),
            Step::Index(index) => items.get(*index).copied().into_iter().collect(),
            Step::Where(condition) => {
                let mut items = items;
                items.retain(|item| self.truth(condition, *item) == Some(true));
                items
            }
            Step::Exists => vec![Item::Boolean(!items.is_empty())],
            Step::Extension(url) => each_node(&items, |node, out| {
                out.extend(extensions(node, url).map(Item::Node));
            }),
            Step::HasExtension(url) => each_node(&items, |node, out| {
                out.push(Item::Boolean(extensions(node, url).next().is_some()));
            }),
            Step::ResolvesTo(name) => each_node(&items, |node, out| {
                out.push(Item::Boolean(self.resolves_to(node, name)));
            }),
        }
    }

    /// Whether a Reference, or a canonical or URL as text, leads to a resource of that type.
    fn resolves_to(&self, node: Node<'a>, name: &str) -> bool {
        let text = node.get_str("reference").or_else(|| node.as_str());
        let reference = text.as_deref().map(|text| Reference::parse(text, None));
        if let Some(Reference::Fragment(id)) = reference {
            let mut contained =
                self.resource.get("contained").into_iter().flat_map(|list| list.items());
            return contained
                .any(|inner| inner.get_str("id").as_deref() == Some(id) && has_type(inner, name));
        }
        match reference.as_ref().and_then(target_type) {
            Some(kind) => Some(kind) == ResourceType::from_name(name),
            None => node.get_str("type").as_deref() == Some(name),
        }
    }
}

fn has_type(resource: Node<'_>, name: &str) -> bool {
    matches!(name, "Resource" | "DomainResource")
        || resource.get_str("resourceType").as_deref() == Some(name)
}

fn each_node<'a>(
    items: &[Item<'a>],
    mut step: impl FnMut(Node<'a>, &mut Vec<Item<'a>>),
) -> Vec<Item<'a>> {
    let mut out = Vec::new();
    for item in items {
        if let Item::Node(node) = item {
            step(*node, &mut out);
        }
    }
    out
}

/// The member of that name or, when there is none, the choice element.
fn members<'a>(node: Node<'a>, name: &str, out: &mut Vec<Item<'a>>) {
    let mut choice = None;
    for (member, value) in node.members_beginning(name) {
        let Some(type_name) = member.strip_prefix(name) else {
            continue;
        };
        if type_name.is_empty() {
            return flatten(Some(value), out);
        }
        if CHOICE_TYPES.binary_search(&type_name).is_ok() {
            choice = Some(value);
        }
    }
    flatten(choice, out);
}

fn flatten<'a>(value: Option<Node<'a>>, out: &mut Vec<Item<'a>>) {
    let Some(value) = value else { return };
    match value.kind() {
        Kind::Null => {}
        Kind::Array => {
            let items = value.items().filter(|item| item.kind() != Kind::Null);
            out.extend(items.map(Item::Node));
        }
        _ => out.push(Item::Node(value)),
    }
}

fn extensions<'a>(node: Node<'a>, url: &str) -> impl Iterator<Item = Node<'a>> {
    let list = node.get("extension").into_iter().flat_map(|list| list.items());
    list.filter(move |extension| extension.get_str("url").as_deref() == Some(url))
}

fn equals(item: Item<'_>, literal: &Literal) -> bool {
    match (item, literal) {
        (Item::Boolean(truth), Literal::Boolean(literal)) => truth == *literal,
        (Item::Node(node), Literal::Boolean(true)) => node.kind() == Kind::True,
        (Item::Node(node), Literal::Boolean(false)) => node.kind() == Kind::False,
        (Item::Node(node), Literal::Text(text)) => node.as_str().as_deref() == Some(text),
        (Item::Node(node), Literal::Number(digits)) => {
            node.kind() == Kind::Number && node.text() == &**digits
        }
        (Item::Boolean(_), Literal::Text(_) | Literal::Number(_)) => false,
    }
}

/// How the names of choice elements end in JSON: the types of FHIR R4 §2.24.0.1 that an `[x]`
/// element can have, sorted.
const CHOICE_TYPES: [&str; 50] = [
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "Base64Binary",
    "Boolean",
    "Canonical",
    "Code",
    "CodeableConcept",
    "Coding",
    "ContactDetail",
    "ContactPoint",
    "Contributor",
    "Count",
    "DataRequirement",
    "Date",
    "DateTime",
    "Decimal",
    "Distance",
    "Dosage",
    "Duration",
    "Expression",
    "HumanName",
    "Id",
    "Identifier",
    "Instant",
    "Integer",
    "Markdown",
    "Meta",
    "Money",
    "Oid",
    "ParameterDefinition",
    "Period",
    "PositiveInt",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "RelatedArtifact",
    "SampledData",
    "Signature",
    "String",
    "Time",
    "Timing",
    "TriggerDefinition",
    "UnsignedInt",
    "Uri",
    "Url",
    "UsageContext",
    "Uuid",
];
