//! Medicines that the clinic prescribes.

use super::{Coding, rxnorm};

#[derive(Clone, Copy)]
pub struct Medicine {
    pub code: Coding,
    /// Id of the `Medication` in the directory, when the clinic keeps it in stock.
    pub stocked_as: Option<&'static str>,
    pub dose: f64,
    /// What a dose is counted in.
    pub form: &'static str,
    pub times_a_day: i64,
    pub as_needed: bool,
    pub penicillin: bool,
}

pub const STOCKED: [Medicine; 6] =
    [LISINOPRIL_10, METFORMIN, SIMVASTATIN_10, ALBUTEROL, AMOXICILLIN_500, ACETAMINOPHEN];

pub const LISINOPRIL_10: Medicine = Medicine {
    stocked_as: Some("med-lisinopril-10"),
    ..tablet("314076", "lisinopril 10 MG Oral Tablet", 1)
};
pub const AMLODIPINE: Medicine = tablet("197361", "amlodipine 5 MG Oral Tablet", 1);
pub const METFORMIN: Medicine = Medicine {
    stocked_as: Some("med-metformin-500"),
    ..tablet("860975", "24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet", 1)
};
pub const METFORMIN_DOUBLE: Medicine = Medicine { dose: 2.0, ..METFORMIN };
pub const SIMVASTATIN_10: Medicine = Medicine {
    stocked_as: Some("med-simvastatin-10"),
    ..tablet("314231", "simvastatin 10 MG Oral Tablet", 1)
};
pub const SIMVASTATIN_20: Medicine = tablet("312961", "simvastatin 20 MG Oral Tablet", 1);
pub const LEVOTHYROXINE: Medicine = tablet("892246", "levothyroxine sodium 0.1 MG Oral Tablet", 1);
pub const FLUOXETINE: Medicine = tablet("310385", "fluoxetine 20 MG Oral Capsule", 1);
pub const NAPROXEN: Medicine =
    Medicine { as_needed: true, ..tablet("849574", "naproxen sodium 220 MG Oral Tablet", 2) };
pub const ALBUTEROL: Medicine = Medicine {
    stocked_as: Some("med-albuterol"),
    dose: 2.0,
    form: "puff",
    as_needed: true,
    ..tablet("2123111", "NDA020503 200 ACTUAT Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", 4)
};
pub const FLUTICASONE: Medicine = Medicine {
    dose: 2.0,
    form: "puff",
    ..tablet("895994", "120 ACTUAT Fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler", 2)
};
pub const AMOXICILLIN_500: Medicine = Medicine {
    stocked_as: Some("med-amoxicillin-500"),
    penicillin: true,
    ..tablet("308192", "amoxicillin 500 MG Oral Tablet", 3)
};
pub const AMOXICILLIN_CLAVULANATE: Medicine = Medicine {
    penicillin: true,
    ..tablet("562251", "amoxicillin 250 MG / clavulanate 125 MG Oral Tablet", 3)
};
pub const PENICILLIN_V: Medicine = Medicine {
    penicillin: true,
    ..tablet("834102", "penicillin V potassium 500 MG Oral Tablet", 2)
};
/// What people with an allergy to penicillin get instead.
pub const AZITHROMYCIN: Medicine = tablet("308460", "azithromycin 250 MG Oral Tablet", 1);
pub const ACETAMINOPHEN: Medicine = Medicine {
    stocked_as: Some("med-acetaminophen-325"),
    as_needed: true,
    ..tablet("313782", "acetaminophen 325 MG Oral Tablet", 4)
};
pub const IBUPROFEN: Medicine =
    Medicine { as_needed: true, ..tablet("310965", "ibuprofen 200 MG Oral Tablet", 3) };

/// Bought without a prescription; known only because the patient says so.
pub const REPORTED: [Coding; 3] = [
    rxnorm("243670", "aspirin 81 MG Oral Tablet"),
    rxnorm("310965", "ibuprofen 200 MG Oral Tablet"),
    rxnorm("665078", "loratadine 5 MG Chewable Tablet"),
];

const fn tablet(code: &'static str, display: &'static str, times_a_day: i64) -> Medicine {
    Medicine {
        code: rxnorm(code, display),
        stocked_as: None,
        dose: 1.0,
        form: "tablet",
        times_a_day,
        as_needed: false,
        penicillin: false,
    }
}
