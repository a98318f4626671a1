//! Accounting of disclosures: 45 CFR 164.528.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::{Counts, counted, is_old};
use super::request::ReportRequest;
use super::table::{Cell, Column, column};
use super::{walk, words};
use crate::access::{Action, Identity, Outcome};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};

pub const COLUMNS: &[Column] = &[
    column("first", "First"),
    column("last", "Last"),
    column("count", "Number"),
    column("recipient", "Recipient"),
    column("organization", "Organisation"),
    column("subject", "User"),
    column("client", "Application"),
    column("addresses", "From"),
    column("purpose", "Purpose"),
    column("reason", "Reason"),
    column("what", "What"),
];

/// Purposes of what need not be accounted for: treatment, payment, operations (164.528(a)(1)(i)), and
/// what the individual asked for (ii).
const EXEMPT: [&str; 6] = ["TREAT", "ETREAT", "HPAYMT", "COVERAGE", "HOPERAT", "PATRQT"];
/// Most addresses that a series names.
const ADDRESSES_MAX: usize = 10;

/// Disclosures to one recipient for one purpose: 164.528(b)(3).
struct Series {
    first: Instant,
    last: Instant,
    count: u64,
    name: String,
    client: Option<String>,
    addresses: BTreeSet<String>,
    what: Counts,
    is_old: bool,
}

/// Issuer and subject, organisation, purpose.
type Recipient = (Option<(String, String)>, Option<String>, Option<String>);

/// The rows, and how many disclosures were left out.
pub fn rows(
    records: &Records,
    grant: &Grant,
    request: &ReportRequest,
    chart: StreamAlias,
) -> Result<(Vec<Vec<Cell>>, u64), RecordsError> {
    let mut all: BTreeMap<Recipient, Series> = BTreeMap::new();
    let mut left_out = 0;
    walk::each(records, grant, &request.filter(), |kinds, access| {
        let (entry, at) = (&access.entry, access.recorded_at);
        let touch = kinds.touch(entry, chart)?;
        let may_have_shown = is_old(entry)
            && entry.look.outcome == Outcome::Granted
            && matches!(entry.look.action(), Action::Read | Action::Execute)
            && &*entry.look.operation != "listChartAccesses";
        if touch.shown.is_empty() && !may_have_shown {
            return Ok(());
        }
        let purpose = entry.source.purpose.clone();
        let is_exempt = is_of_patient(entry.source.identity.as_deref())
            || purpose.as_deref().is_some_and(|purpose| {
                let mut codes = words::codes(purpose).peekable();
                codes.peek().is_some() && codes.all(|code| EXEMPT.contains(&code))
            });
        if is_exempt && !request.with_exempt {
            left_out += 1;
            return Ok(());
        }
        let identity = entry.source.identity.as_ref();
        let recipient = (
            identity.map(|who| (who.issuer.clone(), who.subject.clone())),
            identity.and_then(|who| who.organization.clone()),
            purpose,
        );
        let series = all.entry(recipient).or_insert_with(|| Series {
            first: at,
            last: at,
            count: 0,
            name: identity.map_or_else(
                || "not identified".to_owned(),
                |who| who.name.clone().unwrap_or_else(|| who.subject.clone()),
            ),
            client: identity.and_then(|who| who.client.clone()),
            addresses: BTreeSet::new(),
            what: Counts::new(),
            is_old: false,
        });
        series.last = at;
        series.count += 1;
        series.is_old |= may_have_shown;
        if series.addresses.len() < ADDRESSES_MAX {
            series.addresses.extend(entry.source.address.clone());
        }
        for (kind, count) in touch.shown {
            *series.what.entry(kind).or_default() += count;
        }
        Ok(())
    })?;
    let mut rows: Vec<_> = all.into_iter().collect();
    rows.sort_by_key(|(_, series)| series.first);
    Ok((rows.into_iter().map(|(recipient, series)| row(recipient, series)).collect(), left_out))
}

fn row((subject, organization, purpose): Recipient, series: Series) -> Vec<Cell> {
    let mut what = counted(&series.what);
    if series.is_old {
        what.push("not recorded (an entry of an older format)".to_owned());
    }
    vec![
        series.first.into(),
        series.last.into(),
        series.count.into(),
        series.name.into(),
        organization.into(),
        subject.map(|(_, subject)| subject).into(),
        series.client.into(),
        series.addresses.into_iter().collect::<Vec<_>>().into(),
        purpose.clone().into(),
        words::purpose(purpose.as_deref()).into(),
        what.into(),
    ]
}

/// Whether a token opened nothing but the chart of its patient.
fn is_of_patient(who: Option<&Identity>) -> bool {
    let scopes = who.and_then(|who| who.scopes.as_deref());
    let levels = |level: &str| {
        scopes.is_some_and(|scopes| scopes.split(' ').any(|scope| scope.starts_with(level)))
    };
    levels("patient/") && !levels("user/") && !levels("system/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_a_patient_has_scopes_of_patients_alone() {
        for (scopes, expected) in [
            (Some("patient/*.rs openid"), true),
            (Some("patient/*.rs user/Patient.r"), false),
            (Some("system/*.rs"), false),
            (Some("openid"), false),
            (None, false),
        ] {
            let who = Identity { scopes: scopes.map(str::to_owned), ..Identity::default() };
            assert_eq!(is_of_patient(Some(&who)), expected, "{scopes:?}");
        }
    }
}
