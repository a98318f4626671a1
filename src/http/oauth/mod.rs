//! Where programs and apps that are registered here get tokens: OAuth 2.0 (RFC 6749), without a token and outside of FHIR.
//!
//! In: forms, which the gate does not know, as who sends one has no token yet. Out: JSON as OAuth has it, and the one page
//! where a user is chosen, which shows what the configuration says and nothing of the store. What is granted and what is
//! refused leaves an access entry before it is answered, as everything does that passes the gate.

mod authorize;
mod form;
mod keys;
mod openid;
mod page;
mod token;

use super::routes::Routes;

/// Mounts the addresses. They exist where somebody is registered.
pub fn mount(routes: &mut Routes<'_>) {
    routes.behind::<token::__path_token, _>(token::token);
    routes.public::<keys::__path_keys, _, _>(keys::keys);
    routes.public::<authorize::__path_authorize, _, _>(authorize::authorize);
    routes.behind::<authorize::__path_choose, _>(authorize::choose);
    routes.public::<openid::__path_configuration, _, _>(openid::configuration);
}
