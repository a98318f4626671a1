//! Which report is asked for.

use super::super::AccessFilter;
use crate::clock::Instant;
use crate::config::AuditConfig;
use crate::fhir::ResourceId;

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The reports there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// Accounting of the disclosures of a patient's chart (45 CFR 164.528).
    Disclosures,
    /// Who accessed a patient's chart, in plain words (EHDS article 9).
    PatientAccess,
    /// What each user did.
    UserActivity,
    /// Each access with the glass broken.
    BreakGlass,
    /// Each request that was refused.
    Refusals,
    /// Accesses that a rule calls unusual.
    Unusual,
}

/// A report that is asked for.
#[derive(Debug, Clone)]
pub struct ReportRequest {
    /// Which.
    pub kind: ReportKind,
    /// Of this patient's chart.
    pub patient: Option<ResourceId>,
    /// Of this user.
    pub subject: Option<String>,
    /// From this moment on; `None`: as far back as the report usually goes.
    pub since: Option<Instant>,
    /// Before this moment.
    pub until: Option<Instant>,
    /// With disclosures that need not be accounted for.
    pub with_exempt: bool,
    /// What is unusual.
    pub rules: AuditConfig,
}

impl ReportKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Disclosures,
        Self::PatientAccess,
        Self::UserActivity,
        Self::BreakGlass,
        Self::Refusals,
        Self::Unusual,
    ];

    /// Its name in the address.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disclosures => "disclosures",
            Self::PatientAccess => "patient-access",
            Self::UserActivity => "user-activity",
            Self::BreakGlass => "break-glass",
            Self::Refusals => "refusals",
            Self::Unusual => "unusual",
        }
    }

    /// Whether it is about the chart of one patient, who may read it too.
    #[must_use]
    pub fn is_of_patient(self) -> bool {
        matches!(self, Self::Disclosures | Self::PatientAccess)
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Disclosures => "Accounting of disclosures",
            Self::PatientAccess => "Who accessed your health data",
            Self::UserActivity => "User activity",
            Self::BreakGlass => "Accesses with the glass broken",
            Self::Refusals => "Refused requests",
            Self::Unusual => "Unusual accesses",
        }
    }

    /// How far it goes back unless it is told, in days: six years (45 CFR 164.528(a)(1)), three years
    /// (EHDS article 9(2)), a month.
    fn days(self) -> i64 {
        match self {
            Self::Disclosures => 6 * 365 + 2,
            Self::PatientAccess => 3 * 365 + 1,
            Self::UserActivity | Self::BreakGlass | Self::Refusals | Self::Unusual => 31,
        }
    }
}

impl ReportRequest {
    /// From when until when, as of now.
    pub(super) fn period(&self) -> (Instant, Instant) {
        let until = self.until.unwrap_or_else(Instant::now);
        let usual = Instant::from_micros(until.micros() - self.kind.days() * DAY_MICROS);
        (self.since.unwrap_or(usual), until)
    }

    pub(super) fn filter(&self) -> AccessFilter {
        AccessFilter {
            patient: self.patient.clone(),
            subject: self.subject.clone(),
            since: Some(self.period().0),
            until: self.until,
            ..AccessFilter::default()
        }
    }
}
