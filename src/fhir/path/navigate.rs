//! From an element to those inside it: FHIR R4 §2.6.2 (JSON) and FHIRPath N1 §2 and §5.8.

use super::syntax::Name;
use super::types::ElementKind;
use super::value::{Collection, Element, Value, text};
use crate::fhir::definitions::Primitive;
use crate::fhir::definitions::elements::{Element as Definition, Form, TypeDefinition, definition};
use crate::json::{Kind, Node};

/// The elements of that name. Of a choice, it is the one that is there: `value` is `valueQuantity`.
pub(super) fn member<'a>(value: &Value<'a>, name: &Name, out: &mut Collection<'a>) {
    let element = match value {
        Value::Element(element) => element,
        Value::Quantity(quantity) => {
            match &*name.text {
                "value" => out.push(Value::Decimal(quantity.value)),
                "unit" | "code" => out.push(text(quantity.code())),
                _ => {}
            }
            return;
        }
        Value::Type(info) => {
            match &*name.text {
                "namespace" => out.push(text(info.namespace)),
                "name" => out.push(text(info.name)),
                _ => {}
            }
            return;
        }
        _ => return,
    };
    let Some(holder) = element.holder() else { return };
    match owner(element).and_then(|owner| name.elements.in_type(owner)) {
        Some(definition) if definition.is_choice => choice(holder, definition, out),
        Some(definition) => {
            let (value, beside) = match definition.types.first() {
                Some(found) if matches!(found.form, Form::Primitive(_)) => {
                    holder.get_pair(&name.text)
                }
                _ => (holder.get(&name.text), None),
            };
            let kind = |node| {
                let found = definition.types.first();
                found.map_or(ElementKind::Unknown, |found| ElementKind::of(found, node))
            };
            add(value, beside, kind, out);
        }
        // Elements of later versions may be stored too.
        None => unknown(holder, &name.text, out),
    }
}

/// The type that says which elements there are in an element.
fn owner(element: &Element<'_>) -> Option<&'static TypeDefinition> {
    match element.kind() {
        ElementKind::Primitive(_) => definition("Element"),
        kind => kind.definition(),
    }
}

fn choice<'a>(holder: Node<'a>, definition: &'static Definition, out: &mut Collection<'a>) {
    let (mut value, mut beside, mut found) = (None, None, None);
    for (member, node) in holder.members_beginning(definition.name) {
        if let Some(kind) = definition.member(&member) {
            (value, found) = (Some(node), Some(kind));
        }
    }
    // Few values have extensions of their own.
    if found.is_none_or(|found| Primitive::from_name(found.name).is_some()) {
        for (member, node) in holder.members_beginning("_") {
            let kind = member.strip_prefix('_').and_then(|member| definition.member(member));
            if let Some(kind) = kind {
                (beside, found) = (Some(node), Some(kind));
            }
        }
    }
    if let Some(found) = found {
        add(value, beside, |node| ElementKind::of(found, node), out);
    }
}

/// An element that the definitions do not have, under its name or as a choice.
fn unknown<'a>(holder: Node<'a>, name: &str, out: &mut Collection<'a>) {
    let (value, beside) = holder.get_pair(name);
    if value.is_some() || beside.is_some() {
        return add(value, beside, |_| ElementKind::Unknown, out);
    }
    for (member, node) in holder.members_beginning(name) {
        let kind = member.strip_prefix(name).and_then(type_of_choice);
        if let Some(kind) = kind {
            add(Some(node), None, |_| kind, out);
        }
    }
}

/// The type with whose name, in a capital letter, the name of a choice element ends in JSON.
fn type_of_choice(suffix: &str) -> Option<ElementKind> {
    if let Some(definition) = definition(suffix).filter(|_| !suffix.contains('.')) {
        return Some(ElementKind::Object(definition));
    }
    let mut letters = suffix.chars();
    let first = letters.next().filter(char::is_ascii_uppercase)?;
    let name = format!("{}{}", first.to_ascii_lowercase(), letters.as_str());
    Primitive::from_name(&name).map(ElementKind::Primitive)
}

/// The value of a member or, if it is a list, each of its items, with what stands beside it.
fn add<'a>(
    value: Option<Node<'a>>,
    beside: Option<Node<'a>>,
    kind: impl Fn(Node<'a>) -> ElementKind,
    out: &mut Collection<'a>,
) {
    let is_list = |node: Option<Node<'_>>| node.is_some_and(|node| node.kind() == Kind::Array);
    let mut push = |value: Option<Node<'a>>, beside: Option<Node<'a>>| {
        let [value, beside] =
            [value, beside].map(|node| node.filter(|node| node.kind() != Kind::Null));
        let kind = value.or(beside).map_or(ElementKind::Unknown, &kind);
        out.extend(Element::paired(value, beside, kind).map(Value::Element));
    };
    if !is_list(value) && !is_list(beside) {
        return push(value, beside);
    }
    let mut values = value.into_iter().flat_map(|list| list.items());
    let mut besides = beside.into_iter().flat_map(|list| list.items());
    loop {
        match (values.next(), besides.next()) {
            (None, None) => return,
            (value, beside) => push(value, beside),
        }
    }
}

/// All elements inside an element, in the order of the resource.
pub(super) fn children<'a>(value: &Value<'a>, out: &mut Collection<'a>) {
    let Value::Element(element) = value else { return };
    let Some(holder) = element.holder().filter(Node::is_object) else { return };
    let owner = owner(element);
    for (member, node) in holder.members() {
        let name = match member.strip_prefix('_') {
            Some(name) if holder.get(name).is_some() => continue,
            Some(name) => name,
            None if member == "resourceType" => continue,
            None => &member,
        };
        let found = owner.and_then(|owner| owner.member(name)).map(|(_, found)| found);
        let kind = |node| found.map_or(ElementKind::Unknown, |found| ElementKind::of(found, node));
        let is_beside = name.len() < member.len();
        let (value, beside) = if is_beside { (None, Some(node)) } else { holder.get_pair(name) };
        let beside = beside.filter(|_| is_beside || node.kind() != Kind::Object);
        add(value, beside, kind, out);
    }
}

/// The extensions of an element with that URL.
pub(super) fn extensions<'a>(
    value: &Value<'a>,
    url: &str,
) -> impl Iterator<Item = Value<'a>> + use<'a> {
    let holder = value.element().and_then(Element::holder);
    let list = holder.and_then(|holder| holder.get("extension"));
    let url: Box<str> = url.into();
    let items = list.into_iter().flat_map(|list| list.items());
    let found = items.filter(move |extension| extension.get_str("url").as_deref() == Some(&*url));
    let kind = definition("Extension").map_or(ElementKind::Unknown, ElementKind::Object);
    found.map(move |node| Value::Element(Element::new(node, kind)))
}
