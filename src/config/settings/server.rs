//! The settings of `[server]`.

use super::super::kind::Kind;
use super::super::setting::Setting;
use super::setting;

/// The settings of `[server]`.
pub static SETTINGS: &[Setting] = &[
    setting(
        "server.listen",
        Kind::Address,
        "Address and port to listen on; port 0 takes a free one",
        |config| &mut config.server.listen,
    ),
    setting(
        "server.public_url",
        Kind::Url,
        "Address under which clients reach the server; empty: the one it listens on",
        |config| &mut config.server.public_url,
    ),
    setting(
        "server.tls_certificate_file",
        Kind::File,
        "PEM file with the certificate chain of the server, which then speaks TLS 1.3 and 1.2 and\n\
         nothing else; read anew when it changes. Empty: HTTP in the clear, for this machine or\n\
         behind a proxy that does TLS",
        |config| &mut config.server.tls_certificate_file,
    ),
    setting(
        "server.tls_key_file",
        Kind::File,
        "PEM file with the private key of that certificate",
        |config| &mut config.server.tls_key_file,
    ),
    setting(
        "server.tls_client_certificates",
        Kind::Choice(&["off", "optional", "required"]),
        "Whether clients show a certificate of their own, beside their token: one that is shown\n\
         must be certified by server.tls_client_ca_file",
        |config| &mut config.server.tls_client_certificates,
    ),
    setting(
        "server.tls_client_ca_file",
        Kind::File,
        "PEM file with the authorities that certify clients",
        |config| &mut config.server.tls_client_ca_file,
    ),
    setting(
        "server.workers",
        Kind::Number(0..=1024),
        "Threads that serve requests; 0: one per processor core",
        |config| &mut config.server.workers,
    ),
    setting(
        "server.trusted_proxies",
        Kind::Networks,
        "Addresses and networks of the proxies in front of the server, whose word about a client's\n\
         address goes into the access log",
        |config| &mut config.server.trusted_proxies,
    ),
    setting(
        "server.proxy_header",
        Kind::Choice(&["x-forwarded-for", "forwarded"]),
        "The header in which they write it themselves; what a client sends in the other one counts\n\
         for nothing",
        |config| &mut config.server.proxy_header,
    ),
    setting(
        "server.cors_origins",
        Kind::Sites,
        "Sites whose pages may read answers in browsers (CORS); without any, only pages that come from the\n\
         same place as the API can",
        |config| &mut config.server.cors_origins,
    ),
    setting(
        "server.metrics",
        Kind::Choice(&["open", "loopback", "off"]),
        "Who gets the figures at /metrics, which need no token: whoever asks, who asks from this\n\
         machine (and not through a proxy, unless it is trusted), or nobody",
        |config| &mut config.server.metrics,
    ),
    setting(
        "server.docs",
        Kind::Switch,
        "Whether there are /docs and /openapi.json, which need no token",
        |config| &mut config.server.docs,
    ),
];
