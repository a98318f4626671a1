//! What is asked before a Subscription is stored: whether it can be carried out, for who writes it, and under whose rights.

use super::kept::Kept;
use super::lookup;
use super::owner::Owner;
use crate::auth::Grant;
use crate::clock::Instant;
use crate::feed::fhir::Status;
use crate::fhir::ResourceKey;
use crate::fhir::check::{IssueCode, Problem};
use crate::records::{Keeper, LogFilter, Records, RecordsError, Subscribed};

impl Keeper for Kept {
    fn check(
        &self,
        records: &Records,
        grant: &Grant,
        subscribed: &[Subscribed],
    ) -> Result<(), RecordsError> {
        if self.context.server.is(grant) {
            return Ok(());
        }
        let topics = lookup::topics(&self.context.server, records)?;
        let (mut problems, mut more) = (Vec::new(), 0);
        for one in subscribed {
            let mut wrong = match Status::of(one.resource.root()) {
                Some(Status::Off) => continue,
                Some(Status::Requested) => Vec::new(),
                _ => vec![problem(
                    "Subscription.status",
                    "must be requested, or off: what else there is, this server writes",
                )],
            };
            match self.wanted(records, &one.resource, &topics) {
                Ok(wanted) => {
                    let triggers = wanted.triggers;
                    records.sight(grant, LogFilter { triggers, ..LogFilter::default() })?;
                    if wanted.end.is_some_and(|end| end <= Instant::now()) {
                        wrong.push(problem("Subscription.end", "has passed"));
                    }
                }
                Err(problems) => wrong.extend(problems),
            }
            for mut problem in wrong {
                if !one.place.is_empty() {
                    let element = problem.expression.trim_start_matches("Subscription");
                    problem.expression = format!("{}.resource{element}", one.place);
                }
                problems.push(problem);
            }
            more += usize::from(self.entry(one.key.id.as_str()).is_none());
        }
        if !problems.is_empty() {
            return Err(RecordsError::Unprocessable(problems));
        }
        let most = self.context.config.subscriptions_max;
        if more > 0 && self.all().len() + more > most {
            let reason = format!("there may be {most} Subscriptions (feed.subscriptions_max)");
            return Err(RecordsError::Conflict { place: String::new(), reason });
        }
        Ok(())
    }

    fn rights(&self, grant: &Grant, key: &ResourceKey) -> Option<String> {
        let owner = match self.context.server.is(grant) {
            // It goes on under the same.
            true => self.entry(key.id.as_str())?.with(|state| state.owner.clone()),
            false => Owner::of(grant.caller()),
        };
        serde_json::to_string(&owner).ok()
    }
}

fn problem(place: &str, diagnostics: &str) -> Problem {
    let (expression, diagnostics) = (place.to_owned(), diagnostics.to_owned());
    Problem { code: IssueCode::Value, expression, diagnostics }
}
