//! For operators: liveness, readiness and figures. None of it shows clinical data.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::metrics;
use super::routes::{Routes, no_route};
use super::state::State;
use crate::config::MetricsAccess;

/// The process answers.
#[utoipa::path(get, path = "/health/live", operation_id = "live", tag = "operations", security(()),
    responses((status = 200, description = "The process answers")))]
pub async fn live(_: Arc<State>, _: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// The server can do its work.
#[utoipa::path(get, path = "/health/ready", operation_id = "ready", tag = "operations", security(()),
    responses(
        (status = 200, description = "Reads and writes are served"),
        (status = 503, description = "The store is read-only; the body says why")))]
pub async fn ready(state: Arc<State>, _: HttpRequest) -> HttpResponse {
    match state.records.engine().failure() {
        None => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Some(failure) => {
            let reason = format!("{failure}; mend it, then restart the server");
            let body = json!({ "status": "read-only", "reason": reason });
            HttpResponse::ServiceUnavailable().json(body)
        }
    }
}

/// Figures in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operations", security(()),
    responses(
        (status = 200, description = "Prometheus text format", content_type = "text/plain"),
        (status = 404, description = "The configuration closes them, or opens them to the machine of the server alone")))]
pub async fn figures(state: Arc<State>, request: HttpRequest) -> HttpResponse {
    let is_near = || state.client(&request).is_some_and(|(client, _)| client.is_loopback());
    let is_open = match state.options.metrics {
        MetricsAccess::Open => true,
        MetricsAccess::Loopback => is_near(),
        MetricsAccess::Off => false,
    };
    if !is_open {
        return no_route(request, state).await;
    }
    state.subscriptions.measure(*state.records.visible().borrow());
    let text = metrics::render(state.records.engine());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text)
}

/// Mounts what needs no token.
pub fn mount(routes: &mut Routes<'_>) {
    routes.open::<__path_live, _, _>(live);
    routes.open::<__path_ready, _, _>(ready);
    routes.open::<__path_figures, _, _>(figures);
}
