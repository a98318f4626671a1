//! The policies in force, kept up to date with their files while the server runs.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use tokio::time::interval;

use crate::access::Identity;
use crate::auth::{Caller, Grant};
use crate::budget::Budget;
use crate::records::{Records, RecordsError};

/// How often it is looked whether policies have changed.
const EVERY: Duration = Duration::from_secs(2);

/// Looks again and again whether the files of policies have changed, puts them in force, and keeps what is in force as a
/// resource, so that its history tells what was in force when.
pub async fn keep(records: &Arc<Records>) -> Infallible {
    let mut ticks = interval(EVERY);
    let mut is_kept = false;
    loop {
        ticks.tick().await;
        let read = Arc::clone(records);
        // It fails only as the runtime ends, and this with it.
        let Ok(renewed) = web::block(move || read.rule_book().renew()).await else { continue };
        match renewed {
            Ok(false) => {}
            Ok(true) => {
                is_kept = false;
                tracing::info!("the policies have changed: requests from now on go by them");
            }
            Err(problems) => {
                let problems = problems.join("; ");
                tracing::warn!(
                    problems,
                    "the policies have changed, and those that were read before stay in force"
                );
            }
        }
        if !is_kept {
            match write(records).await {
                Ok(()) => is_kept = true,
                Err(error) => {
                    tracing::warn!(%error, "what is in force could not be kept; it is tried again")
                }
            }
        }
    }
}

async fn write(records: &Arc<Records>) -> Result<(), RecordsError> {
    let (subject, issuer) = ("access".to_owned(), "chartlog".to_owned());
    let identity = Arc::new(Identity { subject, issuer, ..Identity::default() });
    let actor = identity.actor(records.engine().next_request().to_string());
    let caller = Arc::new(Caller { identity, ..Caller::default() });
    let grant = Grant::new(caller, actor, Budget::default(), &Arc::default());
    records.keep_access(&grant, &records.rule_book().texts()).await
}
