//! What all subscriptions share.

use std::sync::{Arc, Weak};

use tokio::sync::{Semaphore, watch};

use super::server::Server;
use super::sockets::Sockets;
use crate::config::FeedConfig;
use crate::feed::webhook::Poster;
use crate::numbers::Position;
use crate::records::Records;

/// Deliveries that all subscriptions together may have on the way: each takes a thread.
const SENDING_MAX: usize = 256;

/// What all subscriptions share.
#[derive(Debug)]
pub struct Context {
    /// The store, which they do not hold open.
    pub records: Weak<Records>,
    /// Sends.
    pub poster: Poster,
    /// Who is told on WebSockets.
    pub sockets: Sockets,
    /// What the log says of Subscriptions up to here is known: no event behind it is looked for on behalf of one.
    pub known: watch::Sender<Position>,
    /// Who writes how Subscriptions stand.
    pub server: Server,
    /// Limits, and what is allowed.
    pub config: FeedConfig,
    /// The `source` of CloudEvents.
    pub cloud_source: String,
    /// Places for deliveries that are on the way.
    pub places: Semaphore,
    /// True: it is time to end.
    pub stop: watch::Receiver<bool>,
}

impl Context {
    /// Of a server whose API is reached at an address.
    pub fn new(
        records: &Arc<Records>,
        config: &FeedConfig,
        public_url: &str,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            records: Arc::downgrade(records),
            poster: Poster::new(config),
            sockets: Sockets::default(),
            known: watch::Sender::new(*records.visible().borrow()),
            server: Server::default(),
            config: config.clone(),
            cloud_source: format!("{public_url}/v1/events"),
            places: Semaphore::new(SENDING_MAX),
            stop,
        }
    }
}
