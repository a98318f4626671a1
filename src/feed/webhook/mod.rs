//! Webhooks: requests to an address that somebody has named.
//!
//! In: a [`Target`], which is allowed by its name; headers of Standard Webhooks, signed with each [`SigningKey`] that is
//! in use. Out: what the other side answered. The address behind a name is checked when it was looked up, and
//! the connection goes to that address and no other; redirects are not followed.
//!
//! Never: what is sent, to whom it belongs, when it is tried again.

mod address;
mod header;
mod post;
mod signature;
mod target;

pub use header::header;
pub use post::{Answer, Method, Poster, Shipment};
pub use signature::{NoKey, SigningKey};
pub use target::Target;
