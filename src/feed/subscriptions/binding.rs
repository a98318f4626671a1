//! Binding a WebSocket to Subscriptions: who may, and what is said first.

use tokio::sync::mpsc;

use super::kept::Kept;
use super::lookup;
use super::sockets::{Message, Ticket};
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::feed::fhir::{About, Outlet};
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::{ResourceKey, ResourceType};
use crate::records::{Records, RecordsError, Resource};

/// Messages that may wait for one socket.
const WAITING_MAX: usize = 4;

impl Kept {
    /// A token with which a socket can be bound to Subscriptions, and until when it serves.
    ///
    /// # Errors
    ///
    /// One of them is not there, of somebody else, or has another channel; the store's.
    pub fn ticket(
        &self,
        records: &Records,
        grant: &Grant,
        ids: &[ResourceKey],
    ) -> Result<(String, Instant), RecordsError> {
        for key in ids {
            let resource = records.read(grant, key)?;
            self.own_channel(records, grant, &resource)?;
        }
        let ids = ids.iter().map(|key| key.id.to_string()).collect();
        let issued = self.context.sockets.issue(grant.caller().clone(), ids);
        issued.map_err(|_| RecordsError::unreadable("there is no randomness".to_owned()))
    }

    /// The Subscriptions of the caller that are told on WebSockets.
    #[must_use]
    pub fn of_sockets(&self, grant: &Grant) -> Vec<ResourceKey> {
        let is_own = |state: &mut super::entry::State| {
            let is_owner = state.owner.is(grant.caller());
            let standing = state.standing();
            let wanted = standing.and_then(|standing| standing.wanted.as_ref().ok().cloned());
            is_owner && wanted.is_some_and(|wanted| wanted.outlet == Outlet::Socket)
        };
        let entries = self.entries().into_iter().filter(|entry| entry.with(is_own));
        let key = |id: &str| Some(ResourceKey::new(ResourceType::SUBSCRIPTION, id.parse().ok()?));
        entries.filter_map(|entry| key(&entry.id)).collect()
    }

    /// What a token is for. It serves once.
    #[must_use]
    pub fn redeem(&self, token: &str) -> Option<Ticket> {
        self.context.sockets.redeem(token)
    }

    /// Binds a socket to Subscriptions. First come the messages that say so.
    ///
    /// # Errors
    ///
    /// As [`Kept::ticket`].
    pub fn bind(
        &self,
        records: &Records,
        grant: &Grant,
        ids: &[ResourceKey],
        base: &str,
    ) -> Result<(Vec<Vec<u8>>, mpsc::Receiver<Message>), RecordsError> {
        let (socket, messages) = mpsc::channel(WAITING_MAX);
        let mut first = Vec::new();
        for key in ids {
            let resource = records.read(grant, key)?;
            let about = self.own_channel(records, grant, &resource)?;
            let id = key.id.to_string();
            // Bound before it is looked at, so that no event is between the two.
            self.context.sockets.bind(&id, socket.clone());
            first.push(match about {
                About::Topic { .. } => self.status(grant, &resource)?.handshake(base),
                About::Criteria { .. } => format!("bound {id}").into_bytes(),
            });
        }
        Ok((first, messages))
    }

    /// What a Subscription tells of on WebSockets, if it is the caller's: by a socket, others would get what its owner may
    /// see.
    fn own_channel(
        &self,
        records: &Records,
        grant: &Grant,
        resource: &Resource,
    ) -> Result<About, RecordsError> {
        let told = lookup::told_of(&self.context.server, records, resource)?;
        let told = told.ok_or_else(|| RecordsError::NotFound(resource.key.to_string()))?;
        let (owner, wanted) = self.read(records, &told);
        if !owner.is(grant.caller()) {
            return Err(grant.denied(Permission::Update, "a Subscription of somebody else").into());
        }
        match wanted {
            Ok(wanted) if wanted.outlet == Outlet::Socket => Ok(wanted.about.clone()),
            Ok(_) => Err(refused("has another channel than websocket")),
            Err(reason) => Err(refused(&reason)),
        }
    }
}

fn refused(diagnostics: &str) -> RecordsError {
    let (expression, diagnostics) =
        ("Subscription.channel.type".to_owned(), diagnostics.to_owned());
    RecordsError::Unprocessable(vec![Problem { code: IssueCode::Value, expression, diagnostics }])
}
