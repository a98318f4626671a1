//! Both logs as a source of messages.

use std::sync::{Arc, Weak};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::message::Message;
use crate::audit;
use crate::feed::delivery::{Failed, Source};
use crate::numbers::Position;
use crate::records::Records;

/// A place in both logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The next frame of the access log.
    pub access: Position,
    /// The next event, the first of a commit.
    pub events: Position,
}

/// Entries and commits, each in the order of its log.
pub struct BothLogs {
    /// A store that is closed is not held open by who delivers from it.
    records: Weak<Records>,
    access_moved: watch::Receiver<u64>,
    events_moved: watch::Receiver<Position>,
    /// Whether patients are named.
    names: bool,
}

impl BothLogs {
    pub fn new(records: &Arc<Records>, names: bool) -> Self {
        let engine = records.engine();
        let (access_moved, events_moved) = (engine.access_moved(), records.visible());
        Self { records: Arc::downgrade(records), access_moved, events_moved, names }
    }
}

impl Source for BothLogs {
    type Item = Message;
    type Place = Place;

    async fn next(&mut self, from: &Place) -> Result<(Vec<Message>, Place), Failed> {
        let Some(records) = self.records.upgrade() else { return Ok((Vec::new(), from.clone())) };
        let unread = |error| Failed::because("the logs could not be read", &error);
        let (entries, access) =
            audit::entries_from(&records, from.access, self.names).map_err(unread)?;
        let (commits, events) =
            audit::commits_from(&records, from.events, self.names).map_err(unread)?;
        let messages = entries.iter().chain(&commits).map(Message::of).collect();
        Ok((messages, Place { access, events }))
    }

    fn behind(&self, place: &Place) -> u64 {
        let ends = self.records.upgrade().and_then(|records| audit::ends(&records).ok());
        let Some((access, events)) = ends else { return 0 };
        let behind = |end: Position, at: Position| end.get().saturating_sub(at.get());
        behind(access, place.access) + behind(events, place.events)
    }

    async fn moved(&mut self) {
        let moved = tokio::select! {
            moved = self.access_moved.changed() => moved,
            moved = self.events_moved.changed() => moved,
        };
        if moved.is_err() {
            // The store is closed: nothing will come.
            std::future::pending::<()>().await;
        }
    }
}
