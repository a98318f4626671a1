//! What each user did.

use std::collections::{BTreeMap, BTreeSet};

use super::request::ReportRequest;
use super::table::{Cell, Column, column};
use super::walk;
use crate::access::{Action, Outcome};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};

pub const COLUMNS: &[Column] = &[
    column("subject", "User"),
    column("issuer", "Issuer"),
    column("name", "Name"),
    column("organizations", "Organisations"),
    column("clients", "Applications"),
    column("first", "First"),
    column("last", "Last"),
    column("requests", "Requests"),
    column("create", "Create"),
    column("read", "Read"),
    column("update", "Update"),
    column("delete", "Delete"),
    column("execute", "Search and execute"),
    column("refused", "Refused"),
    column("failed", "Failed"),
    column("breakGlass", "Glass broken"),
    column("patients", "Patients"),
];

struct Activity {
    name: Option<String>,
    organizations: BTreeSet<String>,
    clients: BTreeSet<String>,
    first: Instant,
    last: Instant,
    requests: u64,
    actions: BTreeMap<Action, u64>,
    outcomes: BTreeMap<Outcome, u64>,
    break_glass: u64,
    charts: BTreeSet<StreamAlias>,
}

/// A row for each subject, and one for all who were not identified.
pub fn rows(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
) -> Result<Vec<Vec<Cell>>, RecordsError> {
    let mut all: BTreeMap<Option<(String, String)>, Activity> = BTreeMap::new();
    walk::each(records, grant, &request.filter(), |_, access| {
        let (entry, at) = (&access.entry, access.recorded_at);
        let identity = entry.source.identity.as_ref();
        let key = identity.map(|who| (who.subject.clone(), who.issuer.clone()));
        let activity = all.entry(key).or_insert_with(|| Activity {
            name: None,
            organizations: BTreeSet::new(),
            clients: BTreeSet::new(),
            first: at,
            last: at,
            requests: 0,
            actions: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            break_glass: 0,
            charts: BTreeSet::new(),
        });
        if let Some(who) = identity {
            activity.name = who.name.clone().or_else(|| activity.name.take());
            activity.organizations.extend(who.organization.clone());
            activity.clients.extend(who.client.clone());
        }
        activity.last = at;
        activity.requests += 1;
        *activity.actions.entry(entry.look.action()).or_default() += 1;
        *activity.outcomes.entry(entry.look.outcome).or_default() += 1;
        activity.break_glass += u64::from(entry.source.breaks_glass());
        activity.charts.extend(entry.charts());
        Ok(())
    })?;
    Ok(all.into_iter().map(row).collect())
}

fn row((who, activity): (Option<(String, String)>, Activity)) -> Vec<Cell> {
    let (subject, issuer) = match who {
        Some((subject, issuer)) => (Some(subject), Some(issuer)),
        None => (None, None),
    };
    let of = |action| activity.actions.get(&action).copied().unwrap_or(0).into();
    let ended = |outcome| activity.outcomes.get(&outcome).copied().unwrap_or(0).into();
    vec![
        subject.into(),
        issuer.into(),
        activity.name.as_deref().into(),
        activity.organizations.iter().cloned().collect::<Vec<_>>().into(),
        activity.clients.iter().cloned().collect::<Vec<_>>().into(),
        activity.first.into(),
        activity.last.into(),
        activity.requests.into(),
        of(Action::Create),
        of(Action::Read),
        of(Action::Update),
        of(Action::Delete),
        of(Action::Execute),
        ended(Outcome::Refused),
        ended(Outcome::Failed),
        activity.break_glass.into(),
        (activity.charts.len() as u64).into(),
    ]
}
