//! Connections to a server: which certificate of it is believed, and which one is shown to it.

use std::path::Path;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;

use super::{Failure, TlsArguments};

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct Way {
    tls: TlsConfig,
    by_proxy: bool,
}

impl Way {
    /// To a server of this very process. It is known by its address alone: its certificate is for the name that others
    /// reach it by.
    pub fn to_self() -> Self {
        Self { tls: TlsConfig::builder().disable_verification(true).build(), by_proxy: false }
    }

    /// As the command line says.
    ///
    /// # Errors
    ///
    /// [`Failure`]: a file that holds no certificate, or no key.
    pub fn of(arguments: &TlsArguments) -> Result<Self, Failure> {
        let TlsArguments { ca_file, certificate_file, key_file } = arguments;
        let mut tls = TlsConfig::builder();
        if let Some(path) = ca_file {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(path)?));
        }
        if let (Some(chain), Some(key)) = (certificate_file, key_file) {
            let found = items(key)?.into_iter().find_map(|item| match item {
                PemItem::PrivateKey(found) => Some(found),
                _ => None,
            });
            let found = found.ok_or_else(|| holds_no(key, "private key"))?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&certificates(chain)?, found)));
        }
        Ok(Self { tls: tls.build(), by_proxy: true })
    }

    /// An agent that goes this way; statuses are no errors to it, and it follows no redirect.
    pub fn agent(
        &self,
        limits: impl FnOnce(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>,
    ) -> Agent {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("chartlog/", env!("CARGO_PKG_VERSION")))
            .tls_config(self.tls.clone());
        let config = if self.by_proxy { config } else { config.proxy(None) };
        limits(config).build().new_agent()
    }
}

fn certificates(path: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, Failure> {
    let found = items(path)?.into_iter().filter_map(|item| match item {
        PemItem::Certificate(found) => Some(found),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(holds_no(path, "certificate")) } else { Ok(found) }
}

fn items(path: &Path) -> Result<Vec<PemItem<'static>>, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(&error))?;
    parse_pem(&text).collect::<Result<_, _>>().map_err(|error| wrong(&error))
}

fn holds_no(path: &Path, what: &str) -> Failure {
    Failure::usage(format!("{} holds no {what}; it must be PEM", path.display()))
}
