//! What the text of a reference means: FHIR R4 §2.3.0 (references), §3.1.0.11.2 (transactions).

use super::{ResourceId, ResourceKey, ResourceType};
use crate::numbers::ResourceVersion;

/// Begins the name of a UUID.
const UUID_SCHEME: &str = "urn:uuid:";

/// The meaning of a literal reference, such as the text in `Observation.subject.reference`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference<'a> {
    /// A resource of this server, relative (`Patient/123`) or by an absolute URL under its base.
    Local {
        /// Which resource.
        key: ResourceKey,
        /// The version behind `/_history/`; `None` also for one that this server never gives out.
        version: Option<ResourceVersion>,
    },
    /// `Type?criteria`: the one resource that a search finds; allowed in transactions.
    Conditional {
        /// The type to search.
        kind: ResourceType,
        /// The criteria, still encoded as in a URL.
        query: &'a str,
    },
    /// `#id`: a contained resource; the id without the hash sign, empty for the container itself.
    Fragment(&'a str),
    /// `urn:…`: by UUID or OID, as used between the entries of a Bundle.
    Urn(&'a str),
    /// An absolute URL of another server, or a text of no known form.
    Other(&'a str),
}

impl<'a> Reference<'a> {
    /// Reads a reference. `base_url` is this server's own, with or without a slash at its end.
    ///
    /// Every text has a meaning, so there is no error: what is not understood is [`Self::Other`].
    #[must_use]
    pub fn parse(text: &'a str, base_url: Option<&str>) -> Self {
        if let Some(id) = text.strip_prefix('#') {
            return Self::Fragment(id);
        }
        if text.starts_with("urn:") {
            return Self::Urn(text);
        }
        let relative = base_url.and_then(|base_url| below(text, base_url)).unwrap_or(text);
        local(relative).or_else(|| conditional(relative)).unwrap_or(Self::Other(text))
    }
}

/// Whether a text names something by UUID, and how: the names of UUIDs do not differ by case (RFC 4122 §3).
#[must_use]
pub fn uuid_name(text: &str) -> Option<String> {
    let scheme = text.get(..UUID_SCHEME.len())?;
    scheme.eq_ignore_ascii_case(UUID_SCHEME).then(|| text.to_ascii_lowercase())
}

/// The type of the resource to which a reference leads, as far as its text tells: also for absolute
/// URLs of other servers that end in `/Type/id`.
#[must_use]
pub fn target_type(reference: &Reference<'_>) -> Option<ResourceType> {
    match reference {
        Reference::Local { key, .. } => Some(key.kind),
        Reference::Conditional { kind, .. } => Some(*kind),
        Reference::Other(text) if text.contains("://") => {
            let text = text.split_once("/_history/").map_or(*text, |(resource, _)| resource);
            let (before, id) = text.rsplit_once('/')?;
            let (_, kind) = before.rsplit_once('/')?;
            ResourceType::from_name(kind).filter(|_| ResourceId::is_valid(id))
        }
        Reference::Other(_) | Reference::Fragment(_) | Reference::Urn(_) => None,
    }
}

/// The rest of an absolute URL behind the base.
fn below<'a>(text: &'a str, base_url: &str) -> Option<&'a str> {
    text.strip_prefix(base_url.trim_end_matches('/'))?.strip_prefix('/')
}

fn local(text: &str) -> Option<Reference<'_>> {
    let (kind, rest) = text.split_once('/')?;
    let (id, version) = match rest.split_once("/_history/") {
        Some((id, version)) if ResourceId::is_valid(version) => {
            (id, ResourceVersion::named(version))
        }
        Some(_) => return None,
        None => (rest, None),
    };
    let kind = ResourceType::from_name(kind)?;
    let key = ResourceKey::new(kind, ResourceId::parse(id).ok()?);
    Some(Reference::Local { key, version })
}

fn conditional(text: &str) -> Option<Reference<'_>> {
    let (kind, query) = text.split_once('?')?;
    Some(Reference::Conditional { kind: ResourceType::from_name(kind)?, query })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: &str = "https://chart.example/fhir";

    fn patient(id: &str, version: Option<u64>) -> Reference<'static> {
        Reference::Local {
            key: format!("Patient/{id}").parse().unwrap(),
            version: version.map(ResourceVersion::new),
        }
    }

    #[test]
    fn reads_every_form() {
        let conditional =
            Reference::Conditional { kind: ResourceType::PATIENT, query: "identifier=a|b" };
        let other = Reference::Other;
        let cases = [
            ("Patient/1", patient("1", None)),
            ("Patient/1/_history/3", patient("1", Some(3))),
            ("Patient/1/_history/three", patient("1", None)),
            ("Patient/1/_history/03", patient("1", None)),
            ("https://chart.example/fhir/Patient/1", patient("1", None)),
            ("https://chart.example/fhir/Patient/1/_history/2", patient("1", Some(2))),
            ("Patient?identifier=a|b", conditional.clone()),
            ("https://chart.example/fhir/Patient?identifier=a|b", conditional),
            ("#p1", Reference::Fragment("p1")),
            ("#", Reference::Fragment("")),
            (
                "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                Reference::Urn("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
            ),
            ("https://other.example/fhir/Patient/1", other("https://other.example/fhir/Patient/1")),
            (
                "https://chart.example/fhirs/Patient/1",
                other("https://chart.example/fhirs/Patient/1"),
            ),
            ("https://chart.example/fhir", other("https://chart.example/fhir")),
            ("Patient", other("Patient")),
            ("Patient/", other("Patient/")),
            ("Patient/a_b", other("Patient/a_b")),
            ("Patient/1/_history/", other("Patient/1/_history/")),
            ("/Patient/1", other("/Patient/1")),
            ("Foo/1", other("Foo/1")),
            ("Foo?a=b", other("Foo?a=b")),
            ("", other("")),
        ];
        for (text, meaning) in cases {
            assert_eq!(Reference::parse(text, Some(BASE)), meaning, "{text}");
            assert_eq!(Reference::parse(text, Some(&format!("{BASE}/"))), meaning, "{text}");
        }
        let absolute = "https://chart.example/fhir/Patient/1";
        assert_eq!(Reference::parse(absolute, None), other(absolute));
    }

    #[test]
    fn tells_the_type_of_the_target() {
        let cases = [
            ("Patient/1", Some("Patient")),
            ("Group?code=x", Some("Group")),
            ("https://other.example/a/Group/1", Some("Group")),
            ("https://other.example/a/Group/1/_history/7", Some("Group")),
            ("https://other.example/a/Group/a_b", None),
            ("https://other.example/a", None),
            ("a/Group/1", None),
            ("#p1", None),
            ("urn:oid:1.2", None),
        ];
        for (text, kind) in cases {
            let found = target_type(&Reference::parse(text, None));
            assert_eq!(found.map(ResourceType::name), kind, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}", base in proptest::option::of(".{0,20}")) {
            let _ = target_type(&Reference::parse(&text, base.as_deref()));
        }

        #[test]
        fn local_keys_read_back(id in "[A-Za-z0-9.-]{1,64}", code in 1u16..=146) {
            let kind = ResourceType::from_code(code).unwrap();
            let key = ResourceKey::new(kind, ResourceId::parse(&id).unwrap());
            let text = format!("{BASE}/{key}");
            let read = Reference::parse(&text, Some(BASE));
            prop_assert_eq!(read, Reference::Local { key, version: None });
        }
    }
}
