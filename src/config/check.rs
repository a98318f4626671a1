//! Contradictions between settings that are valid alone.

use std::collections::BTreeSet;

use super::{ClientCertificates, Config, NatsServer, Problem, Sources};
use super::{clients, sign_in};

/// Every contradiction in a configuration.
pub fn check(config: &Config, sources: &Sources) -> Vec<Problem> {
    let findings = [
        local_issuer(config),
        demo(config),
        page_size(config),
        group_size(config),
        siem_key(config),
    ];
    let (tls, nats) = (tls(config).into_iter(), nats(config).into_iter());
    let issuers = issuers(config).into_iter().map(|message| (vec!["auth.issuers"], message));
    let clients = clients::problems(&config.auth.clients).into_iter();
    let clients = clients.map(|message| (vec!["auth.clients"], message));
    findings
        .into_iter()
        .flatten()
        .chain(tls)
        .chain(nats)
        .chain(issuers)
        .chain(clients)
        .chain(sign_in::problems(config))
        .map(|(keys, message)| problem(&keys, message, sources))
        .collect()
}

/// The keys a contradiction is about, the one most likely to be changed first, and what is wrong.
type Finding = (Vec<&'static str>, String);

fn problem(keys: &[&'static str], message: String, sources: &Sources) -> Problem {
    Problem {
        source: keys.first().map(|key| sources.of(key)).unwrap_or_default(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        message,
    }
}

/// The local issuer's key lies in the data directory and its tokens may say anything: fine on one's
/// own machine, a back door on a network.
fn local_issuer(config: &Config) -> Option<Finding> {
    let (server, auth) = (&config.server, &config.auth);
    let exposed = auth.local_issuer && !server.is_loopback_only();
    (exposed && !auth.local_issuer_beyond_loopback).then(|| {
        let message = format!(
            "server.listen is {}, which other machines can reach, while auth.local_issuer is on, so \
             that whoever can read the data directory can sign tokens for any chart; turn \
             auth.local_issuer off and name auth.issuers, or, if this is meant, turn \
             auth.local_issuer_beyond_loopback on",
            server.listen
        );
        let keys = vec!["server.listen", "auth.local_issuer", "auth.local_issuer_beyond_loopback"];
        (keys, message)
    })
}

/// The demo signs the tokens that it loads with and prints.
fn demo(config: &Config) -> Option<Finding> {
    (config.demo.enabled && !config.auth.local_issuer).then(|| {
        let message = "demo.enabled needs auth.local_issuer, which is off".to_owned();
        (vec!["demo.enabled", "auth.local_issuer"], message)
    })
}

fn page_size(config: &Config) -> Option<Finding> {
    let (default, max) = (config.limits.page_size_default, config.limits.page_size_max);
    (default > max).then(|| {
        let message = format!(
            "limits.page_size_default is {default}, but must not exceed limits.page_size_max, \
             which is {max}"
        );
        (vec!["limits.page_size_default", "limits.page_size_max"], message)
    })
}

fn group_size(config: &Config) -> Option<Finding> {
    let (group, segment) = (config.store.group_bytes_max, config.store.segment_bytes_max);
    (group > segment).then(|| {
        let message = format!(
            "store.group_bytes_max is {group}, but must not exceed store.segment_bytes_max, \
             which is {segment}"
        );
        (vec!["store.group_bytes_max", "store.segment_bytes_max"], message)
    })
}

fn siem_key(config: &Config) -> Option<Finding> {
    let (certificate, key) = (&config.audit.siem_certificate_file, &config.audit.siem_key_file);
    (certificate.is_some() != key.is_some()).then(|| {
        let keys = vec!["audit.siem_certificate_file", "audit.siem_key_file"];
        (keys, "audit.siem_certificate_file and audit.siem_key_file need each other".to_owned())
    })
}

fn tls(config: &Config) -> Vec<Finding> {
    let server = &config.server;
    let mut findings = Vec::new();
    if server.tls_certificate_file.is_some() != server.tls_key_file.is_some() {
        let message = "server.tls_certificate_file and server.tls_key_file need each other";
        let keys = vec!["server.tls_certificate_file", "server.tls_key_file"];
        findings.push((keys, message.to_owned()));
    }
    let asks = server.tls_client_certificates != ClientCertificates::Off;
    if asks != server.tls_client_ca_file.is_some() {
        let message = "server.tls_client_ca_file says who certifies clients, and counts where \
                       server.tls_client_certificates is optional or required: set both or none";
        let keys = vec!["server.tls_client_certificates", "server.tls_client_ca_file"];
        findings.push((keys, message.to_owned()));
    }
    if asks && !server.is_tls() {
        let message = "server.tls_client_certificates needs TLS: server.tls_certificate_file and \
                       server.tls_key_file";
        let keys = vec!["server.tls_client_certificates", "server.tls_certificate_file"];
        findings.push((keys, message.to_owned()));
    }
    if config.demo.enabled && server.tls_client_certificates == ClientCertificates::Required {
        let message = "demo.enabled loads the clinic without a client certificate, which \
                       server.tls_client_certificates requires: set it to optional or off";
        findings.push((vec!["demo.enabled", "server.tls_client_certificates"], message.to_owned()));
    }
    if server.is_tls() && server.public_url.as_ref().is_some_and(|url| url.starts_with("http:")) {
        let message = "server.public_url is an http:// address, while the server speaks TLS: write \
                       https://";
        findings
            .push((vec!["server.public_url", "server.tls_certificate_file"], message.to_owned()));
    }
    findings
}

fn nats(config: &Config) -> Vec<Finding> {
    let nats = &config.nats;
    let mut findings = Vec::new();
    let servers = nats.servers.iter().filter_map(|text| text.parse::<NatsServer>().ok());
    if !nats.insecure && servers.into_iter().any(|server| server.is_exposed()) {
        let message = "nats.servers has one beyond this machine that is reached in the clear; write \
                       tls://, or, if this is meant, turn nats.insecure on";
        findings.push((vec!["nats.servers", "nats.insecure"], message.to_owned()));
    }
    if !nats.servers.is_empty() && nats.scopes.is_empty() {
        let message = "nats.servers needs nats.scopes, which says what may leave: system/*.rs is \
                       everything";
        findings.push((vec!["nats.scopes", "nats.servers"], message.to_owned()));
    }
    let identities = [
        ("nats.credentials_file", &nats.credentials_file),
        ("nats.nkey_file", &nats.nkey_file),
        ("nats.user", &nats.user),
    ];
    let given: Vec<_> =
        identities.into_iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key).collect();
    if given.len() > 1 {
        let message = format!("{} exclude each other", given.join(" and "));
        findings.push((given, message));
    }
    for (one, other) in [
        (("nats.user", &nats.user), ("nats.password_file", &nats.password_file)),
        (("nats.certificate_file", &nats.certificate_file), ("nats.key_file", &nats.key_file)),
    ] {
        if one.1.is_some() != other.1.is_some() {
            findings
                .push((vec![one.0, other.0], format!("{} and {} need each other", one.0, other.0)));
        }
    }
    findings
}

fn issuers(config: &Config) -> Vec<String> {
    let mut messages = Vec::new();
    let mut names = BTreeSet::new();
    if config.auth.issuers.iter().filter(|issuer| issuer.introspection.is_some()).count() > 1 {
        let message = "auth.issuers: two have introspection, but an opaque token does not say which of them \
                       made it; only one can be asked";
        messages.push(message.to_owned());
    }
    for issuer in &config.auth.issuers {
        let name = issuer.name.as_str();
        if name.is_empty() {
            messages
                .push("auth.issuers: a name is empty; write the `iss` of its tokens".to_owned());
        } else if !names.insert(name) {
            messages.push(format!("auth.issuers: {name:?} is named twice; put its keys together"));
        }
        messages.extend(issuer.problems());
        if issuer.require_bound && config.server.tls_client_certificates == ClientCertificates::Off
        {
            messages.push(format!(
                "auth.issuers: {name:?} has require_bound, so clients must be able to show a \
                 certificate: set server.tls_client_certificates to optional or required"
            ));
        }
    }
    messages
}
