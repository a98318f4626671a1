//! Where access entries are forwarded to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A tool of the operator that access entries are forwarded to, such as a SIEM.
///
/// | text | what is sent |
/// |---|---|
/// | `syslog+tls://HOST:PORT` | syslog messages (RFC 5424) in frames of RFC 5425 |
/// | `json+tls://HOST:PORT`, `json+tcp://HOST:PORT`, `json+unix:///PATH` | an object on each line |
/// | `json+file:///PATH` | the same, appended to a file |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiemTarget {
    /// What is sent.
    pub form: SiemForm,
    /// The way there.
    pub way: SiemWay,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiemForm {
    /// Syslog messages.
    Syslog,
    /// A JSON object on each line.
    Json,
}

/// A way to a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiemWay {
    /// TLS over TCP.
    Tls(SiemHost),
    /// TCP in the clear.
    Tcp(SiemHost),
    /// A stream socket of this machine.
    Unix(PathBuf),
    /// A file.
    File(PathBuf),
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiemHost {
    /// A name or an address, the latter without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// Not a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a target is syslog+tls://HOST:PORT, json+tls://HOST:PORT, json+tcp://HOST:PORT, json+unix:///PATH or json+file:///PATH"
)]
pub struct NoTarget;

impl FromStr for SiemTarget {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let (scheme, place) = text.split_once("://").ok_or(NoTarget)?;
        let path = || match place.starts_with('/') && !place.ends_with('/') {
            true => Ok(PathBuf::from(place)),
            false => Err(NoTarget),
        };
        let (form, way) = match scheme {
            "syslog+tls" => (SiemForm::Syslog, SiemWay::Tls(place.parse()?)),
            "json+tls" => (SiemForm::Json, SiemWay::Tls(place.parse()?)),
            "json+tcp" => (SiemForm::Json, SiemWay::Tcp(place.parse()?)),
            "json+unix" => (SiemForm::Json, SiemWay::Unix(path()?)),
            "json+file" => (SiemForm::Json, SiemWay::File(path()?)),
            _ => return Err(NoTarget),
        };
        Ok(Self { form, way })
    }
}

impl fmt::Display for SiemTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.form {
            SiemForm::Syslog => "syslog",
            SiemForm::Json => "json",
        };
        match &self.way {
            SiemWay::Tls(host) => write!(formatter, "{form}+tls://{host}"),
            SiemWay::Tcp(host) => write!(formatter, "{form}+tcp://{host}"),
            SiemWay::Unix(path) => write!(formatter, "{form}+unix://{}", path.display()),
            SiemWay::File(path) => write!(formatter, "{form}+file://{}", path.display()),
        }
    }
}

impl FromStr for SiemHost {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let (name, port) = text.rsplit_once(':').ok_or(NoTarget)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NoTarget)?;
        let name = match name.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(address)) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            Some(_) => return Err(NoTarget),
            None => name,
        };
        let is_odd = |letter: char| !letter.is_ascii_alphanumeric() && !"-._".contains(letter);
        if name.is_empty() || (!text.starts_with('[') && name.contains(is_odd)) {
            return Err(NoTarget);
        }
        Ok(Self { name: name.to_owned(), port })
    }
}

impl fmt::Display for SiemHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(formatter, "[{}]:{}", self.name, self.port),
            false => write!(formatter, "{}:{}", self.name, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_back() {
        for text in [
            "syslog+tls://siem.example.org:6514",
            "syslog+tls://[fd00::1]:6514",
            "json+tls://10.0.0.7:6000",
            "json+tcp://localhost:6000",
            "json+unix:///run/vector.sock",
            "json+file:///var/log/chartlog/access.ndjson",
        ] {
            assert_eq!(text.parse::<SiemTarget>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "siem.example.org:6514",
            "syslog://siem:514",
            "syslog+tcp://siem:514",
            "syslog+tls://siem",
            "syslog+tls://siem:0",
            "syslog+tls://siem:65536",
            "syslog+tls://user@siem:6514",
            "syslog+tls://siem:6514/path",
            "syslog+tls://fd00::1:6514",
            "json+tls://[siem]:6514",
            "json+tls://:6514",
            "json+file://relative/path",
            "json+file:///folder/",
        ] {
            assert_eq!(text.parse::<SiemTarget>(), Err(NoTarget), "{text}");
        }
    }
}
