//! What all black-box tests share: a real server process, a client that can also misbehave, actors
//! with their tokens, and small resources.
//!
//! Never: knowledge of the inside of the server. The only things taken from the library are the
//! signing of development tokens and the secret's place in a data directory.

mod accesses;
mod actor;
mod client;
mod resources;
mod server;
mod socket;
mod stream;

pub use accesses::{accesses_of_request, only_access_of_request};
pub use actor::Actor;
pub use client::{Request, Response, raw_exchange};
pub use resources::{
    appointment, bundle, encounter, entry, observation, patient, practitioner, sized, unique,
    with_reference,
};
pub use server::{SHARED_CLIENT, SHARED_CLIENT_KEYS, Server, Setup, binary, guard, run, shared};
pub use socket::{Socket, Told};
pub use stream::{Line, Sse, Stream};
