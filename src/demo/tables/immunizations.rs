//! The immunization schedule, simplified from the CDC's.

use super::{Coding, cvx};

pub struct Vaccine {
    pub code: Coding,
    /// Ages, in months, at which doses are due.
    pub due_months: &'static [i64],
    /// Not given from this age on, in months.
    pub until_months: i64,
    /// First year in which it could be given.
    pub since_year: i32,
    /// Of a hundred people, how many accept it.
    pub uptake_percent: u32,
}

pub const LIFELONG: i64 = 12 * 130;

pub const SCHEDULE: [Vaccine; 16] = [
    vaccine(cvx("08", "Hep B, adolescent or pediatric"), &[0, 2, 6], 216, 95),
    vaccine(cvx("119", "rotavirus, monovalent"), &[2, 4], 8, 90),
    vaccine(cvx("20", "DTaP"), &[2, 4, 6, 15, 48], 84, 96),
    vaccine(cvx("49", "Hib (PRP-OMP)"), &[2, 4, 12], 60, 94),
    vaccine(cvx("133", "Pneumococcal conjugate PCV 13"), &[2, 4, 6, 12], 60, 94),
    vaccine(cvx("10", "IPV"), &[2, 4, 6, 48], 216, 96),
    vaccine(cvx("03", "MMR"), &[12, 48], 216, 96),
    vaccine(cvx("21", "varicella"), &[12, 48], 216, 94),
    vaccine(cvx("83", "Hep A, ped/adol, 2 dose"), &[12, 18], 216, 88),
    vaccine(cvx("115", "Tdap"), &[132], 300, 90),
    Vaccine { since_year: 2015, ..vaccine(cvx("165", "HPV9"), &[132, 138], 324, 72) },
    vaccine(cvx("114", "meningococcal MCV4P"), &[132, 192], 264, 85),
    vaccine(
        cvx("113", "Td (adult) preservative free"),
        &[264, 384, 504, 624, 744, 864, 984, 1104],
        LIFELONG,
        80,
    ),
    vaccine(cvx("187", "zoster recombinant"), &[600, 604], LIFELONG, 55),
    vaccine(cvx("33", "pneumococcal polysaccharide PPV23"), &[780], LIFELONG, 70),
    Vaccine {
        since_year: 2021,
        ..vaccine(
            cvx("208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose"),
            &[192, 193],
            LIFELONG,
            70,
        )
    },
];

/// Offered to everyone above six months, every autumn.
pub const INFLUENZA: Coding = cvx("140", "Influenza, seasonal, injectable, preservative free");
pub const INFLUENZA_FROM_MONTHS: i64 = 6;
pub const INFLUENZA_UPTAKE_PERCENT: u32 = 55;
/// The months, 1 to 12, in which it is offered.
pub const INFLUENZA_SEASON: [u32; 5] = [9, 10, 11, 12, 1];

const fn vaccine(
    code: Coding,
    due_months: &'static [i64],
    until_months: i64,
    uptake_percent: u32,
) -> Vaccine {
    Vaccine { code, due_months, until_months, since_year: 1990, uptake_percent }
}
