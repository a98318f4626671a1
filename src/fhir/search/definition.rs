//! Search parameters that clients define: FHIR R4, resource SearchParameter.

use serde::{Deserialize, Serialize};

use super::{Parameters, SearchParameter};
use crate::fhir::ResourceType;
use crate::json::Document;

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
        let standard = Parameters::standard();
        let Ok(document) = Document::parse(self.resource.as_bytes()) else { return Vec::new() };
        let defined = SearchParameter::from_resource(&standard, document.root(), self.code);
        let is_new = |(kind, parameter): &(ResourceType, SearchParameter)| {
            standard.named(*kind, &parameter.name).is_none()
        };
        defined.unwrap_or_default().into_iter().filter(is_new).collect()
    }
}

impl Parameters {
    /// The parameters of R4, and those that clients have defined.
    #[must_use]
    pub fn defined_by(definitions: &[Definition]) -> Self {
        Self::with_custom(definitions.iter().flat_map(Definition::parameters))
    }
}
