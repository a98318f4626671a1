//! For operators: liveness, readiness and figures. None of it shows clinical data.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

use super::server::State;

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts to collect figures, for this process; later calls change nothing.
pub fn install_metrics() {
    if METRICS.get().is_none()
        && let Ok(handle) = PrometheusBuilder::new().install_recorder()
    {
        let _ = METRICS.set(handle);
    }
}

/// Counts an answered request and its time.
pub fn count(operation: &Arc<str>, status: StatusCode, took: Duration) {
    let operation = metrics::SharedString::from(Arc::clone(operation));
    let class = match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("chartlog_requests_total", "operation" => operation.clone(), "status" => class)
        .increment(1);
    metrics::histogram!("chartlog_request_seconds", "operation" => operation).record(took);
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", operation_id = "live", tag = "operations", security(()),
    responses((status = 200, description = "The process answers")))]
pub async fn live(_: Arc<State>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// The server can do its work.
#[utoipa::path(get, path = "/health/ready", operation_id = "ready", tag = "operations", security(()),
    responses(
        (status = 200, description = "Reads and writes are served"),
        (status = 503, description = "The store is read-only; the body says why")))]
pub async fn ready(state: Arc<State>) -> HttpResponse {
    if state.store.is_writable() {
        HttpResponse::Ok().json(json!({ "status": "ready" }))
    } else {
        let reason = "the store is read-only since a disk error; restart after mending the disk";
        HttpResponse::ServiceUnavailable().json(json!({ "status": "read-only", "reason": reason }))
    }
}

/// Figures in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operations", security(()),
    responses((status = 200, description = "Prometheus text format", content_type = "text/plain")))]
pub async fn figures(state: Arc<State>) -> HttpResponse {
    let store = &state.store;
    #[allow(clippy::cast_precision_loss)]
    metrics::gauge!("chartlog_applied_position").set(store.applied_position() as f64);
    metrics::gauge!("chartlog_writable").set(if store.is_writable() { 1.0 } else { 0.0 });
    let handle = METRICS.get();
    if let Some(handle) = handle {
        handle.run_upkeep();
    }
    let text = handle.map(PrometheusHandle::render).unwrap_or_default();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text)
}

/// Mounts what needs no token.
pub fn mount(routes: &mut super::routes::Routes<'_>) {
    routes.open::<__path_live, _, _>(live);
    routes.open::<__path_ready, _, _>(ready);
    routes.open::<__path_figures, _, _>(figures);
}

/// An address that does not exist, or not with this method.
pub async fn no_route(request: actix_web::HttpRequest) -> HttpResponse {
    let is_fhir = request.path().starts_with("/fhir");
    let detail = format!("there is no {} {}", request.method(), request.path());
    let failure = super::Failure::of(super::Fault::NoRoute, detail);
    plain(failure.render(is_fhir, "none"))
}

/// An address that exists, but not with this method.
pub async fn no_method(request: actix_web::HttpRequest) -> HttpResponse {
    let is_fhir = request.path().starts_with("/fhir");
    let detail = format!("{} has no {}", request.path(), request.method());
    plain(super::Failure::of(super::Fault::Method, detail).render(is_fhir, "none"))
}

fn plain(reply: super::Reply) -> HttpResponse {
    let mut response = HttpResponse::build(reply.status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    response.body(reply.body)
}

/// The default of an application: no such address.
pub fn default_route() -> actix_web::Route {
    web::to(no_route)
}
