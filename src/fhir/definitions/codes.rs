//! The closed value sets to which elements are bound: FHIR R4 §4.1.5 (binding strength "required").

use std::sync::LazyLock;

use super::rows;

const CODES: &str = include_str!("codes.tsv");

/// A value set of which all codes are known.
#[derive(Debug)]
pub struct CodeSet {
    /// Its name: the last part of its URL.
    pub name: &'static str,
    /// Code systems, and their codes with spaces between them.
    systems: Vec<(&'static str, &'static str)>,
}

impl CodeSet {
    /// The value set of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        code_set(name)
    }

    /// True if it has that code, whatever the system.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.systems.iter().any(|(_, codes)| has(codes, code))
    }

    /// True if it has that code of that system.
    #[must_use]
    pub fn has(&self, system: &str, code: &str) -> bool {
        self.systems.iter().any(|(name, codes)| *name == system && has(codes, code))
    }

    /// The code systems.
    pub fn systems(&self) -> impl Iterator<Item = &'static str> {
        self.systems.iter().map(|(name, _)| *name)
    }

    /// All codes, system by system.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> {
        self.systems.iter().flat_map(|(_, codes)| codes.split(' '))
    }
}

fn has(codes: &str, code: &str) -> bool {
    codes.split(' ').any(|one| one == code)
}

/// The value set of that name.
pub(super) fn code_set(name: &str) -> Option<&'static CodeSet> {
    let place = CODE_SETS.binary_search_by(|set| set.name.cmp(name)).ok()?;
    CODE_SETS.get(place)
}

/// In the order of their names, as in the table.
static CODE_SETS: LazyLock<Vec<CodeSet>> = LazyLock::new(|| {
    let mut sets: Vec<CodeSet> = Vec::new();
    for [name, system, codes] in rows(CODES) {
        match sets.last_mut() {
            Some(set) if set.name == name => set.systems.push((system, codes)),
            _ => sets.push(CodeSet { name, systems: vec![(system, codes)] }),
        }
    }
    sets
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_codes_with_and_without_their_system() {
        let set = code_set("condition-clinical").unwrap();
        assert!(set.has_code("active") && !set.has_code("Active") && !set.has_code(""));
        let system = "http://terminology.hl7.org/CodeSystem/condition-clinical";
        assert!(set.has(system, "remission"));
        assert!(!set.has("http://example.org", "remission") && !set.has(system, "cured"));
        let gender: Vec<_> = code_set("administrative-gender").unwrap().codes().collect();
        assert_eq!(gender, ["male", "female", "other", "unknown"]);
        assert!(code_set("mimetypes").is_none() && code_set("").is_none());
        assert!(CODE_SETS.is_sorted_by_key(|set| set.name));
    }
}
