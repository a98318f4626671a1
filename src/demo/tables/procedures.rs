//! Procedures: screenings that come with age.

use super::super::gender::Gender;
use super::{Coding, snomed};

pub struct Screening {
    pub code: Coding,
    /// Only for this gender.
    pub gender: Option<Gender>,
    pub from_age: i64,
    pub until_age: i64,
    pub every_years: i64,
    /// What the report says; no report of its own when empty.
    pub finding: &'static str,
}

pub const SCREENINGS: [Screening; 4] = [
    Screening {
        code: snomed("73761001", "Colonoscopy"),
        gender: None,
        from_age: 50,
        until_age: 76,
        every_years: 10,
        finding: "Colon seen to the caecum. No polyps. Next examination in ten years.",
    },
    Screening {
        code: snomed("71651007", "Mammography"),
        gender: Some(Gender::Female),
        from_age: 50,
        until_age: 75,
        every_years: 2,
        finding: "No suspicious mass or calcification on either side. BI-RADS 1.",
    },
    Screening {
        code: snomed("171207006", "Depression screening"),
        gender: None,
        from_age: 18,
        until_age: 130,
        every_years: 4,
        finding: "",
    },
    Screening {
        code: snomed("398171003", "Hearing examination"),
        gender: None,
        from_age: 4,
        until_age: 12,
        every_years: 4,
        finding: "",
    },
];

pub const SPIROMETRY: Coding = snomed("127783003", "Spirometry");
pub const ELECTROCARDIOGRAM: Coding = snomed("29303009", "Electrocardiographic procedure");
pub const THROAT_CULTURE: Coding = snomed("117015009", "Throat culture");
pub const CHEST_X_RAY: Coding = snomed("399208008", "Plain chest X-ray");
pub const SUTURE: Coding = snomed("288086009", "Suture open wound");
pub const IMMOBILIZATION: Coding = snomed("274474001", "Bone immobilization");
