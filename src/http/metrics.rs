//! Figures about requests and the store; none of them shows clinical data.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::StatusCode;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::engine::Engine;

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Upper bounds of times in seconds: from an answer out of memory to one that is given up.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// Upper bounds of numbers of commands.
const COMMANDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
/// Upper bounds of sizes in bytes: 1 KiB to 64 MiB.
const BYTES: [f64; 9] = [
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// What a figure is.
enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// All figures: what each is, and what it says.
const FIGURES: [(&str, Kind, &str); 20] = [
    ("chartlog_build_info", Kind::Gauge, "1; the label version says which program this is"),
    (
        "chartlog_requests_total",
        Kind::Counter,
        "Requests answered, by operation and class of status",
    ),
    (
        "chartlog_request_duration_seconds",
        Kind::Histogram(&SECONDS),
        "Time from the first byte of a request to its answer, by operation and class of status",
    ),
    ("chartlog_applied_position", Kind::Gauge, "Events that the views show"),
    (
        "chartlog_writable",
        Kind::Gauge,
        "1 if writes are taken, 0 if the store is read-only after a failure",
    ),
    (
        "chartlog_log_append_duration_seconds",
        Kind::Histogram(&SECONDS),
        "Time to write a group of commits to its log and make it durable: one fsync",
    ),
    ("chartlog_group_commands", Kind::Histogram(&COMMANDS), "Commands that shared an fsync"),
    ("chartlog_group_bytes", Kind::Histogram(&BYTES), "Bytes of payload that shared an fsync"),
    (
        "chartlog_views_generation",
        Kind::Gauge,
        "Number of the views that are served; one more after each rebuild",
    ),
    (
        "chartlog_views_building_done",
        Kind::Gauge,
        "Events in the views that are being built; 0 if none are",
    ),
    (
        "chartlog_views_building_total",
        Kind::Gauge,
        "Events that the views being built will have; 0 if none are",
    ),
    ("chartlog_delivery_behind", Kind::Gauge, "Frames and events that a target has not got yet"),
    (
        "chartlog_delivery_last_success_timestamp_seconds",
        Kind::Gauge,
        "When a target got something last, in seconds since 1970",
    ),
    ("chartlog_delivery_failures_total", Kind::Counter, "Deliveries to a target that failed"),
    ("chartlog_subscription_behind", Kind::Gauge, "Events that a subscription has not seen yet"),
    ("chartlog_subscription_waiting", Kind::Gauge, "Events of a subscription that wait to be sent"),
    (
        "chartlog_subscription_parked",
        Kind::Gauge,
        "Events of a subscription that were given up, for somebody to look at",
    ),
    ("chartlog_subscription_paused", Kind::Gauge, "1 if a subscription is paused or off"),
    (
        "chartlog_subscription_failures_total",
        Kind::Counter,
        "Requests of a subscription that failed",
    ),
    (
        "chartlog_start_timestamp_seconds",
        Kind::Gauge,
        "When the process began, in seconds since 1970",
    ),
];

/// Starts to collect figures, for this process; later calls change nothing.
pub fn install() {
    if METRICS.get().is_some() {
        return;
    }
    let mut builder = PrometheusBuilder::new();
    for (name, kind, _) in &FIGURES {
        if let Kind::Histogram(bounds) = kind {
            // It refuses an empty list alone.
            let Ok(with) =
                builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)
            else {
                return;
            };
            builder = with;
        }
    }
    let Ok(handle) = builder.install_recorder() else { return };
    let _ = METRICS.set(handle);
    for (name, kind, text) in FIGURES {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, text),
            Kind::Gauge => metrics::describe_gauge!(name, text),
            Kind::Histogram(_) => metrics::describe_histogram!(name, text),
        }
    }
    metrics::gauge!("chartlog_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    #[allow(clippy::cast_precision_loss)]
    let now = crate::clock::Instant::now().seconds() as f64;
    metrics::gauge!("chartlog_start_timestamp_seconds").set(now);
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
    metrics::histogram!(
        "chartlog_request_duration_seconds", "operation" => operation, "status" => class
    )
    .record(took);
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
