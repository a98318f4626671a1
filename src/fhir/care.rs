//! When care was given: how `$everything` narrows a chart by `start` and `end` (OperationDefinition
//! Patient-everything).

use std::collections::HashMap;

use super::ResourceType;
use super::search::{Condition, Criterion, Parameters, Query, SearchType};
use crate::json::Node;

/// Dates that say nothing of when care was given.
const NO_CARE: [&str; 3] = ["birthdate", "death-date", "value-date"];

/// A time in which care was given, and what that means for each type of resource.
#[derive(Debug, Clone)]
pub struct Care {
    parameters: Parameters,
    start: Option<String>,
    end: Option<String>,
    /// Of each type the dates that count.
    dates: HashMap<ResourceType, Vec<Dates>>,
}

/// One search parameter of type date.
#[derive(Debug, Clone)]
struct Dates {
    is_missing: Condition,
    /// Of the start and of the end: that a date lies within, and that one lies wholly outside. A
    /// period that lies partly within is neither.
    bounds: Vec<[Condition; 2]>,
}

impl Care {
    /// From one date to another, both included; each a date of any precision.
    #[must_use]
    pub fn between(parameters: Parameters, start: Option<String>, end: Option<String>) -> Self {
        Self { parameters, start, end, dates: HashMap::new() }
    }

    /// Whether a resource belongs to that time: one of its dates lies in it, or it has none. The
    /// patient always does.
    #[must_use]
    pub fn admits(&mut self, kind: ResourceType, resource: Node<'_>) -> bool {
        let Self { parameters, start, end, dates } = self;
        if kind == ResourceType::PATIENT {
            return true;
        }
        let dates = dates.entry(kind).or_insert_with(|| {
            let counts = |name: &str| !NO_CARE.contains(&name);
            let named = parameters.of(kind).filter(|one| one.search_type == SearchType::Date);
            let named = named.filter(|one| counts(&one.name));
            named.filter_map(|one| Dates::of(parameters, kind, &one.name, [start, end])).collect()
        });
        let mut has_dates = false;
        for date in dates.iter().filter(|date| !date.is_missing.matches(resource, None)) {
            has_dates = true;
            let holds = |[within, outside]: &[Condition; 2]| {
                within.matches(resource, None) || !outside.matches(resource, None)
            };
            if date.bounds.iter().all(holds) {
                return true;
            }
        }
        !has_dates
    }
}

impl Dates {
    fn of(
        parameters: &Parameters,
        kind: ResourceType,
        name: &str,
        [start, end]: [&Option<String>; 2],
    ) -> Option<Self> {
        let condition = |name: &str, value: String| {
            let pairs = [(name.to_owned(), value)];
            let criteria = Query::parse(parameters, kind, &pairs, None).ok()?.criteria;
            match criteria.into_iter().next()? {
                Criterion::Condition(condition) => Some(condition),
                _ => None,
            }
        };
        let bound = |date: &str, [within, outside]: [&str; 2]| {
            let condition = |prefix: &str| condition(name, format!("{prefix}{date}"));
            Some([condition(within)?, condition(outside)?])
        };
        let start = start.as_ref().map(|date| bound(date, ["ge", "eb"]));
        let end = end.as_ref().map(|date| bound(date, ["le", "sa"]));
        Some(Self {
            is_missing: condition(&format!("{name}:missing"), "true".to_owned())?,
            bounds: start.into_iter().chain(end).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use serde_json::{Value, json};

    fn admits(start: Option<&str>, end: Option<&str>, resource: &Value) -> bool {
        let text = |date: Option<&str>| date.map(str::to_owned);
        let mut care = Care::between(Parameters::standard(), text(start), text(end));
        let kind = resource["resourceType"].as_str().unwrap().parse().unwrap();
        let document = Document::parse(resource.to_string()).unwrap();
        care.admits(kind, document.root())
    }

    #[test]
    fn a_resource_belongs_to_the_time_of_one_of_its_dates_or_to_all_times() {
        let at = |date: &str| json!({ "resourceType": "Observation", "effectiveDateTime": date });
        let stay = json!({ "resourceType": "Encounter", "period": { "start": "2019-12-30", "end": "2020-01-02" } });
        let condition = json!({ "resourceType": "Condition", "onsetDateTime": "2010", "recordedDate": "2020-06-01" });
        let cases = [
            (at("2020-05-01"), [true, true, true]),
            (at("2019-12-31"), [false, true, false]),
            (at("2021-01-01"), [true, false, false]),
            (at("2020"), [true, true, true]),
            (stay, [true, true, true]),
            (condition, [true, true, true]),
            (json!({ "resourceType": "Condition", "onsetDateTime": "2010" }), [false, true, false]),
            (json!({ "resourceType": "Observation", "valueDateTime": "1990" }), [true, true, true]),
            (json!({ "resourceType": "Patient", "birthDate": "1990" }), [true, true, true]),
            (json!({ "resourceType": "RelatedPerson", "birthDate": "1990" }), [true, true, true]),
            (json!({ "resourceType": "AllergyIntolerance" }), [true, true, true]),
        ];
        for (resource, expected) in cases {
            let found = [
                admits(Some("2020-01"), None, &resource),
                admits(None, Some("2020-12"), &resource),
                admits(Some("2020-01-01"), Some("2020-12-31"), &resource),
            ];
            assert_eq!(found, expected, "{resource}");
        }
    }
}
