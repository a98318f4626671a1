//! Every mistake is told with its place and what would be right.

use super::*;

#[test]
fn an_unknown_key_is_answered_with_the_known_ones() {
    let error = with_file("[demo]\nenabled = true\npatient = 3\n").error();
    let expected = "configuration: file config/chartlog.toml, line 3: unknown key demo.patient; \
                    [demo] has enabled, patients, seed";
    assert_eq!(error, expected);
    let error = with_file("\n[sever]\nlisten = 1\n").error();
    assert!(error.contains("line 2: unknown section sever; there are server, store,"), "{error}");
    let error = with_file("server = 1").error();
    assert!(error.contains("line 1: server must be a section, written [server]"), "{error}");
    let error = World::default().flag("--set demo.x", "demo.x", "1").error();
    assert!(error.contains("flag --set demo.x: unknown key demo.x"), "{error}");
}

#[test]
fn an_unknown_variable_is_answered_with_the_nearest() {
    for (name, nearest) in [
        ("CHARTLOG_SERVR_LISTEN", "CHARTLOG_SERVER_LISTEN"),
        ("CHARTLOG_LISTEN", "CHARTLOG_SERVER_LISTEN"),
        ("CHARTLOG_SERVER_PUBLICURL", "CHARTLOG_SERVER_PUBLIC_URL"),
        ("CHARTLOG_DATA", "CHARTLOG_STORE_DATA"),
        ("CHARTLOG_", "CHARTLOG_"),
    ] {
        let error = World::default().variable(name, "x").error();
        let expected = format!("configuration: environment {name}: no setting has this variable");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains(&format!("the nearest is {nearest}")), "{error}");
    }
    let two = World::default().variable("CHARTLOG_A", "1").variable("CHARTLOG_B", "2").error();
    assert!(two.starts_with("configuration: 2 problems"), "{two}");
}

#[test]
fn variables_that_are_no_settings_are_left_to_those_who_set_them() {
    let kubernetes = World::default()
        .variable("CHARTLOG_SERVICE_HOST", "10.0.0.1")
        .variable("CHARTLOG_SERVICE_PORT_HTTP", "8080")
        .variable("CHARTLOG_PORT", "tcp://10.0.0.1:8080")
        .variable("CHARTLOG_PORT_8080_TCP_ADDR", "10.0.0.1");
    kubernetes.loaded();
    let others = World::default()
        .variable("CHARTLOG_TOKEN", "x")
        .variable("CHARTLOG_TYPO", "")
        .variable("RUST_LOG", "x")
        .variable("CHARTLOG_VAULT_MASTER_KEY", "env:CHARTLOG_KEY");
    others.variable("CHARTLOG_KEY", "x").loaded();
    let error = World::default().variable("CHARTLOG_KEY", "x").error();
    assert!(error.contains("environment CHARTLOG_KEY"), "{error}");
}

#[test]
fn a_bad_value_is_answered_with_its_place_and_what_would_be_right() {
    for (key, text, right) in [
        ("server.listen", "localhost:8080", "an IP address and a port, such as \"127.0.0.1:8080\""),
        ("server.public_url", "ftp://a", "empty, or an address such as"),
        ("server.public_url", "https://user:secret@a", "no query, fragment or credentials"),
        ("server.public_url", "https://", "empty, or an address"),
        ("limits.page_size_max", "0", "a whole number from 1 to 10_000"),
        ("limits.page_size_max", "many", "a whole number from 1 to 10_000"),
        ("limits.page_size_max", "-1", "a whole number from 1 to 10_000"),
        ("limits.page_size_max", "1.5", "a whole number from 1 to 10_000"),
        ("limits.page_size_max", "99999999999999999999", "a whole number from 1 to 10_000"),
        ("store.segment_bytes_max", "256MB", "a whole number from 1_048_576 to"),
        ("auth.local_issuer", "yes", "true or false"),
        ("server.trusted_proxies", "10.0.0.0/33", "a list of addresses and networks, such as"),
        ("server.cors_origins", "*", "a list of sites as browsers name them"),
        ("server.cors_origins", "https://app.example.org/", "no path"),
        ("server.cors_origins", "https://App.example.org", "lower case"),
        ("server.cors_origins", "https://app.example.org:443", "no usual port"),
        ("server.cors_origins", "app.example.org", "a list of sites"),
        ("server.trusted_proxies", "proxy.example.org", "a list of addresses and networks"),
        ("server.proxy_header", "x-real-ip", "\"x-forwarded-for\" or \"forwarded\""),
        ("nats.servers", "nats.example.org", "a list of tls://HOST:PORT and nats://HOST:PORT"),
        ("nats.tenant", "a.b", "a name of letters, digits, - and _"),
        ("auth.audience", "a,,b", "a list of at least one name"),
        ("log.format", "xml", "\"text\" or \"json\""),
        ("log.filter", "chartlog=loud", "a level or a list of filters"),
    ] {
        let error = World::default().flag("--set", key, text).error();
        let expected = format!("configuration: flag --set: {key} is {text}, but must be ");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains(right), "{error}");
    }
    let error = with_file("[demo]\n\nseed = \"one\"\n").error();
    assert!(error.contains("line 3: demo.seed is \"one\", but must be a whole number"), "{error}");
}

#[test]
fn all_problems_are_told_at_once() {
    let error = with_file("[demo]\nseed = -1\nsead = 1\n[log]\nformat = 7\n")
        .variable("CHARTLOG_SERVER_WORKERS", "all")
        .flag("--listen", "server.listen", "8080")
        .flag("--set", "limits.page_size_default", "2000")
        .load()
        .unwrap_err();
    let keys: Vec<_> = error.problems.iter().map(|problem| problem.keys[0].as_str()).collect();
    let expected = [
        "demo.sead",
        "demo.seed",
        "log.format",
        "server.workers",
        "server.listen",
        "limits.page_size_default",
    ];
    assert_eq!(keys, expected);
    let text = error.to_string();
    assert!(
        text.starts_with("configuration: 6 problems\n  file config/chartlog.toml, line 3: "),
        "{text}"
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_by_line() {
    let error = with_file("[demo]\nseed = 1\nseed = 2\n").error();
    assert!(error.contains("file config/chartlog.toml, line 3: this is no TOML: "), "{error}");
    let error = with_file("[demo]\nseed = \n").error();
    assert!(error.contains("line 2: this is no TOML: "), "{error}");
}

#[test]
fn mistakes_within_issuers_are_told_by_their_own_line() {
    let text = "[[auth.issuers]]\nname = \"https://a\"\n\n[[auth.issuers.keys]]\n\
                algorithm = \"HS256\"\npem_file = \"a.pem\"\n";
    let error = with_file(text).error();
    assert!(error.contains("line 5: auth.issuers: unknown variant `HS256`"), "{error}");
    assert!(error.contains("RS256"), "{error}");
    let error = with_file("[[auth.issuers]]\nname = \"a\"\njwks = \"a\"\n").error();
    assert!(
        error.contains("line 3: auth.issuers: unknown field `jwks`, expected one of"),
        "{error}"
    );
    let twice =
        "[[auth.issuers]]\nname = \"a\"\n[[auth.issuers]]\nname = \"a\"\njwks_file = \"a\"\n";
    let error = with_file(twice).error();
    assert!(
        error.contains(
            "auth.issuers: \"a\" has no keys; give it discovery, jwks_url, jwks_file or keys"
        ),
        "{error}"
    );
    assert!(error.contains("auth.issuers: \"a\" is named twice"), "{error}");
}

#[test]
fn issuers_are_not_asked_in_a_way_that_others_could_answer() {
    let error = with_file(
        "[[auth.issuers]]\nname = \"a\"\ndiscovery = true\njwks_url = \"http://login.example.org/\"\n\
         [[auth.issuers]]\nname = \"https://b.example?c\"\ndiscovery = true\n\
         token_endpoint = \"http://b.example/token\"\n",
    )
    .error();
    for part in [
        "\"a\" has both discovery and jwks_url",
        "\"a\" is no address that can be asked",
        "\"a\" has a jwks_url that must not be used; it begins with https://",
        "\"https://b.example?c\" is no address",
        "\"https://b.example?c\" has an endpoint to which nobody should send a secret",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    with_file("[[auth.issuers]]\nname = \"https://a.example\"\ndiscovery = true\n").loaded();
    with_file("[[auth.issuers]]\nname = \"a\"\njwks_url = \"http://127.0.0.1:1/\"\n").loaded();
}

#[test]
fn the_local_issuer_stays_on_this_machine_unless_told_otherwise() {
    let world = || World::default().flag("--listen", "server.listen", "0.0.0.0:8080");
    let error = world().error();
    assert!(error.contains("flag --listen: server.listen is 0.0.0.0:8080"), "{error}");
    assert!(error.contains("auth.local_issuer off"), "{error}");
    assert!(error.contains("auth.local_issuer_beyond_loopback on"), "{error}");
    world().variable("CHARTLOG_AUTH_LOCAL_ISSUER", "false").loaded();
    world().variable("CHARTLOG_AUTH_LOCAL_ISSUER_BEYOND_LOOPBACK", "true").loaded();
    World::default().flag("--listen", "server.listen", "[::1]:0").loaded();
}

#[test]
fn what_contradicts_itself_about_nats_is_told_at_once() {
    let error = with_file(
        "[nats]\nservers = [\"nats://nats.example.org:4222\"]\nnkey_file = \"n\"\nuser = \"u\"\n\
         key_file = \"k\"\n",
    )
    .error();
    for part in [
        "configuration: 5 problems",
        "reached in the clear",
        "nats.servers needs nats.scopes",
        "nats.nkey_file and nats.user exclude each other",
        "nats.user and nats.password_file need each other",
        "nats.certificate_file and nats.key_file need each other",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let loopback = "[nats]\nservers = [\"nats://127.0.0.1:4222\"]\nscopes = \"system/*.rs\"\n";
    with_file(loopback).loaded();
}

#[test]
fn what_contradicts_itself_about_tls_is_told_at_once() {
    let error = with_file(
        "[server]\npublic_url = \"http://a\"\ntls_certificate_file = \"c\"\n\
         tls_client_certificates = \"required\"\n[demo]\nenabled = true\n",
    )
    .error();
    for part in [
        "configuration: 4 problems",
        "server.tls_certificate_file and server.tls_key_file need each other",
        "server.tls_client_ca_file says who certifies clients",
        "demo.enabled loads the clinic without a client certificate",
        "server.public_url is an http:// address",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let clear = "[server]\ntls_client_certificates = \"optional\"\ntls_client_ca_file = \"a\"\n";
    let error = with_file(clear).error();
    assert!(error.contains("server.tls_client_certificates needs TLS"), "{error}");
    let sound = "[server]\ntls_certificate_file = \"c\"\ntls_key_file = \"k\"\n";
    with_file(sound).loaded();
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let error = with_file("[limits]\npage_size_max = 10\n").error();
    assert!(error.contains("limits.page_size_default is 50, but must not exceed"), "{error}");
    let error = with_file("[store]\nsegment_bytes_max = 1_048_576\n").error();
    assert!(error.contains("store.group_bytes_max is 8388608, but must not exceed"), "{error}");
}
