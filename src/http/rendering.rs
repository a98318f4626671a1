//! How an answer of the FHIR API is written: `_format`, `_pretty`, `_summary` and `_elements`, which
//! every interaction takes (FHIR R4 §3.1.0.1.6 and §3.1.1.5.8).

use actix_web::HttpRequest;

use super::accept::Accept;
use super::lists::listed;
use super::query::parameter;
use super::reply::{FHIR_JSON, JSON};
use super::writing::Writing;
use super::{Failure, Fault, Reply};
use crate::fhir::check::IssueCode;
use crate::fhir::definitions::elements;
use crate::fhir::{ResourceType, Subset};

/// The parameters that are taken out of every query.
const GENERAL: [&str; 4] = ["_format", "_pretty", "_summary", "_elements"];
/// Names for JSON in `_format` and `Accept`, and what the answer then says that it is. A plus sign
/// in a query is a space when it was not encoded.
const JSON_NAMES: [(&str, &str); 5] = [
    ("json", FHIR_JSON),
    ("application/fhir+json", FHIR_JSON),
    ("application/fhir json", FHIR_JSON),
    ("application/json", JSON),
    ("text/json", JSON),
];

/// How an answer is to be written. The default is for what is not of the FHIR API: as it is.
#[derive(Debug, Clone, Default)]
pub struct Rendering {
    subset: Subset,
    /// `_summary=count`: how many there are, and none of them.
    pub is_count: bool,
    is_pretty: bool,
    /// What resources are called in the answer; `None`: as they are.
    content_type: Option<&'static str>,
    /// The parameters that said so: links to further pages repeat them.
    pub parameters: Vec<(String, String)>,
    /// What the client takes.
    pub accept: Accept,
    /// Whether the client has named FHIR's own form, and not only taken whatever there is.
    pub is_fhir_named: bool,
}

impl Rendering {
    /// What a request says, whose query that is.
    ///
    /// # Errors
    ///
    /// As [`Rendering::take`].
    pub fn of(request: &HttpRequest, query: &mut Vec<(String, String)>) -> Result<Self, Failure> {
        Self::take(listed(request.headers(), "accept").as_deref(), query)
    }

    /// Takes the parameters about the format of the answer out of a query; the header `Accept` counts too.
    ///
    /// # Errors
    ///
    /// 400, and 406 for what is not JSON.
    pub fn take(accept: Option<&str>, query: &mut Vec<(String, String)>) -> Result<Self, Failure> {
        let accept = Accept::of(accept);
        let format = parameter::<String>(query, "_format", "json")?;
        let is_pretty = parameter::<bool>(query, "_pretty", "true or false")?;
        let summary = parameter::<String>(query, "_summary", "true, text, data, count or false")?;
        let wanted = query.iter().filter(|(name, _)| name == "_elements");
        let wanted: Vec<&str> = wanted.flat_map(|(_, names)| names.split(',')).collect();
        let (subset, is_count) = subset(summary.as_deref(), &wanted)?;
        let is_fhir_named =
            format.is_some() || accept.named(FHIR_JSON).is_some_and(|wanted| wanted > 0);
        let content_type = match format {
            Some(format) => named(&format)?,
            None => negotiated(&accept),
        };
        let is_general = |(name, _): &mut (String, String)| GENERAL.contains(&name.as_str());
        Ok(Self {
            subset,
            is_count,
            is_pretty: is_pretty.unwrap_or_default(),
            content_type,
            parameters: query.extract_if(.., is_general).collect(),
            accept,
            is_fhir_named,
        })
    }

    /// Whether a resource can be sent in a form that the client takes.
    ///
    /// # Errors
    ///
    /// 406.
    pub fn check(&self) -> Result<(), Failure> {
        match self.content_type {
            Some(_) => Ok(()),
            None => Err(not_acceptable("Accept")),
        }
    }

    /// The same answer as it is to be written.
    #[must_use]
    pub fn apply(&self, mut reply: Reply) -> Reply {
        let writing = self.writing(&mut reply);
        reply.body = writing.whole(std::mem::take(&mut reply.body)).into();
        reply
    }

    /// How the body of an answer is to be written, part by part; its content type is set.
    #[must_use]
    pub fn writing(&self, reply: &mut Reply) -> Writing {
        let Some(content_type) = self.content_type.filter(|_| reply.is_of_type(FHIR_JSON)) else {
            return Writing::default();
        };
        reply.set_type(content_type);
        Writing::new(self.subset.clone(), self.is_pretty)
    }

    /// Whether writing the answer so takes more than copying it.
    #[must_use]
    pub fn is_work(&self) -> bool {
        self.is_pretty || self.subset != Subset::Whole
    }
}

/// The form that the header `Accept` asks for.
fn negotiated(accept: &Accept) -> Option<&'static str> {
    let names = JSON_NAMES.iter().filter(|(name, _)| name.contains('/'));
    let best = names.rev().max_by_key(|(name, _)| accept.quality(name))?;
    (accept.quality(best.0) > 0).then_some(best.1)
}

/// The form that `_format` asks for.
fn named(format: &str) -> Result<Option<&'static str>, Failure> {
    let essence = format.split(';').next().unwrap_or_default().trim();
    let known = JSON_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(essence));
    known.map(|(_, kind)| Some(*kind)).ok_or_else(|| not_acceptable("_format"))
}

fn not_acceptable(place: &str) -> Failure {
    let detail = format!("{place} asks for a form that is not spoken here: ask for {FHIR_JSON}");
    Failure::of(Fault::NotAcceptable, detail)
}

fn subset(summary: Option<&str>, wanted: &[&str]) -> Result<(Subset, bool), Failure> {
    let wanted: Vec<_> = wanted.iter().map(|name| name.trim()).collect();
    let of_summary = match summary {
        None | Some("false") => Subset::Whole,
        Some("true") => Subset::Summary,
        Some("text") => Subset::Text,
        Some("data") => Subset::Data,
        Some("count") => return Ok((Subset::Whole, true)),
        Some(other) => {
            let diagnostics = format!("\"{other}\" is not true, text, data, count or false");
            return Err(Failure::at(IssueCode::Value, "_summary", diagnostics));
        }
    };
    match wanted.as_slice() {
        [] => Ok((of_summary, false)),
        _ if of_summary != Subset::Whole => {
            let diagnostics = "give _elements or _summary, not both";
            Err(Failure::at(IssueCode::Value, "_elements", diagnostics))
        }
        names => {
            let read = names.iter().map(|name| element(name));
            Ok((Subset::Elements(read.collect::<Result<_, _>>()?), false))
        }
    }
}

/// `name`, or `Patient.name`.
fn element(text: &str) -> Result<(Option<String>, String), Failure> {
    let (kind, name) = match text.split_once('.') {
        Some((kind, name)) => (Some(kind), name),
        None => (None, text),
    };
    let is_of = |kind: &str| {
        elements::definition(kind).is_some_and(|definition| {
            definition.elements().any(|known| known.name == name)
                || definition.member(name).is_some()
        })
    };
    let is_known = match kind {
        Some(kind) => ResourceType::from_name(kind).is_some() && is_of(kind),
        None => ResourceType::all().any(|kind| is_of(kind.name())),
    };
    if is_known {
        Ok((kind.map(str::to_owned), name.to_owned()))
    } else {
        let diagnostics = format!(
            "\"{text}\" is not an element of a resource: write name or Patient.name; what lies \
             deeper comes with it"
        );
        Err(Failure::at(IssueCode::Value, "_elements", diagnostics))
    }
}
