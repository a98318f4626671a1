//! Traces of requests at a collector.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;

use crate::support::{Place, Server, patient};

/// A collector that takes everything: its address, and what it is sent.
fn collector() -> (String, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            // Until the other side closes it.
            while let Some(body) = request(&mut reader) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
                reader.get_mut().write_all(answer).unwrap();
                if send.send(body).is_err() {
                    return;
                }
            }
        }
    });
    (address, receive)
}

/// The body of a request for traces.
fn request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return None,
            Ok(_) if line == "\r\n" => break,
            Ok(_) => head.push(line.trim_end().to_lowercase()),
        }
    }
    assert_eq!(head[0], "post /v1/traces http/1.1");
    assert!(head.contains(&"content-type: application/x-protobuf".to_owned()), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Some(body)
}

fn value<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a Value> {
    let one = attributes.iter().find(|one| one.key == name)?;
    one.value.as_ref()?.value.as_ref()
}

#[test]
fn a_collector_gets_spans_of_requests_commits_and_searches_that_name_nobody() {
    let (address, bodies) = collector();
    let place = Place::new();
    let server = Server::start_with(&place, "data", &format!("--set log.traces={address}"));
    server.put(&patient("secretive-id", "Quist"));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let ask = |path: &str, flags: &str| {
        let get = ureq::get(format!("{}{path}", server.base));
        let token = format!("Bearer {}", server.token("user/*.rs"));
        let parent = format!("00-{trace}-b7ad6b7169203331-{flags}");
        get.header("authorization", token).header("traceparent", parent).call().unwrap();
    };
    ask("/fhir/Patient/secretive-id", "00");
    ask("/fhir/Patient?family=Quist", "01");
    let (mut spans, mut all) = (Vec::<Span>::new(), String::new());
    let deadline = Instant::now() + Duration::from_secs(30);
    let has = |spans: &[Span], name: &str| spans.iter().any(|span| span.name == name);
    while !(has(&spans, "commit") && has(&spans, "search") && has(&spans, "searchResources")) {
        let body = bodies.recv_timeout(deadline - Instant::now());
        let body = body.unwrap_or_else(|_| panic!("spans are missing: {all}"));
        let told = ExportTraceServiceRequest::decode(&*body).unwrap();
        all.push_str(&format!("{told:?}"));
        for resource in told.resource_spans {
            let about = resource.resource.unwrap().attributes;
            let name = value(&about, "service.name").unwrap();
            assert_eq!(name, &Value::StringValue("chartlog".to_owned()));
            for name in ["service.version", "service.instance.id"] {
                assert!(value(&about, name).is_some(), "{about:?}");
            }
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    for span in &spans {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        let known = ["http.request.method", "http.response.status_code", "events"];
        let unknown = span.attributes.iter().find(|one| !known.contains(&one.key.as_str()));
        assert_eq!(unknown, None, "{span:?}");
        assert_eq!(span.events, [], "{span:?}");
    }
    let named = |name: &str| {
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {all}"))
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // Below the span of the client, which is sampled.
    let (request, search) = (named("searchResources"), named("search"));
    assert_eq!((hex(&request.trace_id), request.kind()), (trace.to_owned(), SpanKind::Server));
    assert_eq!(hex(&request.parent_span_id), "b7ad6b7169203331");
    let status = value(&request.attributes, "http.response.status_code");
    assert_eq!(status, Some(&Value::IntValue(200)));
    assert_eq!((&search.trace_id, &search.parent_span_id), (&request.trace_id, &request.span_id));
    // A trace of its own.
    let (request, commit) = (named("updateResource"), named("commit"));
    assert_eq!(hex(&request.parent_span_id), "");
    assert_ne!(hex(&request.trace_id), trace);
    assert_eq!((&commit.trace_id, &commit.parent_span_id), (&request.trace_id, &request.span_id));
    assert_eq!(value(&commit.attributes, "events"), Some(&Value::IntValue(2)));
    assert!(!has(&spans, "readResource"), "it is not sampled");
    for secret in ["secretive", "Quist", "family", "dr-weiss", "operator", "127.0.0.1"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

#[test]
fn what_was_traced_last_is_sent_before_the_end() {
    let (address, bodies) = collector();
    let place = Place::new();
    let server = Server::start_with(&place, "data", &format!("--set log.traces={address}"));
    server.put(&patient("p1", "Quist"));
    server.stop();
    let told = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&*body).unwrap());
    let mut told = told.map(|told| format!("{told:?}"));
    assert!(told.any(|told| told.contains("\"updateResource\"")));
}
