//! The prefixes of ordered values: FHIR R4 §3.1.1.4.6.

/// How a value compares with the one in the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Prefix {
    /// Within it.
    Equal,
    /// Not within it.
    NotEqual,
    /// Some of it above.
    Greater,
    /// Some of it below.
    Less,
    /// Some of it above, or within.
    GreaterOrEqual,
    /// Some of it below, or within.
    LessOrEqual,
    /// All of it above.
    StartsAfter,
    /// All of it below.
    EndsBefore,
    /// Near it.
    Approximately,
}

impl Prefix {
    /// The prefix of a text, and what stands behind it.
    pub(super) fn split(text: &str) -> (Self, &str) {
        let prefix = match text.get(..2) {
            Some("eq") => Self::Equal,
            Some("ne") => Self::NotEqual,
            Some("gt") => Self::Greater,
            Some("lt") => Self::Less,
            Some("ge") => Self::GreaterOrEqual,
            Some("le") => Self::LessOrEqual,
            Some("sa") => Self::StartsAfter,
            Some("eb") => Self::EndsBefore,
            Some("ap") => Self::Approximately,
            _ => return (Self::Equal, text),
        };
        (prefix, text.get(2..).unwrap_or_default())
    }
}

/// The prefixes, for messages.
pub(super) const PREFIXES: &str = "eq, ne, gt, lt, ge, le, sa, eb and ap";
