//! The members of an object against the elements of its type: FHIR R4 §2.6.2.

use super::place::Place;
use super::seen::{Seen, chosen};
use super::{Check, IssueCode, hint, primitive};
use crate::fhir::definitions::Primitive;
use crate::fhir::definitions::elements::{
    Element, ElementType, Form, TypeDefinition, definition, definition_at,
};
use crate::json::{Kind, Node};

/// As what an object stands where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A whole resource.
    Resource,
    /// A value, or id and extensions where there is no value.
    Element,
    /// Id and extensions beside a primitive value.
    Beside,
}

impl<'a> Check<'a> {
    /// An object of the given type, and all that it holds. The parser bounds the depth.
    pub(super) fn object(
        &mut self,
        kind: &'static TypeDefinition,
        object: Node<'a>,
        role: Role,
        place: &Place<'_>,
    ) {
        let others = self.problems.others();
        let mut seen = Seen::default();
        let mut has_only_id = role == Role::Element;
        for (name, value) in object.members() {
            if self.problems.is_full() {
                return;
            }
            has_only_id &= name == "id";
            if role == Role::Resource && name == "resourceType" {
                continue;
            }
            let place = place.member(&name);
            let (bare, is_sibling) = match name.strip_prefix('_') {
                Some(bare) => (bare, true),
                None => (&*name, false),
            };
            match seen.find(kind, bare) {
                Some((element, found)) if !is_sibling => {
                    self.element(element, found, object, bare, value, &place);
                }
                Some((element, ElementType { form: Form::Primitive(_), .. })) => {
                    self.siblings(element, object.get(bare), value, &place);
                }
                _ => {
                    let diagnostics = hint::unknown(kind, &name);
                    self.problems.add(IssueCode::Structure, &place, diagnostics);
                }
            }
        }
        if has_only_id {
            self.has_only_id(place);
        }
        for element in chosen(kind, kind.required & !seen.once) {
            let diagnostics = hint::missing(kind, element);
            self.problems.add(IssueCode::Required, place, diagnostics);
        }
        for element in chosen(kind, seen.again) {
            self.one_type(element, object, place);
        }
        if self.problems.others() == others {
            self.invariants(kind, object, &seen, place);
        }
    }

    /// A choice of type is made once: FHIR R4 §2.6.2.4.
    fn one_type(&mut self, element: &Element, object: Node<'a>, place: &Place<'_>) {
        let types = element.types.iter().filter(|kind| {
            object.members().any(|(name, _)| {
                let name = name.strip_prefix('_').unwrap_or(&name);
                element.member(name).is_some_and(|found| found.name == kind.name)
            })
        });
        let types: Vec<_> = types.map(|kind| kind.name).collect();
        if types.len() > 1 {
            let diagnostics = format!("{} has one type, not {}", element.name, types.join(" and "));
            self.problems.add(IssueCode::Structure, &place.member(element.name), diagnostics);
        }
    }

    /// The value of a member, or its values.
    fn element(
        &mut self,
        element: &Element,
        kind: &'static ElementType,
        object: Node<'a>,
        name: &str,
        value: Node<'a>,
        place: &Place<'_>,
    ) {
        match (element.max_is_many, value.kind()) {
            (false, Kind::Array) => {
                let diagnostics = format!("{name} has one value: write it without an array");
                self.problems.add(IssueCode::Structure, place, diagnostics);
            }
            (false, _) => self.value(element, kind, value, place),
            (true, Kind::Array) if is_empty(value) => self.absent(value, place),
            (true, Kind::Array) => {
                let is_primitive = matches!(kind.form, Form::Primitive(_));
                let sibling = is_primitive.then(|| object.get(&format!("_{name}"))).flatten();
                self.items(value, sibling, place, |check, item, _, place| {
                    check.value(element, kind, item, place);
                });
            }
            (true, _) => {
                let diagnostics =
                    format!("{name} may have several values: write them, or the one, as an array");
                self.problems.add(IssueCode::Structure, place, diagnostics);
            }
        }
    }

    /// `_name`: id and extensions of the primitive values under `name`: FHIR R4 §2.6.2.3.
    fn siblings(
        &mut self,
        element: &Element,
        values: Option<Node<'a>>,
        siblings: Node<'a>,
        place: &Place<'_>,
    ) {
        match (element.max_is_many, siblings.kind()) {
            (false, Kind::Object) => self.sibling(siblings, values.is_some(), place),
            (true, Kind::Array) if is_empty(siblings) => self.absent(siblings, place),
            (true, Kind::Array) => {
                self.items(siblings, values, place, Self::sibling);
            }
            (true, _) => {
                let diagnostics = "is an array, with an object or null for each value";
                self.problems.add(IssueCode::Structure, place, diagnostics);
            }
            (false, _) => {
                let diagnostics = "is an object of the value's id and extensions";
                self.problems.add(IssueCode::Structure, place, diagnostics);
            }
        }
    }

    fn sibling(&mut self, object: Node<'a>, has_value: bool, place: &Place<'_>) {
        if object.kind() != Kind::Object || is_empty(object) {
            let diagnostics = "is an object of the value's id and extensions";
            self.problems.add(IssueCode::Structure, place, diagnostics);
        } else if let Some(kind) = definition("Element") {
            let role = if has_value { Role::Beside } else { Role::Element };
            self.object(kind, object, role, place);
        }
    }

    /// The items of an array, each with whether the parallel array has something at its place; null is
    /// allowed only there.
    fn items(
        &mut self,
        array: Node<'a>,
        beside: Option<Node<'a>>,
        place: &Place<'_>,
        mut each: impl FnMut(&mut Self, Node<'a>, bool, &Place<'_>),
    ) {
        let mut others = beside.into_iter().flat_map(|beside| beside.items());
        for (index, item) in array.items().enumerate() {
            if self.problems.is_full() {
                return;
            }
            let place = place.item(index);
            let other = others.next().is_some_and(|other| other.kind() != Kind::Null);
            match item.kind() {
                Kind::Null if other => {}
                Kind::Null => {
                    let diagnostics = "null in an array stands only for a value or extension that \
                         the sibling array, named with or without '_', has at the same index";
                    self.problems.add(IssueCode::Structure, &place, diagnostics);
                }
                Kind::Array => {
                    let diagnostics = "an array does not hold arrays in FHIR";
                    self.problems.add(IssueCode::Structure, &place, diagnostics);
                }
                _ => each(self, item, other, &place),
            }
        }
    }

    /// One value of an element.
    fn value(
        &mut self,
        element: &Element,
        kind: &'static ElementType,
        value: Node<'a>,
        place: &Place<'_>,
    ) {
        if is_empty(value) {
            return self.absent(value, place);
        }
        match kind.form {
            Form::Primitive(primitive) => self.primitive(element, primitive, value, place),
            Form::Resource if element.name == "contained" => self.contained(value, place),
            Form::Resource => self.resource(value, place),
            Form::Complex(_) if !value.is_object() => {
                let diagnostics = format!("a value of type {} is a JSON object", kind.name);
                self.problems.add(IssueCode::Structure, place, diagnostics);
            }
            Form::Complex(index) => {
                let Some(definition) = definition_at(index) else { return };
                self.object(definition, value, Role::Element, place);
                match kind.name {
                    "Extension" => self.extension(value, place),
                    "Reference" => self.reference(kind, value, place),
                    "CodeableConcept" => self.concept(element, value, place),
                    _ => {}
                }
            }
        }
    }

    fn primitive(
        &mut self,
        element: &Element,
        primitive: Primitive,
        value: Node<'a>,
        place: &Place<'_>,
    ) {
        match primitive::wrong(primitive, value) {
            Some((code, diagnostics)) => self.problems.add(code, place, diagnostics),
            None => {
                if matches!(primitive, Primitive::Canonical | Primitive::Uri | Primitive::Url) {
                    self.contained.uri(&value.as_str().unwrap_or_default());
                }
                self.code(element, value, place);
            }
        }
    }

    /// An element has a value or elements of its own, and an id is neither: invariant ele-1.
    fn has_only_id(&mut self, place: &Place<'_>) {
        let diagnostics = "an element has more than an id: a value, elements or extensions (ele-1)";
        self.problems.add(IssueCode::Invariant, place, diagnostics);
    }

    /// An extension has a value or extensions, and not both: invariant ext-1.
    fn extension(&mut self, extension: Node<'a>, place: &Place<'_>) {
        let (mut value, mut extensions) = (false, false);
        for (name, _) in extension.members() {
            value |= name.starts_with("value") || name.starts_with("_value");
            extensions |= name == "extension";
        }
        if value == extensions {
            let diagnostics = "an extension has either a value or extensions (ext-1)";
            self.problems.add(IssueCode::Invariant, place, diagnostics);
        }
    }

    fn absent(&mut self, value: Node<'a>, place: &Place<'_>) {
        let absent = match value.kind() {
            Kind::Null => "null",
            Kind::String => "an empty string",
            Kind::Array => "an empty array",
            _ => "an empty object",
        };
        let diagnostics = format!("{absent} is not allowed in FHIR: what has no value is left out");
        self.problems.add(IssueCode::Structure, place, diagnostics);
    }
}

/// True for null, `""`, `[]` and `{}`.
fn is_empty(value: Node<'_>) -> bool {
    match value.kind() {
        Kind::Null => true,
        Kind::String => value.text().len() == r#""""#.len(),
        Kind::Array => value.items().next().is_none(),
        Kind::Object => value.members().next().is_none(),
        _ => false,
    }
}
