//! An access in plain words, for the patient whose chart it was about.

use super::kinds::{Counts, Touch, is_old};
use crate::access::{AccessEntry, Action, Outcome};

/// Categories of a chart, in words that follow "your"; types that are not named here stand for themselves.
const CATEGORIES: [(&str, &str); 32] = [
    ("AllergyIntolerance", "allergies"),
    ("Appointment", "appointments"),
    ("CarePlan", "care plans"),
    ("CareTeam", "care team"),
    ("Claim", "insurance claims"),
    ("Communication", "messages"),
    ("CommunicationRequest", "requests for information"),
    ("Composition", "letters"),
    ("Condition", "diagnoses"),
    ("Consent", "consents"),
    ("Coverage", "insurance"),
    ("Device", "devices"),
    ("DiagnosticReport", "diagnostic reports"),
    ("DocumentReference", "documents"),
    ("Binary", "files"),
    ("Encounter", "visits"),
    ("EpisodeOfCare", "episodes of care"),
    ("ExplanationOfBenefit", "bills"),
    ("FamilyMemberHistory", "family history"),
    ("Goal", "goals"),
    ("ImagingStudy", "images"),
    ("Immunization", "vaccinations"),
    ("MedicationAdministration", "medicines given"),
    ("MedicationDispense", "medicines dispensed"),
    ("MedicationRequest", "prescriptions"),
    ("MedicationStatement", "medicines"),
    ("Observation", "observations"),
    ("Patient", "personal details"),
    ("Procedure", "procedures"),
    ("RelatedPerson", "relatives"),
    ("ServiceRequest", "referrals"),
    ("Specimen", "samples"),
];

/// Codes of HL7's `ActReason`, in words that follow what was done.
const PURPOSES: [(&str, &str); 12] = [
    ("TREAT", "for treatment"),
    ("ETREAT", "for treatment in an emergency"),
    ("BTG", "by breaking the glass"),
    ("CLINTRCH", "for a clinical trial"),
    ("COVERAGE", "to see whether the insurance pays"),
    ("HMARKT", "for marketing"),
    ("HOPERAT", "for running the clinic"),
    ("HPAYMT", "for payment"),
    ("HRESCH", "for research"),
    ("HLEGAL", "for a legal reason"),
    ("PATRQT", "because you asked for it"),
    ("PUBHLTH", "for public health"),
];

/// The categories of some types of resource, in words that follow "your".
pub fn categories(counts: &Counts) -> Vec<String> {
    counts
        .keys()
        .map(|kind| {
            let known = CATEGORIES.iter().find(|(known, _)| known == kind);
            known.map_or_else(|| (*kind).to_owned(), |(_, words)| (*words).to_owned())
        })
        .collect()
}

/// The codes of a purpose of use, without their systems.
pub fn codes(purpose: &str) -> impl Iterator<Item = &str> {
    let codes = purpose.split([' ', ',']).filter(|code| !code.is_empty());
    codes.map(|code| code.rsplit('|').next().unwrap_or(code))
}

/// Why, in words that follow what was done.
pub fn purpose(purpose: Option<&str>) -> String {
    let Some(purpose) = purpose else { return "without saying why".to_owned() };
    let of_code = |code: &str| {
        let known = PURPOSES.iter().find(|(known, _)| *known == code);
        known.map_or_else(|| format!("for the purpose {code}"), |(_, words)| (*words).to_owned())
    };
    codes(purpose).map(of_code).collect::<Vec<_>>().join(" and ")
}

/// Who, with role and organisation.
pub fn who(entry: &AccessEntry) -> String {
    let Some(identity) = &entry.source.identity else {
        return "Somebody who was not identified".to_owned();
    };
    let mut words = identity.name.clone().unwrap_or_else(|| identity.subject.clone());
    let beside: Vec<&str> = [&identity.role, &identity.organization]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if !beside.is_empty() {
        words.push_str(&format!(" ({})", beside.join(", ")));
    }
    if let Some(acting) = &identity.acting {
        words = format!("{acting}, on behalf of {words},");
    }
    words
}

/// The whole: "Dr Adams (physician, Clinic North) read your visits for treatment."
pub fn summary(entry: &AccessEntry, touch: &Touch) -> String {
    let why = purpose(entry.source.purpose.as_deref());
    format!("{} {} {why}.", who(entry), deed(entry, touch))
}

/// What was done.
fn deed(entry: &AccessEntry, touch: &Touch) -> String {
    let mut deeds = Vec::new();
    if !touch.shown.is_empty() {
        deeds.push(format!("read your {}", joined(&categories(&touch.shown))));
    }
    if !touch.written.is_empty() {
        let verb = match entry.look.action() {
            Action::Create => "added to",
            Action::Delete => "removed something from",
            Action::Update => "changed",
            Action::Read | Action::Execute => "wrote into",
        };
        deeds.push(format!("{verb} your {}", joined(&categories(&touch.written))));
    }
    if !deeds.is_empty() {
        return deeds.join(" and ");
    }
    let refused = entry.looks().any(|look| look.outcome == Outcome::Refused);
    let is_granted = entry.look.outcome == Outcome::Granted;
    match &*entry.look.operation {
        _ if refused => "asked for something in your chart and was refused",
        _ if !is_granted => "asked for something in your chart and was shown nothing",
        "listChartAccesses" | "listAccesses" | "readAccess" | "readReport" => {
            "looked at who has seen your chart"
        }
        "holdChart" => "protected your chart from being erased",
        "releaseChart" => "lifted the protection of your chart from being erased",
        "eraseChart" => "asked about the erasure of your chart",
        _ if is_old(entry) => "looked into your chart",
        _ => "asked about your chart and was shown nothing of it",
    }
    .to_owned()
}

fn joined(words: &[String]) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Identity, RequestId, Source};

    fn entry(operation: &str, purpose: Option<&str>) -> AccessEntry {
        let identity = Identity {
            subject: "u17".to_owned(),
            name: Some("Dr Adams".to_owned()),
            role: Some("physician".to_owned()),
            organization: Some("Clinic North".to_owned()),
            ..Identity::default()
        };
        let purpose = purpose.map(str::to_owned);
        let source = Source { identity: Some(identity.into()), purpose, ..Source::default() };
        AccessEntry::of(source, RequestId::new(1 << 20, 1), operation, 0)
    }

    #[test]
    fn an_access_reads_as_a_sentence() {
        let shown = Counts::from([("Observation", 3), ("Encounter", 1), ("Basic", 1)]);
        let touch = Touch { shown, ..Touch::default() };
        let treat = Some("http://terminology.hl7.org/CodeSystem/v3-ActReason|TREAT");
        assert_eq!(
            summary(&entry("searchResources", treat), &touch),
            "Dr Adams (physician, Clinic North) read your Basic, visits and observations for \
             treatment."
        );
        let written = Counts::from([("Condition", 1)]);
        let touch = Touch { written, ..Touch::default() };
        assert_eq!(
            summary(&entry("createResource", Some("BTG X9")), &touch),
            "Dr Adams (physician, Clinic North) added to your diagnoses by breaking the glass \
             and for the purpose X9."
        );
        assert_eq!(
            summary(&entry("listChartAccesses", None), &Touch::default()),
            "Dr Adams (physician, Clinic North) looked at who has seen your chart without saying why."
        );
    }

    #[test]
    fn who_is_not_identified_or_acts_for_another_is_said() {
        let mut one = entry("readResource", Some("TREAT"));
        one.look.outcome = Outcome::Refused;
        one.source = Source::default().into();
        assert_eq!(
            summary(&one, &Touch::default()),
            "Somebody who was not identified asked for something in your chart and was refused \
             without saying why."
        );
        let identity = Identity {
            subject: "u17".to_owned(),
            acting: Some("bot".to_owned()),
            ..Identity::default()
        };
        one.source = Source { identity: Some(identity.into()), ..Source::default() }.into();
        assert_eq!(who(&one), "bot, on behalf of u17,");
    }
}
