//! What kind of value a setting takes, and what would be right where it got something else.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use toml::Value;
use tracing_subscriber::EnvFilter;

use super::feed::is_host;
use super::nats::NatsServer;
use super::server::{is_site, network};
use super::siem::SiemTarget;

/// What a setting takes.
#[derive(Debug)]
pub enum Kind {
    /// An IP address and a port.
    Address,
    /// The address of a web server, or nothing.
    Url,
    /// A path of the file system.
    Path,
    /// The path of a file, or nothing.
    File,
    /// Where a key comes from, or nothing.
    KeySource,
    /// At once, or a window of the day.
    Window,
    /// True or false.
    Switch,
    /// A whole number in this range.
    Number(RangeInclusive<i64>),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Which lines the process logs.
    Filter,
    /// A name that checkpoints can carry, or nothing.
    Origin,
    /// A time zone of the IANA database.
    TimeZone,
    /// A list of places for checkpoints.
    Sinks,
    /// A list of tools that entries are forwarded to.
    SiemTargets,
    /// A list of servers of NATS.
    NatsServers,
    /// A list of networks and addresses.
    Networks,
    /// A list of hosts.
    Hosts,
    /// A list of web sites.
    Sites,
    /// A list of at least one name.
    Names,
    /// A name that can stand in a subject of NATS.
    Word,
    /// A text, and what it must be.
    Text(&'static str),
    /// A list of token issuers.
    Issuers,
    /// A list of programs that are given tokens.
    Clients,
    /// A list of users.
    Users,
    /// A list of apps.
    Apps,
}

impl Kind {
    /// Whether it is a list of tables.
    pub fn is_of_tables(&self) -> bool {
        matches!(self, Self::Issuers | Self::Clients | Self::Users | Self::Apps)
    }

    /// The TOML source of a value that was given as plain text, by a flag or the environment.
    ///
    /// Names may be separated by commas; everything else that is no text by nature is already TOML.
    pub fn text_to_toml<'text>(&self, text: &'text str) -> Cow<'text, str> {
        match self {
            _ if self.is_of_tables() => Cow::Borrowed(text),
            Self::Switch | Self::Number(_) => Cow::Borrowed(text),
            Self::Names
            | Self::Sinks
            | Self::SiemTargets
            | Self::NatsServers
            | Self::Networks
            | Self::Hosts
            | Self::Sites
                if text.trim_start().starts_with('[') =>
            {
                Cow::Borrowed(text)
            }
            Self::Sinks
            | Self::SiemTargets
            | Self::NatsServers
            | Self::Networks
            | Self::Hosts
            | Self::Sites
                if text.trim().is_empty() =>
            {
                Cow::Borrowed("[]")
            }
            Self::Names
            | Self::Sinks
            | Self::SiemTargets
            | Self::NatsServers
            | Self::Networks
            | Self::Hosts
            | Self::Sites => {
                let names = text.split(',').map(|name| Value::from(name.trim()));
                Cow::Owned(Value::Array(names.collect()).to_string())
            }
            Self::Address
            | Self::Url
            | Self::Path
            | Self::File
            | Self::KeySource
            | Self::Origin
            | Self::TimeZone
            | Self::Window
            | Self::Choice(_)
            | Self::Word
            | Self::Text(_)
            | Self::Issuers
            | Self::Clients
            | Self::Users
            | Self::Apps
            | Self::Filter => Cow::Owned(Value::from(text).to_string()),
        }
    }

    /// Whether a value of the right type is also one that makes sense.
    pub fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Number(range), Value::Integer(number)) => range.contains(number),
            (Self::Url, Value::String(url)) => url.is_empty() || is_base_url(url),
            (Self::Path, Value::String(path)) => !path.is_empty(),
            (Self::KeySource, Value::String(source)) => {
                let begins = |start: &str| source.len() > start.len() && source.starts_with(start);
                source.is_empty() || ["file:", "env:", "command:"].into_iter().any(begins)
            }
            (Self::Window, Value::String(window)) => window == "at-once" || is_window(window),
            (Self::Filter, Value::String(filter)) => {
                !filter.trim().is_empty() && EnvFilter::try_new(filter).is_ok()
            }
            (Self::Origin, Value::String(name)) => {
                let refused =
                    |letter: char| letter.is_whitespace() || letter.is_control() || letter == '+';
                !name.contains(refused) && !name.ends_with('/')
            }
            (Self::TimeZone, Value::String(name)) => name.parse::<chrono_tz::Tz>().is_ok(),
            (Self::Sinks, Value::Array(sinks)) => {
                let starts = ["folder:", "webhook:", "witness:"];
                let named = |sink: &str| starts.iter().any(|start| sink.starts_with(start));
                sinks.iter().all(|sink| sink.as_str().is_some_and(named))
            }
            (Self::SiemTargets, Value::Array(targets)) => {
                let is_target = |text: &Value| {
                    text.as_str().is_some_and(|text| text.parse::<SiemTarget>().is_ok())
                };
                let is_new = |(at, text): (usize, &Value)| {
                    !targets.iter().take(at).any(|other| other == text)
                };
                targets.iter().all(is_target) && targets.iter().enumerate().all(is_new)
            }
            (Self::NatsServers, Value::Array(servers)) => servers
                .iter()
                .all(|text| text.as_str().is_some_and(|text| text.parse::<NatsServer>().is_ok())),
            (Self::Word, Value::String(word)) => {
                let is_odd =
                    |letter: char| !letter.is_ascii_alphanumeric() && !"-_".contains(letter);
                !word.is_empty() && !word.contains(is_odd)
            }
            (Self::Networks, Value::Array(networks)) => {
                networks.iter().all(|text| text.as_str().and_then(network).is_some())
            }
            (Self::Hosts, Value::Array(hosts)) => {
                hosts.iter().all(|text| text.as_str().is_some_and(is_host))
            }
            (Self::Sites, Value::Array(sites)) => {
                sites.iter().all(|text| text.as_str().is_some_and(is_site))
            }
            (Self::Names, Value::Array(names)) => {
                !names.is_empty() && names.iter().all(|name| name.as_str() != Some(""))
            }
            _ => true,
        }
    }
}

/// What would be right: completes the sentence "it must be ...".
impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = match self {
            Self::Address => "an IP address and a port, such as \"127.0.0.1:8080\"",
            Self::Url => {
                "empty, or an address such as \"https://charts.example.org\" \
                 (http or https; no query, fragment or credentials)"
            }
            Self::Path => "a path, such as \"./data\"",
            Self::File => "empty, or the path of a file",
            Self::KeySource => "empty, file:PATH, env:NAME or command:COMMAND",
            Self::Window => "\"at-once\", or a window of the day such as \"01:00-05:00\"",
            Self::Switch => "true or false",
            Self::Number(range) => {
                let (low, high) = (grouped(*range.start()), grouped(*range.end()));
                return write!(formatter, "a whole number from {low} to {high}");
            }
            Self::Choice(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
                return formatter.write_str(&quoted.join(" or "));
            }
            Self::Filter => {
                "a level or a list of filters, such as \"info\" or \"warn,chartlog=debug\""
            }
            Self::Origin => {
                "empty, or a name without spaces, + and a slash at its end, such as \
                 \"charts.example.org/north\""
            }
            Self::TimeZone => "a name of the IANA time zone database, such as \"Europe/Berlin\"",
            Self::Sinks => "a list of folder:/PATH, webhook:URL and witness:VKEY@URL",
            Self::SiemTargets => {
                "a list of syslog+tls://HOST:PORT, json+tls://HOST:PORT, json+tcp://HOST:PORT, \
                 json+unix:///PATH and json+file:///PATH, each once"
            }
            Self::NatsServers => "a list of tls://HOST:PORT and nats://HOST:PORT",
            Self::Word => "a name of letters, digits, - and _",
            Self::Text(right) => right,
            Self::Networks => {
                "a list of addresses and networks, such as [\"10.0.0.7\", \"fd00::/8\"]"
            }
            Self::Hosts => {
                "a list of hosts in lower case, such as [\"hooks.example.org\", \"*.clinic.example\"]"
            }
            Self::Sites => {
                "a list of sites as browsers name them, such as [\"https://app.example.org\", \
                 \"http://localhost:5173\"] (lower case; no path, no usual port)"
            }
            Self::Names => "a list of at least one name, such as [\"chartlog\"]",
            Self::Issuers => "a list of tables [[auth.issuers]]",
            Self::Clients => "a list of tables [[auth.clients]]",
            Self::Users => "a list of tables [[auth.users]]",
            Self::Apps => "a list of tables [[auth.apps]]",
        };
        formatter.write_str(right)
    }
}

/// A whole number as TOML, its digits in groups of three.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// Two times of the day, `HH:MM-HH:MM`.
fn is_window(text: &str) -> bool {
    let below = |text: &str, limit: u8| {
        text.len() == 2 && text.parse::<u8>().is_ok_and(|number| number < limit)
    };
    let is_time = |time: &str| {
        time.split_once(':').is_some_and(|(hours, minutes)| below(hours, 24) && below(minutes, 60))
    };
    text.split_once('-').is_some_and(|(from, until)| is_time(from) && is_time(until))
}

fn is_base_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let has_host = !rest.starts_with(['/', ':']) && !rest.is_empty();
        let foreign = |character: char| {
            character.is_whitespace() || character.is_control() || "?#@\\".contains(character)
        };
        has_host && !rest.contains(foreign)
    })
}
