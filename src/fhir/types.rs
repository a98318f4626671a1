//! The names of resources: type, id, and both together.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::definitions::{ResourceType, is_type_of_r4b};
use crate::json::Node;

impl ResourceType {
    /// The type that a resource says it has, if it is one of R4.
    #[must_use]
    pub fn of(resource: Node<'_>) -> Option<Self> {
        Self::from_name(&resource.get_str("resourceType")?)
    }
}

impl FromStr for ResourceType {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::from_name(name).ok_or_else(|| match is_type_of_r4b(name) {
            true => NameError::TypeOfR4b(name.to_owned()),
            false => NameError::UnknownType(quotable(name)),
        })
    }
}

/// The logical id of a resource: FHIR R4 §2.24.0.1, data type `id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(Arc<str>);

/// Longest id in characters, all of which are ASCII.
const ID_LENGTH_MAX: usize = 64;

impl ResourceId {
    /// The id with that text.
    ///
    /// # Errors
    ///
    /// The text breaks the rule `[A-Za-z0-9\-\.]{1,64}`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if Self::is_valid(text) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::InvalidId(quotable(text)))
        }
    }

    /// The id's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_valid(text: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        (1..=ID_LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for ResourceId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// Which resource: written `Type/id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// The resource's type.
    pub kind: ResourceType,
    /// Its id, unique within the type.
    pub id: ResourceId,
}

impl ResourceKey {
    /// The key of one resource.
    #[must_use]
    pub fn new(kind: ResourceType, id: ResourceId) -> Self {
        Self { kind, id }
    }

    /// Reads `Type/id`.
    ///
    /// # Errors
    ///
    /// The text has another form, the type does not exist, or the id breaks its rule.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let Some((kind, id)) = text.split_once('/') else {
            return Err(NameError::InvalidKey(quotable(text)));
        };
        Ok(Self { kind: kind.parse()?, id: id.parse()? })
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind, self.id)
    }
}

impl fmt::Debug for ResourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl FromStr for ResourceKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// Why a text does not name a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// FHIR R4 has no such resource type.
    #[error("\"{0}\" is not a resource type of FHIR R4")]
    UnknownType(String),
    /// Only FHIR R4B has it.
    #[error(
        "\"{0}\" is not a resource type of FHIR R4: it is of R4B (4.3), and this server takes R4 (4.0.1): say it as a type of R4, or as a Basic"
    )]
    TypeOfR4b(String),
    /// The id has forbidden characters, too many or none.
    #[error("\"{0}\" is not an id: 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'")]
    InvalidId(String),
    /// There is no slash between type and id.
    #[error("\"{0}\" does not have the form Type/id")]
    InvalidKey(String),
}

/// As much of a refused text as an error message may repeat.
pub(super) fn quotable(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn says_why_a_text_is_not_a_key() {
        let too_long = "x".repeat(65);
        let cases = [
            ("Patient", "\"Patient\" does not have the form Type/id".to_owned()),
            ("Citation/1", "\"Citation\" is not a resource type of FHIR R4: it is of R4B (4.3), and this server takes R4 (4.0.1): say it as a type of R4, or as a Basic".to_owned()),
            ("Foo/1", "\"Foo\" is not a resource type of FHIR R4".to_owned()),
            ("Patient/", invalid_id("")),
            ("Patient/a_b", invalid_id("a_b")),
            ("Patient/1/2", invalid_id("1/2")),
            ("Patient/ä", invalid_id("ä")),
            (&format!("Patient/{too_long}"), invalid_id(&too_long)),
        ];
        for (text, message) in cases {
            assert_eq!(ResourceKey::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    fn invalid_id(text: &str) -> String {
        format!("\"{text}\" is not an id: 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'")
    }

    proptest! {
        #[test]
        fn keys_read_back_as_written(id in "[A-Za-z0-9.-]{1,64}", code in 1u16..=146) {
            let kind = ResourceType::from_code(code).unwrap();
            let key = ResourceKey::new(kind, ResourceId::parse(&id).unwrap());
            prop_assert_eq!(ResourceKey::parse(&key.to_string()), Ok(key));
        }

        #[test]
        fn never_panics(text in ".{0,100}") {
            let _ = ResourceKey::parse(&text);
            let _ = ResourceId::parse(&text);
        }
    }
}
