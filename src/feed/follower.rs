//! A place in the log, and waiting for more.

use std::sync::Arc;

use tokio::sync::watch;

use crate::numbers::Position;
use crate::records::{Records, Sight};

/// A place in the log from which somebody follows it. While it waits it holds no state of the views, no thread
/// and no timer.
#[derive(Debug)]
pub struct Follower {
    /// What its owner may see, and wants to see.
    pub sight: Arc<Sight>,
    /// The next position that is to be looked at.
    pub next: Position,
    visible: watch::Receiver<Position>,
}

impl Follower {
    /// Follows from a position on.
    #[must_use]
    pub fn new(records: &Records, sight: Sight, next: Position) -> Self {
        Self { sight: Arc::new(sight), next, visible: records.visible() }
    }

    /// Position behind the last event that is visible.
    #[must_use]
    pub fn head(&self) -> Position {
        *self.visible.borrow()
    }

    /// Waits until there is something at its place.
    pub async fn moved(&mut self) {
        let next = self.next;
        if self.visible.wait_for(|head| *head > next).await.is_err() {
            // The store is closed: nothing will come any more.
            std::future::pending::<()>().await;
        }
    }
}
