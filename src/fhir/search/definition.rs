//! Search parameters that clients define: FHIR R4, resource SearchParameter.

use serde::{Deserialize, Serialize};

use super::{Parameters, SearchParameter};
use crate::fhir::{Problem, ResourceType};
use crate::json::{Document, Node};

/// The first code of a custom parameter; those of the standard stay below.
pub const CUSTOM_CODE_MIN: u16 = 0x8000;

/// A search parameter as a client defined it, with the code that an index has for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// [`CUSTOM_CODE_MIN`] or above.
    pub code: u16,
    /// The SearchParameter, as stored.
    pub resource: String,
}

impl Definition {
    /// What it defines, for each type that it names; nothing that the standard has under that name.
    #[must_use]
    pub fn parameters(&self) -> Vec<(ResourceType, SearchParameter)> {
        let Ok(document) = Document::parse(self.resource.as_bytes()) else { return Vec::new() };
        SearchParameter::defined_by(document.root(), self.code).unwrap_or_default()
    }
}

impl SearchParameter {
    /// What a SearchParameter defines beside the standard: one parameter for each type in `base`; none
    /// for types where it is the one of the standard.
    ///
    /// # Errors
    ///
    /// As [`SearchParameter::from_resource`].
    pub fn defined_by(
        resource: Node<'_>,
        code: u16,
    ) -> Result<Vec<(ResourceType, Self)>, Vec<Problem>> {
        let standard = Parameters::standard();
        let mut defined = Self::from_resource(&standard, resource, code)?;
        defined.retain(|(kind, parameter)| standard.named(*kind, &parameter.name).is_none());
        Ok(defined)
    }
}

impl Parameters {
    /// The parameters of R4, and those that clients have defined.
    #[must_use]
    pub fn defined_by(definitions: &[Definition]) -> Self {
        Self::with_custom(definitions.iter().flat_map(Definition::parameters))
    }
}
