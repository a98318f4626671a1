//! Laboratory tests: codes, units, adult reference ranges and what disease does to them.

use super::{Coding, Unit, loinc};

/// What is normal, in the unit of the test.
#[derive(Clone, Copy)]
pub enum Normal {
    Between(f64, f64),
    Below(f64),
    Above(f64),
}

/// A value from the values of other tests, which are looked up by code.
pub type Formula = fn(&dyn Fn(&str) -> f64) -> f64;

/// Where a value comes from.
pub enum Source {
    /// Drawn around the person's own set point, which lies between these two.
    Measured { low: f64, high: f64 },
    /// Follows from tests earlier in the same panel, given by code.
    Computed(Formula),
}

pub struct Test {
    pub code: Coding,
    pub unit: Unit,
    pub digits: u32,
    pub normal: Normal,
    /// Where it differs from that of men.
    pub normal_women: Option<Normal>,
    pub source: Source,
}

pub struct Panel {
    pub code: Coding,
    pub tests: &'static [Test],
}

pub const GLUCOSE_CODE: &str = "2345-7";
pub const HBA1C_CODE: &str = "4548-4";
pub const LDL_CODE: &str = "13457-7";
pub const TSH_CODE: &str = "3016-3";
const HDL_CODE: &str = "2085-9";
const TRIGLYCERIDE_CODE: &str = "2571-8";
const HEMOGLOBIN_CODE: &str = "718-7";
const ERYTHROCYTES_CODE: &str = "789-8";
const LEUKOCYTES_CODE: &str = "6690-2";
const HEMATOCRIT_CODE: &str = "4544-3";

const MG_PER_DL: Unit = Unit::same("mg/dL");
const G_PER_DL: Unit = Unit::same("g/dL");
const MMOL_PER_L: Unit = Unit::same("mmol/L");
const PERCENT: Unit = Unit::same("%");
const THOUSAND_PER_UL: Unit = Unit::same("10*3/uL");
const MILLION_PER_UL: Unit = Unit::same("10*6/uL");
const FEMTOLITRE: Unit = Unit::same("fL");
const PICOGRAM: Unit = Unit::same("pg");
const MILLI_UNITS_PER_L: Unit = Unit::same("m[IU]/L");

use Normal::{Above, Below, Between};

pub const GLUCOSE: Test = measured(
    loinc(GLUCOSE_CODE, "Glucose [Mass/volume] in Serum or Plasma"),
    MG_PER_DL,
    0,
    Between(70.0, 99.0),
    (78.0, 96.0),
);

pub const HBA1C: Panel = Panel {
    code: loinc(HBA1C_CODE, "Hemoglobin A1c/Hemoglobin.total in Blood"),
    tests: &[measured(
        loinc(HBA1C_CODE, "Hemoglobin A1c/Hemoglobin.total in Blood"),
        PERCENT,
        1,
        Between(4.0, 5.6),
        (4.8, 5.5),
    )],
};

pub const THYROID: Panel = Panel {
    code: loinc(TSH_CODE, "Thyrotropin [Units/volume] in Serum or Plasma"),
    tests: &[measured(
        loinc(TSH_CODE, "Thyrotropin [Units/volume] in Serum or Plasma"),
        MILLI_UNITS_PER_L,
        2,
        Between(0.4, 4.5),
        (0.9, 3.2),
    )],
};

pub const METABOLIC: Panel = Panel {
    code: loinc("24321-2", "Basic metabolic 2000 panel - Serum or Plasma"),
    tests: &[
        GLUCOSE,
        measured(
            loinc("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"),
            MG_PER_DL,
            0,
            Between(7.0, 20.0),
            (9.0, 19.0),
        ),
        Test {
            normal_women: Some(Between(0.51, 0.95)),
            ..measured(
                loinc("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"),
                MG_PER_DL,
                2,
                Between(0.67, 1.17),
                (0.65, 0.98),
            )
        },
        measured(
            loinc("17861-6", "Calcium [Mass/volume] in Serum or Plasma"),
            MG_PER_DL,
            1,
            Between(8.6, 10.2),
            (9.0, 9.9),
        ),
        measured(
            loinc("2951-2", "Sodium [Moles/volume] in Serum or Plasma"),
            MMOL_PER_L,
            0,
            Between(136.0, 145.0),
            (138.0, 143.0),
        ),
        measured(
            loinc("2823-3", "Potassium [Moles/volume] in Serum or Plasma"),
            MMOL_PER_L,
            1,
            Between(3.5, 5.1),
            (3.9, 4.7),
        ),
        measured(
            loinc("2075-0", "Chloride [Moles/volume] in Serum or Plasma"),
            MMOL_PER_L,
            0,
            Between(98.0, 107.0),
            (100.0, 105.0),
        ),
        measured(
            loinc("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma"),
            MMOL_PER_L,
            0,
            Between(22.0, 29.0),
            (23.0, 28.0),
        ),
    ],
};

pub const LIPIDS: Panel = Panel {
    code: loinc("24331-1", "Lipid 1996 panel - Serum or Plasma"),
    tests: &[
        Test {
            normal_women: Some(Above(50.0)),
            ..measured(
                loinc(HDL_CODE, "Cholesterol in HDL [Mass/volume] in Serum or Plasma"),
                MG_PER_DL,
                0,
                Above(40.0),
                (42.0, 66.0),
            )
        },
        measured(
            loinc(TRIGLYCERIDE_CODE, "Triglyceride [Mass/volume] in Serum or Plasma"),
            MG_PER_DL,
            0,
            Below(150.0),
            (80.0, 150.0),
        ),
        measured(
            loinc(LDL_CODE, "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"),
            MG_PER_DL,
            0,
            Below(130.0),
            (80.0, 128.0),
        ),
        Test {
            code: loinc("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"),
            unit: MG_PER_DL,
            digits: 0,
            normal: Below(200.0),
            normal_women: None,
            // Friedewald, read backwards.
            source: Source::Computed(|value| {
                value(LDL_CODE) + value(HDL_CODE) + value(TRIGLYCERIDE_CODE) / 5.0
            }),
        },
    ],
};

pub const BLOOD_COUNT: Panel = Panel {
    code: loinc("58410-2", "CBC panel - Blood by Automated count"),
    tests: &[
        measured(
            loinc(LEUKOCYTES_CODE, "Leukocytes [#/volume] in Blood by Automated count"),
            THOUSAND_PER_UL,
            1,
            Between(4.0, 11.0),
            (5.0, 9.0),
        ),
        measured(
            loinc(ERYTHROCYTES_CODE, "Erythrocytes [#/volume] in Blood by Automated count"),
            MILLION_PER_UL,
            2,
            Between(4.1, 5.7),
            (4.4, 5.1),
        ),
        Test {
            normal_women: Some(Between(12.0, 15.5)),
            ..measured(
                loinc(HEMOGLOBIN_CODE, "Hemoglobin [Mass/volume] in Blood"),
                G_PER_DL,
                1,
                Between(13.0, 17.0),
                (12.9, 15.0),
            )
        },
        Test {
            code: loinc(
                HEMATOCRIT_CODE,
                "Hematocrit [Volume Fraction] of Blood by Automated count",
            ),
            unit: PERCENT,
            digits: 1,
            normal: Between(38.0, 50.0),
            normal_women: Some(Between(35.0, 46.0)),
            source: Source::Computed(|value| value(HEMOGLOBIN_CODE) * 2.97),
        },
        Test {
            code: loinc("787-2", "MCV [Entitic volume] by Automated count"),
            unit: FEMTOLITRE,
            digits: 1,
            normal: Between(80.0, 100.0),
            normal_women: None,
            source: Source::Computed(|value| {
                value(HEMATOCRIT_CODE) * 10.0 / value(ERYTHROCYTES_CODE)
            }),
        },
        Test {
            code: loinc("785-6", "MCH [Entitic mass] by Automated count"),
            unit: PICOGRAM,
            digits: 1,
            normal: Between(27.0, 33.0),
            normal_women: None,
            source: Source::Computed(|value| {
                value(HEMOGLOBIN_CODE) * 10.0 / value(ERYTHROCYTES_CODE)
            }),
        },
        measured(
            loinc("777-3", "Platelets [#/volume] in Blood by Automated count"),
            THOUSAND_PER_UL,
            0,
            Between(150.0, 400.0),
            (185.0, 330.0),
        ),
    ],
};

const fn measured(
    code: Coding,
    unit: Unit,
    digits: u32,
    normal: Normal,
    set_point: (f64, f64),
) -> Test {
    Test {
        code,
        unit,
        digits,
        normal,
        normal_women: None,
        source: Source::Measured { low: set_point.0, high: set_point.1 },
    }
}
