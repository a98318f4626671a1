//! The tables derived from the official R4 definitions, read once on first use.
//!
//! `definitions/generate.py` and `r4b.py` write them. The numeric codes in them are part of the formats on
//! disk: a name keeps its code for ever, and a code never gets a second name.

mod case_sensitive;
mod codes;
pub mod elements;
mod invariants;
mod primitive;
mod r4b;
mod resource_type;

use std::sync::LazyLock;

pub use case_sensitive::is_case_sensitive;
pub use codes::CodeSet;
pub use invariants::{InvariantRow, invariant_rows};
pub use primitive::Primitive;
pub use r4b::{is_element_of_r4b, is_type_of_r4b};
pub use resource_type::ResourceType;

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
    let mut of_type: Vec<&str> = by_code(ResourceType::all().map(|kind| (kind.code(), "")));
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
        let kind = ResourceType::from_name(kind);
        if let Some(place) = kind.and_then(|kind| of_type.get_mut(usize::from(kind.code()))) {
            *place = rows;
        }
        rest = behind;
    }
    of_type
});

/// The parameters whose references put a resource of the type into a compartment of a type, such as
/// Patient, in the order of the CompartmentDefinition: FHIR R4 §5.39. `None`: there is no such
/// compartment; empty: it contains no resource of the type.
#[must_use]
pub fn compartment(of: ResourceType, kind: ResourceType) -> Option<&'static [&'static str]> {
    let compartment = COMPARTMENTS.get(usize::from(of.code())).filter(|known| !known.is_empty())?;
    let names = compartment.get(usize::from(kind.code()));
    Some(names.map_or(&[], |names| names.as_slice()))
}

/// By the type of the compartment, then by the type of the resource.
static COMPARTMENTS: LazyLock<Vec<Vec<Vec<&'static str>>>> = LazyLock::new(|| {
    let mut of_type: Vec<Vec<(u16, Vec<&str>)>> = Vec::new();
    for [of, kind, names] in rows(COMPARTMENTS_TABLE) {
        let [of, kind] = [of, kind].map(ResourceType::from_name);
        let (Some(of), Some(kind)) = (of, kind) else { continue };
        let place = usize::from(of.code());
        of_type.resize_with(of_type.len().max(place + 1), Vec::new);
        if let Some(compartment) = of_type.get_mut(place) {
            compartment.push((kind.code(), names.split(' ').collect()));
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

    #[test]
    fn every_row_of_every_table_is_read() {
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
            assert_eq!(ResourceType::from_name(name).unwrap().code(), code);
        }
        let observation = ResourceType::from_name("Observation").unwrap();
        for (name, code) in [("identifier", 6), ("patient", 11), ("subject", 22)] {
            let row = search_parameter_rows(observation).find(|row| row.name == name).unwrap();
            assert_eq!(row.code.parse(), Ok(code));
        }
    }
}
