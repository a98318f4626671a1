//! FHIR R4 §2.9.1: elements, extensions, types and references, and what an evaluation is told.

use smallvec::smallvec;

use super::super::{Collection, Context, Element, Expression, Resolver, Terminology, Value};
use super::{PATIENT, fails, leads};
use crate::json::{Document, Node};

#[test]
fn elements_have_values_and_extensions() {
    leads(&[
        ("birthDate", "no value"),
        ("birthDate.exists()", "true"),
        ("birthDate.hasValue()", "false"),
        ("birthDate.getValue()", ""),
        ("birthDate.extension('http://e/reason').value", "\"unknown\""),
        ("name[0].given.count()", "3"),
        ("name[0].given[1].extension('http://e/secret').value", "true"),
        ("name[0].given[2].id", "\"g\""),
        ("name[0].given.where(hasExtension('http://e/secret')).count()", "1"),
        ("name[0].given.select(hasValue())", "true, false, true"),
        ("gender.getValue()", "'female'"),
        ("gender.extension", ""),
        ("extension.count()", "3"),
        ("extension('http://e/weight').value.value", "70.50"),
        ("multipleBirth", "2"),
        ("multipleBirthInteger", "2"),
        ("deceased", ""),
        ("nothing", ""),
        ("children().count()", "14"),
        ("name.children().count()", "7"),
        ("descendants().where($this = 'Clinic').count()", "1"),
        (
            "descendants().ofType(code)",
            "\"female\", \"unknown\", \"official\", \"old\", \"kg\", \"<\", \"kg\"",
        ),
        ("Patient.name.first().use", "\"official\""),
        ("Organization.name", ""),
        ("%resource.id & %context.id & %rootResource.id", "'ppp'"),
        (
            "%sct | %loinc | %ucum",
            "'http://snomed.info/sct', 'http://loinc.org', 'http://unitsofmeasure.org'",
        ),
        (
            "%`vs-x` | %'ext-y'",
            "'http://hl7.org/fhir/ValueSet/x', 'http://hl7.org/fhir/StructureDefinition/y'",
        ),
    ]);
}

#[test]
fn types_are_those_of_the_definitions() {
    leads(&[
        ("gender.is(code)", "true"),
        ("gender is string", "true"),
        ("gender is id", "false"),
        ("gender.as(string)", ""),
        ("gender as code", "\"female\""),
        ("name.ofType(HumanName).count()", "2"),
        ("multipleBirth is integer", "true"),
        ("multipleBirth is Integer", "false"),
        ("1 is Integer and 1 is System.Integer", "true"),
        ("$this is Patient and $this is DomainResource and $this is FHIR.Resource", "true"),
        ("contact.first() is BackboneElement", "true"),
        ("contained.ofType(Organization).name", "\"Clinic\""),
        ("gender.type()", "FHIR.code"),
        ("contact.type()", "FHIR.BackboneElement"),
        ("1.type().name & 'a'.type().namespace", "'IntegerSystem'"),
        ("{} is Patient", ""),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", "true"),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/Group')", "false"),
    ]);
    fails(&[
        ("name is HumanName", "is takes one item, and there are 2 (at byte 5"),
        ("name as HumanName", "as takes one item"),
        ("name.as(HumanNam)", "there is no type 'HumanNam'"),
        ("conformsTo('http://acme.org/profile')", "the profile is not known"),
        ("slice('http://acme.org', 'x')", "the function 'slice' needs profiles"),
        ("elementDefinition()", "the function 'elementDefinition' needs profiles"),
        ("gender.memberOf('http://acme.org/vs')", "value sets are not known here"),
    ]);
}

struct World<'a>(Node<'a>);

impl<'a> Resolver<'a> for World<'a> {
    fn resolve(&self, reference: &str) -> Option<Node<'a>> {
        (reference == "Practitioner/1").then_some(self.0)
    }
}

impl Terminology for World<'_> {
    fn is_member(&self, value_set: &str, _: Option<&str>, code: &str) -> Option<bool> {
        (value_set == "http://vs").then(|| code == "female")
    }
}

#[test]
fn what_lies_outside_is_asked_for() {
    let practitioner =
        Document::parse(r#"{"resourceType":"Practitioner","active":false}"#).unwrap();
    let world = World(practitioner.root());
    let document = Document::parse(PATIENT).unwrap();
    let resource = Element::resource(document.root());
    let cases = [
        ("managingOrganization.resolve().name", "\"Clinic\""),
        ("managingOrganization.resolve() is Organization", "true"),
        ("generalPractitioner.resolve().active", "false"),
        ("generalPractitioner.first().resolve() is Practitioner", "true"),
        ("generalPractitioner.where(resolve() is Patient)", ""),
        ("'Practitioner/1'.resolve().active", "false"),
        ("'Practitioner/2'.resolve()", ""),
        ("gender.memberOf('http://vs')", "true"),
        ("gender.memberOf('http://other')", ""),
        ("%who & '!'", "'me!'"),
    ];
    for (text, expected) in cases {
        let me: Collection<'_> = smallvec![super::super::value::text("me")];
        let context = Context::of_resource(resource)
            .with_resolver(&world)
            .with_terminology(&world)
            .with_variable("who", me);
        let items =
            Expression::parse(text).unwrap().items(&context, Some(&Value::Element(resource)));
        let found: Vec<_> = items.unwrap().iter().map(super::written).collect();
        assert_eq!(found.join(", "), expected, "{text}");
    }
}

#[test]
fn references_lead_within_a_bundle() {
    let bundle = r#"{"resourceType":"Bundle","entry":[
        {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Observation","subject":{"reference":"Patient/a"},
            "focus":[{"reference":"urn:uuid:1"}]}},
        {"fullUrl":"http://x/Patient/a","resource":{"resourceType":"Patient","id":"a","active":true}}]}"#;
    let document = Document::parse(bundle).unwrap();
    let resource = Element::resource(document.root());
    let context = Context::of_resource(resource);
    let cases = [
        ("entry.resource.subject.resolve().active", "true"),
        ("entry[0].resource.focus.resolve().subject.reference", "\"Patient/a\""),
        ("entry.resource.ofType(Patient).id", "\"a\""),
    ];
    for (text, expected) in cases {
        let items =
            Expression::parse(text).unwrap().items(&context, Some(&Value::Element(resource)));
        let found: Vec<_> = items.unwrap().iter().map(super::written).collect();
        assert_eq!(found.join(", "), expected, "{text}");
    }
}

#[test]
fn a_condition_on_one_element_has_three_outcomes() {
    let document = Document::parse(PATIENT).unwrap();
    let resource = Element::resource(document.root());
    let context = Context::of_resource(resource);
    let name = document.root().get("name").unwrap().items().next().unwrap();
    let definition = crate::fhir::definitions::elements::definition("HumanName").unwrap();
    let name = Value::Element(Element::object(name, definition));
    let truth = |text: &str| Expression::parse(text).unwrap().truth(&context, &name);
    assert_eq!(truth("family.exists() or given.exists()"), Ok(Some(true)));
    assert_eq!(truth("given.count() > 3"), Ok(Some(false)));
    assert_eq!(truth("period.start <= period.end"), Ok(None));
    assert_eq!(truth("%resource.gender = 'female'"), Ok(Some(true)));
    assert!(truth("given").unwrap_err().to_string().contains("a condition has one item"));
}
