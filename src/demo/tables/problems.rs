//! Problems: the chronic ones that shape a chart and the acute ones that interrupt it.

use super::laboratory::{self, Panel};
use super::medicines::{self, Medicine};
use super::{Coding, procedures, snomed};

/// What a chronic problem changes in measurements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    BloodPressure,
    Glucose,
    Cholesterol,
    Thyroid,
    Airways,
    None,
}

pub struct Chronic {
    pub code: Coding,
    pub effect: Effect,
    pub onset_age: (i64, i64),
    /// Of a hundred people who reach the latest onset age, how many have it.
    pub prevalence_percent: u32,
    pub panels: &'static [&'static Panel],
    /// Taken from the diagnosis on.
    pub first_medicine: Medicine,
    /// Replaces or joins the first when it does not suffice.
    pub second_medicine: Option<Medicine>,
    pub check: Option<Coding>,
    pub plan: Option<Plan>,
}

/// Care planned for a chronic problem.
pub struct Plan {
    pub category: Coding,
    pub activities: &'static [Coding],
    pub goal: &'static str,
    pub target: Option<Target>,
}

pub struct Target {
    pub measure: Coding,
    pub below: f64,
    pub unit: super::Unit,
}

pub const CHRONIC: [Chronic; 7] = [
    Chronic {
        code: snomed("59621000", "Essential hypertension"),
        effect: Effect::BloodPressure,
        onset_age: (36, 72),
        prevalence_percent: 45,
        panels: &[&laboratory::METABOLIC],
        first_medicine: medicines::LISINOPRIL_10,
        second_medicine: Some(medicines::AMLODIPINE),
        check: Some(procedures::ELECTROCARDIOGRAM),
        plan: Some(Plan {
            category: snomed("443402002", "Lifestyle education regarding hypertension"),
            activities: &[
                snomed("1151000175103", "Dietary approaches to stop hypertension diet"),
                snomed("386463000", "Prescribed activity/exercise education"),
            ],
            goal: "Systolic blood pressure below 135 mmHg",
            target: Some(Target {
                measure: super::vitals::SYSTOLIC,
                below: 135.0,
                unit: super::vitals::MILLIMETRE_OF_MERCURY,
            }),
        }),
    },
    Chronic {
        code: snomed("44054006", "Type 2 diabetes mellitus"),
        effect: Effect::Glucose,
        onset_age: (40, 70),
        prevalence_percent: 24,
        panels: &[&laboratory::HBA1C, &laboratory::METABOLIC],
        first_medicine: medicines::METFORMIN,
        second_medicine: Some(medicines::METFORMIN_DOUBLE),
        check: None,
        plan: Some(Plan {
            category: snomed("698360004", "Diabetes self management plan"),
            activities: &[
                snomed("160670007", "Diabetic diet"),
                snomed("229065009", "Exercise therapy"),
            ],
            goal: "Hemoglobin A1c below 7 %",
            target: Some(Target {
                measure: laboratory::HBA1C.code,
                below: 7.0,
                unit: super::vitals::PERCENT,
            }),
        }),
    },
    Chronic {
        code: snomed("55822004", "Hyperlipidemia"),
        effect: Effect::Cholesterol,
        onset_age: (35, 65),
        prevalence_percent: 32,
        panels: &[&laboratory::LIPIDS],
        first_medicine: medicines::SIMVASTATIN_10,
        second_medicine: Some(medicines::SIMVASTATIN_20),
        check: None,
        plan: None,
    },
    Chronic {
        code: snomed("195967001", "Asthma"),
        effect: Effect::Airways,
        onset_age: (4, 30),
        prevalence_percent: 12,
        panels: &[],
        first_medicine: medicines::ALBUTEROL,
        second_medicine: Some(medicines::FLUTICASONE),
        check: Some(procedures::SPIROMETRY),
        plan: Some(Plan {
            category: snomed("699728000", "Asthma self management"),
            activities: &[
                snomed("58332002", "Allergy education"),
                snomed("229298005", "Breathing control"),
            ],
            goal: "No night awakened by asthma in a month",
            target: None,
        }),
    },
    Chronic {
        code: snomed("40930008", "Hypothyroidism"),
        effect: Effect::Thyroid,
        onset_age: (30, 65),
        prevalence_percent: 9,
        panels: &[&laboratory::THYROID],
        first_medicine: medicines::LEVOTHYROXINE,
        second_medicine: None,
        check: None,
        plan: None,
    },
    Chronic {
        code: snomed("370143000", "Major depressive disorder"),
        effect: Effect::None,
        onset_age: (18, 60),
        prevalence_percent: 10,
        panels: &[],
        first_medicine: medicines::FLUOXETINE,
        second_medicine: None,
        check: None,
        plan: None,
    },
    Chronic {
        code: snomed("239873007", "Osteoarthritis of knee"),
        effect: Effect::None,
        onset_age: (50, 80),
        prevalence_percent: 25,
        panels: &[],
        first_medicine: medicines::NAPROXEN,
        second_medicine: None,
        check: None,
        plan: None,
    },
];

pub struct Acute {
    pub code: Coding,
    pub age: (i64, i64),
    /// Treated in the emergency department.
    pub emergency: bool,
    pub fever: bool,
    pub medicine: Option<Medicine>,
    pub procedure: Option<Coding>,
    pub lasts_days: i64,
    pub story: &'static str,
}

pub const ACUTE: [Acute; 10] = [
    Acute {
        fever: true,
        ..acute(
            "195662009",
            "Acute viral pharyngitis",
            (1, 110),
            8,
            "Sore throat for three days. Pharynx red, no exudate.",
        )
    },
    acute(
        "444814009",
        "Viral sinusitis",
        (5, 110),
        12,
        "Facial pressure and blocked nose for a week. No red flags.",
    ),
    Acute {
        fever: true,
        medicine: Some(medicines::ACETAMINOPHEN),
        ..acute(
            "10509002",
            "Acute bronchitis",
            (2, 110),
            15,
            "Cough with some sputum, wheeze on both sides, no focal signs.",
        )
    },
    Acute {
        fever: true,
        medicine: Some(medicines::AMOXICILLIN_CLAVULANATE),
        ..acute(
            "65363002",
            "Otitis media",
            (0, 9),
            10,
            "Pulling at the ear since last night. Drum bulging and red.",
        )
    },
    Acute {
        fever: true,
        medicine: Some(medicines::PENICILLIN_V),
        procedure: Some(procedures::THROAT_CULTURE),
        ..acute(
            "43878008",
            "Streptococcal sore throat",
            (4, 45),
            10,
            "Sore throat, swollen nodes, exudate. Rapid test positive.",
        )
    },
    Acute {
        medicine: Some(medicines::IBUPROFEN),
        ..acute(
            "44465007",
            "Sprain of ankle",
            (8, 90),
            28,
            "Turned the ankle on a kerb. Can bear weight, no bony tenderness.",
        )
    },
    Acute {
        emergency: true,
        procedure: Some(procedures::SUTURE),
        ..acute(
            "283371005",
            "Laceration of forearm",
            (3, 90),
            14,
            "Cut on glass. Clean wound of 3 cm, sensation and tendons intact.",
        )
    },
    Acute {
        emergency: true,
        medicine: Some(medicines::ACETAMINOPHEN),
        procedure: Some(procedures::IMMOBILIZATION),
        ..acute(
            "65966004",
            "Fracture of forearm",
            (5, 95),
            60,
            "Fell on the outstretched hand. Closed fracture, no deficit.",
        )
    },
    Acute {
        emergency: true,
        fever: true,
        medicine: Some(medicines::AMOXICILLIN_500),
        procedure: Some(procedures::CHEST_X_RAY),
        ..acute(
            "233604007",
            "Pneumonia",
            (40, 110),
            21,
            "Productive cough, fever and breathlessness. Crackles at the right base.",
        )
    },
    acute(
        "279039007",
        "Low back pain",
        (30, 90),
        35,
        "Back pain after lifting, for ten days. No neurological signs.",
    ),
];

const fn acute(
    code: &'static str,
    display: &'static str,
    age: (i64, i64),
    lasts_days: i64,
    story: &'static str,
) -> Acute {
    Acute {
        code: snomed(code, display),
        age,
        emergency: false,
        fever: false,
        medicine: None,
        procedure: None,
        lasts_days,
        story,
    }
}
