//! Spans of requests on their way to an OpenTelemetry collector: OTLP over HTTP, in Protobuf.
//!
//! In: spans, and what a request says in `traceparent`. Out: what the SDK of OpenTelemetry gathers
//! and sends from a thread of its own, for which nobody waits; spans that come faster than they are taken are dropped,
//! and so are those that a collector does not take. Never: in a span, an address, a query, or an id of anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;
use ureq::Agent;
use uuid::Uuid;

/// Where a collector takes traces, below its address.
const PATH: &str = "/v1/traces";
/// Longest time that a span waits for others.
const GATHER: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);
/// More of an answer than anybody reads.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// The way to a collector; what has come is sent before the way ends.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts sending to the collector at this address.
    ///
    /// # Errors
    ///
    /// When it is no address, or when the variables of OpenTelemetry's SDK (`OTEL_…`) contradict it.
    pub fn start(collector: &str) -> Result<Self, ExporterBuildError> {
        let address = format!("{}{PATH}", collector.trim_end_matches('/'));
        let client = Client::to(&address);
        let exporter = SpanExporter::builder().with_http().with_http_client(client);
        let exporter = exporter.with_endpoint(address).with_timeout(TIMEOUT).build()?;
        let batches = BatchConfigBuilder::default().with_scheduled_delay(GATHER).build();
        let sending = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let instance = Uuid::new_v4().to_string();
        let instance = opentelemetry::KeyValue::new("service.instance.id", instance);
        let resource = Resource::builder().with_service_name("chartlog");
        let resource = resource.with_attributes([version, instance]).build();
        let provider = SdkTracerProvider::builder().with_resource(resource);
        Ok(Self(provider.with_span_processor(sending).build()))
    }

    /// Takes the spans of a subscriber.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("chartlog"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that takes nothing was told of already.
        let _ = self.0.shutdown_with_timeout(TIMEOUT);
    }
}

/// Puts the span of a request on the trace that its `traceparent` names (W3C Trace Context 1, §3.2), and leaves it out
/// where that says that nothing is sampled.
pub fn follow(span: &Span, traceparent: Option<&str>) {
    let Some(text) = traceparent.filter(|_| !span.is_disabled()) else { return };
    let headers = HashMap::from([("traceparent".to_owned(), text.to_owned())]);
    let context = TraceContextPropagator::new().extract(&headers);
    // Nobody traces, or the span has begun.
    let _ = span.set_parent(context);
}

/// Sends what the SDK has put together.
#[derive(Debug)]
struct Client {
    agent: Agent,
    address: String,
    is_taken: AtomicBool,
}

impl Client {
    fn to(address: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(TIMEOUT));
        let agent = config.http_status_as_error(true).max_redirects(0).build().new_agent();
        Self { agent, address: address.to_owned(), is_taken: AtomicBool::new(true) }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let answer = self.agent.run(Request::from_parts(head, &*body))?;
        let (head, mut body) = answer.into_parts();
        let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.send(request);
        let was_taken = self.is_taken.swap(sent.is_ok(), Ordering::Relaxed);
        // Once, and not for every second of an outage.
        match &sent {
            Err(error) if was_taken => {
                tracing::warn!(collector = self.address, %error, "traces are not taken; they are dropped until they are");
            }
            Ok(_) if !was_taken => {
                tracing::info!(collector = self.address, "traces are taken again");
            }
            _ => {}
        }
        Ok(sent?)
    }
}
