//! What upcasters make of events.

mod properties;
mod reading;
mod shipped;

use super::*;
use crate::chart::{Actor, EventKind, EventType};
use crate::fhir::ResourceKey;
use serde_json::{Value, json};

pub(super) fn file(name: &str, text: &str) -> UpcasterFile {
    UpcasterFile { name: name.to_owned(), text: text.to_owned() }
}

/// Upcasters out of files that are named `1.toml` and so on.
pub(super) fn read(texts: &[&str]) -> Upcasters {
    let files = (1..).zip(texts).map(|(number, text)| file(&format!("{number}.toml"), text));
    Upcasters::read(files.collect()).unwrap_or_else(|errors| panic!("{}", told(&errors)))
}

pub(super) fn told(errors: &[UpcastError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// An event with content of version 1; a body of `null` is none.
pub(super) fn event(kind: EventKind, key: &str, body: &Value) -> (Envelope, Vec<u8>) {
    let key: ResourceKey = key.parse().unwrap();
    let mut envelope = Envelope::new(EventType::of(&key, kind), Actor::default());
    envelope.resource = Some(key.to_string());
    let mut body = body.clone();
    if body.is_null() {
        return (envelope, Vec::new());
    }
    body["resourceType"] = json!(key.kind.name());
    body["id"] = json!(key.id.as_str());
    let document = crate::json::Document::parse(body.to_string()).unwrap();
    (envelope, crate::fhir::StoredForm::of(document.root(), &key.id, &|_| None).bytes)
}

/// What is told of each resource: its key, and its body without type, id and meta; `null` for none.
fn says(upcasters: &Upcasters, kind: EventKind, key: &str, body: &Value) -> Vec<(String, Value)> {
    let (envelope, body) = event(kind, key, body);
    let upcast = upcasters.upcast(envelope, body).unwrap_or_else(|error| panic!("{error}"));
    let all = std::iter::once(upcast.main).chain(upcast.parts).filter(|told| !told.is_dropped);
    let one = |Told { envelope, body, .. }: Told| {
        let key = envelope.key().unwrap();
        assert_eq!(envelope.content, upcasters.content_of(key.kind), "{key}");
        assert_eq!(envelope.event_type, EventType::of(&key, kind));
        let mut body: Value =
            if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        if let Some(members) = body.as_object_mut() {
            assert_eq!(members.remove("resourceType"), Some(json!(key.kind.name())));
            assert_eq!(members.remove("id"), Some(json!(key.id.as_str())));
            members.remove("meta");
        }
        (key.to_string(), body)
    };
    all.map(one).collect()
}

pub(super) const EXAMPLE: &str = r#"
[[example]]
before = '{"resourceType":"Basic","id":"1","code":{"text":"x"}}'
after = '{"resourceType":"Basic","id":"1","code":{"text":"x"}}'
"#;

pub(super) fn basic(from: u16, rest: &str) -> String {
    // Of a code that the examples do not have.
    format!("type = \"Basic\"\nfrom = {from}\nwhere = \"Basic.code.text='a'\"\n{rest}{EXAMPLE}")
}

pub(super) fn coded(text: &str) -> Value {
    json!({"code": {"text": text}})
}

#[test]
fn without_upcasters_an_event_says_what_it_said() {
    let upcasters = Upcasters::default();
    assert!(upcasters.is_empty());
    let (envelope, body) = event(EventKind::Recorded, "Basic/1", &coded("a"));
    assert!(!upcasters.concern(&envelope));
    assert_eq!(upcasters.content_of(envelope.key().unwrap().kind), 1);
    let upcast = upcasters.upcast(envelope.clone(), body.clone()).unwrap();
    let main = Told { envelope, body, is_dropped: false };
    assert_eq!(upcast, Upcast { main, parts: Vec::new() });
}

#[test]
fn each_form_of_change_changes() {
    let forms = [
        "json-patch = '''[\n {\"op\":\"replace\",\"path\":\"/code/text\",\"value\":\"b\"}]'''",
        "[[json-patch]]\nop = \"replace\"\npath = \"/code/text\"\nvalue = \"b\"",
        "[[fhirpath-patch]]\noperation = \"replace\"\npath = \"Basic.code.text\"\nvalueString = \"b\"",
        "[[fhirpath-patch]]\noperation = \"delete\"\npath = \"Basic.code.text\"\n\
         [[fhirpath-patch]]\noperation = \"add\"\npath = \"Basic\"\nname = \"code\"\n\
         valueCodeableConcept = { text = \"b\" }",
        "[[mapping]]\npath = \"Basic.code.text\"\nfrom = \"a\"\nto = \"b\"",
        "[[mapping]]\npath = \"Basic.code.text\"\ntable = { a = \"b\", c = \"d\" }",
        "[[mapping]]\npath = \"Basic.code\"\nfrom = { text = \"a\" }\nto = { text = \"b\" }",
    ];
    for form in forms {
        let upcasters = read(&[&basic(1, form)]);
        let found = says(&upcasters, EventKind::Recorded, "Basic/7", &coded("a"));
        assert_eq!(found, [("Basic/7".to_owned(), coded("b"))], "{form}");
        let found = says(&upcasters, EventKind::Recorded, "Basic/7", &coded("z"));
        assert_eq!(found, [("Basic/7".to_owned(), coded("z"))], "{form}");
    }
}

#[test]
fn numbers_and_the_order_of_members_stay_as_they_were_written() {
    let upcasters = read(&[&basic(1, "[[mapping]]\npath = \"Basic.code.text\"\nto = \"b\"")]);
    let body = br#"{"resourceType":"Basic","id":"7","meta":{"source":"s"},"extension":[{"url":"u","valueDecimal":1.50}],"code":{"text":"a"}}"#;
    let (envelope, _) = event(EventKind::Amended, "Basic/7", &Value::Null);
    let upcast = upcasters.upcast(envelope, body.to_vec()).unwrap();
    let expected = String::from_utf8(body.to_vec()).unwrap().replace(r#""a""#, r#""b""#);
    assert_eq!(String::from_utf8(upcast.main.body).unwrap(), expected);
}

#[test]
fn a_table_leads_from_old_codes_to_new_ones() {
    let text = r#"
        type = "Basic"
        from = 1
        [[mapping]]
        path = "Basic.code.coding"
        from = { system = "urn:old" }
        to = { system = "urn:new" }
        remove = ["display"]
        table = { "1" = "one", "2" = { code = "two", display = "Two" } }
        [[example]]
        before = '{"resourceType":"Basic","id":"1","code":{"coding":[{"system":"urn:old","code":"1","display":"d"}]}}'
        after = '{"resourceType":"Basic","id":"1","code":{"coding":[{"system":"urn:new","code":"one"}]}}'
    "#;
    let upcasters = read(&[text]);
    let before = json!({"code": {"coding": [
        {"system": "urn:old", "code": "1", "display": "Alt"}, {"system": "urn:old", "code": "2"},
        {"system": "urn:old", "code": "3", "display": "Drei"}, {"system": "urn:other", "code": "1"},
    ]}});
    let after = json!({"code": {"coding": [
        {"system": "urn:new", "code": "one"}, {"system": "urn:new", "code": "two", "display": "Two"},
        {"system": "urn:old", "code": "3", "display": "Drei"}, {"system": "urn:other", "code": "1"},
    ]}});
    let found = says(&upcasters, EventKind::Amended, "Basic/1", &before);
    assert_eq!(found, [("Basic/1".to_owned(), after)]);
}

#[test]
fn an_extension_becomes_an_element() {
    let text = r#"
        type = "Basic"
        from = 1
        [[mapping]]
        path = "Basic.extension.where(url='urn:when')"
        move = "Basic.created"
        [[example]]
        before = '{"resourceType":"Basic","id":"1","extension":[{"url":"urn:when","valueDate":"2020-01-02"}],"code":{"text":"x"}}'
        after = '{"resourceType":"Basic","id":"1","code":{"text":"x"},"created":"2020-01-02"}'
    "#;
    let upcasters = read(&[text]);
    let other = json!({"url": "urn:other", "valueBoolean": true});
    let mut before = coded("a");
    before["extension"] = json!([other, {"url": "urn:when", "valueDate": "1999"}]);
    let mut after = coded("a");
    after["extension"] = json!([other]);
    after["created"] = json!("1999");
    let found = says(&upcasters, EventKind::Restored, "Basic/1", &before);
    assert_eq!(found, [("Basic/1".to_owned(), after)]);
}

pub(super) const SPLIT: &str = r#"
[[split]]
id = "{id}-b"
where = "Basic.code.text='a'"
[[split.mapping]]
path = "Basic.code.text"
to = "b"
"#;

#[test]
fn an_event_becomes_several_and_tells_of_all_parts_that_there_may_be() {
    let split = format!("type = \"Basic\"\nfrom = 1\n{SPLIT}{EXAMPLE}");
    let on = "type = \"Basic\"\nfrom = 2\nwhere = \"Basic.code.text='b'\"\n[[mapping]]\npath = \"Basic.code.text\"\nto = \"c\"\n\
              [[split]]\nid = \"{id}.2\"\n";
    let upcasters = read(&[&split, &format!("{on}{EXAMPLE}")]);
    let told = |kind, body| says(&upcasters, kind, "Basic/1", &body);
    let (main, part, of_main, of_part) = ("Basic/1", "Basic/1-b", "Basic/1.2", "Basic/1-b.2");
    let all =
        |bodies: [(&str, Value); 4]| bodies.map(|(key, body)| (key.to_owned(), body)).to_vec();
    let made = all([
        (main, coded("a")),
        (part, coded("c")),
        (of_part, coded("b")),
        (of_main, Value::Null),
    ]);
    let there = |told: Vec<(String, Value)>| {
        told.into_iter().filter(|(_, body)| !body.is_null()).collect::<Vec<_>>()
    };
    assert_eq!(told(EventKind::Recorded, coded("a")), there(made.clone()));
    let mut found = told(EventKind::Amended, coded("a"));
    found.sort_by_key(|(key, _)| {
        [main, part, of_part, of_main].iter().position(|known| known == key)
    });
    assert_eq!(found, made);

    // Nothing of it applies.
    assert_eq!(told(EventKind::Recorded, coded("z")), [(main.to_owned(), coded("z"))]);
    let mut keys: Vec<_> = told(EventKind::Amended, coded("z"));
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    let none = all([
        (main, coded("z")),
        (part, Value::Null),
        (of_part, Value::Null),
        (of_main, Value::Null),
    ]);
    assert_eq!(keys, none);
    let mut keys = told(EventKind::Removed, Value::Null);
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(keys.iter().all(|(_, body)| body.is_null()));
    assert_eq!(keys.len(), 4);
}

#[test]
fn a_part_of_another_type_is_told_in_the_version_in_which_it_is_made() {
    let split = r#"
        type = "Basic"
        from = 1
        [[split]]
        id = "{id}-f"
        type = "Flag"
        content = 1
        json-patch = '[{"op":"add","path":"/status","value":"active"},{"op":"add","path":"/subject","value":{"display":"x"}}]'
    "#;
    let flag = r#"
        type = "Flag"
        from = 1
        where = "Flag.code.text='a'"
        [[mapping]]
        path = "Flag.code.text"
        to = "b"
        [[example]]
        before = '{"resourceType":"Flag","id":"1","status":"active","code":{"text":"a"},"subject":{"display":"x"}}'
        after = '{"resourceType":"Flag","id":"1","status":"active","code":{"text":"b"},"subject":{"display":"x"}}'
    "#;
    let example = r#"
        [[example]]
        before = '{"resourceType":"Basic","id":"1","code":{"text":"x"}}'
        after = '''[{"resourceType":"Basic","id":"1","code":{"text":"x"}},
                  {"resourceType":"Flag","id":"1-f","status":"active","code":{"text":"x"},"subject":{"display":"x"}}]'''
    "#;
    for (content, text) in [("content = 1", "b"), ("", "a")] {
        let split = split.replace("content = 1", content);
        let upcasters = read(&[&format!("{split}{example}"), flag]);
        let found = says(&upcasters, EventKind::Recorded, "Basic/1", &coded("a"));
        assert_eq!(found[1].0, "Flag/1-f");
        assert_eq!(found[1].1["code"]["text"], text);
    }
}

/// Drops events that are amended, of one code.
pub(super) const DROP: &str = r#"
type = "Basic"
from = 1
events = ["amended"]
where = "Basic.code.text='a'"
drop = true
[[example]]
before = '{"resourceType":"Basic","id":"1","code":{"text":"a"}}'
after = '[]'
"#;

#[test]
fn an_event_is_dropped() {
    let upcasters = read(&[DROP]);
    assert_eq!(says(&upcasters, EventKind::Amended, "Basic/1", &coded("a")), []);
    assert_eq!(says(&upcasters, EventKind::Amended, "Basic/1", &coded("b")).len(), 1);
    assert_eq!(says(&upcasters, EventKind::Recorded, "Basic/1", &coded("a")).len(), 1);
    assert_eq!(says(&upcasters, EventKind::Removed, "Basic/1", &Value::Null).len(), 1);

    // Of an event without a body, nothing is said unless it is named.
    let removed = DROP.replace("\"amended\"]\nwhere = \"Basic.code.text='a'\"", "\"removed\"]");
    let upcasters = read(&[&removed]);
    assert_eq!(says(&upcasters, EventKind::Removed, "Basic/1", &Value::Null), []);
    assert_eq!(says(&upcasters, EventKind::Amended, "Basic/1", &coded("a")).len(), 1);

    // Behind a split, each resource for itself: the part is told as it was before, the other not at all.
    let split = format!("type = \"Basic\"\nfrom = 1\n{SPLIT}{EXAMPLE}");
    let upcasters = read(&[&split, &DROP.replace("from = 1", "from = 2")]);
    let found = says(&upcasters, EventKind::Amended, "Basic/1", &coded("a"));
    assert_eq!(found, [("Basic/1-b".to_owned(), coded("b"))]);
    // Before one, nothing has happened to the parts either.
    let upcasters = read(&[DROP, &split.replace("from = 1", "from = 2")]);
    assert_eq!(says(&upcasters, EventKind::Amended, "Basic/1", &coded("a")), []);
}

#[test]
fn what_cannot_be_carried_out_names_file_line_and_event() {
    let cases = [
        (
            "[[json-patch]]\nop = \"remove\"\npath = \"/x\"",
            "1.toml:4: Basic.amended: remove /x: there is nothing at /x",
        ),
        (
            "json-patch = '''[\n{\"op\":\"test\",\"path\":\"/id\",\"value\":\"7\"},\n{\"op\":\"remove\",\"path\":\"/code\"}]'''",
            "1.toml:6: Basic.amended: what comes out is not valid FHIR R4: Basic: code is missing: Basic must have one",
        ),
        (
            "[[json-patch]]\nop = \"replace\"\npath = \"/id\"\nvalue = \"8\"",
            "1.toml:4: Basic.amended: it makes Basic/8 of Basic/7: type and id stay; what becomes another resource is a [[split]]",
        ),
        (
            "[[json-patch]]\nop = \"add\"\npath = \"/subject\"\nvalue = { reference = \"Patient/1\" }",
            "1.toml:4: Basic.amended: it would lie in the charts of 1 and lies in those of no patient: an upcaster does not move resources",
        ),
        (
            "[[mapping]]\npath = \"Basic.code\"\nto = \"b\"",
            "1.toml:4: Basic.amended: the path leads to an element with members: say which get what",
        ),
        (
            "[[mapping]]\npath = \"Basic.code\"\nmove = \"Basic.author\"",
            "1.toml:4: Basic.amended: what is moved must be an extension that has a value: move other elements with json-patch",
        ),
    ];
    for (change, message) in cases {
        let upcasters = read(&[&basic(1, change)]);
        let (envelope, body) = event(EventKind::Amended, "Basic/7", &coded("a"));
        let error = upcasters.upcast(envelope, body).unwrap_err().to_string();
        assert_eq!(error, message, "{change}");
    }
}

#[test]
fn a_part_has_an_id_or_cannot_be_made() {
    let upcasters = read(&[&format!("type = \"Basic\"\nfrom = 1\n{SPLIT}{EXAMPLE}")]);
    let long = "x".repeat(63);
    let (envelope, body) = event(EventKind::Recorded, &format!("Basic/{long}"), &coded("a"));
    let error = upcasters.upcast(envelope, body).unwrap_err().to_string();
    let message = format!(
        "1.toml:4: Basic.recorded: the part would have the id \"{long}-b\", which is none: "
    );
    assert!(error.starts_with(&message), "{error}");
    // One that was never made is not told of.
    let told = says(&upcasters, EventKind::Amended, &format!("Basic/{long}"), &coded("z"));
    assert_eq!(told.len(), 1);
}

#[test]
fn parts_differ_and_stay_in_the_charts_of_their_event() {
    let split = |rest: &str| read(&[&basic(1, rest)]);
    let failed = |upcasters: &Upcasters, key: &str| {
        let mut body = coded("a");
        body["subject"] = json!({"reference": "Patient/1"});
        let (envelope, body) = event(EventKind::Amended, key, &body);
        upcasters.upcast(envelope, body).unwrap_err().to_string()
    };
    let twice = split("[[split]]\nid = \"{id}a\"\n[[split]]\nid = \"a{id}\"");
    assert_eq!(
        failed(&twice, "Basic/aa"),
        "1.toml:6: Basic.amended: Basic/aaa comes about twice: choose other templates for ids"
    );
    let elsewhere = split(
        "[[split]]\nid = \"{id}-b\"\n[[split.json-patch]]\nop = \"replace\"\n\
         path = \"/subject/reference\"\nvalue = \"Patient/2\"",
    );
    assert_eq!(
        failed(&elsewhere, "Basic/1"),
        "1.toml:4: Basic.amended: it would lie in the charts of 2 and lies in those of 1: an upcaster does not move resources"
    );
}
