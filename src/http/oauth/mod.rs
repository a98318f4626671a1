//! Where programs that are registered here get tokens: OAuth 2.0 (RFC 6749), without a token and outside of FHIR.
//!
//! In: forms, which the gate does not know, as who sends one has no token yet. Out: JSON as OAuth has it. What is granted
//! and what is refused leaves an access entry before it is answered, as everything does that passes the gate.

mod keys;
mod token;

use super::routes::Routes;

/// Mounts the addresses. They exist where somebody is registered.
pub fn mount(routes: &mut Routes<'_>) {
    routes.behind::<token::__path_token, _>(token::token);
    routes.public::<keys::__path_keys, _, _>(keys::keys);
}
