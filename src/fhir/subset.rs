//! Parts of resources: `_summary` and `_elements` (FHIR R4 §3.1.1.5.8 and §3.1.1.5.9).
//!
//! What is left out is left out of the bytes that would be served; the rest stays as it is, to the
//! digit. Mandatory elements and modifiers always stay, and the tag `SUBSETTED` says that this is
//! not the whole resource.

use super::check::{IssueCode, Problem};
use super::definitions::elements::{self, Element, Form, TypeDefinition};
use crate::json::{Compactor, Document, Kind, Node, quote};

/// Which part of a resource is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Subset {
    /// All of it.
    #[default]
    Whole,
    /// `_summary=true`: the elements that their definition marks, at every depth.
    Summary,
    /// `_summary=text`: the narrative.
    Text,
    /// `_summary=data`: everything but the narrative.
    Data,
    /// `_elements`: these elements of the resource, each with the type that it is wanted of.
    Elements(Vec<(Option<String>, String)>),
}

/// The code systems of the tag `SUBSETTED`: today's, and that of older versions of FHIR.
const SUBSETTED_SYSTEMS: [&str; 2] = [
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "http://hl7.org/fhir/v3/ObservationValue",
];
/// The coding that marks a resource of which something was left out.
const SUBSETTED: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED","display":"subsetted"}"#;

/// What is wrong with storing a resource that is marked as a part of one: it would replace the whole (FHIR R4
/// §3.1.1.5.9).
#[must_use]
pub fn problem_of_part(resource: Node<'_>, place: &str) -> Option<Problem> {
    let tags = resource.get("meta")?.get("tag")?;
    let is_mark = |tag: Node<'_>| {
        let is_system = |system: &str| SUBSETTED_SYSTEMS.contains(&system);
        tag.get_str("code").as_deref() == Some("SUBSETTED")
            && tag.get_str("system").is_none_or(|system| is_system(&system))
    };
    let at = tags.items().position(is_mark)?;
    let diagnostics = "the tag SUBSETTED says that this is a part of a resource: to store it would lose the rest; \
                       read the whole, without _summary and _elements, and change that";
    let expression = format!("{place}.meta.tag[{at}]");
    Some(Problem { code: IssueCode::Invariant, expression, diagnostics: diagnostics.to_owned() })
}

impl Subset {
    /// The part of a resource that is wanted, from its bytes.
    #[must_use]
    pub fn of_resource(&self, bytes: Vec<u8>) -> Vec<u8> {
        if *self == Self::Whole {
            return bytes;
        }
        // What the server has stored or written reads back.
        let Ok(document) = Document::parse(bytes.as_slice()) else { return bytes };
        let mut out = Compactor::new(bytes.len() + SUBSETTED.len(), &|_, _| None);
        self.write(&mut out, document.root());
        out.finish()
    }

    /// Writes what is wanted of a resource; all of it if nobody knows its type, and of an outcome.
    fn write(&self, out: &mut Compactor<'_>, resource: Node<'_>) {
        let kind = resource.get_str("resourceType").unwrap_or_default();
        let definition = elements::definition(&kind).filter(|_| kind != "OperationOutcome");
        let Some(definition) = definition else { return out.value("", resource) };
        if resource.get("meta").is_some() {
            let kept = resource.members().filter(|(name, _)| self.keeps(definition, name));
            object(out, kept, |out, name, value| self.member(out, definition, name, value));
            return;
        }
        out.raw("{");
        let mut separator = "";
        for (name, value) in resource.members().filter(|(name, _)| self.keeps(definition, name)) {
            out.raw(separator);
            out.raw(&quote(&name));
            out.raw(":");
            self.member(out, definition, &name, value);
            separator = ",";
        }
        out.raw(separator);
        out.raw(r#""meta":{"tag":["#);
        out.raw(SUBSETTED);
        out.raw("]}}");
    }

    fn member(
        &self,
        out: &mut Compactor<'_>,
        definition: &'static TypeDefinition,
        name: &str,
        value: Node<'_>,
    ) {
        match (name, self) {
            ("meta", _) => tagged(out, value),
            (_, Self::Summary) => summary(out, definition, name, value),
            _ => out.value(name, value),
        }
    }

    /// Whether a member of a resource stays.
    fn keeps(&self, definition: &'static TypeDefinition, member: &str) -> bool {
        let name = member.strip_prefix('_').unwrap_or(member);
        if matches!(name, "resourceType" | "id" | "meta") {
            return true;
        }
        let Some((element, _)) = definition.member(name) else { return false };
        let is_text =
            name == "text" && definition.base().is_some_and(|base| base.name == "DomainResource");
        match self {
            Self::Whole => true,
            Self::Data => !is_text,
            Self::Text => is_text || is_needed(element),
            Self::Summary => element.is_summary || is_needed(element),
            Self::Elements(wanted) => {
                is_needed(element)
                    || wanted.iter().any(|(kind, wanted)| {
                        kind.as_deref().is_none_or(|kind| kind == definition.name)
                            && (wanted == element.name || wanted == name)
                    })
            }
        }
    }
}

/// Without these a resource is not valid, or says something else.
fn is_needed(element: &Element) -> bool {
    element.min > 0 || element.is_modifier
}

/// Writes the summary of an element's value, or of each of its values.
fn summary(
    out: &mut Compactor<'_>,
    definition: &'static TypeDefinition,
    name: &str,
    value: Node<'_>,
) {
    let form = definition.member(name).map(|(_, kind)| kind.form);
    let Some(Form::Complex(index)) = form else { return out.value(name, value) };
    let Some(inner) = elements::definition_at(index) else { return out.value(name, value) };
    let one = |out: &mut Compactor<'_>, value: Node<'_>| {
        if !value.is_object() {
            return out.value(name, value);
        }
        let kept = value.members().filter(|(name, _)| {
            let member = inner.member(name.strip_prefix('_').unwrap_or(name));
            member.is_some_and(|(element, _)| element.is_summary || is_needed(element))
        });
        object(out, kept, |out, name, value| summary(out, inner, name, value));
    };
    match value.kind() {
        Kind::Array => array(out, value.items(), one),
        _ => one(out, value),
    }
}

/// Writes `meta` with the tag that says that something was left out.
fn tagged(out: &mut Compactor<'_>, meta: Node<'_>) {
    out.raw("{");
    let mut separator = "";
    for (name, value) in meta.members().filter(|(name, _)| name != "tag") {
        out.raw(separator);
        out.raw(&quote(&name));
        out.raw(":");
        out.value(&name, value);
        separator = ",";
    }
    out.raw(separator);
    out.raw(r#""tag":["#);
    let tags = meta.get("tag");
    for tag in tags.iter().flat_map(Node::items) {
        if tag.get_str("code").as_deref() != Some("SUBSETTED") {
            out.value("tag", tag);
            out.raw(",");
        }
    }
    out.raw(SUBSETTED);
    out.raw("]}");
}

fn object<'a>(
    out: &mut Compactor<'_>,
    members: impl Iterator<Item = (std::borrow::Cow<'a, str>, Node<'a>)>,
    mut write: impl FnMut(&mut Compactor<'_>, &str, Node<'a>),
) {
    out.raw("{");
    for (place, (name, value)) in members.enumerate() {
        out.raw(if place > 0 { "," } else { "" });
        out.raw(&quote(&name));
        out.raw(":");
        write(out, &name, value);
    }
    out.raw("}");
}

fn array<'a>(
    out: &mut Compactor<'_>,
    items: impl Iterator<Item = Node<'a>>,
    mut write: impl FnMut(&mut Compactor<'_>, Node<'a>),
) {
    out.raw("[");
    for (place, item) in items.enumerate() {
        out.raw(if place > 0 { "," } else { "" });
        write(out, item);
    }
    out.raw("]");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn part(subset: &Subset, resource: &Value) -> Value {
        let bytes = subset.of_resource(resource.to_string().into_bytes());
        let mut value: Value = serde_json::from_slice(&bytes).unwrap();
        let tags = value["meta"]["tag"].as_array_mut().unwrap();
        assert_eq!(tags.pop().unwrap(), serde_json::from_str::<Value>(SUBSETTED).unwrap());
        if tags.is_empty() {
            value["meta"].as_object_mut().unwrap().remove("tag");
        }
        value
    }

    fn elements(names: &[&str]) -> Subset {
        Subset::Elements(names.iter().map(|name| (None, (*name).to_owned())).collect())
    }

    fn observation() -> Value {
        json!({
            "resourceType": "Observation", "id": "o",
            "meta": { "versionId": "1", "source": "here" },
            "implicitRules": "http://rules",
            "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>" },
            "extension": [{ "url": "http://x", "valueCode": "y" }],
            "modifierExtension": [{ "url": "http://z", "valueCode": "y" }],
            "status": "final", "_status": { "id": "s" },
            "code": { "extension": [{ "url": "http://x", "valueCode": "y" }], "text": "pulse" },
            "subject": { "reference": "Patient/p" },
            "valueQuantity": { "value": 72, "unit": "/min" },
            "note": [{ "text": "n" }],
            "component": [{
                "code": { "text": "c" }, "valueString": "v",
                "interpretation": [{ "text": "i" }],
            }],
        })
    }

    fn names(value: &Value) -> Vec<&str> {
        let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_is_needed_always_stays() {
        let value = part(&elements(&["subject"]), &observation());
        let needed = [
            "_status",
            "code",
            "id",
            "implicitRules",
            "meta",
            "modifierExtension",
            "resourceType",
            "status",
        ];
        assert_eq!(names(&value), [needed.as_slice(), &["subject"]].concat());
        assert_eq!(value["meta"], observation()["meta"]);
        assert_eq!(
            names(&part(&Subset::Text, &observation())),
            [needed.as_slice(), &["text"]].concat()
        );
    }

    #[test]
    fn elements_are_named_with_or_without_their_type() {
        for name in ["value", "valueQuantity"] {
            assert_eq!(part(&elements(&[name]), &observation())["valueQuantity"]["value"], 72);
        }
        assert!(part(&elements(&["valueString"]), &observation())["valueQuantity"].is_null());
        let of_type =
            |kind: &str| Subset::Elements(vec![(Some(kind.to_owned()), "note".to_owned())]);
        assert!(part(&of_type("Observation"), &observation())["note"].is_array());
        assert!(part(&of_type("Condition"), &observation())["note"].is_null());
    }

    #[test]
    fn data_is_all_but_the_narrative() {
        let mut expected = observation();
        expected.as_object_mut().unwrap().remove("text");
        assert_eq!(part(&Subset::Data, &observation()), expected);
        // An element of that name elsewhere is none.
        let questions = json!({ "resourceType": "Bundle", "type": "collection" });
        assert_eq!(names(&part(&Subset::Data, &questions)), ["meta", "resourceType", "type"]);
    }

    #[test]
    fn a_summary_goes_into_depth() {
        let value = part(&Subset::Summary, &observation());
        for left_out in ["text", "extension", "note"] {
            assert!(value.get(left_out).is_none(), "{left_out}");
        }
        assert_eq!(value["code"], json!({ "text": "pulse" }));
        assert_eq!(value["component"], json!([{ "code": { "text": "c" }, "valueString": "v" }]));
        assert_eq!(value["valueQuantity"], json!({ "value": 72, "unit": "/min" }));
    }

    #[test]
    fn numbers_stay_as_they_were_written_and_tags_stay() {
        let text = r#"{"resourceType":"Observation","meta":{"tag":[{"code":"a"},{"code":"SUBSETTED"}]},"valueQuantity":{"value":72.50}}"#;
        let bytes = elements(&["value"]).of_resource(text.as_bytes().to_vec());
        let expected = format!(
            r#"{{"resourceType":"Observation","meta":{{"tag":[{{"code":"a"}},{SUBSETTED}]}},"valueQuantity":{{"value":72.50}}}}"#
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn of_an_outcome_all_stays() {
        let outcome = json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": "warning", "code": "x" }] });
        let bytes = Subset::Data.of_resource(outcome.to_string().into_bytes());
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), outcome);
        assert_eq!(Subset::Whole.of_resource(b"{ }".to_vec()), b"{ }");
    }
}
