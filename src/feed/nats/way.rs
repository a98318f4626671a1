//! How the servers are reached, and how this one shows who it is.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, ServerAddr};
use rustls::ClientConfig;

use crate::config::NatsConfig;
use crate::feed::delivery::Failed;
use crate::feed::tls;

/// How long one server may take to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);

/// The way to the servers of a configuration.
pub struct Way {
    config: NatsConfig,
    addresses: Vec<ServerAddr>,
    tls: ClientConfig,
}

impl Way {
    /// Checks all that a configuration says about it.
    ///
    /// # Errors
    ///
    /// Every setting that cannot be used, and why.
    pub fn new(config: &NatsConfig) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let (mut addresses, mut client) = (Vec::new(), None);
        for text in &config.servers {
            match text.parse() {
                Ok(address) => addresses.push(address),
                Err(error) => problems.push(format!("nats.servers: {text}: {error}")),
            }
        }
        match tls::configure(tls::Files {
            authorities: ("nats.ca_file", config.ca_file.as_deref()),
            certificate: ("nats.certificate_file", config.certificate_file.as_deref()),
            key: ("nats.key_file", config.key_file.as_deref()),
        }) {
            Ok(configured) => client = Some(configured),
            Err(wrong) => problems.extend(wrong),
        }
        if let Err(wrong) = identify(config) {
            problems.push(wrong);
        }
        match client {
            Some(tls) if problems.is_empty() => Ok(Self { config: config.clone(), addresses, tls }),
            _ => Err(problems),
        }
    }

    /// Connects to one of the servers. Whoever it says it is, is read anew: credentials expire and are replaced.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub async fn connect(&self) -> Result<Client, Failed> {
        let options = identify(&self.config).map_err(Failed)?;
        options
            .name("chartlog")
            .tls_client_config(self.tls.clone())
            .connection_timeout(CONNECT_MAX)
            .ping_interval(PING_EVERY)
            // Only those that are configured: others were not said to be safe.
            .ignore_discovered_servers()
            // A connection that broke is not trusted to know what has arrived: a new one asks the stream.
            .max_reconnects(1)
            .connect(&self.addresses[..])
            .await
            .map_err(|error| Failed::because("no connection", &error))
    }
}

/// Who this server says it is.
fn identify(config: &NatsConfig) -> Result<ConnectOptions, String> {
    let read = |setting: &str, path: &str| {
        let bytes = tls::read(path).map_err(|why| format!("{setting}: {why}"))?;
        // What is wrong with it is said without what is in it.
        let text = String::from_utf8(bytes).map_err(|_| format!("{setting}: {path} is no text"))?;
        // With one line end, whether the file has one or not.
        Ok::<_, String>(format!("{}\n", text.trim_end_matches(['\r', '\n'])))
    };
    let line = |setting: &str, path: &str| {
        read(setting, path).map(|text| text.trim_end_matches('\n').to_owned())
    };
    let options = ConnectOptions::new();
    if let Some(path) = &config.credentials_file {
        let text = read("nats.credentials_file", path)?;
        return options.credentials(&text).map_err(|_| {
            format!(
                "nats.credentials_file: {path} does not hold a JWT and a seed, as nsc writes them"
            )
        });
    }
    if let Some(path) = &config.nkey_file {
        return Ok(options.nkey(line("nats.nkey_file", path)?));
    }
    match (&config.user, &config.password_file) {
        (Some(user), Some(path)) => {
            Ok(options.user_and_password(user.clone(), line("nats.password_file", path)?))
        }
        _ => Ok(options),
    }
}
