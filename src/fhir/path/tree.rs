//! Functions on elements: FHIRPath N1 §5.8 and §10, FHIR R4 §2.9.1.2.

use smallvec::smallvec;

use super::collection;
use super::context::{Context, EvaluationError, error};
use super::convert::{not_an_element, own_value};
use super::function::{Function, OnTree};
use super::navigate;
use super::types::{ElementKind, TypeName};
use super::value::{Collection, Element, Text, Value, one};
use crate::fhir::definitions::elements::definition;
use crate::fhir::reference::{Reference, target_type};
use crate::json::Node;

type Outcome<'a> = Result<Collection<'a>, EvaluationError>;

/// Where the definitions of the types themselves are.
const OWN_PROFILES: &str = "http://hl7.org/fhir/StructureDefinition/";

pub(super) fn call<'a>(
    context: &Context<'a>,
    function: OnTree,
    items: Collection<'a>,
    argument: &[Value<'a>],
) -> Outcome<'a> {
    match function {
        OnTree::Children => {
            let mut out = Collection::new();
            for item in &items {
                navigate::children(item, &mut out);
                context.charge_items(&out)?;
            }
            Ok(out)
        }
        OnTree::Descendants => descendants(context, &items),
        OnTree::Extension | OnTree::HasExtension => {
            let url = collection::text(argument, "the URL of an extension")?;
            let Some(url) = url else { return Ok(Collection::new()) };
            if function == OnTree::Extension {
                return Ok(items
                    .iter()
                    .flat_map(|item| navigate::extensions(item, &url))
                    .collect());
            }
            let has = |item: &Value<'a>| navigate::extensions(item, &url).next().is_some();
            Ok(items.iter().map(|item| Value::Boolean(has(item))).collect())
        }
        OnTree::HasValue => {
            let is_value = |item: &Value<'a>| match item {
                Value::Element(element) => element.has_value() && !element.node().is_object(),
                _ => true,
            };
            let has = matches!(items.as_slice(), [item] if is_value(item));
            Ok(smallvec![Value::Boolean(has)])
        }
        OnTree::GetValue => {
            let item = collection::single(items, "getValue")?;
            Ok(one(item.as_ref().and_then(own_value)))
        }
        OnTree::Type => Ok(items.iter().map(|item| Value::Type(item.type_info())).collect()),
        OnTree::Resolve => {
            let mut out = Collection::new();
            for item in &items {
                context.charge(1)?;
                out.extend(resolved(context, item).map(Value::Element));
            }
            Ok(out)
        }
        OnTree::ConformsTo => conforms_to(items, argument),
        OnTree::MemberOf => member_of(context, items, argument),
        OnTree::HtmlChecks => {
            // What the narrative may hold is checked on every write: R4 §2.4.0.
            let is_empty = items.is_empty();
            Ok(if is_empty { Collection::new() } else { smallvec![Value::Boolean(true)] })
        }
        OnTree::Subsumes | OnTree::SubsumedBy => {
            let (one, other) = (items, argument);
            let [one] = one.as_slice() else { return Ok(Collection::new()) };
            let [other] = other else { return Ok(Collection::new()) };
            subsumes(one, other)
        }
        OnTree::ElementDefinition | OnTree::Slice | OnTree::CheckModifiers => {
            let name = Function::Tree(function).name();
            Err(error(format!("the function '{name}' needs profiles, which are not supported")))
        }
    }
}

fn descendants<'a>(context: &Context<'a>, items: &[Value<'a>]) -> Outcome<'a> {
    let mut out = Collection::new();
    // Those still to be looked into, the next one last.
    let mut rest: Vec<Value<'a>> = Vec::new();
    let mut children = Collection::new();
    for item in items {
        navigate::children(item, &mut children);
    }
    loop {
        context.charge(1)?;
        rest.extend(children.drain(..).rev());
        let Some(next) = rest.pop() else { return Ok(out) };
        navigate::children(&next, &mut children);
        out.push(next);
    }
}

/// The resource to which a reference leads: in what contains it, in the Bundle, or elsewhere.
fn resolved<'a>(context: &Context<'a>, item: &Value<'a>) -> Option<Element<'a>> {
    let text = match item {
        Value::Element(element) if element.node().is_object() => {
            element.node().get_str("reference")?.into()
        }
        other => other.text()?,
    };
    if let Some(id) = text.strip_prefix('#') {
        return contained(context, id);
    }
    let root = context.root_resource().map(|root| root.node());
    let found = root.and_then(|bundle| entry(bundle, &text));
    let found = found.or_else(|| context.resolver().and_then(|resolver| resolver.resolve(&text)));
    found.map(Element::resource)
}

/// Whether a Reference, or a canonical or URL as text, leads to a resource of that type; `None` if that
/// is not known. What is out of reach may still be named by the reference.
pub(super) fn resolves_to<'a>(
    context: &Context<'a>,
    item: &Value<'a>,
    name: TypeName,
) -> Option<bool> {
    let node = item.element().map(|element| element.node()).filter(Node::is_object);
    let text = match node {
        Some(node) => node.get_str("reference").map(Text::from),
        None => item.text(),
    };
    let named = match text.as_deref().map(|text| Reference::parse(text, None)) {
        Some(Reference::Fragment(_)) => None,
        reference => reference.as_ref().and_then(target_type).map(|kind| kind.name().into()),
    };
    let named = named.or_else(|| node.and_then(|node| node.get_str("type")));
    match named {
        Some(named) => {
            let definition = definition(&named);
            definition.map(|definition| name.includes(ElementKind::Object(definition)))
        }
        None => resolved(context, item).map(|found| name.includes(found.kind())),
    }
}

/// A resource inside of the one in question, or this itself.
fn contained<'a>(context: &Context<'a>, id: &str) -> Option<Element<'a>> {
    let holders = [context.resource(), context.root_resource()];
    holders.into_iter().flatten().find_map(|holder| {
        if id.is_empty() {
            return Some(holder);
        }
        let list = holder.node().get("contained");
        let mut inside = list.into_iter().flat_map(|list| list.items());
        inside.find(|inner| inner.get_str("id").as_deref() == Some(id)).map(Element::resource)
    })
}

/// The resource of a Bundle with that URL, or that type and id: FHIR R4 §2.36.4.1.
fn entry<'a>(bundle: Node<'a>, reference: &str) -> Option<Node<'a>> {
    let list = bundle.get("entry").filter(|_| is_bundle(bundle))?;
    let version = reference.find("/_history/").unwrap_or(reference.len());
    let reference = reference.get(..version)?;
    list.items().find_map(|entry| {
        let url = entry.get_str("fullUrl").unwrap_or_default();
        let resource = entry.get("resource")?;
        let is_it = *url == *reference || {
            let kind = resource.get_str("resourceType")?;
            let id = resource.get_str("id").unwrap_or_default();
            reference.split_once('/') == Some((&*kind, &*id))
        };
        is_it.then_some(resource)
    })
}

fn is_bundle(node: Node<'_>) -> bool {
    node.get_str("resourceType").as_deref() == Some("Bundle")
}

fn conforms_to<'a>(items: Collection<'a>, argument: &[Value<'a>]) -> Outcome<'a> {
    let url = collection::text(argument, "the URL of a profile")?;
    let (Some(item), Some(url)) = (collection::single(items, "conformsTo")?, url) else {
        return Ok(Collection::new());
    };
    let name = url.strip_prefix(OWN_PROFILES);
    let known = name.and_then(|name| TypeName::of(Some("FHIR"), name));
    let known = known.ok_or_else(|| {
        error("the profile is not known; known are those of the types of R4 themselves")
    })?;
    let element = item.element().ok_or_else(|| not_an_element(&item))?;
    Ok(smallvec![Value::Boolean(known.includes(element.kind()))])
}

fn member_of<'a>(
    context: &Context<'a>,
    items: Collection<'a>,
    argument: &[Value<'a>],
) -> Outcome<'a> {
    let url = collection::text(argument, "the URL of a value set")?;
    let (Some(item), Some(url)) = (collection::single(items, "memberOf")?, url) else {
        return Ok(Collection::new());
    };
    let Some(terminology) = context.terminology() else {
        return Err(error("value sets are not known here"));
    };
    let codes = codes_of(&item);
    if codes.is_empty() {
        return Ok(Collection::new());
    }
    let mut known = Some(false);
    for (system, code) in codes {
        match terminology.is_member(&url, system.as_deref(), &code) {
            Some(true) => return Ok(smallvec![Value::Boolean(true)]),
            Some(false) => {}
            None => known = None,
        }
    }
    Ok(one(known.map(Value::Boolean)))
}

type Code<'a> = (Option<std::borrow::Cow<'a, str>>, std::borrow::Cow<'a, str>);

/// System and code of a code, Coding or CodeableConcept.
fn codes_of<'a>(item: &Value<'a>) -> Vec<Code<'a>> {
    let coding = |node: Node<'a>| Some((node.get_str("system"), node.get_str("code")?));
    let Some(element) = item.element() else {
        let text = item.text().map(|text| text.to_string());
        return text.map(|text| (None, text.into())).into_iter().collect();
    };
    let node = element.node();
    if let Some(code) = node.as_str() {
        return vec![(None, code)];
    }
    match node.get("coding") {
        Some(list) => list.items().filter_map(coding).collect(),
        None => coding(node).into_iter().collect(),
    }
}

/// A code subsumes itself; more would need the hierarchy of its system.
fn subsumes<'a>(one: &Value<'a>, other: &Value<'a>) -> Outcome<'a> {
    let (codes, others) = (codes_of(one), codes_of(other));
    match codes.iter().any(|code| others.contains(code)) {
        true => Ok(smallvec![Value::Boolean(true)]),
        false => Err(error("the hierarchies of code systems are not known")),
    }
}
