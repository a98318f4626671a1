//! What the tables under `tests/search` do not show: the bytes on disk, custom parameters, value
//! sets, units.

use super::*;
use crate::fhir::{Problem, ResourceType};
use crate::json::Document;

fn kind(name: &str) -> ResourceType {
    ResourceType::from_name(name).unwrap()
}

/// The terms of a resource under one parameter, in hexadecimal.
fn terms(resource: &str, name: &str) -> Vec<String> {
    let document = Document::parse(resource).unwrap();
    let kind = kind(&document.root().get_str("resourceType").unwrap());
    let parameters = Parameters::standard();
    let code = parameters.named(kind, name).unwrap().code;
    let terms = terms_of(&parameters, kind, document.root(), Some("http://here"));
    let of_parameter = terms.into_iter().filter(|term| term.parameter == code);
    let hexadecimal = |value: Vec<u8>| value.iter().map(|byte| format!("{byte:02x}")).collect();
    of_parameter.map(|term| hexadecimal(term.value)).collect()
}

#[test]
fn the_bytes_of_the_index_stay_what_they_were() {
    let cases: [(&str, &str, &[&str]); 9] = [
        (
            r#"{"resourceType":"Patient","identifier":[{"system":"http://s","value":"v"}]}"#,
            "identifier",
            &["02118eeec3cc91a7a0", "08", "094c94485e0c21ae6c118eeec3cc91a7a0"],
        ),
        (
            r#"{"resourceType":"Patient","gender":"male"}"#,
            "gender",
            &["010d248e82c62c9386f93978bc980dcfb4", "02f93978bc980dcfb4", "08"],
        ),
        (
            r#"{"resourceType":"Patient","birthDate":"2000-01-01"}"#,
            "birthdate",
            &["08", "8280035d013b37e000141dd75fff"],
        ),
        (
            r#"{"resourceType":"Encounter","period":{"start":"2000-01-01"}}"#,
            "date",
            &["08", "8380035d013b37e000ffffffffffffffff", "84ffffffffffffffff80035d013b37e000"],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"family":"Äbc"}]}"#,
            "family",
            &["07ba7816bf", "08", "81616263"],
        ),
        (r#"{"resourceType":"ValueSet","url":"http://a"}"#, "url", &["06687474703a2f2f61ff", "08"]),
        (
            r#"{"resourceType":"Observation","subject":{"reference":"http://here/Patient/1"}}"#,
            "subject",
            &["042b9a94ee8825269b", "08"],
        ),
        (
            r#"{"resourceType":"Observation","valueQuantity":{"value":-1.50,
            "system":"http://unitsofmeasure.org","code":"mg"}}"#,
            "value-quantity",
            &["08", "85017ffeefff", "88ad5283bb01d79264018001efff"],
        ),
        (
            r#"{"resourceType":"Observation","code":{"coding":[{"code":"c","display":"D"}]}}"#,
            "code",
            &["0364ff", "08", "092e7d2c03a9507ae2e3b0c44298fc1c14"],
        ),
    ];
    let found = cases.map(|(resource, name, _)| terms(resource, name));
    assert_eq!(found, cases.map(|(_, _, expected)| expected.to_vec()));
    assert_eq!(Term::every().value, b"");
}

#[test]
fn every_resource_has_one_term_for_all_of_its_type() {
    let document = Document::parse(r#"{"resourceType":"Basic"}"#).unwrap();
    let terms = terms_of(&Parameters::standard(), kind("Basic"), document.root(), None);
    assert_eq!(terms, [Term::every()]);
}

fn custom(members: &str) -> Result<Vec<(ResourceType, SearchParameter)>, Vec<Problem>> {
    let text =
        format!(r#"{{"resourceType":"SearchParameter","url":"http://acme.org/sp",{members}}}"#);
    let document = Document::parse(text).unwrap();
    SearchParameter::from_resource(&Parameters::standard(), document.root(), 0x8000)
}

#[test]
fn a_custom_parameter_searches_like_one_of_the_standard() {
    let defined = custom(
        r#""code":"race","type":"token","base":["Patient","Person"],
        "expression":"extension('http://acme.org/race')""#,
    );
    let defined = defined.unwrap();
    let kinds: Vec<_> = defined.iter().map(|(kind, _)| kind.name()).collect();
    assert_eq!(kinds, ["Patient", "Person"]);
    let parameters = Parameters::with_custom(defined);
    let pairs = [("race".to_owned(), "http://r|x".to_owned())];
    let query = Query::parse(&parameters, kind("Patient"), &pairs, None).unwrap();
    let [Criterion::Condition(condition)] = query.criteria.as_slice() else { panic!("{query:?}") };
    let document = Document::parse(
        r#"{"resourceType":"Patient","extension":[{"url":"http://acme.org/race",
        "valueCoding":{"system":"http://r","code":"x"}}]}"#,
    );
    let document = document.unwrap();
    assert!(condition.matches(document.root(), None));
    let terms = terms_of(&parameters, kind("Patient"), document.root(), None);
    assert!(terms.iter().any(|term| term.parameter == 0x8000));
    assert!(Query::parse(&parameters, kind("Group"), &pairs, None).is_err());
}

#[test]
fn a_custom_composite_is_made_of_known_parameters() {
    let defined = custom(
        r#""code":"code-and-status","type":"composite","base":["Observation"],
        "expression":"Observation","component":[
        {"definition":"http://hl7.org/fhir/SearchParameter/clinical-code","expression":"code"},
        {"definition":"http://hl7.org/fhir/SearchParameter/Observation-status","expression":"status"}]"#,
    );
    let parameters = Parameters::with_custom(defined.unwrap());
    let pairs = [("code-and-status".to_owned(), "a$final".to_owned())];
    let query = Query::parse(&parameters, kind("Observation"), &pairs, None).unwrap();
    let [Criterion::Condition(condition)] = query.criteria.as_slice() else { panic!("{query:?}") };
    let has = |status: &str| {
        let document = Document::parse(format!(
            r#"{{"resourceType":"Observation","status":"{status}","code":{{"coding":[{{"code":"a"}}]}}}}"#
        ));
        condition.matches(document.unwrap().root(), None)
    };
    assert!(has("final") && !has("amended"));
}

#[test]
fn says_everything_that_is_wrong_with_a_custom_parameter() {
    let cases = [
        (r#""code":"x","type":"token","base":["Patient"]"#, "SearchParameter.expression"),
        (
            r#""code":"x y","type":"token","base":["Patient"],"expression":"a""#,
            "SearchParameter.code",
        ),
        (r#""code":"x","type":"odd","base":["Patient"],"expression":"a""#, "SearchParameter.type"),
        (
            r#""code":"x","type":"special","base":["Patient"],"expression":"a""#,
            "SearchParameter.type",
        ),
        (r#""code":"x","type":"token","base":["Foo"],"expression":"a""#, "SearchParameter.base"),
        (r#""code":"x","type":"token","expression":"a""#, "SearchParameter.base"),
        (
            r#""code":"x","type":"token","base":["Patient"],"expression":"a.repeat(b)""#,
            "SearchParameter.expression",
        ),
        (
            r#""code":"name","type":"string","base":["Patient"],"expression":"a""#,
            "SearchParameter.code",
        ),
        (
            r#""code":"x","type":"composite","base":["Patient"],"expression":"a""#,
            "SearchParameter.component",
        ),
        (
            r#""code":"x","type":"composite","base":["Patient"],"expression":"a",
            "component":[{"definition":"http://nowhere","expression":"b"}]"#,
            "SearchParameter.component[0].definition",
        ),
    ];
    for (members, place) in cases {
        let problems = custom(members).unwrap_err();
        let places: Vec<_> = problems.iter().map(|problem| problem.expression.as_str()).collect();
        assert!(places.contains(&place), "{members}: {problems:?}");
    }
    let problems = custom(r#""type":"odd""#).unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn says_which_part_of_an_expression_leads_nowhere() {
    let cases = [
        ("token", "Patient.maritalStatu", "Patient has no element 'maritalStatu'"),
        ("token", "Patient.contact.foo", "Patient.contact has no element 'foo'"),
        ("date", "Patient.birthDate.start", "no element 'start' in a simple value"),
        ("date", "Patient.birthDate as string", "date is no string"),
        ("token", "Patient.deceased as Quantity", "boolean, dateTime is no Quantity"),
        ("string", "Patient.name.first().family & 'x'", "a computed value in a Patient"),
        ("string", "Patient.name.where(usee = 'old').family", "HumanName has no element 'usee'"),
        ("string", "Patint.name", "there is no type 'Patint'"),
        ("token", "Observation.code", "it leads nowhere in a Patient"),
        (
            "reference",
            "Patient.birthDate",
            "it leads to date in a Patient, which is not indexed as",
        ),
        (
            "date",
            "Patient.name",
            "it leads to HumanName in a Patient, which is not indexed as date",
        ),
    ];
    for (search_type, expression, problem) in cases {
        let members = format!(
            r#""code":"x","type":"{search_type}","base":["Patient"],"expression":"{expression}""#
        );
        let problems = custom(&members).unwrap_err();
        let [found] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!(found.expression, "SearchParameter.expression");
        assert!(found.diagnostics.contains(problem), "{expression}: {found:?}");
    }
    let composite = |expression: &str| {
        custom(&format!(
            r#""code":"x","type":"composite","base":["Observation"],"expression":"Observation.component",
            "component":[{{"definition":"http://hl7.org/fhir/SearchParameter/clinical-code",
            "expression":"code"}},
            {{"definition":"http://hl7.org/fhir/SearchParameter/Observation-status",
            "expression":"{expression}"}}]"#
        ))
    };
    assert!(composite("value as string").is_ok());
    let problems = composite("status").unwrap_err();
    assert_eq!(problems[0].expression, "SearchParameter.component[1].expression");
    // What extensions hold, and what other types of the base have, is not known wrong.
    let extension = r#""code":"x","type":"date","base":["Patient"],
        "expression":"Patient.extension('http://a').value | Observation.foo | Patient.contact.extension('b')""#;
    assert!(custom(extension).is_ok());
}

#[test]
fn codes_of_value_sets_come_from_their_lists() {
    let codes = |members: &str| {
        let document = Document::parse(format!(r#"{{"resourceType":"ValueSet",{members}}}"#));
        codes_of_value_set(document.unwrap().root())
    };
    let pair = |system: &str, code: &str| (system.to_owned(), code.to_owned());
    let listed = r#""compose":{"include":[{"system":"s","concept":[{"code":"b"},{"code":"a"}]},
        {"system":"t","concept":[{"code":"a"}]}],"exclude":[{"system":"s","concept":[{"code":"b"}]}]}"#;
    assert_eq!(codes(listed), Ok(vec![pair("s", "a"), pair("t", "a")]));
    let expanded = r#""expansion":{"contains":[{"system":"s","code":"g","abstract":true,
        "contains":[{"system":"s","code":"x"}]}]},"compose":{"include":[{"system":"s"}]}"#;
    assert_eq!(codes(expanded), Ok(vec![pair("s", "x")]));
    for (members, reason) in [
        (r#""compose":{"include":[{"system":"http://loinc.org"}]}"#, "codes of http://loinc.org"),
        (r#""compose":{"include":[{"valueSet":["v"]}]}"#, "other ValueSets"),
        (r#""status":"draft""#, "lists no codes"),
    ] {
        assert!(codes(members).unwrap_err().contains(reason), "{members}");
    }
}

#[test]
fn texts_are_folded() {
    let cases = [
        ("Müller", "muller"),
        ("  A\t b \n", "a b"),
        ("ÉCOLE", "ecole"),
        ("ﬁne", "fine"),
        ("ΟΔΟΣ", "οδοσ"),
        ("οδος", "οδοσ"),
        ("İstanbul", "istanbul"),
        ("Straße", "strasse"),
        ("STRAẞE", "strasse"),
        ("O'Brien", "obrien"),
        ("O’Brien", "obrien"),
        ("O´Brien", "obrien"),
        ("Smith-Jones, Jr.", "smith jones jr"),
        ("Smith – Jones", "smith jones"),
        ("A+", "a+"),
        ("?!", "?!"),
        ("\u{308}", ""),
        ("Ａｂｃ", "abc"),
        ("제주", "제주"),
    ];
    for (text, folded) in cases {
        let expected: String = unicode_normalization::UnicodeNormalization::nfkd(folded).collect();
        assert_eq!(string::fold(text), expected, "{text}");
    }
}

#[test]
fn no_case_counts() {
    for character in '\0'..=char::MAX {
        let folded = string::fold(&character.to_string());
        for other in [character.to_uppercase().to_string(), character.to_lowercase().to_string()] {
            assert_eq!(string::fold(&other), folded, "{character:?}");
        }
    }
}

#[test]
fn codes_without_a_system_have_that_of_their_definition() {
    let parameters = Parameters::standard();
    let system = |name: &str, parameter: &str| {
        let found = parameters.named(kind(name), parameter).unwrap();
        found.implied_system.as_deref().map(str::to_owned)
    };
    assert_eq!(
        system("Patient", "gender").as_deref(),
        Some("http://hl7.org/fhir/administrative-gender")
    );
    assert_eq!(
        system("Observation", "status").as_deref(),
        Some("http://hl7.org/fhir/observation-status")
    );
    assert_eq!(system("Observation", "code"), None);
    assert_eq!(system("Patient", "identifier"), None);
}
