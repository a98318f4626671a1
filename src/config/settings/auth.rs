//! The settings of `[auth]`.

use super::super::kind::Kind;
use super::super::setting::Setting;
use super::{TIMEOUT_SECONDS_MAX, setting};

/// The settings of `[auth]`.
pub static SETTINGS: &[Setting] = &[
    setting(
        "auth.local_issuer",
        Kind::Switch,
        "Accept tokens that `chartlog token` signed with the store's own key",
        |config| &mut config.auth.local_issuer,
    ),
    setting(
        "auth.local_issuer_beyond_loopback",
        Kind::Switch,
        "Accept them even when listening where other machines can reach the server",
        |config| &mut config.auth.local_issuer_beyond_loopback,
    ),
    setting(
        "auth.audience",
        Kind::Names,
        "Names of this server: a token is for it when its `aud` holds one of them",
        |config| &mut config.auth.audience,
    ),
    setting(
        "auth.leeway_seconds",
        Kind::Number(0..=300),
        "Seconds by which clocks may differ when `exp`, `nbf` and `iat` are checked",
        |config| &mut config.auth.leeway_seconds,
    ),
    setting(
        "auth.token_cache_entries",
        Kind::Number(1..=10_000_000),
        "Verified tokens kept in memory, so that a signature is not checked for each request",
        |config| &mut config.auth.token_cache_entries,
    ),
    setting(
        "auth.keys_refresh_seconds",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds after which the keys of issuers are read again, from files and from addresses; with\n\
         a token whose key is not known that happens at once, but at most every ten seconds",
        |config| &mut config.auth.keys_refresh_seconds,
    ),
    setting(
        "auth.ca_file",
        Kind::File,
        "PEM file with the authorities that certify the issuers that are asked; empty: the public ones",
        |config| &mut config.auth.ca_file,
    ),
    setting(
        "auth.issuers",
        Kind::Issuers,
        "Issuers whose tokens are accepted, each with keys from one place or several:\n\
         \x20   [[auth.issuers]]\n\
         \x20   name = \"https://login.example.org\"  # the exact `iss` of its tokens\n\
         \x20   discovery = true                    # it names its keys itself (OpenID Connect), or:\n\
         \x20   jwks_url = \"https://login.example.org/keys\"\n\
         \x20   jwks_file = \"login.jwks.json\"\n\
         \x20   keys = [{ algorithm = \"ES256\", kid = \"2026\", pem_file = \"login.pem\" }]\n\
         \x20   # it is asked about tokens that are no JWT (RFC 7662):\n\
         \x20   introspection = { url = \"https://a.example/i\", client_id = \"me\", secret_file = \"a.secret\" }\n\
         \x20   require_bound = true                # only tokens bound to a client certificate (RFC 8705)\n\
         An algorithm is one of RS256, RS384, RS512, PS256, PS384, PS512 (RSA of 2048 bits or more),\n\
         ES256, ES384 and EdDSA; `kid` may be left out. An RSA key of a set that names no `alg` is\n\
         used for RS256. For SMART apps, unless the issuer says so itself: authorization_endpoint,\n\
         token_endpoint, and capabilities, a list.",
        |config| &mut config.auth.issuers,
    ),
    setting(
        "auth.clients",
        Kind::Clients,
        "Programs to which this server itself gives tokens of five minutes at /oauth/token (SMART\n\
         Backend Services); without any, there is no such address:\n\
         \x20   [[auth.clients]]\n\
         \x20   id = \"warehouse\"                    # its client_id\n\
         \x20   jwks_file = \"warehouse.jwks.json\"  # its public keys, or jwks_url, their address\n\
         \x20   scopes = [\"system/Observation.rs\", \"system/Patient.rs\"]\n\
         \x20   name = \"Data warehouse\"            # may be left out\n\
         \x20   purpose = \"HRESCH\"                 # the purpose of use of what it does; may be left out",
        |config| &mut config.auth.clients,
    ),
    setting(
        "auth.users",
        Kind::Users,
        "DEVELOPMENT ONLY: users whom everybody on this machine may be, without a password, at\n\
         /oauth/authorize; refused wherever other machines reach the server:\n\
         \x20   [[auth.users]]\n\
         \x20   sub = \"dr-weiss\"\n\
         \x20   name = \"Dr. Weiss\"\n\
         \x20   fhir_user = \"Practitioner/weiss\"     # may be left out, as may role\n\
         \x20   role = \"physician\"\n\
         \x20   scopes = [\"user/*.cruds\", \"patient/*.rs\"]  # what apps may be given for them\n\
         \x20   patients = [\"p0001\", \"p0002\"]        # ids to choose from, for apps about one patient",
        |config| &mut config.auth.users,
    ),
    setting(
        "auth.apps",
        Kind::Apps,
        "SMART apps for which they sign in (authorization code with PKCE; public clients):\n\
         \x20   [[auth.apps]]\n\
         \x20   id = \"growth-chart\"                 # its client_id\n\
         \x20   redirect_uris = [\"http://localhost/callback\"]  # exact; of this machine, any port\n\
         \x20   name = \"Growth chart\"               # may be left out",
        |config| &mut config.auth.apps,
    ),
];
