//! A request on its way through the gate, and the duty to record it.
//!
//! However it ends, it leaves its entry: answered, refused, or never answered, because the client
//! went away or the server stopped. For the entry of the last nobody waits, for all others the
//! answer does.

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::Failure;
use super::reply::Reply;
use super::sending::{Ended, Trail};
use super::state::State;
use super::visit::{Ending, Visit};
use crate::access::AccessEntry;
use crate::auth::{Caller, Grant};
use crate::budget::Budget;
use crate::clock::Instant;

/// A request that has not ended yet.
pub struct Passage {
    pub(super) state: Arc<State>,
    /// What it says about itself.
    pub visit: Visit,
    /// Who asks, if an acceptable token came with it.
    pub caller: Option<Arc<Caller>>,
    /// What it has seen, once it has passed.
    pub grant: Option<Arc<Grant>>,
    /// Nothing of it is left to be recorded.
    is_over: bool,
    /// If it is answered by a feed: how that has ended, and the versions that have left so far.
    feed: Option<(Arc<Ended>, usize)>,
}

impl Passage {
    /// A request that has just come.
    pub fn new(state: Arc<State>, visit: Visit) -> Self {
        Self { state, visit, caller: None, grant: None, is_over: false, feed: None }
    }

    /// Lets its caller in: what is seen from now on is noted.
    pub fn admit(&mut self, caller: Arc<Caller>) -> Arc<Grant> {
        let budget = Budget::of(self.state.options.work());
        let actor = self.visit.actor(&caller);
        self.caller = Some(Arc::clone(&caller));
        let grant = Arc::new(Grant::new(caller, actor, budget, &self.state.records.rules()));
        self.grant = Some(Arc::clone(&grant));
        grant
    }

    /// The answer that may leave, when what there is to be said about the request is durable.
    pub async fn end(&mut self, result: Result<Reply, Failure>) -> Reply {
        let recorded = self.close(Ending::of(&result)).await;
        let request = self.visit.request.to_string();
        match (recorded, result) {
            (Ok(()), Ok(reply)) => reply,
            (Ok(()), Err(failure)) => failure.render(self.visit.is_fhir, &request),
            // No look without a trace: what could not be recorded is not answered.
            (Err(failure), _) => failure.render(self.visit.is_fhir, &request),
        }
    }

    /// Waits until what there is to be said about the request, as it ends, is durable.
    pub async fn close(&mut self, ending: Ending) -> Result<(), Failure> {
        // What is in the queue will be written, whether anybody waits for it or not.
        self.is_over = true;
        self.record(ending).await
    }

    /// Gives the request over to its answer's further parts, which are recorded one by one.
    pub fn go_on(mut self, feed: Option<Arc<Ended>>) -> Self {
        self.is_over = false;
        if let Some(ended) = feed {
            // What it asked for stands in the entry of its beginning.
            self.visit.has_spoken();
            self.feed = Some((ended, 0));
        }
        self
    }

    async fn record(&self, ending: Ending) -> Result<(), Failure> {
        let engine = self.state.records.engine();
        match self.entry(ending) {
            Some(entry) => Ok(engine.record_access(entry).await?),
            None => Ok(()),
        }
    }

    /// What is to be said about it; `None`: its events say it all, or it is one of many strangers.
    fn entry(&self, ending: Ending) -> Option<AccessEntry> {
        if self.caller.is_none() {
            let now = Instant::now().micros();
            let (is_single, sums) = self.state.strangers.count(self.visit.address(), now);
            self.state.write_sums(sums);
            if !is_single {
                return None;
            }
        }
        let seen = self.grant.as_ref().map(|grant| grant.take_seen()).unwrap_or_default();
        let is_its_own_trace = seen.committed && !seen.owes_entry && !ending.is_failure();
        let caller = self.caller.as_deref();
        let breaks_glass = self.grant.as_ref().is_some_and(|grant| grant.breaks_glass(&seen));
        (!is_its_own_trace || breaks_glass)
            .then(|| self.visit.entry(&self.state, caller, seen, breaks_glass, ending))
    }
}

impl Trail for Passage {
    async fn follow(&mut self, bytes: usize) -> Result<(), Failure> {
        let shown = self.grant.as_ref().map_or(0, |grant| grant.shown_count());
        if shown == 0 {
            return Ok(());
        }
        self.record(Ending::granted(StatusCode::OK, bytes as u64)).await?;
        if let Some((_, events)) = &mut self.feed {
            *events += shown;
        }
        Ok(())
    }

    async fn interrupted(&mut self, failure: &Failure) {
        self.is_over = true;
        let request = self.visit.request.to_string();
        tracing::warn!(
            request,
            operation = &**self.visit.operation(),
            failure.detail,
            "broken off"
        );
        // If even this cannot be recorded, the log above has to do.
        let _ = self.record(Ending::failed(failure)).await;
    }

    fn finished(&mut self) {
        // The end of a feed is told; nobody waits for that entry, for nothing leaves after it.
        self.is_over = self.feed.is_none();
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let ending = match &self.feed {
            None => Ending::unanswered(),
            Some((ended, events)) => {
                // Of what was read, and has not left.
                self.grant.iter().for_each(|grant| grant.begin_anew());
                Ending::closed(ended.end(), *events)
            }
        };
        if let Some(entry) = self.entry(ending) {
            // A queue that is full, or a store that has failed, loses this one: nobody was answered.
            let _ = self.state.records.engine().submit_access(entry);
        }
    }
}
