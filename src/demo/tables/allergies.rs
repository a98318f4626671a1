//! Allergies and what they do.

use super::{Coding, snomed};

pub struct Allergy {
    pub code: Coding,
    /// `food`, `medication`, `environment` or `biologic`.
    pub category: &'static str,
    pub reaction: Coding,
    pub severity: &'static str,
}

pub const ALLERGIES: [Allergy; 6] = [
    PENICILLIN_ALLERGY,
    allergy("91935009", "Allergy to peanut", "food", HIVES, "moderate"),
    allergy("300913006", "Allergy to shellfish", "food", HIVES, "mild"),
    allergy("418689008", "Allergy to grass pollen", "environment", SNEEZING, "mild"),
    allergy("232350006", "House dust mite allergy", "environment", SNEEZING, "mild"),
    allergy("300916003", "Latex allergy", "environment", HIVES, "moderate"),
];

pub const PENICILLIN_ALLERGY: Allergy =
    allergy("91936005", "Allergy to penicillin", "medication", HIVES, "severe");

const HIVES: Coding = snomed("247472004", "Wheal");
const SNEEZING: Coding = snomed("162367006", "Sneezing symptom");

const fn allergy(
    code: &'static str,
    display: &'static str,
    category: &'static str,
    reaction: Coding,
    severity: &'static str,
) -> Allergy {
    Allergy { code: snomed(code, display), category, reaction, severity }
}
