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

impl Primitive {
    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "markdown" => Self::Markdown,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" => Self::String,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" => Self::Uri,
            "url" => Self::Url,
            "uuid" => Self::Uuid,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }
}
