//! The first message of a client that could set no headers: who it is, and what it wants.

use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError};

use super::super::{Failure, Fault};
use crate::fhir::check::{IssueCode, PROBLEMS_MAX, Problem};
use crate::json::{Document, Kind, Node};

/// What a client is told that says something else.
const EXPECTED: &str = "begin with a message {\"token\": \"…\"}, with the parameters of the request as further members";

/// What the first message says.
pub struct Introduction {
    /// The token.
    pub token: String,
    /// All else, as the query of a request says it.
    pub said: Vec<(String, String)>,
}

/// The first message.
///
/// # Errors
///
/// 400, 401, 413: there is none, or it is none.
pub async fn message(incoming: &mut AggregatedMessageStream) -> Result<String, Failure> {
    loop {
        return match incoming.recv().await {
            Some(Ok(AggregatedMessage::Text(text))) => Ok(text.to_string()),
            Some(Ok(AggregatedMessage::Ping(_) | AggregatedMessage::Pong(_))) => continue,
            Some(Ok(AggregatedMessage::Binary(_))) => {
                Err(Failure::of(Fault::Invalid, "the first message must be text"))
            }
            Some(Ok(AggregatedMessage::Close(_))) | None => {
                Err(Failure::of(Fault::NoToken, "closed before anything was said about who it is"))
            }
            Some(Err(ProtocolError::Overflow)) => Err(Failure::of(
                Fault::TooLarge,
                "the message is larger than the head of a request",
            )),
            Some(Err(error)) => {
                Err(Failure::of(Fault::Invalid, format!("the message cannot be read: {error}")))
            }
        };
    }
}

/// The token with which Subscriptions are bound; the text of R4 and the one of the Backport.
///
/// # Errors
///
/// 400: it is something else.
pub fn binding_token(message: &str) -> Result<&str, Failure> {
    let words = ["bind-with-token ", "bind "];
    let token = words.iter().find_map(|word| message.trim().strip_prefix(word)).map(str::trim);
    token.filter(|token| !token.is_empty()).ok_or_else(|| {
        let right = "begin with bind-with-token and a token of $get-ws-binding-token";
        Failure::at(IssueCode::Structure, "message", right)
    })
}

impl Introduction {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// 400: with everything that is wrong. 401: there is no token.
    pub fn read(message: &[u8]) -> Result<Self, Failure> {
        let document = Document::parse(message).map_err(|error| {
            // Not the text itself: a token may be in it.
            let place = format!("line {}, column {}", error.line, error.column);
            Failure::at(IssueCode::Structure, place, format!("not acceptable JSON: {EXPECTED}"))
        })?;
        let root = document.root();
        if !root.is_object() {
            return Err(Failure::at(IssueCode::Structure, "message", EXPECTED));
        }
        let (mut token, mut said, mut problems) = (None, Vec::new(), Vec::new());
        for (name, node) in root.members() {
            let values = match node.kind() {
                Kind::Array => node.items().map(value).collect(),
                _ => vec![value(node)],
            };
            for value in values {
                match value {
                    Some(text) if name == "token" => token = Some(text),
                    Some(text) => said.push((name.to_string(), text)),
                    None => problems.push(Problem {
                        code: IssueCode::Value,
                        expression: name.to_string(),
                        diagnostics: "must be text, a number, true or false, or a list of these"
                            .to_owned(),
                    }),
                }
            }
        }
        if !problems.is_empty() {
            problems.truncate(PROBLEMS_MAX);
            return Err(Failure::invalid(problems));
        }
        match token {
            Some(token) => Ok(Self { token, said }),
            None => Err(Failure::of(Fault::NoToken, format!("no token: {EXPECTED}"))),
        }
    }
}

/// A value as a query would say it.
fn value(node: Node<'_>) -> Option<String> {
    match node.kind() {
        Kind::String => node.as_str().map(Into::into),
        Kind::Number | Kind::True | Kind::False => Some(node.text().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_apart_and_all_else_is_as_in_a_query() {
        let text =
            r#"{"kind":["recorded","chart.erased"],"token":"t","after":41,"live":true,"none":[]}"#;
        let Introduction { token, said } = Introduction::read(text.as_bytes()).unwrap();
        let said: Vec<(&str, &str)> = said.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let expected =
            [("kind", "recorded"), ("kind", "chart.erased"), ("after", "41"), ("live", "true")];
        assert_eq!((token.as_str(), said.as_slice()), ("t", expected.as_slice()));
    }

    #[test]
    fn what_is_wrong_is_named_and_a_token_never_repeated() {
        for (text, fault, words) in [
            ("{\"token\":\"secret\",\"token\":\"secret\"}", Fault::Invalid, &["line 1"][..]),
            ("secret", Fault::Invalid, &["line 1", "column 1"]),
            ("[\"secret\"]", Fault::Invalid, &["begin with"]),
            ("{\"after\":1}", Fault::NoToken, &["begin with"]),
            ("{\"token\":[]}", Fault::NoToken, &["begin with"]),
            ("{\"token\":{\"secret\":1},\"kind\":[null]}", Fault::Invalid, &["token", "kind"]),
        ] {
            let failure = Introduction::read(text.as_bytes()).err().unwrap();
            assert_eq!(failure.fault, fault, "{text}");
            let told = format!("{} {:?}", failure.detail, failure.problems);
            assert!(words.iter().all(|word| told.contains(word)), "{text}: {told}");
            assert!(!told.contains("secret"), "{text}: {told}");
        }
    }
}
