//! What FHIR R4B (4.3.0) has and R4 has not.

use std::sync::LazyLock;

use super::rows;

const R4B: &str = include_str!("r4b.tsv");

/// Whether a name is that of a resource type that R4B has and R4 has not.
#[must_use]
pub fn is_type_of_r4b(name: &str) -> bool {
    names(name).is_some_and(str::is_empty)
}

/// Whether a type of R4, such as `EvidenceVariable.characteristic`, has in R4B an element that has this name in JSON.
#[must_use]
pub fn is_element_of_r4b(type_name: &str, member: &str) -> bool {
    !member.is_empty()
        && names(type_name).is_some_and(|names| names.split(' ').any(|name| name == member))
}

/// The new elements of a type, with spaces between them; none where the type is new itself.
fn names(type_name: &str) -> Option<&'static str> {
    let place = TYPES.binary_search_by(|[name, _]| (*name).cmp(type_name)).ok()?;
    TYPES.get(place).map(|[_, names]| *names)
}

/// In the order of their names, as in the table.
static TYPES: LazyLock<Vec<[&'static str; 2]>> = LazyLock::new(|| rows(R4B).collect());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::definitions::{ResourceType, elements};

    #[test]
    fn the_table_has_what_r4_has_not() {
        assert_eq!(TYPES.len(), R4B.lines().count() - 1);
        assert!(TYPES.is_sorted());
        for [name, members] in TYPES.iter() {
            match elements::definition(name) {
                None => {
                    assert!(
                        ResourceType::from_name(name).is_none() && members.is_empty(),
                        "{name}"
                    );
                    assert!(is_type_of_r4b(name));
                }
                Some(kind) => {
                    assert!(!is_type_of_r4b(name));
                    for member in members.split(' ') {
                        assert!(kind.member(member).is_none(), "{name}.{member}");
                        assert!(is_element_of_r4b(name, member));
                    }
                }
            }
        }
        assert!(!is_type_of_r4b("Patient") && !is_type_of_r4b("Nothing"));
        assert!(!is_element_of_r4b("Patient", "x") && !is_element_of_r4b("Citation", ""));
    }
}
