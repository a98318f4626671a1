//! The one table of routes of this server.

use std::sync::Arc;

use super::routes::Routes;
use super::state::State;
use super::{fhir, health, oauth, v1};

/// All routes. Without a state only the document is collected.
pub fn routes(state: Option<&Arc<State>>) -> Routes<'_> {
    let mut routes = Routes::new(state);
    health::mount(&mut routes);
    fhir::mount(&mut routes);
    v1::mount(&mut routes);
    oauth::mount(&mut routes);
    routes
}
