//! The versions that a condition names: entity tags (RFC 9110 §8.8.3, §13.1; FHIR R4 §3.1.0.5).

use super::Failure;
use crate::fhir::check::IssueCode;
use crate::numbers::ResourceVersion;
use crate::records::Versions;

/// What `If-Match` or `If-None-Match` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags<'a> {
    /// `*`: whatever there is.
    Any,
    /// These, without what marks them as weak: FHIR's tags all are.
    These(Vec<&'a str>),
}

impl<'a> EntityTags<'a> {
    /// Reads a header. A number without quotes is taken for a tag too.
    #[must_use]
    pub fn parse(header: &'a str) -> Option<Self> {
        let mut rest = header.trim();
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            // A list may have empty elements (RFC 9110 §5.6.1).
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return (!tags.is_empty()).then_some(Self::These(tags));
            }
            let (tag, behind) = tag(rest.strip_prefix("W/").unwrap_or(rest))?;
            tags.push(tag);
            rest = behind.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }

    /// Whether it names a version.
    #[must_use]
    pub fn names(&self, version: impl std::fmt::Display) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.contains(&version.to_string().as_str()),
        }
    }
}

/// The tag at the beginning of a text, and what follows it.
fn tag(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (tag, behind) = quoted.split_once('"')?;
        return (!tag.contains([' ', '\t'])).then_some((tag, behind));
    }
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(number, _)| !number.is_empty())
}

/// Whether a read's `If-None-Match` header names the current version (RFC 9110 §13.1.2).
#[must_use]
pub fn is_known(header: Option<&str>, version: impl std::fmt::Display) -> bool {
    header.and_then(EntityTags::parse).is_some_and(|tags| tags.names(version))
}

/// The versions that a condition of a write names; the place says which condition.
///
/// # Errors
///
/// 400: a list of entity tags cannot be read.
pub fn versions(text: Option<&str>, place: &str) -> Result<Option<Versions>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match EntityTags::parse(text) {
        Some(EntityTags::Any) => Ok(Some(Versions::Any)),
        Some(EntityTags::These(tags)) => {
            // A tag that is no version's names nothing.
            let named = tags.into_iter().filter_map(ResourceVersion::named);
            Ok(Some(Versions::OneOf(named.collect())))
        }
        None => {
            let diagnostics =
                format!("\"{text}\" names no versions: write W/\"3\", several with commas, or *");
            Err(Failure::at(IssueCode::Value, place, diagnostics))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_lists_of_tags() {
        let cases: [(&str, Option<&[&str]>); 16] = [
            (r#"W/"1""#, Some(&["1"])),
            (r#""1""#, Some(&["1"])),
            ("3", Some(&["3"])),
            (" W/\"1\" ,\"2\",\tW/\"3\"", Some(&["1", "2", "3"])),
            (r#", W/"1",, "2","#, Some(&["1", "2"])),
            (r#""a,b", "c""#, Some(&["a,b", "c"])),
            (r#""""#, Some(&[""])),
            ("", None),
            (",", None),
            (r#""1"#, None),
            (r#""1" "2""#, None),
            (r#""1 2""#, None),
            (r#"*, "1""#, None),
            (r#"w/"1""#, None),
            ("one", None),
            ("1x", None),
        ];
        for (header, tags) in cases {
            let tags = tags.map(|tags| EntityTags::These(tags.to_vec()));
            assert_eq!(EntityTags::parse(header), tags, "{header}");
        }
        assert_eq!(EntityTags::parse(" * "), Some(EntityTags::Any));
    }

    proptest! {
        #[test]
        fn never_panics(header in "[W/\"*, 0-9a-zé]{0,30}") {
            let _ = EntityTags::parse(&header);
        }
    }
}
