//! Failures: one table of what can go wrong, and its two renderings.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use crate::engine::EngineError;
use crate::fhir::check::{IssueCode, PROBLEMS_MAX, Problem};
use crate::fhir::search::{ProblemKind, SearchProblem};
use crate::log::LogError;
use crate::proof::ProofError;
use crate::records::RecordsError;
use crate::view::ViewError;

/// Content type of RFC 9457 problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, as a client can tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No token.
    NoToken,
    /// A token that is not acceptable.
    BadToken,
    /// The token grants too little.
    Forbidden,
    /// Not there, or not for this caller to know.
    NotFound,
    /// FHIR R4 has no such resource type.
    UnknownType,
    /// Deleted.
    Gone,
    /// Erased with the chart that it was in.
    Erased,
    /// No such route.
    NoRoute,
    /// The route has no such method.
    Method,
    /// The request breaks the rules.
    Invalid,
    /// The client was too slow.
    Timeout,
    /// The state is not what the request said.
    Conflict,
    /// A condition of the request does not hold.
    Precondition,
    /// The body is too large.
    TooLarge,
    /// The client takes only other media types.
    NotAcceptable,
    /// The body has another media type or encoding.
    MediaType,
    /// A request that is well formed, but cannot be carried out on what is there.
    Unprocessable,
    /// An idempotency key was used for another request.
    KeyReused,
    /// This client asks too often.
    TooMany,
    /// Try again later.
    Busy,
    /// No writes, and no reads that must be recorded, until restart.
    ReadOnly,
    /// The commit may or may not have happened.
    Unknown,
    /// Our fault.
    Internal,
}

impl Fault {
    /// The one table: slug, status, title, FHIR issue type.
    fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::NoToken => ("no-token", 401, "An access token is needed", "login"),
            Self::BadToken => ("bad-token", 401, "The access token is not acceptable", "login"),
            Self::Forbidden => ("forbidden", 403, "The token does not allow this", "forbidden"),
            Self::NotFound => ("not-found", 404, "Not found", "not-found"),
            Self::UnknownType => ("unknown-type", 404, "Not a FHIR resource type", "not-supported"),
            Self::NoRoute => ("no-route", 404, "No such address", "not-found"),
            Self::Gone => ("gone", 410, "Deleted", "deleted"),
            Self::Erased => ("gone", 410, "Deleted", "deleted"),
            Self::Method => ("method", 405, "No such method here", "not-supported"),
            Self::Invalid => ("invalid", 400, "The request is not valid", "invalid"),
            Self::Timeout => ("timeout", 408, "The request took too long to arrive", "timeout"),
            Self::Conflict => ("conflict", 409, "The state is another", "conflict"),
            Self::Precondition => ("precondition", 412, "A condition does not hold", "conflict"),
            Self::TooLarge => ("too-large", 413, "The body is too large", "too-long"),
            Self::NotAcceptable => ("not-acceptable", 406, "Not in that form", "not-supported"),
            Self::MediaType => ("media-type", 415, "Not a supported media type", "not-supported"),
            Self::Unprocessable => {
                ("unprocessable", 422, "The request cannot be carried out", "processing")
            }
            Self::KeyReused => ("key-reused", 422, "Idempotency key used before", "duplicate"),
            Self::TooMany => ("too-many", 429, "Too many requests", "throttled"),
            Self::Busy => ("busy", 503, "The server is busy", "throttled"),
            Self::ReadOnly => ("read-only", 503, "The store is read-only", "no-store"),
            Self::Unknown => ("unknown-outcome", 500, "The outcome is unknown", "incomplete"),
            Self::Internal => ("internal", 500, "Internal error", "exception"),
        }
    }

    /// What stands for it in the type of a problem (RFC 9457), and in access entries.
    #[must_use]
    pub fn slug(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The FHIR issue type (value set `issue-type`).
    #[must_use]
    pub fn issue_type(self) -> &'static str {
        self.row().3
    }
}

/// Why a request is not answered as asked; rendered in the format of the API that was called.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub fault: Fault,
    /// One sentence about it.
    pub detail: String,
    /// Each thing that is wrong with the request.
    pub problems: Vec<Problem>,
}

impl Failure {
    /// Whether nothing is there.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self.fault, Fault::NotFound | Fault::Gone | Fault::Erased)
    }

    /// A failure with one sentence about it.
    #[must_use]
    pub fn of(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), problems: Vec::new() }
    }

    /// A fault of the server that the client need not understand.
    #[must_use]
    pub fn internal() -> Self {
        Self::of(Fault::Internal, "the server failed; its log says more under this request's id")
    }

    /// A request that breaks the rules, with everything that is wrong about it.
    #[must_use]
    pub fn invalid(problems: Vec<Problem>) -> Self {
        let detail = match problems.as_slice() {
            [one] => format!("{}: {}", one.expression, one.diagnostics),
            several => format!("{} problems; nothing was stored", several.len()),
        };
        Self { fault: Fault::Invalid, detail, problems }
    }

    /// Resources that are not valid: as [`Failure::invalid`]; but if they break nothing but
    /// invariants, they were understood (FHIR R4 §3.1.0.8: 422 and not 400).
    #[must_use]
    pub fn not_valid(problems: Vec<Problem>) -> Self {
        let are_invariants = problems.iter().all(|one| one.code == IssueCode::Invariant);
        let fault = if are_invariants { Fault::Unprocessable } else { Fault::Invalid };
        Self { fault, ..Self::invalid(problems) }
    }

    /// Several parts of one request that break the rules, as one failure: what all of them are, or
    /// else a request that is not valid.
    #[must_use]
    pub fn together(failures: Vec<Self>) -> Self {
        let are_understood = failures.iter().all(|one| one.fault == Fault::Unprocessable);
        let fault = if are_understood { Fault::Unprocessable } else { Fault::Invalid };
        let mut problems: Vec<_> = failures.into_iter().flat_map(|one| one.problems).collect();
        problems.truncate(PROBLEMS_MAX);
        Self { fault, ..Self::invalid(problems) }
    }

    /// A request with one thing wrong at one place.
    #[must_use]
    pub fn at(code: IssueCode, place: impl Into<String>, diagnostics: impl Into<String>) -> Self {
        let (expression, diagnostics) = (place.into(), diagnostics.into());
        Self::invalid(vec![Problem { code, expression, diagnostics }])
    }

    /// The same about a part of the request.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        for problem in &mut self.problems {
            problem.expression = format!("{place}: {}", problem.expression);
        }
        self.detail = format!("{place}: {}", self.detail);
        self
    }

    /// Criteria that are not understood: each named by its parameter, or by the place where all
    /// of them stand.
    #[must_use]
    pub fn search(problems: Vec<SearchProblem>, place: Option<&str>) -> Self {
        let each = |problem: SearchProblem| Problem {
            code: match problem.kind {
                ProblemKind::InvalidValue => IssueCode::Value,
                ProblemKind::UnknownParameter | ProblemKind::NotSupported => {
                    IssueCode::NotSupported
                }
                ProblemKind::TooCostly => IssueCode::TooCostly,
            },
            diagnostics: match place {
                Some(_) => problem.to_string(),
                None => problem.diagnostics,
            },
            expression: place.map_or(problem.parameter, str::to_owned),
        };
        Self::invalid(problems.into_iter().map(each).collect())
    }

    /// As an OperationOutcome (FHIR R4 §2.28).
    #[must_use]
    pub fn outcome(&self) -> Value {
        let issues: Vec<Value> = if self.problems.is_empty() {
            let code = self.fault.issue_type();
            vec![json!({ "severity": "error", "code": code, "diagnostics": self.detail })]
        } else {
            self.problems.iter().map(|problem| issue("error", problem)).collect()
        };
        json!({ "resourceType": "OperationOutcome", "issue": issues })
    }

    /// As problem details (RFC 9457).
    pub(super) fn problem(&self, request: &str) -> Value {
        let (slug, status, title, _) = self.fault.row();
        let mut body = json!({
            "type": format!("urn:chartlog:problem:{slug}"),
            "title": title,
            "status": status,
            "detail": self.detail,
            "instance": format!("urn:chartlog:request:{request}"),
        });
        if !self.problems.is_empty()
            && let Some(members) = body.as_object_mut()
        {
            let each = |problem: &Problem| json!({ "code": problem.code.as_str(), "place": problem.expression, "detail": problem.diagnostics });
            members.insert("errors".to_owned(), self.problems.iter().map(each).collect());
        }
        body
    }
}

/// A problem as an `OperationOutcome.issue`.
#[must_use]
pub fn issue(severity: &str, problem: &Problem) -> Value {
    let mut issue = json!({
        "severity": severity, "code": problem.code.as_str(), "diagnostics": problem.diagnostics,
    });
    if let Some(members) = issue.as_object_mut().filter(|_| !problem.expression.is_empty()) {
        members.insert("expression".to_owned(), json!([problem.expression]));
    }
    issue
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        RecordsError::from(error).into()
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Self {
        let cause = match &error {
            RecordsError::At { error, .. } => error,
            cause => cause,
        };
        let fault = match cause {
            RecordsError::NotFound(_) => Fault::NotFound,
            RecordsError::Gone { .. } => Fault::Gone,
            RecordsError::Engine(EngineError::Erased(_)) => Fault::Erased,
            RecordsError::Engine(EngineError::Log(LogError::Disposed { .. })) => Fault::Gone,
            RecordsError::Denied(_) => Fault::Forbidden,
            RecordsError::Precondition { .. } => Fault::Precondition,
            RecordsError::Conflict { .. } => Fault::Conflict,
            RecordsError::KeyReused => Fault::KeyReused,
            RecordsError::MadeHere(_) => Fault::Method,
            RecordsError::Engine(EngineError::NotFound(_)) => Fault::NotFound,
            RecordsError::Engine(EngineError::Busy) => Fault::Busy,
            RecordsError::Engine(EngineError::ReadOnly) => Fault::ReadOnly,
            RecordsError::Engine(EngineError::Unknown) => Fault::Unknown,
            RecordsError::Engine(EngineError::Proof(ProofError::BeyondSize { .. })) => {
                Fault::Invalid
            }
            RecordsError::Invalid(problems) => return Self::invalid(problems.clone()),
            RecordsError::Engine(EngineError::View(ViewError::Costly)) => {
                let diagnostics = "this would look at more than one request may, all its parts together: \
                                   name the patient, a code or a date, leave out what leads to many \
                                   others, or ask for less at a time";
                return Self::at(IssueCode::TooCostly, "", diagnostics);
            }
            RecordsError::Unprocessable(problems) => {
                let fault = Fault::Unprocessable;
                return Self { fault, ..Self::invalid(problems.clone()) };
            }
            RecordsError::At { .. } | RecordsError::Engine(_) => {
                // What went wrong inside is for the log, not for the client.
                tracing::error!(%error, "a request failed");
                return Self::internal();
            }
        };
        let place = match &error {
            RecordsError::Precondition { place, .. } | RecordsError::Conflict { place, .. } => {
                place.clone()
            }
            _ => String::new(),
        };
        let mut failure = Self::of(fault, error.to_string());
        if !place.is_empty() {
            failure.detail = format!("{place}: {}", failure.detail);
        }
        failure
    }
}
