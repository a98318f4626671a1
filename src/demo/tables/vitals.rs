//! Vital signs: codes, units and growth.

use super::{Coding, Unit, loinc, snomed};

pub const HEIGHT: Coding = loinc("8302-2", "Body height");
pub const WEIGHT: Coding = loinc("29463-7", "Body weight");
pub const BODY_MASS_INDEX: Coding = loinc("39156-5", "Body mass index (BMI) [Ratio]");
pub const BLOOD_PRESSURE: Coding =
    loinc("85354-9", "Blood pressure panel with all children optional");
pub const SYSTOLIC: Coding = loinc("8480-6", "Systolic blood pressure");
pub const DIASTOLIC: Coding = loinc("8462-4", "Diastolic blood pressure");
pub const HEART_RATE: Coding = loinc("8867-4", "Heart rate");
pub const TEMPERATURE: Coding = loinc("8310-5", "Body temperature");
pub const OXYGEN_SATURATION: Coding =
    loinc("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry");
pub const SMOKING: Coding = loinc("72166-2", "Tobacco smoking status");

pub const NEVER_SMOKED: Coding = snomed("266919005", "Never smoked tobacco");
pub const FORMER_SMOKER: Coding = snomed("8517006", "Ex-smoker");
pub const SMOKES_DAILY: Coding = snomed("449868002", "Smokes tobacco daily");

pub const CENTIMETRE: Unit = Unit::same("cm");
pub const KILOGRAM: Unit = Unit::same("kg");
pub const KILOGRAM_PER_SQUARE_METRE: Unit = Unit::same("kg/m2");
pub const MILLIMETRE_OF_MERCURY: Unit = Unit { text: "mmHg", code: "mm[Hg]" };
pub const CELSIUS: Unit = Unit { text: "°C", code: "Cel" };
pub const PERCENT: Unit = Unit::same("%");
pub const PER_MINUTE: Unit = Unit { text: "beats/minute", code: "/min" };

/// Median height and weight of children (CDC growth charts, both sexes, rounded).
pub struct Growth {
    pub age_months: i64,
    pub height_cm: f64,
    pub weight_kg: f64,
}

pub const GROWTH: [Growth; 13] = [
    growth(0, 50.0, 3.4),
    growth(3, 60.5, 6.0),
    growth(6, 67.0, 7.7),
    growth(12, 75.5, 9.8),
    growth(24, 87.0, 12.3),
    growth(48, 102.0, 16.2),
    growth(72, 115.0, 20.6),
    growth(96, 127.5, 25.6),
    growth(120, 138.5, 32.2),
    growth(144, 150.0, 41.0),
    growth(168, 161.5, 50.0),
    growth(192, 168.0, 57.5),
    growth(228, 170.0, 64.0),
];

const fn growth(age_months: i64, height_cm: f64, weight_kg: f64) -> Growth {
    Growth { age_months, height_cm, weight_kg }
}
