//! Figures about requests and the store; none of them shows clinical data.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::StatusCode;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::engine::Engine;

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts to collect figures, for this process; later calls change nothing.
pub fn install() {
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

/// The figures in the Prometheus text format.
pub fn render(engine: &Engine) -> String {
    #[allow(clippy::cast_precision_loss)]
    let number = |number: u64| number as f64;
    metrics::gauge!("chartlog_applied_position").set(number(engine.applied_position().get()));
    metrics::gauge!("chartlog_writable").set(if engine.is_writable() { 1.0 } else { 0.0 });
    metrics::gauge!("chartlog_views_generation").set(number(engine.generation()));
    let (done, total) = engine.building();
    metrics::gauge!("chartlog_views_building_done").set(number(done));
    metrics::gauge!("chartlog_views_building_total").set(number(total));
    let Some(handle) = METRICS.get() else { return String::new() };
    handle.run_upkeep();
    handle.render()
}
