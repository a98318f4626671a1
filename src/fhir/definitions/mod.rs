//! The tables derived from the official R4 definitions, read once on first use.
//!
//! `definitions/generate.py` writes them. The numeric codes in them are part of the formats on
//! disk: a name keeps its code for ever, and a code never gets a second name.

mod codes;
pub mod elements;
mod primitive;

use std::sync::LazyLock;

use super::ResourceType;

pub use codes::CodeSet;
pub use primitive::Primitive;

const RESOURCE_TYPES: &str = include_str!("resource_types.tsv");
const SEARCH_PARAMETERS: &str = include_str!("search_parameters.tsv");
const COMPARTMENTS_TABLE: &str = include_str!("compartments.tsv");

/// A row of the table of search parameters: FHIR R4 §3.1.1.3.
#[derive(Debug, Clone, Copy)]
pub struct SearchParameterRow {
    /// The frozen code of the name.
    pub code: &'static str,
    /// Name in queries.
    pub name: &'static str,
    /// Canonical URL of its SearchParameter.
    pub url: &'static str,
    /// How values are compared, a code of the value set `search-param-type`.
    pub search_type: &'static str,
    /// Types to which references may lead, separated by spaces; `*` for any.
    pub targets: &'static str,
    /// The system of its codes where the elements have none; empty otherwise.
    pub system: &'static str,
    /// `name=expression` of each component, separated by semicolons.
    pub components: &'static str,
    /// Where in a resource the values are, in FHIRPath.
    pub expression: &'static str,
}

/// The rows of one type, in the order of their names.
pub fn search_parameter_rows(kind: ResourceType) -> impl Iterator<Item = SearchParameterRow> {
    let rows = ROWS_OF_TYPE.get(usize::from(kind.code())).copied().unwrap_or_default();
    rows.lines().filter_map(|line| {
        let [code, _, name, url, search_type, targets, system, components, expression] =
            cells(line)?;
        Some(SearchParameterRow {
            code,
            name,
            url,
            search_type,
            targets,
            system,
            components,
            expression,
        })
    })
}

/// The lines of each type stand together.
static ROWS_OF_TYPE: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut of_type: Vec<&str> = by_code(TYPES.by_name.iter().map(|(_, code)| (*code, "")));
    let mut rest = SEARCH_PARAMETERS.split_once('\n').map_or("", |(_, rows)| rows);
    while let Some(kind) = rest.split('\t').nth(1) {
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            if line.split('\t').nth(1) != Some(kind) {
                break;
            }
            end += line.len();
        }
        let (rows, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if let Some(place) = type_code(kind).and_then(|code| of_type.get_mut(usize::from(code))) {
            *place = rows;
        }
        rest = behind;
    }
    of_type
});

/// The parameters whose references put a resource of the type into a compartment of a type, such as
/// Patient, in the order of the CompartmentDefinition: FHIR R4 §5.39. `None`: there is no such
/// compartment; empty: it holds no resource of the type.
#[must_use]
pub fn compartment(of: ResourceType, kind: ResourceType) -> Option<&'static [&'static str]> {
    let compartment = COMPARTMENTS.get(usize::from(of.code())).filter(|known| !known.is_empty())?;
    let names = compartment.get(usize::from(kind.code()));
    Some(names.map_or(&[], |names| names.as_slice()))
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

/// By the type of the compartment, then by the type of the resource.
static COMPARTMENTS: LazyLock<Vec<Vec<Vec<&'static str>>>> = LazyLock::new(|| {
    let mut of_type: Vec<Vec<(u16, Vec<&str>)>> = Vec::new();
    for [of, kind, names] in rows(COMPARTMENTS_TABLE) {
        let (Some(of), Some(kind)) = (type_code(of), type_code(kind)) else { continue };
        let place = usize::from(of);
        of_type.resize_with(of_type.len().max(place + 1), Vec::new);
        if let Some(compartment) = of_type.get_mut(place) {
            compartment.push((kind, names.split(' ').collect()));
        }
    }
    of_type.into_iter().map(|compartment| by_code(compartment.into_iter())).collect()
});

/// The cells of each row behind the header.
fn rows<const COLUMNS: usize>(
    table: &'static str,
) -> impl Iterator<Item = [&'static str; COLUMNS]> {
    table.lines().skip(1).filter_map(cells)
}

fn cells<const COLUMNS: usize>(line: &'static str) -> Option<[&'static str; COLUMNS]> {
    let cells: Vec<&str> = line.split('\t').collect();
    cells.try_into().ok()
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
        for [of, kind, names] in rows(COMPARTMENTS_TABLE) {
            let [of, kind] = [of, kind].map(|name| ResourceType::from_name(name).unwrap());
            assert_eq!(compartment(of, kind).unwrap().join(" "), names);
        }
        let medication = ResourceType::from_name("Medication").unwrap();
        assert_eq!(compartment(ResourceType::PATIENT, medication), Some(&[][..]));
        assert_eq!(compartment(medication, ResourceType::PATIENT), None);
    }

    #[test]
    fn a_code_means_one_name() {
        let mut names = HashMap::new();
        for parameter in ResourceType::all().flat_map(search_parameter_rows) {
            let code: u16 = parameter.code.parse().unwrap();
            assert_ne!(code, 0, "0 is the term that every resource has");
            let name = names.entry(code).or_insert(parameter.name);
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
            let row = search_parameter_rows(observation).find(|row| row.name == name).unwrap();
            assert_eq!(row.code.parse(), Ok(code));
        }
    }
}
