//! `$validate`: FHIR R4 OperationDefinition Resource-validate. Judges, and stores nothing.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use serde_json::json;

use super::super::checked::checked;
use super::super::failure::issue;
use super::super::reply::FHIR_JSON;
use super::update::check_named;
use super::{Call, Failure, Reply};
use crate::fhir::check::{IssueCode, Problem, warnings};
use crate::fhir::search::{CUSTOM_CODE_MIN, SearchParameter};
use crate::fhir::{Checked, ResourceKey, ResourceType};
use crate::json::Node;

/// What is meant to be done with what is judged (value set resource-validation-mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Create,
    Update,
    Delete,
    /// Nothing: it is held against a profile.
    Profile,
}

/// The modes in words.
const MODES_MEAN: &str = "create, update, delete or profile";

/// Where the definitions of the types themselves are; other profiles are not known here.
const OWN_PROFILES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Says what is wrong with a resource, as a write would, and stores nothing.
#[utoipa::path(post, path = "/fhir/{type}/$validate", operation_id = "validateResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Observation"),
        ("mode" = Option<String>, Query, description = "create (default), update, delete or profile: what is meant to be done with it"),
        ("profile" = Option<String>, Query, description = "Only that of the type itself is known"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "The resource; or Parameters with resource, mode and profile; or nothing, of what is to be deleted"),
    responses(
        (status = 200, description = "An OperationOutcome: all that is wrong, or that nothing is, and warnings of what would be better", content_type = "application/fhir+json"),
        (status = 400, description = "Not JSON, or not parameters of this operation"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token allows neither creating nor updating this type, or not deleting it if that is meant"), (status = 404, description = "Not a resource type"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn validate(call: Call) -> Result<Reply, Failure> {
    let kind = call.kind()?;
    judge(call, kind, None).await
}

/// As for the type; the resource must carry this id, unless it is to be created.
#[utoipa::path(post, path = "/fhir/{type}/{id}/$validate", operation_id = "validateInstance", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Observation"),
        ("id" = String, Path, description = "Logical id; it need not exist"),
        ("mode" = Option<String>, Query, description = "create, update (default), delete or profile: what is meant to be done with it"),
        ("profile" = Option<String>, Query, description = "Only that of the type itself is known"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "The resource; or Parameters with resource, mode and profile; or nothing, of what is to be deleted"),
    responses(
        (status = 200, description = "An OperationOutcome: all that is wrong, or that nothing is, and warnings of what would be better", content_type = "application/fhir+json"),
        (status = 400, description = "Not JSON, or not parameters of this operation"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token allows neither creating nor updating this type, or not deleting it if that is meant"), (status = 404, description = "Not a resource type"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn validate_instance(call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    judge(call, key.kind, Some(key)).await
}

async fn judge(
    mut call: Call,
    kind: ResourceType,
    key: Option<ResourceKey>,
) -> Result<Reply, Failure> {
    call.allow_parameters(&["mode", "profile"])?;
    let mode = call.parameter::<String>("mode", MODES_MEAN)?;
    let profile = call.parameter::<String>("profile", "the URL of a profile")?;
    // What is to be deleted need not be sent.
    let document = match call.body().is_empty() {
        true => None,
        false => Some(call.json().await?),
    };
    let body = document.as_ref().map(|document| document.root());
    let asked = Asked::of(body, mode.as_deref(), profile.as_deref())?;
    match asked.mode {
        Some(Mode::Delete) => call.records().may_delete(&call.grant, kind)?,
        _ => call.records().may_write(&call.grant, kind)?,
    }
    let upcasters = call.upcasters();
    let outcome_of = |failure: Option<Failure>| failure.map_or(Vec::new(), |one| one.problems);
    let mut problems = match (asked.resource, asked.mode, &key) {
        (_, Some(Mode::Delete), _) => Vec::new(),
        (None, ..) => {
            let diagnostics =
                "the resource is missing: send it, or Parameters with a parameter named resource";
            return Err(Failure::at(IssueCode::Required, "resource", diagnostics));
        }
        (Some(resource), None | Some(Mode::Update), Some(key)) => {
            outcome_of(check_named(upcasters, key, resource, "").err())
        }
        (Some(resource), mode, _) => match checked(upcasters, kind, resource, "") {
            Ok(Checked { id: None, .. }) if mode == Some(Mode::Update) => vec![Problem {
                code: IssueCode::Required,
                expression: format!("{kind}.id"),
                diagnostics: "the id is missing: an update names it".to_owned(),
            }],
            checked => outcome_of(checked.err()),
        },
    };
    if asked.mode == Some(Mode::Profile) && asked.profile.is_none() {
        let diagnostics = "mode profile needs a profile to judge by";
        return Err(Failure::at(IssueCode::Required, "profile", diagnostics));
    }
    if let Some(resource) = asked.resource.filter(|_| problems.is_empty()) {
        problems.extend(problems_of_definition(kind, resource));
    }
    if let Some(profile) = asked.profile
        && profile.strip_prefix(OWN_PROFILES) != Some(kind.name())
    {
        problems.push(Problem {
            code: IssueCode::NotSupported,
            expression: kind.name().to_owned(),
            diagnostics: "this profile is not known; known is that of the type itself".to_owned(),
        });
    }
    let warnings = asked.resource.map_or(Vec::new(), |resource| warnings(resource, ""));
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, outcome(&problems, &warnings)))
}

/// Why an active SearchParameter could not be carried out.
fn problems_of_definition(kind: ResourceType, resource: Node<'_>) -> Vec<Problem> {
    let is_active = resource.get_str("status").as_deref() == Some("active");
    if kind != ResourceType::SEARCH_PARAMETER || !is_active {
        return Vec::new();
    }
    SearchParameter::defined_by(resource, CUSTOM_CODE_MIN).err().unwrap_or_default()
}

fn outcome(problems: &[Problem], warnings: &[Problem]) -> Vec<u8> {
    let errors = problems.iter().map(|problem| issue("error", problem));
    let mut issues: Vec<_> =
        errors.chain(warnings.iter().map(|problem| issue("warning", problem))).collect();
    if problems.is_empty() {
        let diagnostics =
            if warnings.is_empty() { "nothing is wrong" } else { "a write would be accepted" };
        issues.insert(
            0,
            json!({ "severity": "information", "code": "informational", "diagnostics": diagnostics }),
        );
    }
    json!({ "resourceType": "OperationOutcome", "issue": issues }).to_string().into_bytes()
}

/// What the request asks for.
struct Asked<'a> {
    resource: Option<Node<'a>>,
    mode: Option<Mode>,
    profile: Option<Cow<'a, str>>,
}

impl<'a> Asked<'a> {
    /// Reads the body: Parameters of the operation, or the resource itself.
    fn of(
        body: Option<Node<'a>>,
        mode: Option<&'a str>,
        profile: Option<&'a str>,
    ) -> Result<Self, Failure> {
        let mut asked = Self {
            resource: None,
            mode: mode.map(|mode| known_mode(mode, "mode")).transpose()?,
            profile: profile.map(Cow::Borrowed),
        };
        let Some(body) = body.filter(|body| is_call(*body)) else {
            asked.resource = body;
            return Ok(asked);
        };
        let parameters = body.get("parameter").into_iter().flat_map(|list| list.items());
        for (at, parameter) in parameters.enumerate() {
            let place = format!("Parameters.parameter[{at}]");
            match parameter.get_str("name").as_deref() {
                Some("resource") => asked.resource = parameter.get("resource"),
                Some("mode") => {
                    let mode = parameter.get_str("valueCode").unwrap_or_default();
                    asked.mode = Some(known_mode(&mode, &format!("{place}.valueCode"))?);
                }
                Some("profile") => {
                    let names = ["valueUri", "valueCanonical"];
                    asked.profile = names.iter().find_map(|name| parameter.get_str(name));
                }
                _ => {
                    let diagnostics = "$validate takes only resource, mode and profile";
                    return Err(Failure::at(
                        IssueCode::NotSupported,
                        format!("{place}.name"),
                        diagnostics,
                    ));
                }
            }
        }
        Ok(asked)
    }
}

/// True for Parameters of this operation; other Parameters may themselves be what is to be judged.
fn is_call(body: Node<'_>) -> bool {
    let is_own = |one: Node<'_>| {
        matches!(one.get_str("name").as_deref(), Some("resource" | "mode" | "profile"))
    };
    body.get_str("resourceType").as_deref() == Some("Parameters")
        && body.get("parameter").is_some_and(|list| list.items().any(is_own))
}

fn known_mode(mode: &str, place: &str) -> Result<Mode, Failure> {
    match mode {
        "create" => Ok(Mode::Create),
        "update" => Ok(Mode::Update),
        "delete" => Ok(Mode::Delete),
        "profile" => Ok(Mode::Profile),
        other => {
            let diagnostics = format!("\"{other}\" is not {MODES_MEAN}");
            Err(Failure::at(IssueCode::Value, place, diagnostics))
        }
    }
}
