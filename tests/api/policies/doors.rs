//! Doors, and what each of them shows of what is reached.

use std::collections::BTreeSet;

use super::kinds::{DIRECTORY, of};

/// A door, the types that it searches, and what it shows of what is reached.
pub struct Door {
    pub url: &'static str,
    pub searches: &'static [&'static str],
    pub shows: fn(&BTreeSet<String>) -> BTreeSet<String>,
}

fn only(reach: &BTreeSet<String>, is_shown: impl Fn(&str) -> bool) -> BTreeSet<String> {
    reach.iter().filter(|key| is_shown(key)).cloned().collect()
}

/// The patient in whose chart the examples of this test lie: the letter behind the last hyphen, or the id.
fn chart_of(key: &str) -> char {
    match key {
        "RelatedPerson/rel" => 's',
        _ => key
            .rsplit_once('-')
            .map_or(key.rsplit_once('/').unwrap().1, |(_, id)| id)
            .chars()
            .next()
            .unwrap(),
    }
}

fn of_kind(reach: &BTreeSet<String>, kind: &str) -> BTreeSet<String> {
    only(reach, |key| key.split_once('/').unwrap().0 == kind)
}

pub fn in_chart(reach: &BTreeSet<String>, chart: char) -> BTreeSet<String> {
    only(reach, |key| !of(DIRECTORY).contains(key) && chart_of(key) == chart)
}

/// The same, and what of the directory it refers to.
pub fn everything_of(reach: &BTreeSet<String>, chart: char) -> BTreeSet<String> {
    let mut all = in_chart(reach, chart);
    let refers = |to: &str| {
        all.iter().any(|key| match to {
            "Practitioner/pam" => {
                let kinds = ["Observation/", "CareTeam/"];
                key == "Consent/k-p" || kinds.iter().any(|kind| key.starts_with(kind))
            }
            "Practitioner/eva" => key.starts_with("Encounter/"),
            "Practitioner/gil" => key == "Patient/q" || key == "Consent/k-q",
            _ => key == "Patient/r",
        })
    };
    let directory = of(DIRECTORY);
    let supporting: Vec<_> =
        directory.into_iter().filter(|key| reach.contains(key) && refers(key)).collect();
    all.extend(supporting);
    all
}

pub const DOORS: &[Door] = &[
    Door {
        url: "Observation",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door { url: "Patient", searches: &["Patient"], shows: |all| of_kind(all, "Patient") },
    Door {
        url: "Condition?_count=1",
        searches: &["Condition"],
        shows: |all| of_kind(all, "Condition"),
    },
    Door {
        url: "CareTeam?status=active,inactive",
        searches: &["CareTeam"],
        shows: |all| of_kind(all, "CareTeam"),
    },
    Door { url: "Consent", searches: &["Consent"], shows: |all| of_kind(all, "Consent") },
    Door {
        url: "Encounter?status:not=planned",
        searches: &["Encounter"],
        shows: |all| of_kind(all, "Encounter"),
    },
    Door {
        url: "Practitioner",
        searches: &["Practitioner"],
        shows: |all| of_kind(all, "Practitioner"),
    },
    Door {
        url: "Observation?code=k",
        searches: &["Observation"],
        shows: |all| only(all, |key| key.starts_with("Observation/") && key.ends_with('1')),
    },
    Door {
        url: "Observation?_sort=-date",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door {
        url: "Observation?_sort=_lastUpdated&_count=2",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door {
        url: "Observation?_security=urn:label|R",
        searches: &["Observation"],
        shows: |all| only(all, |key| key.starts_with("Observation/") && key.ends_with('2')),
    },
    Door {
        url: "Observation?_id=o-p1,o-p2,o-q1,o-q2",
        searches: &["Observation"],
        shows: |all| {
            only(all, |key| key.starts_with("Observation/") && "pq".contains(chart_of(key)))
        },
    },
    Door {
        url: "Observation?_include=Observation:subject&_include=Observation:performer",
        searches: &["Observation"],
        shows: |all| {
            let found = of_kind(all, "Observation");
            only(all, |key| {
                let is_subject = key.starts_with("Patient/")
                    && found.iter().any(|one| chart_of(one) == chart_of(key));
                found.contains(key) || is_subject || key == "Practitioner/pam" && !found.is_empty()
            })
        },
    },
    Door {
        url: "Patient?_revinclude=Observation:subject&_revinclude=Condition:subject",
        searches: &["Patient"],
        shows: |all| {
            only(all, |key| {
                let is_found = all.contains(&format!("Patient/{}", chart_of(key)));
                let kind = key.split_once('/').unwrap().0;
                is_found && ["Patient", "Observation", "Condition"].contains(&kind)
            })
        },
    },
    Door {
        url: "Observation?patient.name=Famp",
        searches: &["Observation", "Patient"],
        shows: |all| of_kind(&in_chart(all, 'p'), "Observation"),
    },
    Door {
        url: "Patient?_has:Observation:patient:code=na",
        searches: &["Patient", "Observation"],
        shows: |all| {
            only(all, |key| {
                key.starts_with("Patient/")
                    && all.contains(&format!("Observation/o-{}2", chart_of(key)))
            })
        },
    },
    Door {
        url: "Condition?evidence-detail:Observation.code=na",
        searches: &["Condition", "Observation"],
        shows: |all| {
            only(all, |key| {
                key.starts_with("Condition/")
                    && all.contains(&format!("Observation/o-{}2", chart_of(key)))
            })
        },
    },
    Door {
        url: "Observation/_history",
        searches: &["Observation"],
        shows: |all| of_kind(all, "Observation"),
    },
    Door {
        url: "Patient/p/Observation",
        searches: &["Observation"],
        shows: |all| of_kind(&in_chart(all, 'p'), "Observation"),
    },
    Door {
        url: "Patient/q/Condition",
        searches: &["Condition"],
        shows: |all| of_kind(&in_chart(all, 'q'), "Condition"),
    },
    Door {
        url: "Observation?patient=s&_asOf=NOW",
        searches: &["Observation"],
        shows: |all| of_kind(&in_chart(all, 's'), "Observation"),
    },
];
