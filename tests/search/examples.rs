//! The official examples of R4, where they are at hand: `CHARTLOG_FHIR_EXAMPLES` names the unpacked
//! package `hl7.fhir.r4.examples`.

use std::collections::BTreeSet;

use chartlog::fhir::ResourceType;
use chartlog::fhir::search::{
    Layout, Parameters, Query, SearchType, Term, VALUE_LENGTH_MAX, parse_query, terms_of,
};
use chartlog::json::Document;

use crate::memory::Memory;

#[test]
fn the_terms_of_every_example_keep_to_the_rules_of_the_index() {
    let Ok(folder) = std::env::var("CHARTLOG_FHIR_EXAMPLES") else { return };
    let parameters = Parameters::standard();
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let Ok(document) = Document::parse(std::fs::read(&path).unwrap()) else { continue };
        let name = document.root().get_str("resourceType").unwrap_or_default();
        let Some(kind) = ResourceType::from_name(&name) else { continue };
        count += 1;
        let terms = terms_of(&parameters, kind, document.root(), None);
        assert!(terms.is_sorted() && terms.first() == Some(&Term::every()), "{}", path.display());
        assert!(
            terms.iter().all(|term| term.value.len() <= VALUE_LENGTH_MAX),
            "{}",
            path.display()
        );
        let exact = terms.iter().filter(|term| term.layout() == Layout::Exact);
        let exact: Vec<_> = exact.skip(1).collect();
        for pair in exact.windows(2) {
            let is_beginning = pair[1].value.starts_with(&pair[0].value);
            assert!(pair[0].parameter != pair[1].parameter || !is_beginning, "{}", path.display());
        }
        agree(&parameters, kind, document);
    }
    assert!(count > 1_000, "{count} examples");
}

/// Whether there is a value must be the same by the terms and by the resource.
fn agree(parameters: &Parameters, kind: ResourceType, document: Document) {
    let names: BTreeSet<String> = parameters
        .of(kind)
        .filter(|one| !matches!(one.search_type, SearchType::Composite | SearchType::Special))
        .map(|one| one.name.to_string())
        .collect();
    let memory = Memory::of_one(kind, document);
    for name in names {
        let pairs = parse_query(&format!("{name}:missing=false")).unwrap();
        let query = Query::parse(parameters, kind, &pairs, None).unwrap();
        let _ = memory.matches(kind, &query);
    }
}
