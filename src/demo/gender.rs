//! Gender, as far as names and reference ranges go by it.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gender {
    #[default]
    Female,
    Male,
}

impl Gender {
    /// The code in FHIR's `administrative-gender`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
        }
    }
}
