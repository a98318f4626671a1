//! What a server did with a Bundle, entry by entry.

use super::request::Request;
use crate::http::fhir::{EFFECT_SYSTEM, REPEATED};
use crate::json::{Document, Node};

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored now.
    Stored,
    /// There already.
    Present,
    /// Deleted.
    Removed,
    /// Not stored.
    Refused(Refused),
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status, as of a request of its own.
    pub status: u16,
    /// What the server says.
    pub diagnostics: String,
    /// Whether something that comes later may change that.
    pub may_change: bool,
}

/// The answer to a request.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// One per part of the request, unless the request was refused as a whole.
    pub parts: Vec<Outcome>,
    /// Why the request was refused as a whole.
    pub whole: Option<Refused>,
}

impl Answer {
    /// How many entries are as they should be now.
    pub fn accepted(&self) -> usize {
        let is_refused = |outcome: &&Outcome| matches!(outcome, Outcome::Refused(_));
        self.parts.len() - self.parts.iter().filter(is_refused).count()
    }
}

impl Outcome {
    /// Whether sending it again at once is pointless.
    fn is_final(&self) -> bool {
        !matches!(self, Self::Refused(refused) if refused.is_passing())
    }
}

impl Refused {
    /// Too slow, too many, too busy, or of unknown outcome: to be sent again with the same key.
    fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502..=504)
    }
}

impl Answer {
    /// Reads an answer.
    pub fn read(status: u16, body: Vec<u8>, request: &Request) -> Self {
        let document = Document::parse(body).ok();
        let root = document.as_ref().map(Document::root);
        let entries = root.and_then(|root| root.get("entry"));
        let parts: Vec<Outcome> =
            entries.into_iter().flat_map(|list| list.items()).map(outcome).collect();
        if status == 200 && parts.len() == request.parts.len() {
            return Self { parts, whole: None };
        }
        let diagnostics = match (status, root) {
            (200, _) => "the answer is not the answer to this Bundle".to_owned(),
            (_, Some(outcome)) => said(outcome),
            (_, None) => "the server did not say why".to_owned(),
        };
        let may_change = root.is_some_and(|root| may_change(status, root));
        Self { parts: Vec::new(), whole: Some(Refused { status, diagnostics, may_change }) }
    }

    /// Whether only this request, or some of its entries, fail each time, so that the import had
    /// better go on with the next.
    pub fn is_of_a_working_server(&self) -> bool {
        self.whole.as_ref().is_some_and(|refused| refused.status == 500)
            || self.parts.iter().any(Outcome::is_final)
    }

    /// Whether it is to be sent again at once.
    pub fn is_to_be_repeated(&self) -> bool {
        let whole = self.whole.as_ref().is_some_and(Refused::is_passing);
        whole || self.parts.iter().any(|outcome| !outcome.is_final())
    }
}

fn outcome(entry: Node<'_>) -> Outcome {
    let response = entry.get("response");
    let text = |name| response.and_then(|response| response.get_str(name));
    // FHIR R4 Bundle.entry.response.status: "201", or "201 Created".
    let status = text("status").and_then(|status| status.get(..3)?.parse().ok()).unwrap_or(0);
    let outcome = response.and_then(|response| response.get("outcome"));
    match (status, outcome.and_then(effect).as_deref()) {
        (200..=299, Some(REPEATED | "unchanged" | "absent")) => Outcome::Present,
        (204, _) | (200..=299, Some("deleted")) => Outcome::Removed,
        (201, _) | (200..=299, Some(_)) => Outcome::Stored,
        (200..=299, None) => Outcome::Present,
        _ => Outcome::Refused(Refused {
            status,
            diagnostics: outcome.map(said).unwrap_or_default(),
            may_change: outcome.is_some_and(|outcome| may_change(status, outcome)),
        }),
    }
}

fn issues<'a>(outcome: Node<'a>) -> impl Iterator<Item = Node<'a>> {
    outcome.get("issue").into_iter().flat_map(|issues| issues.items())
}

fn coding(issue: Node<'_>) -> Option<Node<'_>> {
    issue.get("details")?.get("coding")?.items().next()
}

/// The code by which our own servers tell programs what they did.
fn effect(outcome: Node<'_>) -> Option<String> {
    let mut codings = issues(outcome).filter_map(coding);
    let ours = codings.find(|one| one.get_str("system").as_deref() == Some(EFFECT_SYSTEM))?;
    ours.get_str("code").map(std::borrow::Cow::into_owned)
}

fn said(outcome: Node<'_>) -> String {
    let say = |issue: Node<'_>| {
        let place = issue.get("expression").and_then(|places| places.items().next()?.as_str());
        let text = issue.get_str("diagnostics").unwrap_or_default();
        match place {
            Some(place) => format!("{place}: {text}"),
            None => text.into_owned(),
        }
    };
    issues(outcome).map(say).collect::<Vec<_>>().join("; ")
}

/// What was not found, or not as expected, may be there later.
fn may_change(status: u16, outcome: Node<'_>) -> bool {
    let missing = |issue: Node<'_>| issue.get_str("code").as_deref() == Some("not-found");
    matches!(status, 409 | 412) || (status != 404 && issues(outcome).any(missing))
}
