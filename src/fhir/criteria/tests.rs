//! Tables of searches on observations and patients, with what they ask for.

use proptest::prelude::*;

use super::*;
use crate::fhir::terms_of;
use crate::json::Document;

const BASE: &str = "http://here/fhir";
const IDENTIFIER: u16 = 6;
const PATIENT: u16 = 11;
const SUBJECT: u16 = 22;

fn parse(query: &str) -> Result<Criteria, Vec<SearchProblem>> {
    let pairs: Vec<_> = query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Criteria::parse(ResourceType::from_name("Observation").unwrap(), &pairs, Some(BASE))
}

fn references(parameter: u16, texts: &[&str]) -> Vec<Term> {
    texts.iter().map(|text| Term::reference(parameter, text, None)).collect()
}

#[test]
fn values_become_terms() {
    let token = |value| Term::token(IDENTIFIER, value);
    let in_system = |system, value| Term::token_in_system(IDENTIFIER, system, value);
    let cases = [
        ("identifier=v", vec![vec![token("v")]]),
        ("identifier=http://s|v", vec![vec![in_system("http://s", "v")]]),
        ("identifier=|v", vec![vec![in_system("", "v")]]),
        ("identifier=v,s|w", vec![vec![token("v"), in_system("s", "w")]]),
        ("identifier=v&identifier=w", vec![vec![token("v")], vec![token("w")]]),
        (r"identifier=a\,b\|c\$d\\e", vec![vec![token(r"a,b|c$d\e")]]),
        (r"identifier=s\|t|v", vec![vec![in_system("s|t", "v")]]),
        ("subject=Patient/1", vec![references(SUBJECT, &["Patient/1"])]),
        ("subject=Patient/1/_history/2", vec![references(SUBJECT, &["Patient/1"])]),
        ("subject=http://here/fhir/Patient/1", vec![references(SUBJECT, &["Patient/1"])]),
        ("subject=http://there/Patient/1", vec![references(SUBJECT, &["http://there/Patient/1"])]),
        ("subject=urn:uuid:1", vec![references(SUBJECT, &["urn:uuid:1"])]),
        ("subject:Group=1,2", vec![references(SUBJECT, &["Group/1", "Group/2"])]),
        ("patient=1", vec![references(PATIENT, &["Group/1", "Patient/1"])]),
        (
            "subject=1&identifier=v",
            vec![
                references(SUBJECT, &["Device/1", "Group/1", "Location/1", "Patient/1"]),
                vec![token("v")],
            ],
        ),
    ];
    for (query, clauses) in cases {
        assert_eq!(parse(query).unwrap(), Criteria { clauses, ..Criteria::default() }, "{query}");
    }
}

#[test]
fn ids_are_alternatives_and_repeated_lists_intersect() {
    let ids = |query| -> Vec<String> {
        parse(query).unwrap().ids.unwrap().iter().map(ToString::to_string).collect()
    };
    assert_eq!(ids("_id=b,a,b"), ["a", "b"]);
    assert_eq!(ids("_id=a,b,c&_id=c,b,d"), ["b", "c"]);
    assert_eq!(ids("_id=a&_id=b"), [""; 0]);
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    use ProblemKind::{InvalidValue, NotSupported, UnknownParameter};
    let cases = [
        (
            "colour=red",
            UnknownParameter,
            "Observation has no search parameter \"colour\" on this server; supported are _id, _lastUpdated, identifier, patient, performer, subject",
        ),
        (
            "subject.name=x",
            UnknownParameter,
            "Observation has no search parameter \"subject.name\"",
        ),
        ("identifier:not=x", NotSupported, "identifier has no modifier \":not\" on this server"),
        ("_id:missing=true", NotSupported, "_id has no modifier \":missing\""),
        (
            "subject:missing=true",
            NotSupported,
            "the modifier \":missing\" is not supported; supported is the type of the target: Device, Group, Location, Patient",
        ),
        (
            "subject:Practitioner=1",
            InvalidValue,
            "subject does not refer to Practitioner, but to Device, Group, Location, Patient",
        ),
        ("subject=Practitioner/1", InvalidValue, "subject does not refer to Practitioner"),
        ("subject:Patient=Patient/1", InvalidValue, "\"Patient/1\" is not an id"),
        ("subject=a/b/c", InvalidValue, "\"a/b/c\" is not a reference"),
        ("subject=#a", NotSupported, "\"#a\" is a reference that a search cannot follow"),
        ("identifier=", InvalidValue, "the value is empty"),
        ("identifier=a,,b", InvalidValue, "the value is empty"),
        ("identifier=s|", NotSupported, "a system alone, \"system|\", is not supported"),
        ("identifier=a|b|c", InvalidValue, "\"a|b|c\" has more than one '|'"),
        (r"identifier=a\b", InvalidValue, "a backslash stands only before"),
        ("_id=a_b", InvalidValue, "\"a_b\" is not an id"),
        ("_lastUpdated=yesterday", InvalidValue, "\"yesterday\" is not a date"),
    ];
    for (query, kind, diagnostics) in cases {
        let problems = parse(query).unwrap_err();
        let problem = problems.first().unwrap();
        assert_eq!(problem.kind, kind, "{query}");
        assert!(problem.diagnostics.starts_with(diagnostics), "{query}: {}", problem.diagnostics);
        assert_eq!(problem.parameter, query.split_once('=').unwrap().0);
    }
    assert_eq!(parse("a=1&identifier=v&b=2").unwrap_err().len(), 2);
}

#[test]
fn a_search_with_too_many_alternatives_is_refused() {
    let ids = |count: usize| vec!["1"; count].join(",");
    assert!(parse(&format!("subject={}", ids(2_500))).is_ok());
    let problems = parse(&format!("subject={}", ids(2_501))).unwrap_err();
    assert_eq!(problems.first().unwrap().kind, ProblemKind::TooCostly);
}

#[test]
fn the_matcher_finds_a_resource_by_its_own_terms() {
    let document = Document::parse(
        r#"{"resourceType":"Observation","identifier":[{"system":"http://s","value":"v"}],
        "subject":{"reference":"Patient/1"}}"#,
    );
    let kind = ResourceType::from_name("Observation").unwrap();
    let terms = terms_of(kind, document.unwrap().root(), Some(BASE));
    let (id, updated) = (ResourceId::parse("o").unwrap(), 1_704_067_200_000_000); // 2024-01-01
    let cases = [
        ("_id=o", true),
        ("_id=x", false),
        ("_id=x,o&identifier=v", true),
        ("identifier=v", true),
        ("identifier=V", false),
        ("identifier=http://s|v", true),
        ("identifier=http://t|v", false),
        ("identifier=|v", false),
        ("identifier=w,v", true),
        ("identifier=w&identifier=v", false),
        ("patient=1", true),
        ("patient=Patient/1&subject:Patient=1", true),
        ("patient=2", false),
        ("subject:Group=1", false),
        ("_lastUpdated=2024", true),
        ("_lastUpdated=2023", false),
        ("_lastUpdated=2023,2024", true),
        ("_lastUpdated=ge2024&_lastUpdated=lt2024-01-02", true),
        ("_lastUpdated=gt2024-01-01", false),
        ("_lastUpdated=ne2024-01-02", true),
    ];
    for (query, expected) in cases {
        assert_eq!(parse(query).unwrap().matches(&terms, &id, updated), expected, "{query}");
    }
    assert!(Criteria::default().matches(&terms, &id, updated));
}

proptest! {
    #[test]
    fn never_panics(
        name in prop::sample::select(vec!["identifier", "subject", "_id", "_lastUpdated", "subject:Group"]),
        text in ".{0,60}",
    ) {
        let kind = ResourceType::from_name("Observation").unwrap();
        let _ = Criteria::parse(kind, &[(name.to_owned(), text)], Some(BASE));
    }

    #[test]
    fn an_escaped_identifier_is_found(system in ".{0,10}", value in ".{1,10}") {
        let escaped = |text: &str| -> String {
            text.chars().flat_map(|character| {
                let backslash = matches!(character, ',' | '|' | '$' | '\\').then_some('\\');
                backslash.into_iter().chain([character])
            }).collect()
        };
        let kind = ResourceType::from_name("Observation").unwrap();
        let pair = ("identifier".to_owned(), format!("{}|{}", escaped(&system), escaped(&value)));
        let criteria = Criteria::parse(kind, &[pair], None).unwrap();
        let expected = Term::token_in_system(IDENTIFIER, &system, &value);
        prop_assert_eq!(criteria.clauses, vec![vec![expected]]);
    }
}
