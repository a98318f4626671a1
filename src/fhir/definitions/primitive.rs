//! The primitive data types: FHIR R4 §2.24.0.1.

/// A type whose value is a JSON string, number or boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitive {
    /// Bytes in base64.
    Base64Binary,
    /// `true` or `false`.
    Boolean,
    /// A URL that leads to a definition, with or without its version.
    Canonical,
    /// A word of a code system.
    Code,
    /// A day, month or year.
    Date,
    /// A moment, day, month or year.
    DateTime,
    /// A number, with its digits as written.
    Decimal,
    /// A logical id.
    Id,
    /// A moment, with its time zone.
    Instant,
    /// A whole number of 32 bits.
    Integer,
    /// A text in Markdown.
    Markdown,
    /// An object identifier, as a URI.
    Oid,
    /// A whole number of 31 bits, from 1.
    PositiveInt,
    /// A text.
    String,
    /// A time of the day.
    Time,
    /// A whole number of 31 bits, from 0.
    UnsignedInt,
    /// A URI.
    Uri,
    /// A URL.
    Url,
    /// A UUID, as a URI.
    Uuid,
    /// A fragment of XHTML: FHIR R4 §2.4.0.
    Xhtml,
}

/// Every type with its name.
const NAMES: [(&str, Primitive); 20] = [
    ("base64Binary", Primitive::Base64Binary),
    ("boolean", Primitive::Boolean),
    ("canonical", Primitive::Canonical),
    ("code", Primitive::Code),
    ("date", Primitive::Date),
    ("dateTime", Primitive::DateTime),
    ("decimal", Primitive::Decimal),
    ("id", Primitive::Id),
    ("instant", Primitive::Instant),
    ("integer", Primitive::Integer),
    ("markdown", Primitive::Markdown),
    ("oid", Primitive::Oid),
    ("positiveInt", Primitive::PositiveInt),
    ("string", Primitive::String),
    ("time", Primitive::Time),
    ("unsignedInt", Primitive::UnsignedInt),
    ("uri", Primitive::Uri),
    ("url", Primitive::Url),
    ("uuid", Primitive::Uuid),
    ("xhtml", Primitive::Xhtml),
];

impl Primitive {
    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, primitive)| *primitive)
    }

    /// Its name, such as `dateTime`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}
