//! The concrete resource types, with the codes that stand for them on disk.

use std::fmt;
use std::sync::LazyLock;

use super::{by_code, rows};

const RESOURCE_TYPES: &str = include_str!("resource_types.tsv");

/// A concrete resource type of FHIR R4, such as `Observation`.
///
/// Held as its code, which is part of the formats on disk: frozen and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(u16);

impl ResourceType {
    /// `AuditEvent`, whose permissions open the access log.
    pub const AUDIT_EVENT: Self = Self(7);
    /// CodeSystem.
    pub const CODE_SYSTEM: Self = Self(22);
    /// `Bundle`, the container of batches, transactions, documents and messages.
    pub const BUNDLE: Self = Self(12);
    /// `List`, whose items a search can ask for.
    pub const LIST: Self = Self(70);
    /// `SearchParameter`, by which clients define what can be searched for.
    pub const SEARCH_PARAMETER: Self = Self(123);
    /// `ValueSet`, whose codes a search can ask for.
    pub const VALUE_SET: Self = Self(144);
    /// `Basic`, in which R4 carries topics of subscriptions.
    pub const BASIC: Self = Self(8);
    /// `Subscription`, which this server carries out.
    pub const SUBSCRIPTION: Self = Self(130);
    /// `Binary`, whose content has a form of its own.
    pub const BINARY: Self = Self(9);
    /// `CareTeam`, whose participants treat a patient.
    pub const CARE_TEAM: Self = Self(15);
    /// `Consent`, by which patients deny access.
    pub const CONSENT: Self = Self(29);
    /// `Encounter`, whose participants treat a patient.
    pub const ENCOUNTER: Self = Self(44);
    /// `Organization`, for which people act.
    pub const ORGANIZATION: Self = Self(100);
    /// `RelatedPerson`, who is close to a patient.
    pub const RELATED_PERSON: Self = Self(114);
    /// `CommunicationRequest`, which asks for the review of a broken glass.
    pub const COMMUNICATION_REQUEST: Self = Self(24);
    /// `Library`, in which it is kept who may see what.
    pub const LIBRARY: Self = Self(68);
    /// `Patient`, whose id names a chart.
    pub const PATIENT: Self = Self(103);

    /// The type of that name; names are case-sensitive.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let place = TYPES.by_name.binary_search_by_key(&name, |(name, _)| name).ok()?;
        TYPES.by_name.get(place).map(|(_, code)| Self(*code))
    }

    /// The name as it stands in `resourceType` and in URLs.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(self.0).unwrap_or_default()
    }

    /// The type with that code.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        name_of(code).map(|_| Self(code))
    }

    /// The frozen code, never 0.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }

    /// All types, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u16::MAX).zip(&TYPES.by_code).filter_map(|(code, name)| name.map(|_| Self(code)))
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

fn name_of(code: u16) -> Option<&'static str> {
    TYPES.by_code.get(usize::from(code)).copied().flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_have_their_names() {
        assert_eq!(ResourceType::PATIENT.name(), "Patient");
        assert_eq!(ResourceType::BUNDLE.name(), "Bundle");
        assert_eq!(ResourceType::BASIC.name(), "Basic");
        assert_eq!(ResourceType::SUBSCRIPTION.name(), "Subscription");
        let others = [
            (ResourceType::CARE_TEAM, "CareTeam"),
            (ResourceType::CONSENT, "Consent"),
            (ResourceType::ENCOUNTER, "Encounter"),
            (ResourceType::ORGANIZATION, "Organization"),
            (ResourceType::RELATED_PERSON, "RelatedPerson"),
            (ResourceType::COMMUNICATION_REQUEST, "CommunicationRequest"),
            (ResourceType::LIBRARY, "Library"),
        ];
        others.into_iter().for_each(|(kind, name)| assert_eq!(kind.name(), name));
    }

    #[test]
    fn every_type_is_found_by_name_and_by_code() {
        assert_eq!(ResourceType::all().count(), RESOURCE_TYPES.lines().count() - 1);
        for kind in ResourceType::all() {
            assert_eq!(ResourceType::from_name(kind.name()), Some(kind));
            assert_eq!(ResourceType::from_code(kind.code()), Some(kind));
        }
        for code in [0, 147, u16::MAX] {
            assert_eq!(ResourceType::from_code(code), None);
        }
        for name in ["", "patient", "Resource", "DomainResource", "Quantity", "type"] {
            assert_eq!(ResourceType::from_name(name), None, "{name}");
        }
    }
}
