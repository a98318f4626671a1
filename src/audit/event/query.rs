//! Searching AuditEvents: what the index knows of, and what is asked of each.

use std::collections::HashSet;

use crate::access::{Action, Outcome};
use crate::audit::{AccessFilter, Sort};
use crate::clock::Instant;
use crate::fhir::search::{Criterion, ProblemKind, Query, Span};
use crate::fhir::{Parameters, ResourceId, ResourceType, SearchProblem};

/// What AuditEvents must meet, and in which order they are given.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Each of them must hold.
    pub(super) criteria: Vec<Criterion>,
    /// What follows from them for the entries behind AuditEvents that meet them.
    pub(super) filter: AccessFilter,
    /// `_sort`.
    pub(super) sort: Sort,
}

impl AuditQuery {
    /// What is behind the entries that meet a filter.
    pub(in crate::audit) fn of(filter: AccessFilter, sort: Sort) -> Self {
        Self { criteria: Vec::new(), filter, sort }
    }

    /// Parses the decoded names and values of a search; `patient` is the one in whose compartment it is.
    ///
    /// # Errors
    ///
    /// Everything that is not supported or not valid.
    pub fn parse(
        parameters: &Parameters,
        pairs: &[(String, String)],
        patient: Option<ResourceId>,
        base_url: Option<&str>,
    ) -> Result<Self, Vec<SearchProblem>> {
        let problem = |parameter: &str, diagnostics: &str| SearchProblem {
            parameter: parameter.to_owned(),
            kind: ProblemKind::NotSupported,
            diagnostics: diagnostics.to_owned(),
        };
        let (rules, pairs): (Vec<_>, Vec<_>) =
            pairs.iter().cloned().partition(|(name, _)| name == "_sort");
        let mut problems = Vec::new();
        let sort = match rules.as_slice() {
            [] => Sort::Newest,
            [(_, rule)] if matches!(rule.as_str(), "-date" | "-_lastUpdated") => Sort::Newest,
            [(_, rule)] if matches!(rule.as_str(), "date" | "_lastUpdated") => Sort::Oldest,
            _ => {
                problems.push(problem("_sort", "AuditEvents are sorted by date or -date"));
                Sort::Newest
            }
        };
        let query = match Query::parse(parameters, ResourceType::AUDIT_EVENT, &pairs, base_url) {
            Ok(query) => query,
            Err(others) => {
                problems.extend(others);
                return Err(problems);
            }
        };
        if !query.includes.is_empty() {
            problems.push(problem("_include", "AuditEvents are given without what they refer to"));
        }
        let is_known = |criterion: &Criterion| {
            matches!(
                criterion,
                Criterion::Ids(_) | Criterion::LastUpdated(_) | Criterion::Condition(_)
            )
        };
        if !query.criteria.iter().all(is_known) {
            let diagnostics = "AuditEvents are searched by what they say themselves: no chains, lists or value sets";
            problems.push(problem("", diagnostics));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut filter = AccessFilter { patient, ..AccessFilter::default() };
        for criterion in &query.criteria {
            narrow_by_reference(&mut filter, criterion);
        }
        for (name, value) in &pairs {
            narrow(&mut filter, name, value);
        }
        Ok(Self { criteria: query.criteria, filter, sort })
    }
}

/// Narrows a filter by a reference that leads to one resource.
fn narrow_by_reference(filter: &mut AccessFilter, criterion: &Criterion) {
    let Criterion::Condition(condition) = criterion else { return };
    let targets = condition.targets();
    let kinds: HashSet<_> = targets.iter().map(|key| key.kind).collect();
    match (&*condition.parameter().name, targets.as_slice()) {
        ("patient" | "entity", [key]) if key.kind == ResourceType::PATIENT => {
            filter.patient.get_or_insert_with(|| key.id.clone());
        }
        ("entity", [key]) if kinds.len() == 1 => {
            filter.resource.get_or_insert_with(|| key.clone());
        }
        _ => {}
    }
}

/// Narrows a filter by a parameter with one value. What the filter lets through is looked at again.
fn narrow(filter: &mut AccessFilter, name: &str, value: &str) {
    if value.contains([',', '\\']) {
        return;
    }
    // A code may stand behind its system.
    let (system, code) = value.rsplit_once('|').unwrap_or(("", value));
    match name {
        "date" | "_lastUpdated" => narrow_by_time(filter, value),
        "action" => filter.action = Action::ALL.into_iter().find(|one| one.letter() == code),
        "outcome" => {
            filter.outcome = match code {
                "0" => Some(Outcome::Granted),
                "8" => Some(Outcome::Refused),
                "4" | "12" => Some(Outcome::Failed),
                _ => None,
            };
        }
        "altid" if !code.is_empty() => filter.subject = Some(code.to_owned()),
        // Only those whom an issuer names have a system, and this server.
        "agent:identifier"
            if system.len() > 1 && !code.is_empty() && system != "urn:ietf:rfc:3986" =>
        {
            filter.subject = Some(code.to_owned());
        }
        _ => {}
    }
}

fn narrow_by_time(filter: &mut AccessFilter, value: &str) {
    let is_prefixed = value.starts_with(|first: char| first.is_ascii_alphabetic());
    let (prefix, date) = value.split_at_checked(2).filter(|_| is_prefixed).unwrap_or(("eq", value));
    let Some(Span { from, to }) = Span::named(date) else { return };
    let (since, until) = (Instant::from_micros(from), Instant::from_micros(to.saturating_add(1)));
    if matches!(prefix, "eq" | "ge" | "gt" | "sa") {
        filter.since = filter.since.max(Some(since));
    }
    if matches!(prefix, "eq" | "le" | "lt" | "eb") {
        filter.until = Some(filter.until.map_or(until, |known| known.min(until)));
    }
}
