//! Resources, alone and within others: FHIR R4 §2.26 (Resource), §2.27 (DomainResource).

use super::element::Role;
use super::hint;
use super::invariant::STEPS_MAX;
use super::link::Contained;
use super::place::Place;
use super::{Check, IssueCode};
use crate::fhir::ResourceType;
use crate::fhir::definitions::elements;
use crate::fhir::path::{Context, Element, ElementKind};
use crate::json::{Kind, Node};

impl<'a> Check<'a> {
    /// A resource that stands alone, or in a Bundle or Parameters: `#id` is about this one.
    pub(super) fn resource(&mut self, resource: Node<'a>, place: &Place<'_>) {
        let others = self.problems.others();
        let contained = Contained::of(resource, place, &mut self.problems);
        let outside = std::mem::replace(&mut self.contained, contained);
        let element = Element::resource(resource);
        let root = self.root.replace(element);
        let context = Context::of_resource(element).with_steps(STEPS_MAX);
        let context = self.context.replace(context);
        self.typed(resource, place);
        (self.root, self.context) = (root, context);
        let contained = std::mem::replace(&mut self.contained, outside);
        if self.problems.others() == others {
            contained.without_link(place, &mut self.problems);
        }
        self.narrative(resource, place);
    }

    /// A resource should have narrative: invariant dom-6, a warning.
    fn narrative(&mut self, resource: Node<'a>, place: &Place<'_>) {
        if self.warnings.is_none()
            || resource.get("text").is_some_and(|text| text.get("div").is_some())
        {
            return;
        }
        let kind = ElementKind::of_resource(resource).definition();
        if kind.is_some_and(|kind| kind.elements().any(|element| element.name == "text")) {
            self.warn(IssueCode::Invariant, place, || {
                "a resource should have narrative, text.div, for those who cannot read its data (dom-6)".to_owned()
            });
        }
    }

    /// A resource within another, with the invariants dom-2, dom-4 and dom-5.
    pub(super) fn contained(&mut self, resource: Node<'a>, place: &Place<'_>) {
        let Some(root) = self.root else { return };
        let context = Context::of_resource(Element::resource(resource)).within(root);
        let context = self.context.replace(context.with_steps(STEPS_MAX));
        self.contained.enter(place.index());
        self.typed(resource, place);
        self.contained.enter(None);
        self.context = context;
        if resource.get("contained").is_some() {
            let diagnostics = "a contained resource does not contain resources (dom-2)";
            self.problems.add(IssueCode::Invariant, &place.member("contained"), diagnostics);
        }
        let Some(meta) = resource.get("meta") else { return };
        let rules = [("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")];
        for (name, rule) in rules {
            if meta.get(name).is_some() {
                let diagnostics = format!("a contained resource has no meta.{name} ({rule})");
                let place = place.member("meta");
                self.problems.add(IssueCode::Invariant, &place.member(name), diagnostics);
            }
        }
    }

    fn typed(&mut self, resource: Node<'a>, place: &Place<'_>) {
        if !resource.is_object() {
            self.problems.add(IssueCode::Structure, place, "a resource is a JSON object");
            return;
        }
        let Some(name) = resource.get("resourceType") else {
            let diagnostics = "resourceType is missing: a resource names its type";
            self.problems.add(IssueCode::Required, place, diagnostics);
            return;
        };
        let at = place.member("resourceType");
        match name.as_str() {
            _ if name.kind() != Kind::String => {
                self.problems.add(IssueCode::Structure, &at, "resourceType is a JSON string");
            }
            Some(name) if ResourceType::from_name(&name).is_some() => {
                if let Some(definition) = elements::definition(&name) {
                    self.object(definition, resource, Role::Resource, place);
                }
            }
            name => {
                let name = name.unwrap_or_default();
                self.problems.add(IssueCode::NotSupported, &at, hint::unknown_type(&name));
            }
        }
    }
}
