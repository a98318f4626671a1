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
