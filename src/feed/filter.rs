//! What is wanted of the log, as the parameters of a request say it.

use crate::chart::EventType;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::search::{Criteria, Criterion};
use crate::fhir::{Parameters, ResourceType, parse_query};
use crate::records::{KindFilter, LogFilter};

/// Most criteria of one follower.
pub const CRITERIA_MAX: usize = 32;
/// Longest criteria, in bytes.
pub const CRITERIA_LENGTH_MAX: usize = 2_000;

/// The filter that some decoded parameters say, of which each may be given several times. Other parameters are left
/// alone.
///
/// # Errors
///
/// Everything that is wrong, in its order.
pub fn filter(
    parameters: &Parameters,
    pairs: &[(String, String)],
    base_url: Option<&str>,
) -> Result<LogFilter, Vec<Problem>> {
    let mut filter = LogFilter::default();
    let mut problems = Vec::new();
    for (name, text) in pairs {
        let read = match name.as_str() {
            "kind" => each(text, kind).map(|kinds| filter.kinds.extend(kinds)),
            "type" => each(text, resource_type).map(|types| filter.types.extend(types)),
            "patient" => match text.strip_prefix("Patient/").unwrap_or(text).parse() {
                Ok(_) if filter.patient.is_some() => Err(value("may be given once")),
                Ok(patient) => {
                    filter.patient = Some(patient);
                    Ok(())
                }
                Err(error) => Err(value(format!("{error}"))),
            },
            "actor" if filter.actor.is_some() => Err(value("may be given once")),
            "actor" => {
                filter.actor = Some(text.clone());
                Ok(())
            }
            "include" => each(text, include).map(|parts| {
                filter.with_bodies |= parts.contains(&Included::Resource);
                filter.with_actors |= parts.contains(&Included::Actor);
            }),
            "criteria" if filter.criteria.len() == CRITERIA_MAX => {
                Err(vec![(IssueCode::TooCostly, format!("at most {CRITERIA_MAX} are allowed"))])
            }
            "criteria" => {
                criteria(parameters, text, base_url).map(|criteria| filter.criteria.push(criteria))
            }
            _ => Ok(()),
        };
        for (code, diagnostics) in read.err().unwrap_or_default() {
            problems.push(Problem { code, expression: name.clone(), diagnostics });
        }
    }
    if problems.is_empty() { Ok(filter) } else { Err(problems) }
}

/// What is wrong with a value.
pub(super) type Wrong = Vec<(IssueCode, String)>;

fn value(diagnostics: impl Into<String>) -> Wrong {
    vec![(IssueCode::Value, diagnostics.into())]
}

/// Values that stand in one parameter, separated by commas.
fn each<T>(text: &str, read: impl Fn(&str) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    let (mut values, mut wrong) = (Vec::new(), Wrong::new());
    for part in text.split(',').map(str::trim) {
        match read(part) {
            Ok(value) => values.push(value),
            Err(more) => wrong.extend(more),
        }
    }
    if wrong.is_empty() { Ok(values) } else { Err(wrong) }
}

/// `Observation.recorded`, `chart.erased`, or `recorded` of any type.
fn kind(text: &str) -> Result<KindFilter, Wrong> {
    let (subject, word) = match text.split_once('.') {
        Some((subject, word)) => (Some(subject), word),
        None => (None, text),
    };
    let is_subject = |subject: &str| {
        matches!(subject, "chart" | "request") || subject.parse::<ResourceType>().is_ok()
    };
    let known: Option<EventType> = format!("{}.{word}", subject.unwrap_or_default()).parse().ok();
    match known.filter(|_| subject.is_none_or(is_subject)) {
        Some(known) => {
            Ok(KindFilter { subject: subject.map(str::to_owned), event_kind: known.event_kind })
        }
        None => Err(value(format!(
            "{text:?} is not a kind of event, such as Observation.recorded, chart.erased, or recorded of any type"
        ))),
    }
}

fn resource_type(text: &str) -> Result<ResourceType, Wrong> {
    text.parse().map_err(|error| value(format!("{error}")))
}

/// What an event is to say besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Included {
    Resource,
    Actor,
}

fn include(text: &str) -> Result<Included, Wrong> {
    match text {
        "resource" => Ok(Included::Resource),
        "actor" => Ok(Included::Actor),
        _ => Err(value("must be resource, actor, both with a comma between them, or left out")),
    }
}

/// `Observation?code=8867-4`: of a type, or what a search on it would find.
pub(super) fn criteria(
    parameters: &Parameters,
    text: &str,
    base_url: Option<&str>,
) -> Result<Criteria, Wrong> {
    if text.len() > CRITERIA_LENGTH_MAX {
        let diagnostics = format!("longer than {CRITERIA_LENGTH_MAX} bytes");
        return Err(vec![(IssueCode::TooLong, diagnostics)]);
    }
    let (kind, query) = text.split_once('?').unwrap_or((text, ""));
    let kind = resource_type(kind)?;
    let pairs = parse_query(query).map_err(|error| value(error.to_string()))?;
    let criteria = Criteria::parse(parameters, kind, &pairs, base_url).map_err(|problems| {
        let each = problems.into_iter();
        each.map(|problem| (IssueCode::NotSupported, problem.to_string())).collect::<Wrong>()
    })?;
    let is_alone = |criterion: &Criterion| {
        matches!(criterion, Criterion::Ids(_) | Criterion::LastUpdated(_) | Criterion::Condition(_))
    };
    // Each pair has become one criterion, in their order.
    let others = pairs.iter().zip(&criteria.all).filter(|(_, criterion)| !is_alone(criterion));
    let depends = |((name, _), _): (&(String, String), &Criterion)| {
        let diagnostics = format!(
            "{name}: depends on other resources than the one that an event is about, which a feed does not \
             look at"
        );
        (IssueCode::NotSupported, diagnostics)
    };
    let wrong: Wrong = others.map(depends).collect();
    if wrong.is_empty() { Ok(criteria) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<LogFilter, Vec<String>> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let told = |problem: &Problem| format!("{}: {}", problem.expression, problem.diagnostics);
        filter(&Parameters::standard(), &pairs, None).map_err(|all| all.iter().map(told).collect())
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let problems = read(&[
            ("kind", "recorded,born,Observatory.recorded"),
            ("type", "Observation,Nothing"),
            ("patient", "a_b"),
            ("include", "everything"),
            ("actor", "a"),
            ("actor", "b"),
            ("criteria", "Observation?code=8867-4&nonsense=1&subject.name=x"),
            ("criteria", "Observation?_has:Observation:patient:code=1"),
            ("criteria", &format!("Observation?code={}", "x".repeat(CRITERIA_LENGTH_MAX))),
            ("criteria", "Observation?_sort=date"),
        ])
        .unwrap_err();
        for (place, word) in [
            ("kind", "born"),
            ("kind", "Observatory.recorded"),
            ("type", "Nothing"),
            ("patient", "a_b"),
            ("include", "resource, actor"),
            ("actor", "once"),
            ("criteria", "nonsense"),
            ("criteria", "_has"),
            ("criteria", "longer than"),
            ("criteria", "only select"),
        ] {
            let is_told = |text: &String| text.starts_with(place) && text.contains(word);
            assert!(problems.iter().any(is_told), "{place} {word}: {problems:#?}");
        }
    }

    #[test]
    fn what_is_right_is_read() {
        let filter = read(&[
            ("kind", "recorded, Observation.amended"),
            ("type", "Observation,Patient"),
            ("type", "Encounter"),
            ("patient", "Patient/p1"),
            ("include", "resource,actor"),
            ("actor", "dr-weiss"),
            ("criteria", "Observation?code=8867-4&status=final,amended"),
            ("criteria", "Patient"),
        ])
        .unwrap();
        assert_eq!((filter.kinds.len(), filter.types.len(), filter.criteria.len()), (2, 3, 2));
        assert_eq!(filter.patient.map(|id| id.to_string()).as_deref(), Some("p1"));
        assert!(filter.with_bodies && filter.with_actors);
        assert_eq!(filter.actor.as_deref(), Some("dr-weiss"));
        let many = vec![("criteria", "Patient"); CRITERIA_MAX + 1];
        assert_eq!(read(&many).unwrap_err().len(), 1);
    }
}
