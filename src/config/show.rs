//! The configuration as a person reads it: what is in force, the example file, the help.

use toml::Value;

use super::kind::grouped;
use super::setting::{MASK, Setting};
use super::settings::{SECTIONS, settings};
use super::{Config, Loaded, Source};

/// What is in force, as TOML, with the source of each value as a comment and secrets masked.
#[must_use]
pub fn in_force(loaded: &Loaded) -> String {
    let mut config = loaded.config.clone();
    let file = match &loaded.file {
        Some(path) => format!("# Configuration file: {}\n", path.display()),
        None => "# Configuration file: none\n".to_owned(),
    };
    let head = format!("# What is in force, and where each value comes from.\n{file}");
    let section = |(name, _): &(&str, &str)| {
        let lines: String = settings_of(name)
            .map(|setting| in_force_line(setting, &mut config, &loaded.sources.of(setting.key)))
            .collect();
        format!("\n[{name}]\n{lines}")
    };
    head + &SECTIONS.iter().map(section).collect::<String>()
}

/// What is in force, a line for each setting, with secrets masked: equal texts are equal configurations.
#[must_use]
pub fn effective(config: &Config) -> String {
    let mut config = config.clone();
    let lines = settings().map(|setting| {
        let value = shown(setting, &mut config);
        format!("{} = {value}\n", setting.key)
    });
    lines.collect()
}

/// The example file: every setting at its default, commented out, with what it means.
#[must_use]
pub fn example() -> String {
    let section = |(name, title): &(&str, &str)| {
        let entries: String = settings_of(name).map(example_entry).collect();
        format!("\n# {title}\n[{name}]\n{entries}")
    };
    EXAMPLE_HEAD.to_owned() + &SECTIONS.iter().map(section).collect::<String>()
}

/// The help of the command line's option that gives the setting with this key.
#[must_use]
pub fn option_help(key: &str) -> String {
    settings().find(|setting| setting.key == key).map_or_else(String::new, |setting| {
        let meaning = setting.help.lines().next().unwrap_or_default();
        let default = match (setting.field)(&mut Config::default()).get() {
            Value::String(text) if text.is_empty() => String::new(),
            Value::String(text) => format!("[default: {text}] "),
            value => format!("[default: {}] ", written(&value)),
        };
        format!("{meaning}\n{default}[env: {}]", setting.variable())
    })
}

const EXAMPLE_HEAD: &str = "\
# Chartlog: every setting at its default. To change one, remove the # before it.
#
# This file is read from config/chartlog.toml in the working directory, or from where --config or
# CHARTLOG_CONFIG says. Each setting can also come from the environment, where server.listen is
# CHARTLOG_SERVER_LISTEN, and from the command line, where it is --set server.listen=... Flags win
# over the environment, and the environment over this file. Relative paths start at the working
# directory. `chartlog config` prints what is in force.
";

fn settings_of(section: &str) -> impl Iterator<Item = &'static Setting> {
    settings().filter(move |setting| setting.section_and_name().0 == section)
}

pub(super) fn in_force_line(setting: &Setting, config: &mut Config, source: &Source) -> String {
    let (_, name) = setting.section_and_name();
    format!("{name} = {}  # {source}\n", shown(setting, config))
}

/// The value of a setting as TOML.
fn shown(setting: &Setting, config: &mut Config) -> String {
    let value = (setting.field)(config).get();
    // A default is in the documentation, so it hides nothing.
    let default = (setting.field)(&mut Config::default()).get();
    if setting.secret && value != default { format!("{MASK:?}") } else { written(&value) }
}

fn example_entry(setting: &Setting) -> String {
    let (_, name) = setting.section_and_name();
    let help = setting.help.replace('\n', "\n# ");
    let default = (setting.field)(&mut Config::default()).get();
    format!("# {help}\n#{name} = {}\n", written(&default))
}

fn written(value: &Value) -> String {
    match value {
        Value::Integer(number) => grouped(*number),
        other => other.to_string(),
    }
}
