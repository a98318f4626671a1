//! Who works where: the organizations, locations and clinicians of the directory.

use super::{Coding, snomed};

pub struct Organization {
    pub id: &'static str,
    pub name: &'static str,
    /// Code in `organization-type`: `prov` or `ins`.
    pub kind: &'static str,
    pub phone: &'static str,
}

pub const CLINIC: Organization = Organization {
    id: "org-clinic",
    name: "Nashua River Family Clinic",
    kind: "prov",
    phone: "+1-555-0100",
};

pub const HOSPITAL: Organization = Organization {
    id: "org-hospital",
    name: "Wachusett Community Hospital",
    kind: "prov",
    phone: "+1-555-0140",
};

pub const INSURER: Organization = Organization {
    id: "org-insurer",
    name: "Commonwealth Mutual Health Plan",
    kind: "ins",
    phone: "+1-555-0180",
};

pub const ORGANIZATIONS: [&Organization; 3] = [&CLINIC, &HOSPITAL, &INSURER];

pub struct Location {
    pub id: &'static str,
    pub name: &'static str,
    /// Code in `location-physical-type`.
    pub kind: &'static str,
    pub organization: &'static Organization,
}

pub const CONSULTING_ROOMS: Location =
    Location { id: "loc-consulting", name: "Consulting rooms", kind: "wi", organization: &CLINIC };

pub const TREATMENT_ROOM: Location =
    Location { id: "loc-treatment", name: "Treatment room", kind: "ro", organization: &CLINIC };

pub const LABORATORY: Location =
    Location { id: "loc-laboratory", name: "Laboratory", kind: "ro", organization: &HOSPITAL };

pub const EMERGENCY: Location = Location {
    id: "loc-emergency",
    name: "Emergency department",
    kind: "wi",
    organization: &HOSPITAL,
};

pub const LOCATIONS: [&Location; 4] = [&CONSULTING_ROOMS, &TREATMENT_ROOM, &LABORATORY, &EMERGENCY];

#[derive(Clone, Copy)]
pub struct Clinician {
    pub id: &'static str,
    pub given: &'static str,
    pub family: &'static str,
    pub gender: &'static str,
    pub role: Coding,
    pub specialty: Coding,
    pub location: &'static Location,
}

impl Default for Clinician {
    fn default() -> Self {
        NURSE
    }
}

const DOCTOR: Coding = snomed("158965000", "Medical practitioner");
const NURSING: Coding = snomed("224535009", "Registered nurse");
const GENERAL_PRACTICE: Coding = snomed("394814009", "General practice");
const PAEDIATRICS: Coding = snomed("394537008", "Pediatric specialty");
const EMERGENCY_MEDICINE: Coding = snomed("773568002", "Emergency medicine");
const PATHOLOGY: Coding = snomed("394595002", "Pathology");

pub const NURSE: Clinician = Clinician {
    role: NURSING,
    location: &TREATMENT_ROOM,
    ..doctor("prac-weber", "Lena", "Weber", "female", GENERAL_PRACTICE)
};

pub const PATHOLOGIST: Clinician =
    Clinician { location: &LABORATORY, ..doctor("prac-osei", "Kofi", "Osei", "male", PATHOLOGY) };

pub const EMERGENCY_DOCTORS: [Clinician; 2] = [
    Clinician {
        location: &EMERGENCY,
        ..doctor("prac-lindqvist", "Maja", "Lindqvist", "female", EMERGENCY_MEDICINE)
    },
    Clinician {
        location: &EMERGENCY,
        ..doctor("prac-romero", "Andrés", "Romero", "male", EMERGENCY_MEDICINE)
    },
];

pub const FAMILY_DOCTORS: [Clinician; 3] = [
    doctor("prac-adeyemi", "Folake", "Adeyemi", "female", GENERAL_PRACTICE),
    doctor("prac-brandt", "Jonas", "Brandt", "male", GENERAL_PRACTICE),
    doctor("prac-sullivan", "Maeve", "Sullivan", "female", GENERAL_PRACTICE),
];

pub const CHILDRENS_DOCTORS: [Clinician; 1] =
    [doctor("prac-yamada", "Haruto", "Yamada", "male", PAEDIATRICS)];

/// Everyone, in the order of the directory.
pub fn clinicians() -> impl Iterator<Item = Clinician> {
    FAMILY_DOCTORS
        .into_iter()
        .chain(CHILDRENS_DOCTORS)
        .chain(EMERGENCY_DOCTORS)
        .chain([NURSE, PATHOLOGIST])
}

const fn doctor(
    id: &'static str,
    given: &'static str,
    family: &'static str,
    gender: &'static str,
    specialty: Coding,
) -> Clinician {
    Clinician { id, given, family, gender, role: DOCTOR, specialty, location: &CONSULTING_ROOMS }
}

impl Clinician {
    pub fn full_name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}
