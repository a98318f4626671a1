//! The fixed data of the clinic: codes, normal ranges, schedules and names. Data only.

pub mod allergies;
pub mod immunizations;
pub mod laboratory;
pub mod medicines;
pub mod names;
pub mod problems;
pub mod procedures;
pub mod staff;
pub mod vitals;

/// A code with its system and display, as in FHIR `Coding`.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Coding {
    pub system: &'static str,
    pub code: &'static str,
    pub display: &'static str,
}

/// A UCUM unit: what to print and what to compute with.
#[derive(Clone, Copy)]
pub struct Unit {
    pub text: &'static str,
    pub code: &'static str,
}

impl Unit {
    /// A unit that is printed as it is coded.
    pub const fn same(code: &'static str) -> Self {
        Self { text: code, code }
    }
}

pub const fn snomed(code: &'static str, display: &'static str) -> Coding {
    coding(system::SNOMED, code, display)
}

pub const fn loinc(code: &'static str, display: &'static str) -> Coding {
    coding(system::LOINC, code, display)
}

pub const fn rxnorm(code: &'static str, display: &'static str) -> Coding {
    coding(system::RXNORM, code, display)
}

pub const fn cvx(code: &'static str, display: &'static str) -> Coding {
    coding(system::CVX, code, display)
}

pub const fn coding(system: &'static str, code: &'static str, display: &'static str) -> Coding {
    Coding { system, code, display }
}

/// Code systems by their canonical addresses.
pub mod system {
    pub const SNOMED: &str = "http://snomed.info/sct";
    pub const LOINC: &str = "http://loinc.org";
    pub const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
    pub const CVX: &str = "http://hl7.org/fhir/sid/cvx";
    pub const UCUM: &str = "http://unitsofmeasure.org";
    pub const LANGUAGE: &str = "urn:ietf:bcp:47";

    pub const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    pub const ACT_SITE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActSite";
    pub const ALLERGY_CLINICAL: &str =
        "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
    pub const ALLERGY_VERIFICATION: &str =
        "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
    pub const CONDITION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
    pub const CONDITION_CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    pub const CONDITION_VERIFICATION: &str =
        "http://terminology.hl7.org/CodeSystem/condition-ver-status";
    pub const COVERAGE_RELATIONSHIP: &str =
        "http://terminology.hl7.org/CodeSystem/subscriber-relationship";
    pub const DIAGNOSIS_ROLE: &str = "http://terminology.hl7.org/CodeSystem/diagnosis-role";
    pub const DIAGNOSTIC_SECTION: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";
    pub const GOAL_ACHIEVEMENT: &str = "http://terminology.hl7.org/CodeSystem/goal-achievement";
    pub const IDENTIFIER_TYPE: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
    pub const INTERPRETATION: &str =
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    pub const IMMUNIZATION_ORIGIN: &str =
        "http://terminology.hl7.org/CodeSystem/immunization-origin";
    pub const LOCATION_KIND: &str = "http://terminology.hl7.org/CodeSystem/location-physical-type";
    pub const MARITAL_STATUS: &str = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus";
    pub const OBSERVATION_CATEGORY: &str =
        "http://terminology.hl7.org/CodeSystem/observation-category";
    pub const ORGANIZATION_TYPE: &str = "http://terminology.hl7.org/CodeSystem/organization-type";
    pub const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    pub const ROUTE: &str = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration";

    /// Naming systems of the clinic itself.
    pub const RECORD_NUMBER: &str = "https://clinic.example/id/record-number";
    pub const STAFF_NUMBER: &str = "https://clinic.example/id/staff-number";
    pub const MEMBER_NUMBER: &str = "https://insurer.example/id/member-number";
}
