//! What is wrong with a resource, in the words of an OperationOutcome.

use super::place::Place;

/// Most problems that are reported at once.
pub const PROBLEMS_MAX: usize = 100;

/// One thing that is wrong: an `OperationOutcome.issue` (FHIR R4 §2.28.5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expression}: {diagnostics}")]
pub struct Problem {
    /// What sort of problem it is.
    pub code: IssueCode,
    /// The FHIRPath of the place.
    pub expression: String,
    /// What is wrong and what would be right.
    pub diagnostics: String,
}

/// The codes of `OperationOutcome.issue.code` that a check uses (value set `issue-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueCode {
    /// The JSON has not the form of a resource.
    Structure,
    /// An element that must be there is missing.
    Required,
    /// An element has a value that its type does not allow.
    Value,
    /// A code is not from the value set that its element is bound to.
    CodeInvalid,
    /// A rule about several elements is broken.
    Invariant,
    /// The resource type is not one of FHIR R4.
    NotSupported,
    /// Something that the request refers to does not exist.
    NotFound,
    /// What the request names is several things.
    MultipleMatches,
    /// There is more of something than is allowed.
    TooLong,
    /// Answering would take more than one request may.
    TooCostly,
}

impl IssueCode {
    /// The code as it stands in an OperationOutcome.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::CodeInvalid => "code-invalid",
            Self::Invariant => "invariant",
            Self::NotSupported => "not-supported",
            Self::NotFound => "not-found",
            Self::MultipleMatches => "multiple-matches",
            Self::TooLong => "too-long",
            Self::TooCostly => "too-costly",
        }
    }
}

/// The problems found so far.
#[derive(Default)]
pub(super) struct Problems {
    all: Vec<Problem>,
    /// How many of them are no broken invariants.
    others: usize,
}

impl Problems {
    pub(super) fn add(
        &mut self,
        code: IssueCode,
        place: &Place<'_>,
        diagnostics: impl Into<String>,
    ) {
        if !self.is_full() {
            let (expression, diagnostics) = (place.to_string(), diagnostics.into());
            self.others += usize::from(code != IssueCode::Invariant);
            self.all.push(Problem { code, expression, diagnostics });
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= PROBLEMS_MAX
    }

    /// How many there are beside broken invariants.
    pub(super) fn others(&self) -> usize {
        self.others
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn all(self) -> Vec<Problem> {
        self.all
    }
}
