//! The settings of `[nats]`.

use super::super::kind::Kind;
use super::super::setting::Setting;
use super::{TIMEOUT_SECONDS_MAX, setting};

/// The settings of `[nats]`.
pub static SETTINGS: &[Setting] = &[
    setting(
        "nats.servers",
        Kind::NatsServers,
        "Servers of one NATS cluster that events are published to, tls://HOST:PORT or\n\
         nats://HOST:PORT; without any, nothing is published",
        |config| &mut config.nats.servers,
    ),
    setting(
        "nats.insecure",
        Kind::Switch,
        "Allow nats:// to other machines, where events travel in the clear",
        |config| &mut config.nats.insecure,
    ),
    setting(
        "nats.stream",
        Kind::Word,
        "Name of the JetStream stream, of this log alone",
        |config| &mut config.nats.stream,
    ),
    setting(
        "nats.tenant",
        Kind::Word,
        "Tells logs apart in subjects: chartlog.TENANT.CHART.TYPE.KIND",
        |config| &mut config.nats.tenant,
    ),
    setting(
        "nats.create_stream",
        Kind::Switch,
        "Make the stream if it is not there; otherwise it is waited for",
        |config| &mut config.nats.create_stream,
    ),
    setting("nats.replicas", Kind::Number(1..=5), "Replicas of a stream that is made", |config| {
        &mut config.nats.replicas
    }),
    setting(
        "nats.duplicate_window_seconds",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds for which a stream that is made knows the ids of messages",
        |config| &mut config.nats.duplicate_window_seconds,
    ),
    setting(
        "nats.from_start",
        Kind::Switch,
        "Publish to a new stream also what the log holds already, not only what comes from now on",
        |config| &mut config.nats.from_start,
    ),
    setting(
        "nats.scopes",
        Kind::Text("scopes of SMART, such as \"system/Observation.rs\""),
        "What may leave, as SMART scopes: system/*.rs is everything. No default: whoever turns this\n\
         on says it",
        |config| &mut config.nats.scopes,
    ),
    setting(
        "nats.filter",
        Kind::Text("empty, or a query such as \"type=Observation&include=resource\""),
        "Which events of these, as the query of GET /v1/events: kind, type, patient, criteria, and\n\
         include=resource for bodies",
        |config| &mut config.nats.filter,
    ),
    setting(
        "nats.form",
        Kind::Choice(&["json", "cloudevents"]),
        "The form of messages: as the feed tells events, or CloudEvents 1.0",
        |config| &mut config.nats.form,
    ),
    setting(
        "nats.credentials_file",
        Kind::File,
        "File with JWT and seed, as nsc writes it (.creds); empty: none",
        |config| &mut config.nats.credentials_file,
    ),
    setting("nats.nkey_file", Kind::File, "File with the seed of an NKey; empty: none", |config| {
        &mut config.nats.nkey_file
    }),
    setting("nats.user", Kind::Text("empty, or a name"), "Name of a user; empty: none", |config| {
        &mut config.nats.user
    }),
    setting("nats.password_file", Kind::File, "File with the password of that user", |config| {
        &mut config.nats.password_file
    }),
    setting(
        "nats.ca_file",
        Kind::File,
        "PEM file with the authorities that certify the servers; empty: the public ones",
        |config| &mut config.nats.ca_file,
    ),
    setting(
        "nats.certificate_file",
        Kind::File,
        "PEM file with the certificate chain that is shown to them; empty: none",
        |config| &mut config.nats.certificate_file,
    ),
    setting(
        "nats.key_file",
        Kind::File,
        "PEM file with the private key of that certificate",
        |config| &mut config.nats.key_file,
    ),
];
