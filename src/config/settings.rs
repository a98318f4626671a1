//! The table of all settings: each named once, with what it takes, what it means and its field.

mod auth;
mod console;
mod limits;
mod nats;
mod server;

use super::Config;
use super::kind::Kind;
use super::setting::{Field, Setting};

/// The sections of the file in their order, each with its title.
pub static SECTIONS: &[(&str, &str)] = &[
    ("server", "Where the server listens, and with how many threads."),
    ("store", "Where charts are kept, and how much memory and disk their keeping may take."),
    ("vault", "Where the key to all keys comes from."),
    ("proof", "How it is shown that nobody has changed the logs."),
    ("auth", "Whose tokens are believed."),
    ("policies", "Who may see what, beside the scopes of tokens."),
    (
        "audit",
        "How long access entries are kept, which the report on unusual ones names, and where they go.",
    ),
    ("feed", "Where subscriptions may lead, and how much they may take."),
    ("nats", "Publishing the events to NATS JetStream."),
    (
        "console",
        "The pages for people at /console/, which use the APIs under the rights of who signed in.",
    ),
    ("limits", "What one request or one client may ask for."),
    ("log", "What the process writes to stderr."),
    ("demo", "The synthetic clinic."),
];

/// Most bytes a size may have: one tebibyte.
const BYTES_MAX: i64 = 1 << 40;
/// Most bytes of what is kept in memory whole, a request body or a group of commits: one gibibyte.
const WHOLE_BYTES_MAX: i64 = 1 << 30;
/// Longest time limit in seconds: one day.
const TIMEOUT_SECONDS_MAX: i64 = 24 * 60 * 60;

/// Every setting, grouped by section.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    [
        server::SETTINGS,
        BEFORE,
        auth::SETTINGS,
        BETWEEN,
        nats::SETTINGS,
        console::SETTINGS,
        limits::SETTINGS,
        BEHIND,
    ]
    .into_iter()
    .flatten()
}

static BEFORE: &[Setting] = &[
    setting("store.data", Kind::Path, "Data directory: logs, views and keys", |config| {
        &mut config.store.data
    }),
    setting(
        "store.segment_bytes_max",
        Kind::Number(1 << 20..=BYTES_MAX),
        "Size in bytes after which a log continues in a new segment file",
        |config| &mut config.store.segment_bytes_max,
    ),
    setting(
        "store.group_bytes_max",
        Kind::Number(1 << 16..=WHOLE_BYTES_MAX),
        "Bytes of commits made durable by one fsync; a larger commit goes alone",
        |config| &mut config.store.group_bytes_max,
    ),
    setting(
        "store.queue_commands_max",
        Kind::Number(1..=1 << 20),
        "Commands that may wait for the committer before more are answered with 503",
        |config| &mut config.store.queue_commands_max,
    ),
    setting(
        "store.cache_bytes",
        Kind::Number(1 << 20..=BYTES_MAX),
        "Memory in bytes for cached blocks and bodies",
        |config| &mut config.store.cache_bytes,
    ),
    setting(
        "store.snapshot_events_min",
        Kind::Number(1..=1 << 20),
        "Events in a chart since its last snapshot before a new one is stored",
        |config| &mut config.store.snapshot_events_min,
    ),
    setting(
        "store.purge",
        Kind::Window,
        "When index terms of erased charts are purged from the views: at-once, or a window of\n\
         the day in UTC such as 01:00-05:00",
        |config| &mut config.store.purge,
    ),
    setting(
        "store.referential_integrity",
        Kind::Choice(&["off", "refuse"]),
        "Whether a write is refused whose references to resources of this server lead nowhere\n\
         when it is done; what is referred to can still be deleted later",
        |config| &mut config.store.referential_integrity,
    ),
    setting(
        "store.upcasters",
        Kind::File,
        "Directory with upcasters (*.toml), by which old events are told in today's terms (see\n\
         docs/evolution.md); empty: none",
        |config| &mut config.store.upcasters,
    ),
    setting(
        "vault.master_key",
        Kind::KeySource,
        "Where the master key is: file:PATH, env:NAME (a variable), or command:COMMAND (a shell\n\
         command that prints it); 32 bytes in base64. Empty: DATA/vault/master.key, made at the\n\
         first start",
        |config| &mut config.vault.master_key,
    ),
    setting(
        "proof.origin",
        Kind::Origin,
        "Name of the logs in their checkpoints, for life, such as charts.example.org/north: /events\n\
         and /access are put behind it. Empty: a random one, kept in DATA/ORIGIN",
        |config| &mut config.proof.origin,
    ),
    setting(
        "proof.checkpoint_interval_ms",
        Kind::Number(10..=TIMEOUT_SECONDS_MAX * 1000),
        "Milliseconds between two signed checkpoints of a log that grows",
        |config| &mut config.proof.checkpoint_interval_ms,
    ),
    Setting {
        secret: true,
        ..setting(
            "proof.sinks",
            Kind::Sinks,
            "Where checkpoints are pushed, out of reach of who could change the logs: folder:/PATH,\n\
             webhook:URL or witness:VKEY@URL",
            |config| &mut config.proof.sinks,
        )
    },
];

static BETWEEN: &[Setting] = &[
    setting(
        "policies.directory",
        Kind::File,
        "Directory with policies (*.cedar), read again when they change (see docs/policies.md);\n\
         empty: what the scopes of a token grant is permitted",
        |config| &mut config.policies.directory,
    ),
    setting(
        "policies.consent",
        Kind::Switch,
        "Whether what the Consents of a patient deny is denied",
        |config| &mut config.policies.consent,
    ),
    setting(
        "policies.break_glass_minutes",
        Kind::Number(0..=24 * 60),
        "Minutes for which a caller with the right to it who breaks the glass of a chart sees it;\n\
         0: nobody can",
        |config| &mut config.policies.break_glass_minutes,
    ),
    setting(
        "audit.retention_years",
        Kind::Number(0..=1000),
        "For how many years access entries are kept: then they are due for disposal, which\n\
         `chartlog dispose` does; 0: for ever",
        |config| &mut config.audit.retention_years,
    ),
    setting(
        "audit.unusual_own_chart",
        Kind::Switch,
        "Users who look into a chart that seems to be their own",
        |config| &mut config.audit.unusual_own_chart,
    ),
    setting(
        "audit.unusual_same_surname",
        Kind::Switch,
        "Users who have the surname of the patient",
        |config| &mut config.audit.unusual_same_surname,
    ),
    setting(
        "audit.unusual_vip",
        Kind::Switch,
        "Patients who have one of the labels of audit.vip_codes, in meta.security or meta.tag",
        |config| &mut config.audit.unusual_vip,
    ),
    setting(
        "audit.unusual_no_relation",
        Kind::Switch,
        "Users whom no visit, care team, order or plan in the chart names",
        |config| &mut config.audit.unusual_no_relation,
    ),
    setting("audit.unusual_night", Kind::Switch, "Accesses at night", |config| {
        &mut config.audit.unusual_night
    }),
    setting(
        "audit.vip_codes",
        Kind::Names,
        "Codes of labels, each code or system|code",
        |config| &mut config.audit.vip_codes,
    ),
    setting(
        "audit.night_begins_hour",
        Kind::Number(0..=23),
        "Hour of the day at which the night begins",
        |config| &mut config.audit.night_begins_hour,
    ),
    setting(
        "audit.night_ends_hour",
        Kind::Number(0..=23),
        "Hour of the day at which it ends",
        |config| &mut config.audit.night_ends_hour,
    ),
    setting(
        "audit.time_zone",
        Kind::TimeZone,
        "Time zone of these hours: a name of the IANA database, such as Europe/Berlin",
        |config| &mut config.audit.time_zone,
    ),
    setting(
        "audit.siem",
        Kind::SiemTargets,
        "Tools that every entry is forwarded to as it comes: syslog+tls://HOST:PORT,\n\
         json+tls://HOST:PORT, json+tcp://HOST:PORT, json+unix:///PATH or json+file:///PATH",
        |config| &mut config.audit.siem,
    ),
    setting(
        "audit.siem_from_start",
        Kind::Switch,
        "Forward to a new tool also what the logs hold already, not only what comes from now on",
        |config| &mut config.audit.siem_from_start,
    ),
    setting(
        "audit.siem_patients",
        Kind::Switch,
        "Name patients and resources in what is forwarded, with the words of requests; an erasure\n\
         does not reach what another tool keeps",
        |config| &mut config.audit.siem_patients,
    ),
    setting(
        "audit.siem_ca_file",
        Kind::File,
        "PEM file with the authorities that certify these tools; empty: the public ones",
        |config| &mut config.audit.siem_ca_file,
    ),
    setting(
        "audit.siem_certificate_file",
        Kind::File,
        "PEM file with the certificate chain that the server shows to them; empty: none",
        |config| &mut config.audit.siem_certificate_file,
    ),
    setting(
        "audit.siem_key_file",
        Kind::File,
        "PEM file with the private key of that certificate",
        |config| &mut config.audit.siem_key_file,
    ),
    setting(
        "feed.webhook_hosts",
        Kind::Hosts,
        "Hosts that subscriptions may send events to, *.example.org for all below one; without any,\n\
         nothing is sent",
        |config| &mut config.feed.webhook_hosts,
    ),
    setting(
        "feed.webhook_networks",
        Kind::Networks,
        "Addresses and networks that these hosts may have although they are not public",
        |config| &mut config.feed.webhook_networks,
    ),
    setting(
        "feed.webhook_insecure",
        Kind::Switch,
        "Allow http://, where events travel in the clear",
        |config| &mut config.feed.webhook_insecure,
    ),
    setting(
        "feed.webhook_timeout_seconds",
        Kind::Number(1..=300),
        "Seconds for one delivery, from connecting to the answer",
        |config| &mut config.feed.webhook_timeout_seconds,
    ),
    setting(
        "feed.webhook_bytes_max",
        Kind::Number(1024..=WHOLE_BYTES_MAX),
        "Bytes of the largest event that is sent; larger ones are parked",
        |config| &mut config.feed.webhook_bytes_max,
    ),
    setting(
        "feed.webhook_charts_max",
        Kind::Number(1..=256),
        "Charts of which one subscription delivers at the same time",
        |config| &mut config.feed.webhook_charts_max,
    ),
    setting(
        "feed.subscriptions_max",
        Kind::Number(0..=10_000),
        "Subscriptions that there may be: as many that are FHIR resources, and as many others",
        |config| &mut config.feed.subscriptions_max,
    ),
    setting(
        "feed.subscription_error_seconds",
        Kind::Number(0..=86_400),
        "Seconds that a FHIR Subscription may fail before its status is error",
        |config| &mut config.feed.subscription_error_seconds,
    ),
    setting(
        "feed.parked_events_max",
        Kind::Number(1..=100_000),
        "Events that one subscription may park; then it pauses",
        |config| &mut config.feed.parked_events_max,
    ),
];

static BEHIND: &[Setting] = &[
    setting(
        "log.format",
        Kind::Choice(&["text", "json"]),
        "How a line looks: text for people, json for machines",
        |config| &mut config.log.format,
    ),
    setting(
        "log.filter",
        Kind::Filter,
        "Which lines are written: a level, or filters such as warn,chartlog=debug",
        |config| &mut config.log.filter,
    ),
    setting(
        "log.traces",
        Kind::Url,
        "Address of an OpenTelemetry collector that gets a trace of each request, over HTTP\n\
         (OTLP, Protobuf), such as http://127.0.0.1:4318; empty: none does",
        |config| &mut config.log.traces,
    ),
    setting(
        "demo.enabled",
        Kind::Switch,
        "Load a synthetic clinic at start, unless the store already holds it",
        |config| &mut config.demo.enabled,
    ),
    setting(
        "demo.patients",
        Kind::Number(1..=1_000_000),
        "Patients of the synthetic clinic",
        |config| &mut config.demo.patients,
    ),
    setting(
        "demo.seed",
        Kind::Number(0..=i64::MAX),
        "Seed of the synthetic clinic: the same seed gives the same bytes",
        |config| &mut config.demo.seed,
    ),
];

const fn setting(
    key: &'static str,
    kind: Kind,
    help: &'static str,
    field: fn(&mut Config) -> &mut dyn Field,
) -> Setting {
    Setting { key, kind, help, secret: false, field }
}
