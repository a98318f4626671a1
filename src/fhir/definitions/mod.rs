//! The tables derived from the official R4 definitions, read once on first use.
//!
//! `definitions/generate.py` writes them. The numeric codes in them are part of the formats on
//! disk: a name keeps its code for ever, and a code never gets a second name.

mod codes;
pub mod elements;
mod primitive;

use std::sync::LazyLock;

use super::ResourceType;
use super::path::Expression;

pub use codes::CodeSet;
pub use primitive::Primitive;

const RESOURCE_TYPES: &str = include_str!("resource_types.tsv");
const SEARCH_PARAMETERS: &str = include_str!("search_parameters.tsv");
const PATIENT_COMPARTMENT: &str = include_str!("patient_compartment.tsv");

/// What a search on one resource type may ask for: FHIR R4 §3.1.1.3.
#[derive(Debug)]
pub struct SearchParameter {
    /// Name in queries, such as `subject`.
    pub name: &'static str,
    /// The frozen code of the name: the same for all types that have it, never 0.
    pub code: u16,
    /// How values are compared.
    pub search_type: SearchType,
    /// Where in a resource the values are.
    pub expression: Expression,
    /// Which types a reference may lead to.
    targets: Targets,
}

/// How the values of a search parameter are compared: FHIR R4 §3.1.1.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchType {
    /// A code or identifier, with or without its system.
    Token,
    /// Another resource.
    Reference,
}

impl SearchType {
    /// The code in a CapabilityStatement (value set `search-param-type`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Reference => "reference",
        }
    }
}

#[derive(Debug)]
enum Targets {
    Any,
    Only(Vec<ResourceType>),
}

impl SearchParameter {
    /// True if references of this parameter may lead to that type.
    #[must_use]
    pub fn may_target(&self, kind: ResourceType) -> bool {
        match &self.targets {
            Targets::Any => true,
            Targets::Only(targets) => targets.contains(&kind),
        }
    }

    /// The types to which references of this parameter may lead; none unless it is a reference.
    #[must_use]
    pub fn targets(&self) -> Vec<ResourceType> {
        ResourceType::all().filter(|kind| self.may_target(*kind)).collect()
    }
}

/// The search parameters of a type, in the order of their names.
#[must_use]
pub fn search_parameters(kind: ResourceType) -> &'static [SearchParameter] {
    let found = PARAMETERS_OF_TYPE.get(usize::from(kind.code()));
    found.map_or(&[], |parameters| parameters.as_slice())
}

/// The search parameter of that name.
#[must_use]
pub fn search_parameter(kind: ResourceType, name: &str) -> Option<&'static SearchParameter> {
    search_parameters(kind).iter().find(|parameter| parameter.name == name)
}

/// The parameters whose references put a resource of the type into a patient's compartment, in the
/// order of the CompartmentDefinition.
#[must_use]
pub fn patient_compartment(kind: ResourceType) -> &'static [&'static SearchParameter] {
    let found = COMPARTMENT_OF_TYPE.get(usize::from(kind.code()));
    found.map_or(&[], |parameters| parameters.as_slice())
}

pub(super) fn type_name(code: u16) -> Option<&'static str> {
    TYPES.by_code.get(usize::from(code)).copied().flatten()
}

pub(super) fn type_code(name: &str) -> Option<u16> {
    let place = TYPES.by_name.binary_search_by_key(&name, |(name, _)| name).ok()?;
    TYPES.by_name.get(place).map(|(_, code)| *code)
}

pub(super) fn type_codes() -> impl Iterator<Item = u16> {
    (0..=u16::MAX).zip(&TYPES.by_code).filter_map(|(code, name)| name.map(|_| code))
}

struct Types {
    by_code: Vec<Option<&'static str>>,
    by_name: Vec<(&'static str, u16)>,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let rows = rows(RESOURCE_TYPES).filter_map(|[code, name]| Some((name, code.parse().ok()?)));
    let mut by_name: Vec<(&str, u16)> = rows.collect();
    by_name.sort_unstable();
    Types { by_code: by_code(by_name.iter().map(|(name, code)| (*code, Some(*name)))), by_name }
});

static PARAMETERS_OF_TYPE: LazyLock<Vec<Vec<SearchParameter>>> = LazyLock::new(|| {
    let mut of_type: Vec<Vec<SearchParameter>> =
        by_code(TYPES.by_name.iter().map(|(_, code)| (*code, Vec::new())));
    for [code, kind, name, search_type, targets, expression] in rows(SEARCH_PARAMETERS) {
        let place = type_code(kind).and_then(|code| of_type.get_mut(usize::from(code)));
        if let Some(parameters) = place
            && let Some(parameter) = parameter(code, name, search_type, targets, expression)
        {
            parameters.push(parameter);
        }
    }
    of_type
});

static COMPARTMENT_OF_TYPE: LazyLock<Vec<Vec<&'static SearchParameter>>> = LazyLock::new(|| {
    by_code(rows(PATIENT_COMPARTMENT).filter_map(|[kind, names]| {
        let kind = ResourceType::from_name(kind)?;
        let parameters = names.split(' ').filter_map(|name| search_parameter(kind, name));
        Some((kind.code(), parameters.collect()))
    }))
});

/// A row that does not read is left out here and found by the test below, so that reading the
/// tables has no way to fail in a running server.
fn parameter(
    code: &str,
    name: &'static str,
    search_type: &str,
    targets: &str,
    expression: &str,
) -> Option<SearchParameter> {
    let search_type = match search_type {
        "token" => SearchType::Token,
        "reference" => SearchType::Reference,
        _ => return None,
    };
    let targets = match targets {
        "*" => Targets::Any,
        names => Targets::Only(names.split(' ').filter_map(ResourceType::from_name).collect()),
    };
    let expression = Expression::parse(expression).ok()?;
    Some(SearchParameter { name, code: code.parse().ok()?, search_type, expression, targets })
}

/// The cells of each row behind the header.
fn rows<const COLUMNS: usize>(
    table: &'static str,
) -> impl Iterator<Item = [&'static str; COLUMNS]> {
    table.lines().skip(1).filter_map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        cells.try_into().ok()
    })
}

/// A list in which each value stands at its type's code.
fn by_code<T: Default>(values: impl Iterator<Item = (u16, T)>) -> Vec<T> {
    let mut list = Vec::new();
    for (code, value) in values {
        let place = usize::from(code);
        if list.len() <= place {
            list.resize_with(place + 1, T::default);
        }
        if let Some(slot) = list.get_mut(place) {
            *slot = value;
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn lines(table: &str) -> usize {
        table.lines().count() - 1
    }

    #[test]
    fn every_row_of_every_table_is_read() {
        assert_eq!(ResourceType::all().count(), lines(RESOURCE_TYPES));
        let parameters = ResourceType::all().map(|kind| search_parameters(kind).len());
        assert_eq!(parameters.sum::<usize>(), lines(SEARCH_PARAMETERS));
        for [kind, names] in rows(PATIENT_COMPARTMENT) {
            let kind = ResourceType::from_name(kind).unwrap();
            let read: Vec<_> = patient_compartment(kind).iter().map(|found| found.name).collect();
            assert_eq!(read.join(" "), names);
        }
        for [_, kind, name, _, targets, _] in rows(SEARCH_PARAMETERS) {
            let parameter = search_parameter(ResourceType::from_name(kind).unwrap(), name).unwrap();
            let named: Vec<_> = parameter.targets().iter().map(|kind| kind.name()).collect();
            assert!(targets == "*" && named.len() == 146 || targets == named.join(" "));
        }
    }

    #[test]
    fn a_code_means_one_name() {
        let mut names = HashMap::new();
        for parameter in ResourceType::all().flat_map(search_parameters) {
            assert_ne!(parameter.code, 0, "0 is the term that every resource has");
            let name = names.entry(parameter.code).or_insert(parameter.name);
            assert_eq!(*name, parameter.name);
        }
        let distinct: HashSet<_> = names.values().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn codes_on_disk_stay_what_they_were() {
        let types = [("Account", 1), ("Bundle", 12), ("Patient", 103), ("VisionPrescription", 146)];
        for (name, code) in types {
            assert_eq!(type_code(name), Some(code));
        }
        let observation = ResourceType::from_name("Observation").unwrap();
        for (name, code) in [("identifier", 6), ("patient", 11), ("subject", 22)] {
            assert_eq!(search_parameter(observation, name).unwrap().code, code);
        }
    }
}
