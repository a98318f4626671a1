//! The HTTP server: routes, limits, the gate, and two faces over one store.
//!
//! In: requests. Out: responses, each with an `X-Request-Id`. A handler is a translation: it reads
//! a [`Call`], asks the store, and gives a [`Reply`] or a [`Failure`]. Only the `gate` turns these
//! into a response: it checks the token before and writes the access entry after, so a handler
//! without an access entry cannot be mounted.
//!
//! One table of routes (`table.rs`) serves the router and the OpenAPI document, so that they cannot
//! differ. Never: a decision about rights, knowledge of segments or keyspaces.

mod accept;
mod body;
mod browsers;
mod call;
mod checked;
mod console;
mod cors;
mod csv;
mod docs;
mod document;
mod encoding;
mod etag;
mod failure;
pub mod fhir;
mod framing;
mod gate;
mod glass;
mod health;
mod heavy;
mod listening;
mod lists;
mod markup;
mod metrics;
mod oauth;
mod paging;
mod passage;
mod prefer;
mod proxies;
mod query;
mod rates;
mod rendering;
mod reply;
mod routes;
mod rules;
mod sending;
mod server;
mod shapes;
mod socket;
mod state;
mod strangers;
mod table;
mod tls;
pub mod v1;
mod visit;
mod writing;

pub use call::{Call, OpenCall};
pub use docs::document_text;
pub use failure::{Failure, Fault};
pub use metrics::install as install_metrics;
pub use proxies::Proxies;
pub use reply::Reply;
pub use server::{Running, start};
pub use state::ServerOptions;
pub use tls::{Tls, TlsError};
