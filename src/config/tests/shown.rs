//! What the configuration shows of itself.

use super::super::kind::Kind;
use super::super::setting::{MASK, Setting};
use super::super::settings::{SECTIONS, settings};
use super::super::show::in_force_line;
use super::*;

#[test]
fn the_example_file_is_the_committed_one_and_says_the_defaults() {
    let committed = include_str!("../../../config/chartlog.toml");
    assert_eq!(committed, example(), "repeat: chartlog config --example > config/chartlog.toml");
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let lines: Vec<_> = committed.lines().map(uncomment).collect();
    let loaded = with_file(&lines.join("\n")).loaded();
    assert_eq!(loaded.config, Config::default());
    for setting in settings() {
        assert_ne!(loaded.sources.of(setting.key), Source::Default, "{} is missing", setting.key);
    }
    assert_eq!(with_file(committed).loaded().config, Config::default());
}

#[test]
fn what_is_in_force_is_shown_with_its_sources_and_reads_back_the_same() {
    let world = with_file("[[auth.issuers]]\nname = \"https://a\"\njwks_file = \"a.json\"\n")
        .variable("CHARTLOG_STORE_DATA", "/srv/charts")
        .flag("--listen", "server.listen", "127.0.0.1:0");
    let loaded = world.loaded();
    let text = in_force(&loaded);
    for line in [
        "listen = \"127.0.0.1:0\"  # flag --listen",
        "data = \"/srv/charts\"  # environment CHARTLOG_STORE_DATA",
        "segment_bytes_max = 268_435_456  # default",
        "issuers = [{ jwks_file = \"a.json\", name = \"https://a\" }]  \
         # file config/chartlog.toml, line 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\nis missing in\n{text}");
    }
    assert_eq!(with_file(&text).loaded().config, loaded.config);
}

#[test]
fn secrets_are_shown_neither_in_force_nor_in_an_error() {
    let secret = Setting {
        key: "demo.patients",
        kind: Kind::Number(1..=9),
        help: "",
        secret: true,
        field: |config| &mut config.demo.patients,
    };
    let mut config = Config::default();
    assert!(secret.set_text(&mut config, "7").is_ok());
    let line = in_force_line(&secret, &mut config, &Source::Default);
    assert_eq!(line, format!("patients = \"{MASK}\"  # default\n"));
    let refusal = secret.set_text(&mut config, "4711").err().unwrap();
    assert!(
        refusal.message.contains(MASK) && !refusal.message.contains("4711"),
        "{}",
        refusal.message
    );
}

#[test]
fn the_table_is_in_order() {
    let sections: Vec<_> = SECTIONS.iter().map(|(section, _)| *section).collect();
    let mut keys = std::collections::BTreeSet::new();
    let mut order = Vec::new();
    for setting in settings() {
        assert!(keys.insert(setting.key), "{} is there twice", setting.key);
        order.push(setting.section_and_name().0);
        let default = (setting.field)(&mut Config::default()).get();
        assert!(setting.kind.accepts(&default), "{} refuses its default", setting.key);
    }
    order.dedup();
    assert_eq!(order, sections);
    assert!(option_help("demo.patients").contains("[default: 25] [env: CHARTLOG_DEMO_PATIENTS]"));
}
