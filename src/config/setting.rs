//! One setting: how it is named, and how a value finds its field.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::{DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::kind::Kind;
use super::{
    App, Client, ClientCertificates, Config, Issuer, LogFormat, MetricsAccess, NatsForm,
    ProxyHeader, ReferentialIntegrity, User,
};

/// What is shown in place of a secret.
pub const MASK: &str = "********";
/// Most characters of a wrong value that an error repeats.
const EXCERPT_CHARACTERS_MAX: usize = 60;

/// One setting.
pub struct Setting {
    /// Its key in the file: section and name.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it means, with its unit. The first line stands alone.
    pub help: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// The field it fills.
    pub field: fn(&mut Config) -> &mut dyn Field,
}

/// A value on its way into a setting.
pub struct Given<'text> {
    /// The value.
    pub value: Spanned<DeValue<'text>>,
    /// How it was written, to repeat in an error.
    pub written: &'text str,
}

/// Why a value is refused.
pub struct Refusal {
    /// What is wrong and what would be right, as a sentence that starts with the key.
    pub message: String,
    /// Byte in the text around the value, where it is more exact than the start of the value.
    pub offset: Option<usize>,
}

impl Setting {
    /// Its name in the environment: `server.listen` is `CHARTLOG_SERVER_LISTEN`.
    pub fn variable(&self) -> String {
        format!("CHARTLOG_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The section it belongs to, and its name there.
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }

    /// Sets it to a value given as plain text, by a flag or the environment.
    pub fn set_text(&self, config: &mut Config, text: &str) -> Result<(), Refusal> {
        let source = self.kind.text_to_toml(text);
        match DeValue::parse(&source) {
            Ok(value) => self.set(config, Given { value, written: text }),
            Err(_) => Err(self.refusal(text)),
        }
        .map_err(|refusal| Refusal { offset: None, ..refusal })
    }

    /// Sets it to a value of the file.
    pub fn set(&self, config: &mut Config, given: Given<'_>) -> Result<(), Refusal> {
        let field = (self.field)(config);
        match field.set(given.value) {
            Ok(()) if self.kind.accepts(&field.get()) => Ok(()),
            // Only within tables is there more to say than what the value as a whole must be.
            Err(error) if self.kind.is_of_tables() => Err(Refusal {
                message: format!("{}: {}", self.key, error.message()),
                offset: error.span().map(|span| span.start),
            }),
            Ok(()) | Err(_) => Err(self.refusal(given.written)),
        }
    }

    fn refusal(&self, written: &str) -> Refusal {
        let first_line = written.lines().next().unwrap_or_default();
        let excerpt: String = first_line.chars().take(EXCERPT_CHARACTERS_MAX).collect();
        let shown = if self.secret { MASK } else { &excerpt };
        Refusal {
            message: format!("{} is {shown}, but must be {}", self.key, self.kind),
            offset: None,
        }
    }
}

/// A field of the configuration, as the table sees it.
pub trait Field {
    /// Takes a value of its own type.
    fn set(&mut self, value: Spanned<DeValue<'_>>) -> Result<(), toml::de::Error>;
    /// Its present value.
    fn get(&self) -> Value;
}

/// Fields that are written in TOML as serde writes them.
trait Plain: Serialize + DeserializeOwned {}

impl Plain for bool {}
impl Plain for u32 {}
impl Plain for u64 {}
impl Plain for usize {}
impl Plain for String {}
impl Plain for PathBuf {}
impl Plain for std::net::SocketAddr {}
impl Plain for LogFormat {}
impl Plain for MetricsAccess {}
impl Plain for NatsForm {}
impl Plain for ReferentialIntegrity {}
impl Plain for ClientCertificates {}
impl Plain for ProxyHeader {}
impl Plain for Vec<String> {}
impl Plain for Vec<Issuer> {}
impl Plain for Vec<Client> {}
impl Plain for Vec<User> {}
impl Plain for Vec<App> {}

impl<T: Plain> Field for T {
    fn set(&mut self, value: Spanned<DeValue<'_>>) -> Result<(), toml::de::Error> {
        *self = T::deserialize(ValueDeserializer::from(value))?;
        Ok(())
    }

    fn get(&self) -> Value {
        // Every plain field has a form in TOML; a test walks them all.
        Value::try_from(self).unwrap_or_else(|_| Value::from(""))
    }
}

/// TOML knows no null: an empty text stands for nothing.
impl Field for Option<String> {
    fn set(&mut self, value: Spanned<DeValue<'_>>) -> Result<(), toml::de::Error> {
        let mut text = String::new();
        text.set(value)?;
        *self = Some(text).filter(|text| !text.is_empty());
        Ok(())
    }

    fn get(&self) -> Value {
        Value::from(self.as_deref().unwrap_or_default())
    }
}
