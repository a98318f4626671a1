//! An entry of a Bundle that is being read: where it stands, and how problems name the place.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::Failure;
use crate::chart::Upcasters;
use crate::fhir::Parameters;
use crate::fhir::check::IssueCode;
use crate::json::{Document, Node};

/// A Bundle's entry that is being understood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) document: &'a Arc<Document>,
    /// What can be searched by.
    pub(super) parameters: &'a Parameters,
    pub(super) upcasters: &'a Upcasters,
    pub(super) base_url: &'a str,
    /// `Bundle.entry[3]`
    pub(super) place: &'a str,
}

/// What an entry asks for, relative to the base: an absolute address of this server means the same, and so does a path that
/// begins with a slash (RFC 3986 §4.2) or with the base's own.
pub(super) fn relative<'a>(base_url: &str, url: &'a str) -> Cow<'a, str> {
    let host_on = base_url.split_once("://").map_or(base_url, |(_, host_on)| host_on);
    let base_path = host_on.split_once('/').map_or("", |(_, path)| path);
    let below = |text: &'a str, base: &str| {
        let rest = text.strip_prefix(base)?;
        let is_whole = rest.is_empty() || rest.starts_with('?');
        if is_whole { Some(rest) } else { rest.strip_prefix('/') }
    };
    let path = || url.strip_prefix('/');
    let in_base = || below(path()?, base_path).filter(|_| !base_path.is_empty());
    let url = below(url, base_url).or_else(in_base).or_else(path).unwrap_or(url);
    let end = url.find('?').unwrap_or(url.len());
    match url.split_at_checked(end) {
        // A client may encode it (RFC 3986 §2.2).
        Some((path, query)) if path.contains("%24") => {
            format!("{}{query}", path.replace("%24", "$")).into()
        }
        _ => url.into(),
    }
}

impl Reader<'_> {
    pub(super) fn at(self, member: &str) -> String {
        format!("{}.{member}", self.place)
    }

    /// A member of the entry's request that is a text, if it is there.
    pub(super) fn text<'n>(
        self,
        request: Node<'n>,
        name: &str,
    ) -> Result<Option<Cow<'n, str>>, Failure> {
        let Some(member) = request.get(name) else { return Ok(None) };
        let wrong = || self.wrong(IssueCode::Structure, &format!("request.{name}"), "must be text");
        member.as_str().map(Some).ok_or_else(wrong)
    }

    pub(super) fn wrong(
        self,
        code: IssueCode,
        member: &str,
        diagnostics: impl Into<String>,
    ) -> Failure {
        Failure::at(code, self.at(member), diagnostics)
    }

    pub(super) fn required(self, member: &str) -> Failure {
        self.wrong(IssueCode::Required, member, "is missing")
    }
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn addresses_are_relative_to_the_base() {
        let cases = [
            ("Patient/1", "Patient/1"),
            ("/Patient/1", "Patient/1"),
            ("/fhir/Patient/1", "Patient/1"),
            ("https://a.example/fhir/Patient/1", "Patient/1"),
            ("https://a.example/fhir", ""),
            ("https://a.example/fhir/", ""),
            ("https://a.example/fhir?_id=1", "?_id=1"),
            ("/fhir?_id=1", "?_id=1"),
            ("/", ""),
            ("", ""),
            ("?_type=Patient", "?_type=Patient"),
            ("https://a.example/fhirs/Patient/1", "https://a.example/fhirs/Patient/1"),
            ("https://b.example/fhir/Patient/1", "https://b.example/fhir/Patient/1"),
            ("/fhirs", "fhirs"),
            ("Patient/1/%24meta?a=%24", "Patient/1/$meta?a=%24"),
        ];
        for (url, meant) in cases {
            assert_eq!(relative("https://a.example/fhir", url), meant, "{url}");
        }
        assert_eq!(relative("https://a.example", "/Patient/1"), "Patient/1");
    }
}
