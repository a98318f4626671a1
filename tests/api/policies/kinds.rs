//! Kinds of tokens, and what each of them reaches.

use std::collections::BTreeSet;

use chartlog::auth::About;

pub const DIRECTORY: &str = "Practitioner/pam Practitioner/gil Practitioner/eva Organization/house";
pub const ALL: &str = "Practitioner/pam Practitioner/gil Practitioner/eva Organization/house \
    Patient/p Observation/o-p1 Observation/o-p2 Condition/c-p CareTeam/t-p Encounter/v-p Consent/k-p \
    Patient/q Observation/o-q1 Observation/o-q2 Condition/c-q CareTeam/t-q Consent/k-q \
    Patient/r Observation/o-r1 Observation/o-r2 Condition/c-r CareTeam/t-r \
    Patient/s Observation/o-s1 Observation/o-s2 Condition/c-s Encounter/v-s RelatedPerson/rel Consent/k-s";

/// A kind of token, and what it reaches without and with Consents in force.
pub struct Kind {
    pub name: &'static str,
    pub scope: &'static str,
    pub patient: Option<&'static str>,
    pub about: About,
    /// Without the directory, where `in_directory` brings that.
    pub reaches: &'static str,
    pub in_directory: bool,
    pub denied_by_consent: &'static str,
}

pub fn kinds() -> Vec<Kind> {
    let user = |fhir_user: &str| About { fhir_user: Some(fhir_user.into()), ..About::default() };
    let client = About { client: Some("warehouse".into()), ..About::default() };
    let role = |role: &str| About {
        role: Some(role.into()),
        organization: Some("Organization/house".into()),
        ..About::default()
    };
    let kind = |name, scope, about, reaches, denied_by_consent| Kind {
        name,
        scope,
        patient: None,
        about,
        reaches,
        in_directory: true,
        denied_by_consent,
    };
    let of_p = "Patient/p Observation/o-p1 Condition/c-p CareTeam/t-p Encounter/v-p Consent/k-p";
    let of_q = "Patient/q Observation/o-q1 Observation/o-q2 Condition/c-q CareTeam/t-q Consent/k-q";
    let without_q = "Patient/q Observation/o-q1 Observation/o-q2 Condition/c-q CareTeam/t-q";
    let of_s = "Patient/s Observation/o-s1 Encounter/v-s RelatedPerson/rel Consent/k-s";
    let family =
        "Patient/s Observation/o-s1 Condition/c-s Encounter/v-s RelatedPerson/rel Consent/k-s";
    let of_r = "Patient/r Observation/o-r1 Condition/c-r CareTeam/t-r";
    let own_q = "Patient/q Observation/o-q1 Condition/c-q CareTeam/t-q Consent/k-q";
    let launched = |name, patient, about, reaches| Kind {
        patient: Some(patient),
        in_directory: false,
        ..kind(name, "patient/*.rs", about, reaches, "")
    };
    vec![
        kind("warehouse", "system/*.rs", client, ALL, ""),
        kind("care team", "user/*.rs", user("Practitioner/pam"), of_p, "Condition/c-p"),
        kind("general practitioner", "user/*.rs", user("Practitioner/gil"), of_q, without_q),
        kind("current encounter", "user/*.rs", user("Practitioner/eva"), of_s, "Observation/o-s1"),
        kind("organisation", "user/*.rs", role("nurse"), of_r, ""),
        kind(
            "registrar",
            "user/*.rs",
            role("registrar"),
            "Patient/p Patient/q Patient/r Patient/s",
            "",
        ),
        kind("family", "user/*.rs", user("RelatedPerson/rel"), family, ""),
        kind("stranger", "user/*.rs", user("Practitioner/nobody"), "", ""),
        kind(
            "another server's",
            "user/*.rs",
            user("https://other.example/fhir/Practitioner/pam"),
            "",
            "",
        ),
        launched("patient", "p", user("Patient/p"), of_p),
        launched("other patient", "q", user("Patient/q"), own_q),
        launched("launched by nobody", "p", About::default(), ""),
        kind("without search", "user/*.r", user("Practitioner/pam"), of_p, "Condition/c-p"),
        Kind {
            in_directory: false,
            ..kind(
                "one type",
                "user/Observation.rs",
                user("Practitioner/pam"),
                "Observation/o-p1",
                "",
            )
        },
        Kind {
            in_directory: false,
            ..kind(
                "restricted",
                "user/Observation.rs?code=k",
                user("Practitioner/gil"),
                "Observation/o-q1",
                "Observation/o-q1",
            )
        },
    ]
}

impl Kind {
    pub fn reach(&self, consent: bool) -> BTreeSet<String> {
        let denied = if consent { self.denied_by_consent } else { "" };
        let directory = if self.in_directory { DIRECTORY } else { "" };
        let denied = of(denied);
        of(self.reaches)
            .union(&of(directory))
            .filter(|key| !denied.contains(*key))
            .cloned()
            .collect()
    }

    pub fn grants(&self, kind: &str, search: bool) -> bool {
        let (_, scope) = self.scope.split_once('/').unwrap();
        let (types, rest) = scope.split_once('.').unwrap();
        (types == "*" || types == kind) && (!search || rest.contains('s'))
    }
}

pub fn of(list: &str) -> BTreeSet<String> {
    list.split_whitespace().map(str::to_owned).collect()
}
