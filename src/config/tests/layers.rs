//! Where values come from, and which one counts.

use super::super::settings::settings;
use super::*;

#[test]
fn nothing_said_means_defaults() {
    let loaded = World::default().loaded();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.file, None);
    assert_eq!(loaded.sources.of("server.listen"), Source::Default);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    // (in the file, in the environment, as a flag) -> what counts, and where it came from
    let file = "file config/chartlog.toml, line 3";
    let environment = "environment CHARTLOG_DEMO_PATIENTS";
    let flag = "flag --demo-patients";
    for (in_file, in_environment, as_flag, expected, source) in [
        (false, None, false, 25, "default"),
        (true, None, false, 1, file),
        (false, Some("2"), false, 2, environment),
        (true, Some("2"), false, 2, environment),
        (true, Some(""), false, 1, file),
        (false, None, true, 3, flag),
        (true, None, true, 3, flag),
        (false, Some("2"), true, 3, flag),
        (true, Some("2"), true, 3, flag),
    ] {
        let mut world = World::default();
        if in_file {
            world = world.file(DEFAULT_FILE, "# clinic\n[demo]\npatients = 1\n");
        }
        if let Some(text) = in_environment {
            world = world.variable("CHARTLOG_DEMO_PATIENTS", text);
        }
        if as_flag {
            world = world.flag("--demo-patients", "demo.patients", "3");
        }
        let loaded = world.loaded();
        assert_eq!(loaded.config.demo.patients, expected);
        assert_eq!(loaded.sources.of("demo.patients").to_string(), source);
    }
}

#[test]
fn another_file_can_be_named_and_must_then_exist() {
    let demo = |patients| format!("demo.patients = {patients}");
    let world = World::default()
        .file(DEFAULT_FILE, &demo(1))
        .file("b.toml", &demo(2))
        .file("c.toml", &demo(3))
        .variable(FILE_VARIABLE, "b.toml");
    assert_eq!(world.loaded().config.demo.patients, 2);
    let world = world.named_file("c.toml");
    assert_eq!(world.loaded().config.demo.patients, 3);

    let error = World::default().named_file("missing.toml").error();
    assert!(
        error.contains("flag --config: cannot read the configuration file missing.toml"),
        "{error}"
    );
    let error = World::default().variable(FILE_VARIABLE, "missing.toml").error();
    assert!(error.contains("environment CHARTLOG_CONFIG: cannot read"), "{error}");
}

#[test]
fn every_setting_can_be_given_as_text() {
    for setting in settings() {
        let mut config = Config::default();
        let value = (setting.field)(&mut config).get();
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let loaded = World::default()
            .variable(&setting.variable(), &text)
            .flag("--set", setting.key, &text)
            .loaded();
        assert_eq!(loaded.config, Config::default(), "{}", setting.key);
    }
}

#[test]
fn lists_and_tables_fit_into_the_environment() {
    let world = World::default()
        .variable("CHARTLOG_AUTH_AUDIENCE", "chartlog, https://charts.example.org")
        .variable("CHARTLOG_AUTH_ISSUERS", r#"[{ name = "https://a", jwks_file = "a.json" }]"#)
        .variable("CHARTLOG_SERVER_PUBLIC_URL", "https://charts.example.org");
    let Config { auth, server, .. } = world.loaded().config;
    assert_eq!(auth.audience, ["chartlog", "https://charts.example.org"]);
    assert_eq!(auth.issuers[0].jwks_file, Some("a.json".into()));
    assert_eq!(server.public_url.as_deref(), Some("https://charts.example.org"));
    let world = World::default().variable("CHARTLOG_AUTH_AUDIENCE", r#"["a,b"]"#);
    assert_eq!(world.loaded().config.auth.audience, ["a,b"]);
}
