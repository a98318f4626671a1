//! Accesses that a rule calls unusual.

use std::collections::BTreeMap;

use chrono::Timelike as _;
use chrono_tz::Tz;

use super::facts::{FactReader, Facts, plain_name};
use super::kinds::is_old;
use super::request::ReportRequest;
use super::table::{Cell, Column, column};
use super::walk;
use crate::access::{AccessEntry, Identity, Outcome};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::config::AuditConfig;
use crate::fhir::ResourceId;
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};

pub const COLUMNS: &[Column] = &[
    column("rule", "Rule"),
    column("why", "Why"),
    column("subject", "User"),
    column("name", "Name"),
    column("organization", "Organisation"),
    column("patient", "Patient"),
    column("first", "First"),
    column("last", "Last"),
    column("count", "Number"),
    column("purposes", "Purposes"),
    column("access", "First entry"),
];

/// The accesses of one user to one chart that one rule names.
struct Finding {
    why: String,
    name: Option<String>,
    organization: Option<String>,
    first: Instant,
    last: Instant,
    count: u64,
    purposes: Vec<String>,
    access: String,
}

/// Rule, issuer and subject, patient.
type Key = (&'static str, (String, String), ResourceId);

/// What was found, the rule first.
pub fn rows(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
) -> Result<Vec<Vec<Cell>>, RecordsError> {
    let rules = &request.rules;
    let mut reader = FactReader::new(records, grant);
    let mut all: BTreeMap<Key, Finding> = BTreeMap::new();
    walk::each(records, grant, &request.filter(), |kinds, access| {
        let entry = &access.entry;
        let Some(identity) = entry.source.identity.as_ref().filter(|who| is_person(who)) else {
            return Ok(());
        };
        for chart in entry.charts() {
            // A commit shows nothing.
            let was_granted = is_old(entry) && entry.look.outcome == Outcome::Granted;
            if kinds.touch(entry, chart)?.shown.is_empty() && !was_granted {
                continue;
            }
            let facts = reader.facts(chart)?;
            let Some(patient) = &facts.patient else { continue };
            for (rule, why) in broken(rules, identity, entry, chart, &facts, &mut reader)? {
                grant.saw_chart(chart);
                let who = (identity.issuer.clone(), identity.subject.clone());
                let finding = all.entry((rule, who, patient.clone())).or_insert_with(|| Finding {
                    why,
                    name: identity.name.clone(),
                    organization: identity.organization.clone(),
                    first: access.recorded_at,
                    last: access.recorded_at,
                    count: 0,
                    purposes: Vec::new(),
                    access: access.id.to_string(),
                });
                finding.last = access.recorded_at;
                finding.count += 1;
                let purpose = entry.source.purpose.iter();
                let new: Vec<_> = purpose
                    .filter(|purpose| !finding.purposes.contains(purpose))
                    .cloned()
                    .collect();
                finding.purposes.extend(new);
            }
        }
        Ok(())
    })?;
    let row = |((rule, (_, subject), patient), finding): (Key, Finding)| {
        vec![
            rule.into(),
            finding.why.into(),
            subject.into(),
            finding.name.into(),
            finding.organization.into(),
            patient.to_string().into(),
            finding.first.into(),
            finding.last.into(),
            finding.count.into(),
            finding.purposes.into(),
            finding.access.into(),
        ]
    };
    Ok(all.into_iter().map(row).collect())
}

/// The rules by which an access to a chart is unusual, each with the reason.
fn broken(
    rules: &AuditConfig,
    who: &Identity,
    entry: &AccessEntry,
    chart: StreamAlias,
    facts: &Facts,
    reader: &mut FactReader<'_>,
) -> Result<Vec<(&'static str, String)>, RecordsError> {
    let mut found = Vec::new();
    let name = who.name.as_deref().map(plain_name).filter(|name| !name.is_empty());
    let own = own_chart(who, name.as_deref(), facts);
    if let Some(why) = own {
        found.extend(rules.unusual_own_chart.then(|| ("own-chart", why.to_owned())));
    } else if let Some(name) = &name
        && rules.unusual_same_surname
        && facts.families.iter().any(|family| ends_in(name, family))
    {
        found.push(("same-surname", "user and patient have the same surname".to_owned()));
    }
    if rules.unusual_vip
        && let Some(code) = rules.vip_codes.iter().find(|code| facts.labels.contains(*code))
    {
        found.push(("vip", format!("the Patient is labelled {code}")));
    }
    if rules.unusual_no_relation
        && own.is_none()
        && !reader.carers(chart)?.include(&references(who), name.as_deref())
    {
        let why = "no visit, care team, order or plan in the chart names the user";
        found.push(("no-relation", why.to_owned()));
    }
    if rules.unusual_night
        && let Some(time) = time_at_night(rules, entry.begun_at)
    {
        found.push(("night", format!("begun at {time} ({})", rules.time_zone)));
    }
    Ok(found)
}

/// Whether a token speaks for a person who works with charts: programs have `system/` scopes, patients
/// `patient/` ones. Entries of format 1 do not say.
fn is_person(who: &Identity) -> bool {
    let is_user = |scopes: &str| scopes.split(' ').any(|scope| scope.starts_with("user/"));
    who.scopes.as_deref().is_none_or(is_user)
}

/// Why the chart seems to be the user's own.
fn own_chart(who: &Identity, name: Option<&str>, facts: &Facts) -> Option<&'static str> {
    let id = facts.patient.as_ref()?.as_str();
    let reference = format!("Patient/{id}");
    let is_patient = |name: &str| {
        let before = name.strip_suffix(&reference);
        name == id || before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    if is_patient(&who.subject) || who.fhir_user.as_deref().is_some_and(is_patient) {
        return Some("the user is the patient");
    }
    if facts.identifiers.contains(&who.subject) {
        return Some("the user is an identifier of the patient");
    }
    let is_same = name.is_some_and(|name| facts.names.iter().any(|known| known == name));
    is_same.then_some("user and patient have the same name")
}

/// What refers to a user: the resource that the token names, that of the subject, and the Practitioner whose id is
/// the subject.
fn references(who: &Identity) -> Vec<String> {
    let mut references = Vec::new();
    for name in [who.fhir_user.as_deref(), Some(&who.subject)].into_iter().flatten() {
        for kind in ["Practitioner", "PractitionerRole"] {
            let id = name.rsplit_once(&format!("{kind}/")).map(|(_, id)| id);
            let id = id.or_else(|| (!name.contains('/')).then_some(name));
            let id = id.and_then(|id| ResourceId::parse(id).ok());
            references.extend(id.map(|id| format!("{kind}/{id}")));
        }
    }
    references
}

fn ends_in(name: &str, family: &str) -> bool {
    name.strip_suffix(family).is_some_and(|before| before.is_empty() || before.ends_with(' '))
}

/// The time of the day, if it is at night by the clock of the place.
fn time_at_night(rules: &AuditConfig, micros: i64) -> Option<String> {
    let zone: Tz = rules.time_zone.parse().unwrap_or(Tz::UTC);
    let time = chrono::DateTime::from_timestamp_micros(micros)?.with_timezone(&zone);
    let (hour, begins, ends) =
        (u64::from(time.hour()), rules.night_begins_hour, rules.night_ends_hour);
    let is_night = match begins <= ends {
        true => (begins..ends).contains(&hour),
        false => hour >= begins || hour < ends,
    };
    is_night.then(|| time.format("%H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_night_is_that_of_the_place() {
        let rules = |time_zone: &str, night_begins_hour, night_ends_hour| AuditConfig {
            time_zone: time_zone.to_owned(),
            night_begins_hour,
            night_ends_hour,
            ..AuditConfig::default()
        };
        let at = |text: &str| Instant::parse(text).unwrap().micros();
        for (rules, moment, expected) in [
            (rules("UTC", 22, 6), "2026-07-01T21:59:59Z", None),
            (rules("UTC", 22, 6), "2026-07-01T22:00:00Z", Some("22:00")),
            (rules("UTC", 22, 6), "2026-07-01T05:59:59Z", Some("05:59")),
            (rules("UTC", 22, 6), "2026-07-01T06:00:00Z", None),
            (rules("Europe/Berlin", 22, 6), "2026-07-01T20:00:00Z", Some("22:00")),
            (rules("Europe/Berlin", 22, 6), "2026-12-01T20:59:59Z", None),
            (rules("Europe/Berlin", 22, 6), "2026-12-01T21:00:00Z", Some("22:00")),
            (rules("UTC", 1, 5), "2026-07-01T00:59:59Z", None),
            (rules("UTC", 1, 5), "2026-07-01T03:00:00Z", Some("03:00")),
            (rules("UTC", 6, 6), "2026-07-01T06:00:00Z", None),
        ] {
            let found = time_at_night(&rules, at(moment));
            assert_eq!(found.as_deref(), expected, "{moment} {}", rules.time_zone);
        }
    }

    #[test]
    fn a_user_is_referred_to_by_subject_or_practitioner() {
        let user = |subject: &str, fhir_user: Option<&str>| {
            let (subject, fhir_user) = (subject.to_owned(), fhir_user.map(str::to_owned));
            references(&Identity { subject, fhir_user, ..Identity::default() })
        };
        assert_eq!(user("p1", None), ["Practitioner/p1", "PractitionerRole/p1"]);
        assert_eq!(user("https://x/fhir/Practitioner/p1", None), ["Practitioner/p1"]);
        assert_eq!(user("a b", Some("https://x/fhir/PractitionerRole/r")), ["PractitionerRole/r"]);
        assert_eq!(user("a b", Some("Patient/p1")), Vec::<String>::new());
    }

    #[test]
    fn a_surname_is_whole_words() {
        for (name, family, expected) in [
            ("anna weiss", "weiss", true),
            ("weiss", "weiss", true),
            ("maria de la cruz", "de la cruz", true),
            ("maria de la cruz", "cruz", true),
            ("anna reinweiss", "weiss", false),
            ("weiss anna", "weiss", false),
        ] {
            assert_eq!(ends_in(name, family), expected, "{name} {family}");
        }
    }
}
